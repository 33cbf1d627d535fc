// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// What a GGUF file calls `tensor` of `model`: tensor_names.cpp, and what depends on the model. "a+b": it is written as two tensors; empty: under the
/// name it has. Kept in Tensor::gguf, so that a build which only counts needs no table of names. Requires that the tensor's layers are known.
[[nodiscard]] std::string_view gguf_name_of(const Model& model, const Tensor& tensor);

}  // namespace weighbridge

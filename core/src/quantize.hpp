// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// Whether the usual recipes quantize a tensor: the projections of attention, recurrent mixers and feed-forward blocks. Embeddings, head, norms,
/// router and encoders stay as they are.
[[nodiscard]] bool is_quantizable(TensorRole role);

[[nodiscard]] bool is_expert(TensorRole role);

/// turboderp-org/exllamav3 exllamav3/conversion/convert_model.py `--head_bits`, turboderp-org/exllamav2 conversion/convert_exl2.py `--head_bits`: of an
/// output head, unless a config says otherwise.
inline constexpr std::int64_t kExlHeadBits = 6;

/// Whether a tensor takes `layout` unless a list says otherwise. Requires that `model.plain` and `model.layers` are complete.
[[nodiscard]] bool takes(const Model& model, const Tensor& tensor, const WeightsLayout& layout);

/// `model.plain` as the checkpoint stores it: each tensor by its own recipe, its scales as rows after it.
[[nodiscard]] std::vector<Tensor> stored_tensors(const Model& model);

/// `model.plain` with every quantizable tensor in `layout`, and the rest in its base type.
[[nodiscard]] std::vector<Tensor> tensors_in_layout(const Model& model, const WeightsLayout& layout);

}  // namespace weighbridge

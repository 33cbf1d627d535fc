// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge::gguf {

/// `general.architecture` of the file that llama.cpp's converter writes of a model; empty if it converts none of that model_type.
/// Source: ggml-org/llama.cpp src/llama-arch.cpp LLM_ARCH_NAMES, conversion/*.py.
[[nodiscard]] std::string_view architecture_of(const Model& model);

/// The model_type that our engines know an architecture by; empty if its keys may mean what we do not read (a cache of another kind).
[[nodiscard]] std::string_view model_type_of(std::string_view architecture);

}  // namespace weighbridge::gguf

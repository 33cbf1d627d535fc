// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// What is known of a tensor by its name.
struct TensorName {
  std::string_view name;  ///< as Hugging Face checkpoints have it, within a layer or outside, without ".weight"
  TensorRole role = TensorRole::norm;
  std::string_view gguf{};  ///< what llama.cpp's converter calls it, without ".weight" (gguf-py/gguf/tensor_mapping.py), unless gguf/names.cpp knows
                            ///< better; "a+b": written as two tensors; "-": not written
};

/// The row of a tensor that is named `name` within its layer (`mlp.gate.weight`) or outside (`model.norm.weight`); a bias has its matrix's row.
/// Null for a name nobody has told us of.
[[nodiscard]] const TensorName* find_tensor_name(std::string_view name);

/// `name` without what stands before a language model's own names: "model.", "language_model." and the like.
[[nodiscard]] std::string_view without_roots(std::string_view name);

/// The row of a tensor that a GGUF file names `name` within its layer or outside, without ".weight" or ".bias". Null for one we know nothing of.
[[nodiscard]] const TensorName* find_gguf_tensor_name(std::string_view name);

/// `name` without the layer's part: "model.layers.{layer}.mlp.gate.weight" -> "mlp.gate.weight". All of it outside the layers.
[[nodiscard]] std::string_view within_layer(std::string_view name);

}  // namespace weighbridge

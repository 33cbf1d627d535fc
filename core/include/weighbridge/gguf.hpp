// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// The wire name of every GGUF file type that the quantizer of llama.cpp v0.5.0 writes: `gguf:F32`, `gguf:Q4_K_M` and so on, widest first.
[[nodiscard]] const std::vector<std::string_view>& gguf_formats();

/// The wire name of `format` whatever its case ("GGUF:q4_k_m"), or nothing if it is none.
[[nodiscard]] std::optional<std::string_view> find_gguf_format(std::string_view format);

/// The tensors of the GGUF file of `model` in `format` (a wire name of gguf_formats()): one row per tensor and layer, named without "blk.N." and
/// ".weight" (`attn_q`), experts merged (`per_layer` is then the number of experts). Layers of multi-token prediction follow the model's own as
/// ModelPart::mtp where the converter keeps them. Types are those of `llama-quantize` without an importance matrix.
/// Source: ggml-org/llama.cpp v0.5.0 src/llama-quant.cpp (types), src/models/*.cpp (names and shapes).
[[nodiscard]] std::vector<Tensor> gguf_tensors(const Model& model, std::string_view format);

/// Makes them those of another format: `tensors` are gguf_tensors() of the same model, whose names and shapes stay.
void change_gguf_format(const Model& model, std::string_view format, std::vector<Tensor>& tensors);

/// The same of a file that holds the layers of multi-token prediction, whether the converter keeps them or not.
[[nodiscard]] std::vector<Tensor> gguf_tensors_with_predictions(const Model& model, std::string_view format);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// The GGUF file that llama.cpp's converter would write of a model, as far as memory depends on it.
#pragma once

#include <string>
#include <string_view>

#include "file_writer.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge::testing {

/// `general.architecture` of the file: the converter's, or the model_type where it converts none.
[[nodiscard]] std::string file_architecture(const Model& model);

/// Metadata and tensors of `model` in `format` (a wire name of gguf_formats()), without a vocabulary: only its size. llama.cpp loads it, and it reads
/// back to the model. Source: ggml-org/llama.cpp conversion/*.py, src/models/*.cpp (keys that loading asks for).
[[nodiscard]] GgufWriter gguf_of(const Model& model, std::string_view format);

/// The same with its layers of multi-token prediction. Their tensors are those of the last layer like them, and the projections that join them.
[[nodiscard]] GgufWriter gguf_with_mtp(const Model& model, std::string_view format);

}  // namespace weighbridge::testing

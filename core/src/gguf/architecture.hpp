// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge::gguf {

/// `general.architecture` of the file that llama.cpp's converter writes of a model; empty if it converts none of that model_type.
/// Source: ggml-org/llama.cpp src/llama-arch.cpp LLM_ARCH_NAMES, conversion/*.py.
[[nodiscard]] std::string_view architecture_of(const Model& model);

/// Whether a file of a model has its layers of multi-token prediction behind its own. They then count where the engine splits layers and where the
/// quantizer goes by the number of layers, loaded or not.
enum class Predictions {
  left_out,  ///< the converter does not write them
  unknown,   ///< it does unless told otherwise, and files are published without and with them: older converters left Qwen's out
  kept,      ///< it does, and the engine loads a part of them even where nothing drafts, or has no graph without
};

/// Not for a model that was read from a file, which says itself.
/// Source: ggml-org/llama.cpp v0.5.0 conversion/{deepseek,glm,hunyuan,mimo,qwen,step3}.py (`block_count`), #20533 and #25589 (Qwen).
[[nodiscard]] Predictions predictions_of(const Model& model);
[[nodiscard]] inline bool keeps_predictions(const Model& model) { return predictions_of(model) == Predictions::kept; }

/// The model_type that our engines know an architecture by; empty if its keys may mean what we do not read (a cache of another kind).
[[nodiscard]] std::string_view model_type_of(std::string_view architecture);

}  // namespace weighbridge::gguf

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// The model of a GGUF file, or of its parts in order: every tensor as stored, and the layers as the keys `{architecture}.*` give them. Nothing
/// if the keys do not describe layers; a warning says so then.
/// Source of keys and defaults: ggml-org/llama.cpp src/llama-model.cpp (load_hparams) and src/llama-hparams.cpp.
[[nodiscard]] std::optional<Model> model_of_gguf(const std::vector<GgufHeader>& parts, Notices& warnings);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// Layers that a person gives for a file whose own are not known: each keeps the keys and values of all tokens.
struct GivenLayers {
  std::int64_t n_layers = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
};

/// The model of a GGUF file, or of its parts in order: every tensor as stored, and the layers as the keys `{architecture}.*` give them. If the keys
/// do not describe layers, those of `given`, or nothing; a warning says so then.
/// Source of keys and defaults: ggml-org/llama.cpp src/llama-model.cpp (load_hparams) and src/llama-hparams.cpp.
[[nodiscard]] std::optional<Model> model_of_gguf(const std::vector<GgufHeader>& parts, Notices& warnings,
                                                 const std::optional<GivenLayers>& given = std::nullopt);

}  // namespace weighbridge

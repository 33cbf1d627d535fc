// SPDX-License-Identifier: Apache-2.0
// What Gemma 3n and Gemma 4 have in common: inputs of every layer's own, and late layers that read the caches of earlier ones.
#pragma once

#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

/// An embedding a layer (PLE): every token has `size` more values for each layer.
struct LayerInputs {
  std::int64_t vocab = 0;
  std::int64_t size = 0;
};

/// embed_tokens_per_layer and the projection of the usual embeddings to the same; nothing if there are none.
void add_layer_inputs(Draft& draft, const LayerInputs& inputs, std::string_view root);
/// One layer's gate, projection and norm of its own input.
void add_layer_input_gate(TensorList& tensors, const LayerInputs& inputs, std::int64_t hidden);
/// The four norms of Gemma 2 to 4.
void add_gemma_norms(TensorList& tensors, std::int64_t hidden);

/// Which layers see everything: those that `layer_types` says, else every `period`-th and the last.
[[nodiscard]] LayerFlags read_global_layers(KeyReader& config, std::int64_t n_layers, std::int64_t period);
/// The first of the last `num_kv_shared_layers` layers, which read the caches of the last layers of their kind before them; n_layers if none does.
[[nodiscard]] std::int64_t read_first_shared_layer(KeyReader& config, std::int64_t n_layers, std::int64_t fallback);

}  // namespace weighbridge

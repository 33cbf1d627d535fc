// SPDX-License-Identifier: Apache-2.0
// The tensors of decoders whose layers are gated delta nets and gated attention by turns: Qwen3-Next and Qwen3.5.
#pragma once

#include "read/families/qwen_layers.hpp"

namespace weighbridge {

struct HybridStyle {
  bool attention_bias = false;
  bool output_gate = true;
  DeltaStyle delta;

  [[nodiscard]] DecoderStyle attention() const {
    return {.qkv_bias = attention_bias, .output_bias = attention_bias, .output_gate = output_gate, .qk_norm = true};
  }
};

/// Embeddings, layers and head.
void add_hybrid_decoder(Draft& draft, const TextPlace& place, const HybridStyle& style);
/// `mtp.*`: a projection of embedding and hidden state together, its norms, and layers like the others. `own_embeddings`: it brings embed_tokens.
void add_hybrid_mtp(Draft& draft, const HybridStyle& style, bool own_embeddings);

}  // namespace weighbridge

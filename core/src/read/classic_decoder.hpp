// SPDX-License-Identifier: Apache-2.0
// Decoders of GPT-2's line: LayerNorm, a feed-forward block without gate, queries, keys and values mostly in one matrix.
#pragma once

#include "read/draft.hpp"

namespace weighbridge {

/// What such a family calls its tensors, `.weight` left out; an empty name: it has no such tensor. Names of a layer's parts follow `layer`.
struct ClassicNames {
  std::string_view embedding;
  std::string_view positions{};  ///< learned, of max_context_tokens + `extra_positions` rows
  std::string_view embedding_norm{};
  std::string_view layer;  ///< what a layer's names begin with, ending in "{layer}."
  std::string_view norm;   ///< before attention; before the feed-forward block too unless that has its own
  std::string_view ffn_norm{};
  std::string_view qkv{};  ///< queries, keys and values in one matrix; empty: `q`, `k` and `v`
  std::string_view q{};
  std::string_view k{};
  std::string_view v{};
  std::string_view attention_output;
  std::string_view up;
  std::string_view down;
  std::string_view last_norm{};
  std::string_view head;
};

struct ClassicStyle {
  bool norm_bias = true;
  bool qkv_bias = true;
  bool output_bias = true;
  bool ffn_bias = true;
  bool head_bias = false;
  std::int64_t extra_positions = 0;
  std::int64_t embedding_size = 0;  ///< width of the embeddings where it is not the hidden size (OPT's word_embed_proj_dim)
};

/// q, k and v, each with its role, in one matrix or in three.
void add_classic_qkv(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, const ClassicNames& names, bool bias);
/// The norms, attention and feed-forward block of one layer, whose heads and width `layer` tells.
void add_classic_layer(Draft& draft, const LayerSpec& layer, const ClassicNames& names, const ClassicStyle& style);
/// The last norm, and the head unless it is tied and not stored.
void add_classic_head(Draft& draft, const ClassicNames& names, const ClassicStyle& style);
/// The whole decoder, from `draft.model`.
void add_classic_decoder(Draft& draft, const ClassicNames& names, const ClassicStyle& style = {});

}  // namespace weighbridge

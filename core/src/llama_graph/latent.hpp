// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention and the lightning indexer, as the files of ggml-org/llama.cpp v0.5.0 that have them build them (src/models/deepseek2.cpp,
// deepseek32.cpp, minicpm3.cpp; build_attn of llm_graph_input_attn_k and llm_graph_input_attn_k_dsa in src/llama-graph.cpp).
#pragma once

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

class LatentBlock {
 public:
  /// Of layer `il`, which must be a LatentAttention. `positions`: null if nothing is rotated. `factors`: of the rotation, or null.
  LatentBlock(Builder& builder, int il, Node* positions, Node* factors = nullptr);

  /// What the queries are projected from: normalized and of low rank, or `a` itself where the file projects them directly.
  Node* low_rank(Node* a);
  /// All heads of a token as [head, heads, tokens], not rotated. `low`: what low_rank() made.
  Node* queries(Node* low);
  /// One key head for all queries: the latent with the rotated part behind it. The value is the latent.
  Qkv absorbed(Node* a, Node* q);
  /// Every head with keys and values of its own.
  Qkv unfolded(Node* a, Node* q);
  /// Writes the keys to the cache, attends to them under `mask`, projects back.
  Node* attend(const AttentionInputs& inputs, const Qkv& qkv, Node* mask);

  /// The `top_k` tokens that attention reads. Keys of the indexer have a cache of their own. `low`: as above.
  Node* choose_tokens(Node* a, Node* low, const AttentionInputs& indexer);

 private:
  /// The latent, normalized, and the rotated part of the keys, which all heads share.
  struct Compressed {
    Node* latent = nullptr;
    Node* rotated = nullptr;
  };
  Compressed compress(Node* a);
  Node* rope(Node* a) { return positions_ != nullptr ? g_.rope(a, positions_, factors_) : a; }

  Builder& b_;
  Graph& g_;
  const LatentAttention& spec_;
  int il_;
  Node* positions_;
  Node* factors_;
};

}  // namespace weighbridge::llama_graph

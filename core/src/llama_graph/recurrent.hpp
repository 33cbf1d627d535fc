// SPDX-License-Identifier: Apache-2.0
// Layers that remember a state of every sequence instead of keys and values: ggml-org/llama.cpp v0.5.0 src/llama-graph.cpp (build_rs),
// src/llama-memory-recurrent.cpp.
#pragma once

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

/// Of single precision, in which states and what is computed of them lie.
inline std::uint64_t bytes_of(std::int64_t values) { return static_cast<std::uint64_t>(values) * sizeof(float); }

/// What the recurrent layers remember, and how a graph reads and writes it. In order: read, compute, write; each is in the graph when it returns.
class States {
 public:
  /// Makes the inputs (llm_graph_input_rs). All sequences are in the batch, with as many tokens each.
  explicit States(Builder& builder);

  /// The last tokens before the batch, as the convolution sees them: [values, sequences].
  Node* convolution(int il) { return cache(il, recurrent_part(b_.layer(il))->conv_values()); }
  /// The state proper.
  Node* state(int il) { return cache(il, recurrent_part(b_.layer(il))->state_values); }

  /// The batch's sequences out of `cache`.
  Node* read(Node* cache) {
    return read(cache, [&](Node* all, Node* sequences) { return g_.get_rows(all, sequences); });
  }
  /// The same by an operation that picks them itself: (all states, which) -> result.
  template <class Pick>
  Node* read(Node* cache, Pick&& pick) {
    Node* all = clear_one(cache);
    Node* result = pick(all, own_);
    g_.expand(result);
    keep_others(cache, all);
    return result;
  }
  void write(Node* cache, Node* values);

  /// `tokens` [channels, tokens, sequences] behind those before them: [kernel - 1 + tokens, channels, sequences].
  Node* window(Node* tokens, int il);

  std::int64_t n_seqs = 0;
  std::int64_t n_seq_tokens = 0;

 private:
  Node* cache(int il, std::int64_t values);
  Node* clear_one(Node* cache);
  void keep_others(Node* cache, Node* all);

  Builder& b_;
  Graph& g_;
  std::int64_t n_states_;  ///< sequences that the cache remembers
  Node* own_ = nullptr;
  Node* others_ = nullptr;
};

/// The mixers, from a normalized state [hidden, tokens] to what is added to it.
Node* mamba_mixer(Builder& builder, States& states, Node* a, int il);
Node* mamba2_mixer(Builder& builder, States& states, Node* a, int il);
Node* short_convolution(Builder& builder, States& states, Node* a, int il);
/// Qwen3-Next and later. `repeats_keys`: until there is a key head for every value head.
Node* gated_delta_mixer(Builder& builder, States& states, Node* a, int il, bool repeats_keys);

/// What the delta rule does with queries, keys and values [head, heads, tokens, sequences], decays and update rates.
struct DeltaOperands {
  Node* q = nullptr;
  Node* k = nullptr;
  Node* v = nullptr;
  Node* decay = nullptr;
  Node* rate = nullptr;
};
/// Reads the state, applies the rule and writes the state: [head, heads, tokens, sequences].
Node* delta_rule(Builder& builder, States& states, const DeltaOperands& operands, int il);
/// The square of a head's values adds up to one.
Node* unit_heads(Graph& graph, Node* a);

}  // namespace weighbridge::llama_graph

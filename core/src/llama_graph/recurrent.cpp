// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

States::States(Builder& builder)
    : n_seqs(builder.n_seqs), n_seq_tokens(builder.n_tokens / builder.n_seqs), b_(builder), g_(builder.graph), n_states_(builder.settings.n_seq_max) {
  Node* sequences = g_.input(dtype::int32, {n_states_, 1, 1, 1});
  own_ = g_.view_1d(sequences, n_seqs, 0);
  others_ = g_.view_1d(sequences, n_states_ - n_seqs, static_cast<std::uint64_t>(n_seqs) * sequences->nb[0]);
}

Node* States::cache(int il, std::int64_t values) { return g_.stored(dtype::f32, {values, n_states_, 1, 1}, b_.cache_buffer(il), il, false); }

Node* States::clear_one(Node* cache) {
  Node* all = g_.reshape(cache, cache->ne);
  g_.expand(g_.scale_inplace(g_.view_1d(all, cache->ne[0], 0)));
  return all;
}

void States::keep_others(Node* cache, Node* all) {
  Node* rows = g_.get_rows(all, others_);
  g_.expand(g_.cpy(rows, g_.view_2d(cache, cache->ne[0], n_states_ - n_seqs, cache->nb[1], static_cast<std::uint64_t>(n_seqs) * cache->nb[1])));
}

void States::write(Node* cache, Node* values) { g_.expand(g_.cpy(values, g_.view_2d(cache, cache->ne[0], n_seqs, cache->nb[1], 0))); }

Node* States::window(Node* tokens, int il) {
  const std::int64_t channels = tokens->ne[0];
  Node* cache = convolution(il);
  const std::int64_t kept = cache->ne[0] / channels;
  Node* before = g_.reshape(read(cache), {kept, channels, n_seqs, 1});
  Node* result = g_.concat(before, g_.transpose(tokens), 0);
  const std::uint64_t offset = static_cast<std::uint64_t>(n_seq_tokens) * result->nb[0];
  write(cache, g_.view_3d(result, {kept, channels, n_seqs, 1}, result->nb[1], result->nb[2], offset));
  return result;
}

}  // namespace weighbridge::llama_graph

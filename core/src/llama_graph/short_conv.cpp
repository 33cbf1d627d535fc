// SPDX-License-Identifier: Apache-2.0
// LFM2's gated convolution over a few tokens: src/models/lfm2.cpp, build_shortconv_block.
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

Node* short_convolution(Builder& b, States& states, Node* a, int il) {
  Graph& g = b.graph;
  const std::int64_t n_tokens = states.n_seq_tokens;
  const std::int64_t n_seqs = states.n_seqs;
  Node* all = b.apply(b.linear("shortconv.in_proj", il), g.reshape(a, {a->ne[0], n_tokens, n_seqs, 1}));
  const std::int64_t width = all->ne[0] / 3;
  const auto part = [&](std::int64_t i) {
    return g.view_3d(all, {width, n_tokens, n_seqs, 1}, all->nb[1], all->nb[2], row_bytes(all->type, i * width));
  };
  Node* gated = g.mul(part(0), part(2));
  Node* convolved = g.ssm_conv(states.window(gated, il), b.matrix("shortconv.conv", il));
  Node* result = b.apply(b.linear("shortconv.out_proj", il), g.mul(part(1), convolved));
  return g.reshape(result, {result->ne[0], n_tokens * n_seqs, 1, 1});
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
// Selective state spaces: src/models/mamba-base.cpp.
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

namespace {

Node* convolve(Builder& b, States& states, Node* x, int il) {
  Graph& g = b.graph;
  Node* result = g.ssm_conv(states.window(x, il), b.matrix("ssm_conv1d", il));
  return g.activate(Unary::silu, g.add(result, b.vector("ssm_conv1d", il)));
}

struct ScanOperands {
  Node* x = nullptr;      ///< [head, heads, tokens, sequences]
  Node* steps = nullptr;  ///< dt
  Node* decay = nullptr;  ///< A
  Node* in = nullptr;     ///< B
  Node* out = nullptr;    ///< C
};

/// What comes out of the states, flat, and the new states behind it, which are written.
Node* scan(Builder& b, States& states, const ScanOperands& o, int il) {
  Graph& g = b.graph;
  const std::int64_t values = o.x->elements();
  Node* cache = states.state(il);
  Node* result = states.read(cache, [&](Node* all, Node* sequences) {
    Node* scanned = g.reshape(all, {o.in->ne[0], o.x->ne[0], o.x->ne[1], states.n_seqs});
    return g.make(Op::ssm_scan, dtype::f32, {values + cache->elements(), 1, 1, 1}, {scanned, o.x, o.steps, o.decay, o.in, o.out, sequences});
  });
  states.write(cache, g.view_1d(result, cache->elements(), bytes_of(values)));
  return result;
}

/// Step sizes, and what goes into and out of the states, from what was convolved.
ScanOperands select(Builder& b, States& states, Node* x, int il) {
  Graph& g = b.graph;
  const std::int64_t n_tokens = states.n_seq_tokens;
  const std::int64_t n_seqs = states.n_seqs;
  const Linear step = b.linear("ssm_dt", il);
  const std::int64_t rank = step.matrix->ne[0];
  ScanOperands o{.x = g.reshape(x, {1, x->ne[0], n_tokens, n_seqs}), .decay = b.matrix("ssm_a", il)};
  const std::int64_t d_state = o.decay->ne[0];
  Node* projected = b.apply(b.linear("ssm_x", il), x);
  const auto gate = [&](std::int64_t from) {
    const Strides nb{sizeof(float), bytes_of(d_state), projected->nb[1], projected->nb[2]};
    return g.view(projected, {d_state, 1, n_tokens, n_seqs}, nb, bytes_of(from));
  };
  o.steps = g.view_3d(projected, {rank, n_tokens, n_seqs, 1}, projected->nb[1], projected->nb[2], 0);
  o.in = gate(rank);
  o.out = gate(rank + d_state);
  // Falcon-Mamba's norms have no weights, and its file says only that they are there.
  if (b.model.architecture == "falcon_mamba" || b.vector("ssm_dt_norm", il) != nullptr) {
    o.steps = b.norm(o.steps, "ssm_dt_norm", il);
    o.in = b.norm(o.in, "ssm_b_norm", il);
    o.out = b.norm(o.out, "ssm_c_norm", il);
  } else {
    o.steps = g.cont(o.steps);
  }
  o.steps = b.apply(step, o.steps);
  return o;
}

}  // namespace

Node* mamba_mixer(Builder& b, States& states, Node* a, int il) {
  Graph& g = b.graph;
  const std::int64_t inner = recurrent_part(b.layer(il))->inner_size;
  const std::int64_t n_tokens = states.n_seq_tokens;
  const std::int64_t n_seqs = states.n_seqs;
  Node* both = b.apply(b.linear("ssm_in", il), g.reshape(a, {a->ne[0], n_tokens, n_seqs, 1}));
  const auto part = [&](std::int64_t from) { return g.view_3d(both, {inner, n_tokens, n_seqs, 1}, both->nb[1], both->nb[2], bytes_of(from)); };
  Node* x = convolve(b, states, part(0), il);
  const ScanOperands operands = select(b, states, x, il);
  Node* y = g.view_3d(scan(b, states, operands, il), x->ne, operands.x->nb[2], operands.x->nb[3], 0);
  y = g.glu(g.cont(part(inner)), g.add(y, g.mul(x, b.vector("ssm_d", il))));
  Node* result = b.apply(b.linear("ssm_out", il), y);
  return g.reshape(result, {result->ne[0], n_tokens * n_seqs, 1, 1});
}

Node* mamba2_mixer(Builder& b, States& states, Node* a, int il) {
  Graph& g = b.graph;
  const RecurrentMixer& spec = *recurrent_part(b.layer(il));
  const std::int64_t inner = spec.inner_size;
  const std::int64_t heads = spec.n_heads;
  const std::int64_t head = inner / heads;
  const std::int64_t d_state = spec.state_values / inner;
  const std::int64_t groups = (spec.conv_channels - inner) / 2 / d_state;
  const std::int64_t n_tokens = states.n_seq_tokens;
  const std::int64_t n_seqs = states.n_seqs;
  Node* all = b.apply(b.linear("ssm_in", il), a);
  all = g.reshape(all, {all->ne[0], n_tokens, n_seqs, 1});
  const auto heads_of = [&](Node* of, std::int64_t size, std::int64_t count, std::int64_t from) {
    return g.view(of, {size, count, n_tokens, n_seqs}, {sizeof(float), bytes_of(size), of->nb[1], of->nb[2]}, bytes_of(from));
  };
  const auto part = [&](std::int64_t size, std::int64_t from) {
    return g.view_3d(all, {size, n_tokens, n_seqs, 1}, all->nb[1], all->nb[2], bytes_of(from));
  };
  Node* z = heads_of(all, head, heads, 0);
  Node* steps = part(heads, inner + spec.conv_channels);
  Node* mixed = convolve(b, states, part(spec.conv_channels, inner), il);

  ScanOperands operands;
  operands.x = heads_of(mixed, head, heads, 0);
  operands.in = heads_of(mixed, d_state, groups, inner);
  operands.out = heads_of(mixed, d_state, groups, inner + groups * d_state);
  operands.steps = g.add(g.cont(steps), b.vector("ssm_dt", il));
  operands.decay = Graph::declare(b.parameter("ssm_a", il), {1, heads, 1, 1});
  Node* scanned = scan(b, states, operands, il);
  const std::uint64_t row = operands.x->nb[1];
  const std::uint64_t token = row * static_cast<std::uint64_t>(heads);
  Node* y = g.view(scanned, {head, heads, n_tokens, n_seqs}, {sizeof(float), row, token, token * static_cast<std::uint64_t>(n_tokens)}, 0);
  y = g.glu(g.cont(z), g.add(y, g.mul(operands.x, b.parameter("ssm_d", il))));
  if (b.parameter("ssm_norm", il) != nullptr) y = b.norm(g.reshape(y, {inner / groups, groups, n_tokens, n_seqs}), "ssm_norm", il);
  return b.apply(b.linear("ssm_out", il), g.reshape(y, {inner, n_tokens * n_seqs, 1, 1}));
}

}  // namespace weighbridge::llama_graph

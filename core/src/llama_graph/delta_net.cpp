// SPDX-License-Identifier: Apache-2.0
// Linear attention by the gated delta rule: src/models/delta-net-base.cpp, and Qwen's layers of it (src/models/qwen3next.cpp, qwen35.cpp,
// build_layer_attn_linear).
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

namespace {

/// Heads of a Qwen layer; keys and values have one width.
struct Heads {
  std::int64_t width = 0;
  std::int64_t keys = 0;
  std::int64_t values = 0;
};

struct Gates {
  Node* decay = nullptr;
  Node* rate = nullptr;
};

/// The rates and decays of all value heads from one projection, by key head.
Gates joint_gates(Builder& b, States& states, Node* a, const Heads& heads, int il) {
  Graph& g = b.graph;
  const std::int64_t each = heads.values / heads.keys;
  Node* both = b.apply(b.linear("ssm_ba", il), a);
  both = g.reshape(both, {2 * each, heads.keys, states.n_seq_tokens, states.n_seqs});
  const auto part = [&](std::int64_t from) { return g.view(both, {each, heads.keys, states.n_seq_tokens, states.n_seqs}, both->nb, bytes_of(from)); };
  Node* rate = g.activate(Unary::sigmoid, g.cont(part(0)));
  return {g.cont(part(each), {heads.values, states.n_seq_tokens, states.n_seqs, 1}), rate};
}

Gates gates(Builder& b, States& states, Node* a, const Heads& heads, int il) {
  Graph& g = b.graph;
  const Shape per_head{1, heads.values, states.n_seq_tokens, states.n_seqs};
  Gates result;
  if (b.matrix("ssm_ba", il) != nullptr) {
    result = joint_gates(b, states, a, heads, il);
    result.rate = g.reshape(result.rate, per_head);
  } else {
    result.rate = g.activate(Unary::sigmoid, g.reshape(b.apply(b.linear("ssm_beta", il), a), per_head));
    result.decay = g.reshape(b.apply(b.linear("ssm_alpha", il), a), {heads.values, states.n_seq_tokens, states.n_seqs, 1});
  }
  result.decay = g.activate(Unary::softplus, g.add(result.decay, b.vector("ssm_dt", il)));
  result.decay = g.reshape(g.mul(result.decay, b.vector("ssm_a", il)), per_head);
  return result;
}

struct Projections {
  Node* qkv = nullptr;
  Node* z = nullptr;
};

/// Older files have one matrix for both, by key head.
Projections joint_projections(Builder& b, States& states, Node* a, const Heads& heads, int il) {
  Graph& g = b.graph;
  const std::int64_t values = heads.width * heads.values / heads.keys;
  Node* all = b.apply(b.linear("ssm_in", il), a);
  all = g.reshape(all, {2 * heads.width + 2 * values, heads.keys, states.n_seq_tokens, states.n_seqs});
  const auto part = [&](std::int64_t size, std::int64_t from) {
    return g.view(all, {size, heads.keys, states.n_seq_tokens, states.n_seqs}, all->nb, bytes_of(from));
  };
  const auto flat = [&](Node* of) { return g.cont(of, {of->ne[0] * of->ne[1], states.n_seq_tokens, states.n_seqs, 1}); };
  Node* z = g.cont(part(values, 2 * heads.width + values));
  Node* q = flat(part(heads.width, 0));
  Node* k = flat(part(heads.width, heads.width));
  Node* v = flat(part(values, 2 * heads.width));
  return {g.concat(g.concat(q, k, 0), v, 0), z};
}

Projections projections(Builder& b, States& states, Node* a, const Heads& heads, int il) {
  const Linear fused = b.linear("attn_qkv", il);
  if (!fused) return joint_projections(b, states, a, heads, il);
  Node* qkv = b.apply(fused, a);
  return {b.graph.reshape(qkv, {qkv->ne[0], states.n_seq_tokens, states.n_seqs, 1}), b.apply(b.linear("attn_gate", il), a)};
}

Node* repeat_heads(Graph& g, Node* a, std::int64_t times) {
  const std::int64_t rows = a->ne[2] * a->ne[3];
  Node* repeated = g.repeat(g.reshape(a, {a->ne[0], 1, a->ne[1], rows}), {a->ne[0], times, a->ne[1], rows});
  return g.reshape(repeated, {a->ne[0], a->ne[1] * times, a->ne[2], a->ne[3]});
}

}  // namespace

Node* unit_heads(Graph& graph, Node* a) { return graph.scale(graph.same(Op::rms_norm, a)); }

Node* delta_rule(Builder& b, States& states, const DeltaOperands& o, int il) {
  Graph& g = b.graph;
  const std::int64_t width = o.v->ne[0];
  const std::int64_t heads = o.v->ne[1];
  const std::int64_t n_tokens = o.v->ne[2];
  const std::int64_t n_seqs = o.v->ne[3];
  Node* cache = states.state(il);
  Node* state = g.reshape(states.read(cache), {width, width, heads, n_seqs});
  // The newest state, and those to go back to (build_recurrent_attn with n_rs_seq).
  const std::int64_t kept = 1 + b.settings.n_rs_seq;
  const Shape ne{width * heads, (n_tokens + width * kept) * n_seqs, 1, 1};
  Node* result = g.make(Op::gated_delta_net, dtype::f32, ne, {o.q, o.k, o.v, o.decay, o.rate, state});
  const std::uint64_t token = bytes_of(width * heads);
  const std::uint64_t sequence = token * static_cast<std::uint64_t>(n_tokens);
  Node* output = g.view(result, {width, heads, n_tokens, n_seqs}, {sizeof(float), bytes_of(width), token, sequence}, 0);
  states.write(cache, g.view(result, state->ne, state->nb, sequence * static_cast<std::uint64_t>(n_seqs)));
  return output;
}

Node* gated_delta_mixer(Builder& b, States& states, Node* a, int il, bool repeats_keys) {
  Graph& g = b.graph;
  const RecurrentMixer& spec = *recurrent_part(b.layer(il));
  Heads heads{.width = spec.inner_size / spec.n_heads, .values = spec.n_heads};
  heads.keys = (spec.conv_channels - spec.inner_size) / 2 / heads.width;
  const std::int64_t n_tokens = states.n_seq_tokens;
  const std::int64_t n_seqs = states.n_seqs;
  const Projections in = projections(b, states, a, heads, il);
  const Gates gate = gates(b, states, a, heads, il);
  Node* window = states.window(in.qkv, il);
  Node* mixed = g.activate(Unary::silu, g.ssm_conv(window, b.matrix("ssm_conv1d", il)));
  const auto part = [&](std::int64_t count, std::int64_t from) {
    return g.view(mixed, {heads.width, count, n_tokens, n_seqs}, {sizeof(float), bytes_of(heads.width), mixed->nb[1], mixed->nb[2]}, bytes_of(from));
  };
  DeltaOperands operands{part(heads.keys, 0), part(heads.keys, heads.width * heads.keys), part(heads.values, 2 * heads.width * heads.keys),
                         gate.decay, gate.rate};
  operands.q = unit_heads(g, operands.q);
  operands.k = unit_heads(g, operands.k);
  if (repeats_keys && heads.keys != heads.values) {
    operands.q = repeat_heads(g, operands.q, heads.values / heads.keys);
    operands.k = repeat_heads(g, operands.k, heads.values / heads.keys);
  }
  Node* output = delta_rule(b, states, operands, il);
  Node* z = g.reshape(in.z, {heads.width, heads.values, n_tokens, n_seqs});
  Node* gated = g.mul(b.norm(output, "ssm_norm", il), g.activate(Unary::silu, z));
  Node* result = b.apply(b.linear("ssm_out", il), g.reshape(gated, {spec.inner_size, n_tokens, n_seqs, 1}));
  return g.reshape(result, {result->ne[0], n_tokens * n_seqs, 1, 1});
}

}  // namespace weighbridge::llama_graph

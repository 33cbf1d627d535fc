// SPDX-License-Identifier: Apache-2.0
// RWKV-7: src/models/rwkv7.cpp, rwkv7-base.cpp.
#include "llama_graph/models.hpp"
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

namespace {

class Rwkv7 {
 public:
  explicit Rwkv7(Builder& builder) : b_(builder), g_(builder.graph), states_(builder), hidden_(builder.model.hidden_size) {}

  void build() {
    // In a checkpoint this norm belongs to the first layer.
    const int norm_layer = b_.vector("token_embd_norm", 0) != nullptr ? 0 : kNowhere;
    Node* state = b_.norm(b_.embed(), "token_embd_norm", norm_layer, NormKind::layer);
    ids_ = b_.output_ids();
    b_.for_each_layer([&](int il) { state = layer(state, il); });
    state = b_.norm(state, "output_norm", kNowhere, NormKind::layer);
    b_.finish(state, b_.apply({b_.matrix("output", kNowhere)}, state));
  }

 private:
  /// [hidden, tokens, sequences]
  [[nodiscard]] Shape by_sequence() const { return {hidden_, states_.n_seq_tokens, states_.n_seqs, 1}; }
  [[nodiscard]] Shape flat() const { return {hidden_, b_.n_tokens, 1, 1}; }

  Node* layer(Node* input, int il) {
    input = g_.reshape(input, by_sequence());
    Node* cache = states_.convolution(il);
    Node* shifts = g_.reshape(states_.read(cache), {hidden_, 2, states_.n_seqs, 1});
    const auto before = [&](std::int64_t i) {
      return g_.view_3d(shifts, {hidden_, 1, states_.n_seqs, 1}, shifts->nb[1], shifts->nb[2], bytes_of(i * hidden_));
    };
    Node* mixing_shift = before(0);
    Node* channel_shift = before(1);
    Node* normed = b_.norm(input, "attn_norm", il, NormKind::layer);
    Node* middle = g_.add(time_mix(normed, shifted(mixing_shift, normed), il), input);
    // A file's name, and a checkpoint's.
    Node* normed_middle = b_.norm(middle, b_.vector("attn_norm_2", il) != nullptr ? "attn_norm_2" : "ffn_norm", il, NormKind::layer);
    Node* previous = shifted(channel_shift, normed_middle);
    states_.write(cache, g_.concat(last(normed), last(normed_middle), 1));
    middle = g_.reshape(middle, flat());
    normed_middle = g_.reshape(normed_middle, flat());
    previous = g_.reshape(previous, flat());
    if (il == b_.n_layers() - 1) {
      middle = g_.get_rows(middle, ids_);
      normed_middle = g_.get_rows(normed_middle, ids_);
      previous = g_.get_rows(previous, ids_);
    }
    return g_.add(channel_mix(normed_middle, previous, il), middle);
  }

  /// Each token's predecessor; that of the first is remembered.
  Node* shifted(Node* first, Node* a) {
    return g_.concat(first, g_.view_3d(a, {hidden_, states_.n_seq_tokens - 1, states_.n_seqs, 1}, a->nb[1], a->nb[2], 0), 1);
  }
  Node* last(Node* a) { return g_.view_3d(a, {hidden_, 1, states_.n_seqs, 1}, a->nb[1], a->nb[2], bytes_of((states_.n_seq_tokens - 1) * hidden_)); }

  Node* channel_mix(Node* a, Node* previous, int il) {
    Node* difference = g_.binary(Op::sub, previous, a);
    Node* mixed = g_.add(g_.mul(difference, b_.parameter("channel_mix_lerp_k", il)), a);
    Node* key = g_.same(Op::sqr, g_.activate(Unary::relu, b_.apply(b_.linear("channel_mix_key", il), mixed)));
    return b_.apply(b_.linear("channel_mix_value", il), key);
  }

  /// Down to a small rank and up again.
  Node* low_rank(Node* a, std::string_view down, std::string_view up, int il, Unary between = Unary::none) {
    Node* inner = g_.mul_mat(b_.matrix(down, il), a);
    if (between != Unary::none) inner = g_.activate(between, inner);
    return g_.mul_mat(b_.matrix(up, il), inner);
  }

  /// A bias of the low ranks: a checkpoint has it beside the second matrix, a file under a name of its own.
  Node* bias(std::string_view name, std::string_view beside, int il) {
    Node* own = b_.parameter(name, il);
    return own != nullptr ? own : b_.vector(beside, il);
  }

  /// By head.
  struct Operands {
    Node* r = nullptr;
    Node* w = nullptr;
    Node* k = nullptr;
    Node* v = nullptr;
    Node* rate = nullptr;
    Node* unit = nullptr;  ///< keys of length one
  };

  Node* time_mix(Node* a, Node* previous, int il) {
    const bool is_gated = b_.matrix("time_mix_g1", il) != nullptr;
    const std::int64_t n_mixed = is_gated ? 6 : 5;
    Node* difference = g_.repeat(g_.binary(Op::sub, previous, a), {hidden_, states_.n_seq_tokens, states_.n_seqs, n_mixed});
    Node* lerp = Graph::declare(b_.parameter("time_mix_lerp_fused", il), {hidden_, 1, 1, n_mixed});
    Node* mixed = g_.add(g_.mul(difference, lerp), a);
    const Operands o = operands(mixed, il);
    Node* gate = is_gated ? low_rank(part(mixed, 5), "time_mix_g1", "time_mix_g2", il, Unary::sigmoid) : nullptr;
    Node* y = g_.reshape(g_.same(Op::norm, g_.reshape(recur(o, il), o.k->ne)), flat());
    y = g_.add(g_.mul(y, b_.vector("time_mix_ln", il, 0)), b_.vector("time_mix_ln", il, 1));
    Node* bonus = g_.reshape(b_.parameter("time_mix_r_k", il), {o.k->ne[0], o.k->ne[1], 1, 1});
    Node* own = g_.mul(o.v, g_.sum_rows(g_.mul(g_.mul(o.k, o.r), bonus)));
    y = g_.add(y, g_.reshape(own, flat()));
    if (gate != nullptr) y = g_.mul(y, gate);
    return g_.reshape(b_.apply(b_.linear("time_mix_output", il), y), by_sequence());
  }

  Node* part(Node* mixed, std::int64_t i) { return g_.view_2d(mixed, hidden_, b_.n_tokens, mixed->nb[1], bytes_of(i * hidden_ * b_.n_tokens)); }

  Operands operands(Node* mixed, int il) {
    const std::int64_t head = recurrent_part(b_.layer(il))->state_values / hidden_;
    const Shape heads{head, hidden_ / head, b_.n_tokens, 1};
    Operands o;
    o.r = b_.apply(b_.linear("time_mix_receptance", il), part(mixed, 0));
    o.w = g_.add(low_rank(part(mixed, 1), "time_mix_w1", "time_mix_w2", il, Unary::tanh), bias("time_mix_w0", "time_mix_w2", il));
    o.w = g_.activate(Unary::exp, g_.scale(g_.activate(Unary::sigmoid, o.w)));
    o.k = b_.apply(b_.linear("time_mix_key", il), part(mixed, 2));
    o.v = values(part(mixed, 3), il);
    o.rate = g_.add(low_rank(part(mixed, 4), "time_mix_a1", "time_mix_a2", il), bias("time_mix_a0", "time_mix_a2", il));
    o.rate = g_.activate(Unary::sigmoid, o.rate);
    o.unit = g_.same(Op::l2_norm, g_.reshape(g_.mul(o.k, b_.parameter("time_mix_k_k", il)), heads));
    Node* scaled = g_.mul(o.k, b_.parameter("time_mix_k_a", il));
    o.k = g_.add(o.k, g_.binary(Op::sub, g_.mul(o.rate, scaled), scaled));
    for (Node** node : {&o.r, &o.w, &o.k, &o.v, &o.rate}) *node = g_.reshape(*node, heads);
    return o;
  }

  /// Those of the first layer are mixed into all others.
  Node* values(Node* a, int il) {
    Node* own = b_.apply(b_.linear("time_mix_value", il), a);
    if (first_value_ == nullptr) return first_value_ = own;
    Node* rate = g_.add(low_rank(a, "time_mix_v1", "time_mix_v2", il), bias("time_mix_v0", "time_mix_v2", il));
    return g_.add(own, g_.mul(g_.binary(Op::sub, first_value_, own), g_.activate(Unary::sigmoid, rate)));
  }

  Node* recur(const Operands& o, int il) {
    const std::int64_t rows = o.k->ne[0] * states_.n_seqs;
    Node* cache = states_.state(il);
    Node* state = states_.read(cache);
    Node* negative = g_.activate(Unary::neg, o.unit);
    Node* result = g_.make(Op::rwkv_wkv7, dtype::f32, {hidden_, b_.n_tokens + rows, 1, 1},
                           {o.r, o.w, o.k, o.v, negative, g_.mul(o.unit, o.rate), state});
    Node* y = g_.view_1d(result, hidden_ * b_.n_tokens, 0);
    states_.write(cache, g_.view_1d(result, hidden_ * rows, bytes_of(hidden_ * b_.n_tokens)));
    return y;
  }

  Builder& b_;
  Graph& g_;
  States states_;
  std::int64_t hidden_ = 0;
  Node* ids_ = nullptr;
  Node* first_value_ = nullptr;
};

}  // namespace

bool build_rwkv7(Builder& builder, std::string_view architecture) {
  if (architecture != "rwkv7") return false;
  Rwkv7(builder).build();
  return true;
}

}  // namespace weighbridge::llama_graph

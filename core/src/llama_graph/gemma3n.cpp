// SPDX-License-Identifier: Apache-2.0
// ggml-org/llama.cpp v0.5.0 src/models/gemma3n.cpp: four states side by side (AltUp), of which one goes through the layer.
#include "llama_graph/models.hpp"
#include "llama_graph/per_layer_inputs.hpp"

namespace weighbridge::llama_graph {

namespace {

constexpr std::int64_t kStates = 4;  // n_altup
constexpr int kSparseLayers = 10;    // n_layer_sparsity
constexpr std::int64_t kActive = 0;  // i_altup_act

class Gemma3n {
 public:
  explicit Gemma3n(Builder& builder) : b_(builder), g_(builder.graph) {}

  void build() {
    Node* state = g_.scale(b_.embed());
    positions_ = b_.positions();
    inputs_ = b_.cache_inputs();
    per_layer_ = per_layer_inputs(b_, state);
    Node* states = spread(state);
    b_.for_each_layer([&](int il) { states = layer(states, il); }, [](int il) { return il < kSparseLayers; });
    state = g_.get_rows(gather(states), b_.output_ids());
    state = b_.norm(state, "output_norm", kNowhere);
    Node* logits = g_.mul_mat(b_.matrix("output", kNowhere), state);
    b_.finish(state, g_.scale(g_.activate(Unary::tanh, g_.scale(logits))));
  }

 private:
  Node* magnitude(Node* a) { return g_.same(Op::sqrt, g_.sum_rows(g_.same(Op::sqr, a))); }

  Node* with_magnitude(Node* a, Node* wanted) {
    Node* own = magnitude(a);
    return g_.binary(Op::div, g_.mul(a, wanted), own);
  }

  Node* spread(Node* state) {
    Node* wanted = magnitude(state);
    Node* repeated = g_.repeat(state, {state->ne[0], b_.n_tokens, kStates - 1, 1});
    return g_.concat(state, with_magnitude(g_.mul_mat(b_.matrix("altup_proj", kNowhere), repeated), wanted), 2);
  }

  /// All states but the first.
  Node* rest(Node* states) {
    const Shape ne{states->ne[0], b_.n_tokens, kStates - 1, 1};
    const std::uint64_t row = row_bytes(states->type, ne[0]);
    const std::uint64_t matrix = row * static_cast<std::uint64_t>(ne[1]);
    return g_.view_3d(states, ne, row, matrix, matrix);
  }

  Node* gather(Node* states) {
    Node* wanted = magnitude(slice(g_, states, kActive));
    Node* others = with_magnitude(g_.mul_mat(b_.matrix("altup_unembd_proj", kNowhere), rest(states)), wanted);
    Node* sum = slice(g_, states, 0);
    for (std::int64_t i = 0; i + 1 < kStates; ++i) sum = g_.add(sum, slice(g_, others, i));
    return g_.scale(sum);
  }

  Node* modalities(Node* a, int il) {
    return g_.activate(Unary::tanh, g_.mul_mat(b_.matrix("altup_router", il), g_.scale(b_.norm(a, "altup_router_norm", il))));
  }

  Node* predict(Node* states, int il) {
    Node* factors = g_.mul_mat(b_.matrix("altup_predict_coef", il), modalities(slice(g_, states, kActive), il));
    factors = g_.reshape(factors, {kStates, kStates, b_.n_tokens, 1});
    Node* mixed = g_.mul_mat(g_.cont(g_.permute(states, {1, 2, 0, 3})), factors);
    return g_.add(g_.cont(g_.permute(mixed, {0, 2, 1, 3})), states);
  }

  Node* correct(Node* predictions, Node* activated, int il) {
    Node* router = modalities(activated, il);
    Node* innovation = g_.binary(Op::sub, activated, slice(g_, predictions, kActive));
    Node* factors = g_.scale(g_.mul_mat(b_.matrix("altup_correct_coef", il), router));
    factors = g_.cont(g_.transpose(factors), {1, b_.n_tokens, kStates, 1});
    innovation = g_.repeat(innovation, {innovation->ne[0], b_.n_tokens, kStates, 1});
    return g_.add(g_.mul(innovation, factors), predictions);
  }

  Node* laurel(Node* a, int il) {
    Node* result = g_.mul_mat(b_.matrix("laurel_r", il), g_.mul_mat(b_.matrix("laurel_l", il), a));
    return g_.add(b_.norm(result, "laurel_post_norm", il), a);
  }

  Node* attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    Qkv qkv;
    if (b_.layer(il).shares_cache) {
      qkv.q = g_.reshape(g_.mul_mat(b_.matrix("attn_q", il), a), {heads.head_dim_k, heads.n_heads, b_.n_tokens, 1});
    } else {
      qkv = b_.qkv(a, il, heads);
      qkv.k = g_.rope(b_.norm(qkv.k, "attn_k_norm", il), positions_);
      qkv.v = g_.same(Op::rms_norm, qkv.v);
    }
    qkv.q = g_.rope(b_.norm(qkv.q, "attn_q_norm", il), positions_);
    return b_.attend(inputs_, qkv, il);
  }

  /// Keeps what lies far above the mean.
  Node* sparsify(Node* a) {
    Node* mean = g_.make(Op::mean, dtype::f32, {1, a->ne[1], a->ne[2], a->ne[3]}, {a});
    Node* deviation = g_.same(Op::sqrt, g_.scale(g_.sum_rows(g_.same(Op::sqr, g_.binary(Op::sub, a, mean)))));
    Node* cutoff = g_.add(mean, g_.scale(deviation));
    return g_.activate(Unary::relu, g_.binary(Op::sub, a, cutoff));
  }

  Node* feed_forward(Node* a, int il) {
    Node* up = g_.mul_mat(b_.matrix("ffn_up", il), a);
    Node* gate = g_.mul_mat(b_.matrix("ffn_gate", il), a);
    if (il < kSparseLayers) gate = sparsify(gate);
    return g_.mul_mat(b_.matrix("ffn_down", il), g_.mul(up, g_.activate(Unary::gelu, gate)));
  }

  Node* layer(Node* states, int il) {
    Node* predictions = predict(states, il);
    Node* active = slice(g_, predictions, kActive);
    Node* normed = b_.norm(active, "attn_norm", il);
    Node* low_rank = laurel(normed, il);
    Node* attended = g_.add(b_.norm(attention(normed, il), "post_attention_norm", il), active);
    Node* middle = g_.scale(g_.add(attended, low_rank));
    Node* result = feed_forward(b_.norm(middle, "ffn_norm", il), il);
    result = g_.add(b_.norm(result, "post_ffw_norm", il), middle);
    Node* corrected = correct(predictions, result, il);
    Node* first = g_.mul(slice(g_, corrected, kActive), b_.vector("altup_correct_scale", il));
    first = gated_layer_input(b_, first, per_layer_, il);
    return g_.concat(slice(g_, corrected, 0), g_.add(rest(corrected), first), 2);
  }

  Builder& b_;
  Graph& g_;
  Node* positions_ = nullptr;
  Node* per_layer_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_gemma3n(Builder& builder, std::string_view architecture) {
  if (architecture != "gemma3n") return false;
  Gemma3n(builder).build();
  return true;
}

}  // namespace weighbridge::llama_graph

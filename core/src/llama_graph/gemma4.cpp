// SPDX-License-Identifier: Apache-2.0
// ggml-org/llama.cpp v0.5.0 src/models/gemma4.cpp
#include "llama_graph/models.hpp"
#include "llama_graph/per_layer_inputs.hpp"

namespace weighbridge::llama_graph {

namespace {

class Gemma4 {
 public:
  explicit Gemma4(Builder& builder) : b_(builder), g_(builder.graph) {}

  void build() {
    Node* state = g_.scale(b_.embed());
    positions_ = b_.positions();
    inputs_ = b_.cache_inputs();
    if (b_.matrix("per_layer_token_embd", kNowhere) != nullptr) per_layer_ = per_layer_inputs(b_, state);
    b_.for_each_layer([&](int il) { state = layer(state, il); });
    state = b_.norm(state, "output_norm", kNowhere);
    state->is_output = true;  // of all tokens, for a draft model
    state = g_.get_rows(state, b_.output_ids());
    Node* logits = g_.mul_mat(b_.matrix("output", kNowhere), state);
    b_.finish(state, g_.scale(g_.activate(Unary::tanh, g_.scale(logits))));
  }

 private:
  Node* layer(Node* input, int il) {
    Node* attended = attention(b_.norm(input, "attn_norm", il), il);
    Node* middle = g_.add(b_.norm(attended, "post_attention_norm", il), input);
    Node* result = std::holds_alternative<MoeFfn>(b_.layer(il).ffn) ? experts_beside_dense(middle, il) : dense(middle, il);
    result = g_.add(b_.norm(result, "post_ffw_norm", il), middle);
    if (per_layer_ != nullptr) result = g_.add(result, gated_layer_input(b_, result, per_layer_, il));
    Node* scale = b_.vector("layer_output_scale", il);
    return scale != nullptr ? g_.mul(result, scale) : result;
  }

  Node* attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    Node* factors = llama_cpp::has_window(b_.layer(il).mixer) ? nullptr : b_.rope_factors(il);
    const Shape q_shape{heads.head_dim_k, heads.n_heads, b_.n_tokens, 1};
    const Shape kv_shape{heads.head_dim_k, heads.n_kv_heads, b_.n_tokens, 1};
    Qkv qkv;
    qkv.q = g_.reshape(g_.mul_mat(b_.matrix("attn_q", il), a), q_shape);
    qkv.q = g_.rope(b_.norm(qkv.q, "attn_q_norm", il), positions_, factors);
    if (b_.layer(il).shares_cache) return b_.attend(inputs_, qkv, il);
    Node* keys = g_.mul_mat(b_.matrix("attn_k", il), a);
    Node* value_matrix = b_.matrix("attn_v", il);
    Node* values = value_matrix != nullptr ? g_.mul_mat(value_matrix, a) : keys;
    Node* key_heads = g_.reshape(keys, kv_shape);
    qkv.v = g_.reshape(values, kv_shape);
    qkv.k = b_.norm(key_heads, "attn_k_norm", il);
    qkv.v = g_.same(Op::rms_norm, qkv.v);
    qkv.k = g_.rope(qkv.k, positions_, factors);
    return b_.attend(inputs_, qkv, il);
  }

  Node* dense(Node* middle, int il) { return b_.ffn(b_.norm(middle, "ffn_norm", il), il, "", Unary::gelu, 0); }

  Node* experts_beside_dense(Node* middle, int il) {
    Node* plain = b_.norm(dense(middle, il), "post_ffw_norm_1", il);
    Node* routed = b_.norm(middle, "pre_ffw_norm_2", il);
    Node* router = g_.mul(g_.scale(g_.same(Op::rms_norm, middle)), b_.vector("ffn_gate_inp.scale", il));
    Node* logits = g_.mul_mat(b_.matrix("ffn_gate_inp", il), router);
    routed = b_.moe(routed, il, std::get<MoeFfn>(b_.layer(il).ffn), {.activation = Unary::gelu}, logits);
    return g_.add(plain, b_.norm(routed, "post_ffw_norm_2", il));
  }

  Builder& b_;
  Graph& g_;
  Node* positions_ = nullptr;
  Node* per_layer_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_gemma4(Builder& builder, std::string_view architecture) {
  if (architecture != "gemma4") return false;
  Gemma4(builder).build();
  return true;
}

}  // namespace weighbridge::llama_graph

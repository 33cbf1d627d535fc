// SPDX-License-Identifier: Apache-2.0
// Encoders: no cache, no logits. ggml-org/llama.cpp v0.5.0 src/models/bert.cpp (and its like), modern-bert.cpp, gemma-embedding.cpp.
#include "json_text.hpp"
#include "llama_graph/models.hpp"

namespace weighbridge::llama_graph {

namespace {

class Encoder {
 public:
  Encoder(Builder& builder, std::string_view architecture)
      : b_(builder), g_(builder.graph), is_gemma_(architecture == "gemma-embedding"), is_modern_(architecture == "modern-bert") {}

  void build() {
    positions_ = b_.positions();
    Node* state = input();
    inputs_ = b_.encoder_inputs();
    ids_ = b_.output_ids();
    const bool has_norms_before = is_gemma_ || is_modern_;
    b_.for_each_layer([&](int il) { state = has_norms_before ? layer_with_norms_before(state, il) : layer_with_norms_after(state, il); });
    if (is_gemma_ || is_modern_) state = b_.norm(state, "output_norm", kNowhere, kind());
    b_.finish(state, nullptr);
  }

 private:
  [[nodiscard]] NormKind kind() const { return is_gemma_ ? NormKind::rms : NormKind::layer; }

  Node* input() {
    Node* state = b_.embed();
    if (is_gemma_) return g_.scale(state);
    if (Node* types = b_.matrix("token_types", kNowhere)) state = g_.add(state, g_.view_1d(types, b_.model.hidden_size, 0));
    if (Node* table = b_.matrix("position_embd", kNowhere)) state = g_.add(g_.get_rows(table, positions_), state);
    return b_.norm(state, "token_embd_norm", kNowhere, kind());
  }

  Node* attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    Qkv qkv = b_.qkv(a, il, heads);
    if (is_gemma_) {
      qkv.q = b_.norm(qkv.q, "attn_q_norm", il);
      qkv.k = b_.norm(qkv.k, "attn_k_norm", il);
    }
    if (b_.matrix("position_embd", kNowhere) == nullptr) {
      qkv.q = g_.rope(qkv.q, positions_);
      qkv.k = g_.rope(qkv.k, positions_);
    }
    if (is_gemma_) qkv.q = g_.scale(qkv.q);
    return b_.attend_tokens(inputs_, qkv, il);
  }

  void pick(Node*& attended, Node*& residual, int il) {
    if (il != b_.n_layers() - 1) return;
    attended = g_.get_rows(attended, ids_);
    residual = g_.get_rows(residual, ids_);
  }

  Node* feed_forward(Node* a, int il) {
    if (const auto* moe = std::get_if<MoeFfn>(&b_.layer(il).ffn)) return b_.moe(a, il, *moe, {.normalizes = false, .activation = Unary::gelu});
    return b_.ffn(a, il, "", Unary::gelu, std::get<DenseFfn>(b_.layer(il).ffn).ffn_size);
  }

  Node* layer_with_norms_after(Node* input, int il) {
    Node* attended = attention(input, il);
    pick(attended, input, il);
    Node* middle = b_.norm(g_.add(attended, input), "attn_output_norm", il, kind());
    return b_.norm(g_.add(feed_forward(middle, il), middle), "layer_output_norm", il, kind());
  }

  Node* layer_with_norms_before(Node* input, int il) {
    Node* normed = b_.vector("attn_norm", il) != nullptr ? b_.norm(input, "attn_norm", il, kind()) : input;
    Node* attended = attention(normed, il);
    pick(attended, input, il);
    if (is_gemma_) attended = b_.norm(attended, "post_attention_norm", il);
    Node* middle = g_.add(attended, input);
    Node* result = feed_forward(b_.norm(middle, "ffn_norm", il, kind()), il);
    if (is_gemma_) result = b_.norm(result, "post_ffw_norm", il);
    return g_.add(result, middle);
  }

  Builder& b_;
  Graph& g_;
  bool is_gemma_;
  bool is_modern_;
  Node* positions_ = nullptr;
  Node* ids_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_encoder(Builder& builder, std::string_view architecture) {
  if (!is_any_of(architecture, {"bert", "nomic-bert", "nomic-bert-moe", "modern-bert", "gemma-embedding"})) return false;
  Encoder(builder, architecture).build();
  return true;
}

}  // namespace weighbridge::llama_graph

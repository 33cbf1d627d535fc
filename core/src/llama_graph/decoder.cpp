// SPDX-License-Identifier: Apache-2.0
// Decoders of attention and a feed-forward block. What a file's tensors do not tell stands in a row for each architecture
// (ggml-org/llama.cpp v0.5.0 src/models/*.cpp, the file of that name).
#include <algorithm>
#include <array>

#include "llama_graph/models.hpp"

namespace weighbridge::llama_graph {

namespace {

enum class Rotated { all, windowed, none };
/// One norm for attention and feed-forward: in which order their results and the residual are added.
enum class Parallel { no, attention_first, residual_first };
enum class ResultIds { last_layer, after_layers };

struct Style {
  std::string_view architecture;
  NormKind norm = NormKind::rms;
  Unary activation = Unary::silu;
  bool scales_embedding = false;        ///< after the input was made
  bool scales_input = false;            ///< as part of it
  bool scales_query = false;
  bool scales_residual = false;
  bool scales_logits = false;
  bool caps_logits = false;             ///< tanh
  bool caps_scores = false;
  bool norms_rotated_heads = false;     ///< queries and keys are normalized after the rotation
  bool norms_whole_projection = false;  ///< before they are heads
  bool adds_to_residual = false;        ///< the residual is the sum's first operand
  bool keeps_state = false;             ///< the last layer's state is a result too (t_h_nextn)
  Rotated rotated = Rotated::all;
  Parallel parallel = Parallel::no;
  ResultIds ids = ResultIds::last_layer;
  MoeStyle moe{};
};

constexpr std::array kStyles{
    Style{.architecture = "llama"},
    Style{.architecture = "qwen2"},
    Style{.architecture = "qwen2vl"},
    Style{.architecture = "qwen3"},
    Style{.architecture = "qwen3moe"},
    Style{.architecture = "gemma", .activation = Unary::gelu, .scales_embedding = true, .scales_query = true},
    Style{.architecture = "gemma2",
          .activation = Unary::gelu,
          .scales_embedding = true,
          .scales_query = true,
          .caps_logits = true,
          .caps_scores = true},
    Style{.architecture = "gemma3", .activation = Unary::gelu, .scales_embedding = true, .scales_query = true},
    Style{.architecture = "phi2",
          .norm = NormKind::layer,
          .activation = Unary::gelu,
          .scales_query = true,
          .parallel = Parallel::attention_first},
    Style{.architecture = "phi3", .scales_query = true, .adds_to_residual = true},
    Style{.architecture = "command-r", .norm = NormKind::layer, .scales_logits = true, .parallel = Parallel::residual_first},
    Style{.architecture = "cohere2",
          .norm = NormKind::layer,
          .scales_logits = true,
          .rotated = Rotated::windowed,
          .parallel = Parallel::residual_first},
    Style{.architecture = "glm4"},
    Style{.architecture = "olmo2", .norms_whole_projection = true},
    Style{.architecture = "gpt-oss",
          .keeps_state = true,
          .ids = ResultIds::after_layers,
          .moe = {.gating = Gating::softmax_of_chosen, .normalizes = false}},
    Style{.architecture = "granite", .scales_input = true, .scales_residual = true, .scales_logits = true},
    Style{.architecture = "granitemoe", .scales_input = true, .scales_residual = true, .scales_logits = true},
};

class Decoder {
 public:
  Decoder(Builder& builder, const Style& style) : b_(builder), g_(builder.graph), style_(style) {}

  void build() {
    Node* state = b_.embed(style_.scales_input);
    if (style_.scales_embedding) state = g_.scale(state);
    positions_ = b_.positions();
    inputs_ = b_.cache_inputs();
    ids_ = b_.output_ids();
    for (int il = 0; il < b_.n_layers(); ++il) state = layer(state, il);
    Node* kept = state;
    if (style_.ids == ResultIds::after_layers) state = g_.get_rows(state, ids_);
    state = b_.norm(state, "output_norm", kNowhere, style_.norm);
    if (style_.keeps_state) kept->is_output = true;
    b_.finish(state, logits(state));
  }

 private:
  Node* logits(Node* state) {
    Node* result = b_.apply({b_.matrix("output", kNowhere), b_.vector("output", kNowhere)}, state);
    if (style_.scales_logits) result = g_.scale(result);
    if (style_.caps_logits) result = g_.scale(g_.activate(Unary::tanh, g_.scale(result)));
    return result;
  }

  Node* layer(Node* input, int il) {
    Node* normed = norm_if_any(input, "attn_norm", il);
    Node* attended = attention(normed, il);
    if (il == b_.n_layers() - 1 && style_.ids == ResultIds::last_layer) {
      attended = g_.get_rows(attended, ids_);
      input = g_.get_rows(input, ids_);
      if (style_.parallel != Parallel::no) normed = g_.get_rows(normed, ids_);
    }
    if (style_.parallel == Parallel::attention_first) return g_.add(g_.add(attended, feed_forward(normed, il)), input);
    if (style_.parallel == Parallel::residual_first) return g_.add(g_.add(feed_forward(normed, il), input), attended);

    const bool has_ffn_norm = b_.vector("ffn_norm", il) != nullptr;
    const bool norms_results = has_ffn_norm || b_.vector("post_ffw_norm", il) != nullptr;
    if (norms_results) attended = norm_if_any(attended, "post_attention_norm", il);
    if (style_.scales_residual) attended = g_.scale(attended);
    Node* middle = g_.add(attended, input);
    // The only norm between the two blocks belongs to the second, whatever its name.
    const std::string_view name = norms_results ? "ffn_norm" : "post_attention_norm";
    Node* result = feed_forward(norm_if_any(middle, name, il), il);
    result = norm_if_any(result, "post_ffw_norm", il);
    if (style_.scales_residual) result = g_.scale(result);
    return style_.adds_to_residual ? g_.add(middle, result) : g_.add(result, middle);
  }

  Node* norm_if_any(Node* a, std::string_view name, int il) { return b_.vector(name, il) != nullptr ? b_.norm(a, name, il, style_.norm) : a; }

  Node* attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    Qkv qkv = style_.norms_whole_projection ? whole_projections(a, il, heads) : b_.qkv(a, il, heads);
    if (!style_.norms_whole_projection && !style_.norms_rotated_heads) norm_heads(qkv, il);
    if (style_.rotated == Rotated::all || llama_cpp::has_window(b_.layer(il).mixer)) {
      Node* factors = b_.rope_factors(il);
      qkv.q = g_.rope(qkv.q, positions_, factors);
      qkv.k = g_.rope(qkv.k, positions_, factors);
    }
    if (style_.norms_rotated_heads) norm_heads(qkv, il);
    if (style_.scales_query) qkv.q = g_.scale(qkv.q);
    return b_.attend(inputs_, qkv, il, {.sinks = b_.vector("attn_sinks", il), .soft_cap = style_.caps_scores});
  }

  void norm_heads(Qkv& qkv, int il) {
    qkv.q = norm_if_any(qkv.q, "attn_q_norm", il);
    qkv.k = norm_if_any(qkv.k, "attn_k_norm", il);
  }

  /// Normalized before they are taken apart into heads.
  Qkv whole_projections(Node* a, int il, const FullAttention& heads) {
    const auto as_heads = [&](Node* node, std::int64_t head, std::int64_t n_heads) { return g_.reshape(node, {head, n_heads, b_.n_tokens, 1}); };
    Node* q = norm_if_any(b_.apply(b_.linear("attn_q", il), a), "attn_q_norm", il);
    Node* k = norm_if_any(b_.apply(b_.linear("attn_k", il), a), "attn_k_norm", il);
    Node* v = b_.apply(b_.linear("attn_v", il), a);
    return {as_heads(q, heads.head_dim_k, heads.n_heads), as_heads(k, heads.head_dim_k, heads.n_kv_heads),
            as_heads(v, heads.head_dim_v, heads.n_kv_heads)};
  }

  Node* feed_forward(Node* a, int il) {
    if (const auto* dense = std::get_if<DenseFfn>(&b_.layer(il).ffn)) return b_.ffn(a, il, "", style_.activation, dense->ffn_size);
    const auto* moe = std::get_if<MoeFfn>(&b_.layer(il).ffn);
    if (moe == nullptr) return a;
    Node* routed = b_.moe(a, il, *moe, style_.moe);
    if (b_.matrix("ffn_up_shexp", il) == nullptr) return routed;
    return g_.add(routed, b_.ffn(a, il, "_shexp", style_.activation, moe->shared_ffn_size));
  }

  Builder& b_;
  Graph& g_;
  const Style& style_;
  Node* positions_ = nullptr;
  Node* ids_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_decoder(Builder& builder, std::string_view architecture) {
  const auto* style = std::find_if(kStyles.begin(), kStyles.end(), [&](const Style& s) { return s.architecture == architecture; });
  if (style == kStyles.end()) return false;
  Decoder(builder, *style).build();
  return true;
}

}  // namespace weighbridge::llama_graph

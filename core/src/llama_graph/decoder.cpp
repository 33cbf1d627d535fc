// SPDX-License-Identifier: Apache-2.0
// Decoders of attention and a feed-forward block. What a file's tensors do not tell stands in a row for each architecture
// (ggml-org/llama.cpp v0.5.0 src/models/*.cpp, the file of that name).
#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "llama_graph/models.hpp"

namespace weighbridge::llama_graph {

namespace {

/// Which layers rotate queries and keys. `three_of_four`: all but every fourth.
enum class Rotated { all, windowed, windowed_if_any, three_of_four, none };
/// One norm for attention and feed-forward: in which order their results and the residual are added.
enum class Parallel { no, attention_first, ffn_first, residual_first };
/// Where the tokens whose logits are wanted are picked out.
enum class ResultIds { last_layer, after_layers, after_norm };
/// What the block that every token takes is multiplied with.
enum class SharedGate { none, sigmoid_as_ratio };

struct Style {
  std::string_view architecture;
  NormKind norm = NormKind::rms;
  Unary activation = Unary::silu;
  Unary gate = Unary::sigmoid;    ///< of what attention gives, where there is one
  bool norms_embedding = false;   ///< without a weight
  bool scales_embedding = false;  ///< after the input was made
  bool scales_input = false;      ///< as part of it
  bool scales_query = false;
  bool scales_unrotated = false;  ///< queries that are not rotated are scaled by their position
  bool scales_residual = false;
  bool scales_logits = false;
  bool caps_logits = false;  ///< tanh
  bool caps_scores = false;
  bool norms_rotated_heads = false;     ///< queries and keys are normalized after the rotation
  bool norms_whole_projection = false;  ///< before they are heads
  bool adds_to_residual = false;        ///< the residual is the sum's first operand
  bool picks_after_norm = false;        ///< the last layer's attention result is normalized before tokens are picked
  Rotated rotated = Rotated::all;
  Parallel parallel = Parallel::no;
  ResultIds ids = ResultIds::last_layer;
  SharedGate shared_gate = SharedGate::none;
  std::int64_t positions_per_token = 1;
  std::int64_t deepstack_layers = 0;  ///< first layers that an image's features are added to
  MoeStyle moe{};
};

constexpr MoeStyle kSigmoid{.gating = Gating::sigmoid};
constexpr MoeStyle kNotNormalized{.normalizes = false};

constexpr std::array kStyles{
    Style{.architecture = "llama"},
    Style{.architecture = "qwen2"},
    Style{.architecture = "qwen2vl", .positions_per_token = 4},
    Style{.architecture = "qwen2moe", .shared_gate = SharedGate::sigmoid_as_ratio, .moe = kNotNormalized},
    Style{.architecture = "qwen3"},
    Style{.architecture = "qwen3moe"},
    Style{.architecture = "qwen3vl", .positions_per_token = 4, .deepstack_layers = 3},
    Style{.architecture = "qwen3vlmoe", .positions_per_token = 4, .deepstack_layers = 3},
    Style{.architecture = "qwen"},
    Style{.architecture = "afmoe", .scales_embedding = true, .picks_after_norm = true, .rotated = Rotated::three_of_four, .moe = kSigmoid},
    Style{.architecture = "baichuan"},
    Style{.architecture = "bitnet"},
    Style{.architecture = "bailingmoe"},
    Style{.architecture = "bailingmoe2", .moe = kSigmoid},
    Style{.architecture = "chatglm"},
    Style{.architecture = "dbrx", .norm = NormKind::layer},
    Style{.architecture = "deci"},
    Style{.architecture = "deepseek", .moe = kNotNormalized},
    Style{.architecture = "dots1", .moe = kSigmoid},
    Style{.architecture = "ernie4_5"},
    Style{.architecture = "ernie4_5-moe"},
    Style{.architecture = "exaone"},
    Style{.architecture = "exaone4", .rotated = Rotated::windowed_if_any},
    Style{.architecture = "exaone-moe", .rotated = Rotated::windowed, .moe = kSigmoid},
    Style{.architecture = "falcon", .norm = NormKind::layer, .activation = Unary::gelu, .parallel = Parallel::ffn_first},
    Style{.architecture = "glm4moe", .moe = kSigmoid},
    Style{.architecture = "hunyuan-dense", .norms_rotated_heads = true},
    Style{.architecture = "hunyuan-moe", .norms_rotated_heads = true},
    Style{.architecture = "hy_v3", .ids = ResultIds::after_norm, .moe = kSigmoid},
    Style{.architecture = "internlm2"},
    Style{.architecture = "jais2", .norm = NormKind::layer, .activation = Unary::relu},
    Style{.architecture = "laguna", .gate = Unary::softplus, .moe = kSigmoid},
    Style{.architecture = "mellum"},
    Style{.architecture = "muse-glimmer",
          .norms_embedding = true,
          .scales_logits = true,
          .caps_logits = true,
          .picks_after_norm = true,
          .rotated = Rotated::windowed},
    Style{.architecture = "mimo2", .moe = kSigmoid},
    Style{.architecture = "mistral3"},
    Style{.architecture = "olmoe", .norms_whole_projection = true, .moe = kNotNormalized},
    Style{.architecture = "phimoe", .scales_query = true, .adds_to_residual = true},
    Style{.architecture = "smollm3", .rotated = Rotated::three_of_four},
    Style{.architecture = "stablelm", .norm = NormKind::layer},
    Style{.architecture = "starcoder2", .norm = NormKind::layer, .activation = Unary::gelu},
    Style{.architecture = "minimax-m2", .norms_whole_projection = true, .moe = kSigmoid},
    Style{.architecture = "seed_oss"},
    Style{.architecture = "step35", .ids = ResultIds::after_layers, .moe = kSigmoid},
    Style{.architecture = "llama4",
          .scales_unrotated = true,
          .rotated = Rotated::three_of_four,
          .moe = {.gating = Gating::sigmoid, .normalizes = false, .weights_inputs = true}},
    Style{.architecture = "gemma", .activation = Unary::gelu, .scales_embedding = true, .scales_query = true},
    Style{.architecture = "gemma2",
          .activation = Unary::gelu,
          .scales_embedding = true,
          .scales_query = true,
          .caps_logits = true,
          .caps_scores = true},
    Style{.architecture = "gemma3", .activation = Unary::gelu, .scales_embedding = true, .scales_query = true},
    Style{.architecture = "phi2", .norm = NormKind::layer, .activation = Unary::gelu, .scales_query = true, .parallel = Parallel::attention_first},
    Style{.architecture = "phi3", .scales_query = true, .adds_to_residual = true},
    Style{.architecture = "command-r", .norm = NormKind::layer, .scales_logits = true, .parallel = Parallel::residual_first},
    Style{.architecture = "cohere2",
          .norm = NormKind::layer,
          .scales_logits = true,
          .rotated = Rotated::windowed,
          .parallel = Parallel::residual_first},
    Style{.architecture = "glm4"},
    Style{.architecture = "olmo2", .norms_whole_projection = true},
    Style{.architecture = "gpt-oss", .ids = ResultIds::after_layers, .moe = {.gating = Gating::softmax_of_chosen, .normalizes = false}},
    Style{.architecture = "granite", .scales_input = true, .scales_residual = true, .scales_logits = true},
    Style{.architecture = "granitemoe", .scales_input = true, .scales_residual = true, .scales_logits = true},
};

const Style* style_of(std::string_view architecture) {
  const auto* style = std::find_if(kStyles.begin(), kStyles.end(), [&](const Style& s) { return s.architecture == architecture; });
  return style == kStyles.end() ? nullptr : style;
}

class Decoder {
 public:
  Decoder(Builder& builder, const Style& style) : b_(builder), g_(builder.graph), style_(style) {}

  void build() {
    embedded_ = b_.embed(style_.scales_input, 1 + style_.deepstack_layers);
    Node* state = style_.norms_embedding ? g_.same(Op::rms_norm, embedded_) : embedded_;
    if (style_.scales_embedding) state = g_.scale(state);
    positions_ = b_.positions(style_.positions_per_token);
    if (style_.scales_unrotated) position_scale_ = g_.input(dtype::f32, {1, 1, b_.n_tokens, 1});
    inputs_ = b_.cache_inputs();
    ids_ = b_.output_ids();
    b_.for_each_layer([&](int il) { state = layer(state, il); }, [&](int il) { return 2 * (il < style_.deepstack_layers) + rotates(il); });
    if (style_.ids == ResultIds::after_layers) state = pick(state);
    state = b_.norm(state, "output_norm", kNowhere, style_.norm);
    if (style_.ids == ResultIds::after_norm) state = pick(state);
    b_.finish(state, logits(state));
  }

  /// All tokens go through the layer; those whose logits are wanted are picked after it.
  void build_draft() {
    Node* state = b_.draft_input(0);
    positions_ = b_.positions(style_.positions_per_token);
    inputs_ = b_.cache_inputs();
    ids_ = b_.output_ids();
    state = layer(state, 0);
    if (style_.ids == ResultIds::after_layers) {
      state = g_.get_rows(state, ids_);
      state->is_output = true;
      state = b_.draft_norm(state, 0);
    } else {
      state = pick(b_.draft_norm(state, 0));
    }
    b_.finish(nullptr, g_.mul_mat(b_.draft_head(0), state));
  }

 private:
  Node* logits(Node* state) {
    Node* result = b_.apply({b_.matrix("output", kNowhere), b_.vector("output", kNowhere)}, state);
    if (style_.scales_logits) result = g_.scale(result);
    if (style_.caps_logits) result = g_.scale(g_.activate(Unary::tanh, g_.scale(result)));
    return result;
  }

  /// The state of all tokens is a result too, for a draft model (t_h_nextn).
  Node* pick(Node* state) {
    state->is_output = true;
    return g_.get_rows(state, ids_);
  }

  Node* layer(Node* input, int il) {
    Node* normed = mixes(il) ? norm_if_any(input, "attn_norm", il) : input;
    Node* attended = mix(b_.vector("attn_norm_2", il) != nullptr ? b_.norm(input, "attn_norm_2", il, style_.norm) : normed, il);
    const bool picks = il == b_.n_layers() - 1 && style_.ids == ResultIds::last_layer && !b_.settings.drafts;
    if (style_.picks_after_norm) attended = norm_if_any(attended, "post_attention_norm", il);
    if (picks) {
      attended = g_.get_rows(attended, ids_);
      input = g_.get_rows(input, ids_);
      if (style_.parallel != Parallel::no) normed = g_.get_rows(normed, ids_);
    }
    if (style_.parallel == Parallel::attention_first) return g_.add(g_.add(attended, feed_forward(normed, il)), input);
    if (style_.parallel == Parallel::ffn_first) return g_.add(g_.add(feed_forward(normed, il), attended), input);
    if (style_.parallel == Parallel::residual_first) return g_.add(g_.add(feed_forward(normed, il), input), attended);
    if (std::holds_alternative<NoFfn>(b_.layer(il).ffn)) return input;  // as the engine has it (src/models/deci.cpp)
    return feed_forward_block(input, attended, il);
  }

  Node* feed_forward_block(Node* input, Node* attended, int il) {
    const bool norms_results = b_.vector("ffn_norm", il) != nullptr || b_.vector("post_ffw_norm", il) != nullptr;
    if (norms_results && !style_.picks_after_norm) attended = norm_if_any(attended, "post_attention_norm", il);
    if (style_.scales_residual) attended = g_.scale(attended);
    Node* middle = mixes(il) ? g_.add(attended, input) : attended;
    Node* result = feed_forward(norm_if_any(middle, norms_results ? "ffn_norm" : only_norm(il), il), il);
    result = norm_if_any(result, "post_ffw_norm", il);
    if (style_.scales_residual) result = g_.scale(result);
    result = style_.adds_to_residual ? g_.add(middle, result) : g_.add(result, middle);
    return il < style_.deepstack_layers ? g_.add(result, image_features(il)) : result;
  }

  /// The only norm between the two blocks belongs to the second, whatever its name.
  std::string_view only_norm(int il) { return b_.vector("attn_output_norm", il) != nullptr ? "attn_output_norm" : "post_attention_norm"; }

  Node* image_features(int il) {
    const std::int64_t hidden = b_.model.hidden_size;
    return g_.view_2d(embedded_, hidden, b_.n_tokens, embedded_->nb[1], row_bytes(embedded_->type, (il + 1) * hidden));
  }

  Node* norm_if_any(Node* a, std::string_view name, int il) {
    return b_.vector(name, il) != nullptr || b_.matrix(name, il) != nullptr ? b_.norm(a, name, il, style_.norm) : a;
  }

  /// Pruned layers have nothing before the feed-forward block, or a matrix.
  bool mixes(int il) { return b_.matrix("attn_output", il) != nullptr; }

  Node* mix(Node* a, int il) {
    if (grouped_attention(b_.layer(il).mixer) != nullptr) return attention(a, il);
    return mixes(il) ? b_.apply(b_.linear("attn_output", il), a) : a;
  }

  bool rotates(int il) {
    const bool is_windowed = llama_cpp::has_window(b_.layer(il).mixer);
    switch (style_.rotated) {
      case Rotated::all:
        return true;
      case Rotated::windowed:
        return is_windowed;
      case Rotated::windowed_if_any:
        return is_windowed || sliding_layers(b_.model).n_layers == 0;
      case Rotated::three_of_four:
        return (il + 1) % 4 != 0;
      case Rotated::none:
        break;
    }
    return false;
  }

  Node* attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    Qkv qkv = style_.norms_whole_projection ? whole_projections(a, il, heads) : b_.qkv(a, il, heads);
    if (!style_.norms_whole_projection && !style_.norms_rotated_heads) norm_heads(qkv, il);
    if (rotates(il)) {
      Node* factors = b_.rope_factors(il);
      qkv.q = g_.rope(qkv.q, positions_, factors);
      qkv.k = g_.rope(qkv.k, positions_, factors);
    } else if (position_scale_ != nullptr) {
      qkv.q = g_.mul(qkv.q, position_scale_);
    }
    if (style_.norms_rotated_heads) norm_heads(qkv, il);
    if (style_.scales_query) qkv.q = g_.scale(qkv.q);
    const AttentionExtras extras{.sinks = b_.vector("attn_sinks", il), .soft_cap = style_.caps_scores};
    Node* attended = b_.attend_heads(inputs_, qkv, il, extras);
    if (b_.matrix("attn_gate", il) != nullptr) attended = gate(attended, a, heads, il);
    return b_.project(norm_if_any(attended, "attn_sub_norm", il), il);
  }

  /// One factor for each value, or for each head.
  Node* gate(Node* attended, Node* a, const FullAttention& heads, int il) {
    Node* factors = g_.activate(style_.gate, b_.apply(b_.linear("attn_gate", il), a));
    if (factors->ne[0] != heads.n_heads) return g_.mul(attended, factors);
    Node* by_head = g_.reshape(attended, {heads.head_dim_v, heads.n_heads, b_.n_tokens, 1});
    by_head = g_.mul(by_head, g_.reshape(factors, {1, heads.n_heads, b_.n_tokens, 1}));
    return g_.reshape(by_head, attended->ne);
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
    MoeStyle how = style_.moe;
    how.normalizes = how.normalizes && moe->normalizes_weights;
    how.scales = moe->scales_weights;
    Node* routed = b_.moe(a, il, *moe, how);
    if (b_.matrix("ffn_up_shexp", il) == nullptr) return routed;
    if (style_.shared_gate == SharedGate::none) return g_.add(routed, b_.ffn(a, il, "_shexp", style_.activation, moe->shared_ffn_size));
    Node* logit = g_.mul_mat(b_.matrix("ffn_gate_inp_shexp", il), a);
    Node* factor = g_.binary(Op::div, g_.activate(Unary::silu, logit), logit);
    return g_.add(routed, g_.mul(b_.ffn(a, il, "_shexp", style_.activation, moe->shared_ffn_size), factor));
  }

  Builder& b_;
  Graph& g_;
  const Style& style_;
  Node* embedded_ = nullptr;
  Node* positions_ = nullptr;
  Node* position_scale_ = nullptr;
  Node* ids_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_decoder(Builder& builder, std::string_view architecture) {
  const Style* style = style_of(architecture);
  if (style == nullptr) return false;
  Decoder(builder, *style).build();
  return true;
}

bool draft_with_decoder(Builder& builder, std::string_view architecture) {
  if (!is_any_of(architecture, {"glm4moe", "hy_v3", "step35"})) return false;
  Decoder(builder, *style_of(architecture)).build_draft();
  return true;
}

}  // namespace weighbridge::llama_graph

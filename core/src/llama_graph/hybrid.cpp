// SPDX-License-Identifier: Apache-2.0
// Models of recurrent layers, most of them with some of attention between. What a file's tensors do not tell stands in a row for each architecture
// (ggml-org/llama.cpp v0.5.0 src/models/*.cpp, the file of that name).
#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "llama_graph/models.hpp"
#include "llama_graph/recurrent.hpp"

namespace weighbridge::llama_graph {

namespace {

/// Where the tokens are picked whose logits are wanted.
enum class Picks { last_layer, after_residual, after_norm };

struct Style {
  std::string_view architecture;
  std::string_view output_norm = "output_norm";
  std::string_view ffn_norm = "ffn_norm";
  Picks picks = Picks::last_layer;
  Unary activation = Unary::silu;
  std::int64_t positions = 1;  ///< for each token, of the rotation
  bool scales = false;         ///< embedding, results of the blocks, and logits
  bool rotates = true;
  bool gates_attention = false;   ///< by a second half of each query head
  bool adds_to_residual = false;  ///< the residual is the sum's first operand
  bool repeats_keys = false;
  bool expands_norms = false;
  bool drafts_for_picked = false;  ///< the prediction layer's feed-forward block sees only tokens whose logits are wanted
  MoeStyle moe{};
};

constexpr MoeStyle kSigmoid{.gating = Gating::sigmoid, .activation = Unary::relu};

constexpr std::array kStyles{
    Style{.architecture = "mamba"},
    Style{.architecture = "mamba2"},
    Style{.architecture = "jamba", .rotates = false, .adds_to_residual = true, .moe = {.normalizes = false}},
    Style{.architecture = "falcon-h1", .picks = Picks::after_residual},
    Style{.architecture = "nemotron_h", .picks = Picks::after_norm, .activation = Unary::relu, .rotates = false},
    Style{.architecture = "nemotron_h_moe", .picks = Picks::after_norm, .activation = Unary::relu, .rotates = false, .moe = kSigmoid},
    Style{.architecture = "granitehybrid", .scales = true, .rotates = false},
    Style{.architecture = "lfm2", .output_norm = "token_embd_norm", .adds_to_residual = true},
    Style{.architecture = "lfm2moe", .output_norm = "token_embd_norm", .adds_to_residual = true, .moe = {.gating = Gating::sigmoid}},
    Style{.architecture = "qwen3next",
          .ffn_norm = "post_attention_norm",
          .picks = Picks::after_norm,
          .gates_attention = true,
          .repeats_keys = true,
          .expands_norms = true,
          .drafts_for_picked = true},
    Style{.architecture = "qwen35",
          .ffn_norm = "post_attention_norm",
          .picks = Picks::after_norm,
          .positions = 4,
          .gates_attention = true,
          .expands_norms = true},
    Style{.architecture = "qwen35moe",
          .ffn_norm = "post_attention_norm",
          .picks = Picks::after_norm,
          .positions = 4,
          .gates_attention = true,
          .expands_norms = true},
};

const Style* style_of(std::string_view architecture) {
  const auto* style = std::find_if(kStyles.begin(), kStyles.end(), [&](const Style& s) { return s.architecture == architecture; });
  return style == kStyles.end() ? nullptr : style;
}

class Hybrid {
 public:
  Hybrid(Builder& builder, const Style& style) : b_(builder), g_(builder.graph), style_(style), states_(builder) {}

  void build() {
    Node* state = b_.embed(style_.scales);
    if (style_.rotates) positions_ = b_.positions(style_.positions);
    inputs_ = b_.cache_inputs();
    ids_ = b_.output_ids();
    b_.for_each_layer([&](int il) { state = layer(state, il); });
    state = b_.norm(state, style_.output_norm, kNowhere);
    if (style_.picks == Picks::after_norm) {
      state->is_output = true;
      state = g_.get_rows(state, ids_);
    }
    Node* logits = b_.apply({b_.matrix("output", kNowhere)}, state);
    b_.finish(state, style_.scales ? g_.scale(logits) : logits);
  }

  /// Qwen3-Next picks tokens before the feed-forward block, the later ones after the last norm.
  void build_draft() {
    Node* state = b_.draft_input(0);
    positions_ = b_.positions(style_.positions);
    inputs_ = b_.cache_inputs();
    ids_ = b_.output_ids();
    state = b_.draft_norm(layer(state, 0), 0);
    state->is_output = true;
    if (!style_.drafts_for_picked) state = g_.get_rows(state, ids_);
    b_.finish(nullptr, g_.mul_mat(b_.draft_head(0), state));
  }

 private:
  Node* add(Node* result, Node* residual) { return style_.adds_to_residual ? g_.add(residual, result) : g_.add(result, residual); }

  Node* layer(Node* input, int il) {
    const bool is_last = il == b_.n_layers() - 1;
    Node* mixed = mix(input, il);
    if (is_last && (b_.settings.drafts ? style_.drafts_for_picked : style_.picks == Picks::last_layer)) {
      mixed = g_.get_rows(mixed, ids_);
      input = g_.get_rows(input, ids_);
    }
    if (style_.scales) mixed = g_.scale(mixed);
    Node* middle = add(mixed, input);
    if (is_last && style_.picks == Picks::after_residual) middle = g_.get_rows(middle, ids_);
    if (b_.vector(style_.ffn_norm, il) == nullptr) return middle;
    Node* result = feed_forward(b_.norm(middle, style_.ffn_norm, il), il);
    if (style_.scales) result = g_.scale(result);
    return add(result, middle);
  }

  /// What the layer adds first: of attention, of a state, of both side by side, or of a feed-forward block without either.
  Node* mix(Node* input, int il) {
    const LayerSpec& spec = b_.layer(il);
    Node* normed = b_.norm(input, "attn_norm", il);
    if (style_.expands_norms && !b_.settings.drafts) g_.expand(normed);
    if (std::holds_alternative<NoMixer>(spec.mixer)) return feed_forward(normed, il);
    if (const auto* recurrent = std::get_if<RecurrentMixer>(&spec.mixer)) return recur(normed, *recurrent, il);
    Node* attended = style_.gates_attention ? gated_attention(normed, il) : attention(normed, il);
    if (!spec.beside) return attended;
    return g_.add(attended, recur(b_.norm(input, "attn_norm", il), *spec.beside, il));
  }

  Node* recur(Node* a, const RecurrentMixer& spec, int il) {
    switch (spec.kind) {
      case RecurrentKind::mamba:
        return mamba_mixer(b_, states_, a, il);
      case RecurrentKind::short_conv:
        return short_convolution(b_, states_, a, il);
      case RecurrentKind::gated_delta_net:
        return gated_delta_mixer(b_, states_, a, il, style_.repeats_keys);
      default:
        return mamba2_mixer(b_, states_, a, il);
    }
  }

  void prepare(Qkv& qkv, int il) {
    if (b_.vector("attn_q_norm", il) != nullptr) {
      qkv.q = b_.norm(qkv.q, "attn_q_norm", il);
      qkv.k = b_.norm(qkv.k, "attn_k_norm", il);
    }
    if (!style_.rotates) return;
    qkv.q = g_.rope(qkv.q, positions_);
    qkv.k = g_.rope(qkv.k, positions_);
  }

  Node* attention(Node* a, int il) {
    Qkv qkv = b_.qkv(a, il, *grouped_attention(b_.layer(il).mixer));
    prepare(qkv, il);
    return b_.attend(inputs_, qkv, il);
  }

  Node* gated_attention(Node* a, int il) {
    const FullAttention& heads = *grouped_attention(b_.layer(il).mixer);
    const std::int64_t head = heads.head_dim_k;
    Node* both = b_.apply(b_.linear("attn_q", il), a);
    const auto half = [&](std::int64_t from) {
      return g_.view_3d(both, {head, heads.n_heads, b_.n_tokens, 1}, row_bytes(both->type, 2 * head), both->nb[1], row_bytes(both->type, from));
    };
    Qkv qkv{half(0), b_.apply(b_.linear("attn_k", il), a), b_.apply(b_.linear("attn_v", il), a)};
    qkv.k = g_.reshape(qkv.k, {head, heads.n_kv_heads, b_.n_tokens, 1});
    qkv.v = g_.reshape(qkv.v, {heads.head_dim_v, heads.n_kv_heads, b_.n_tokens, 1});
    prepare(qkv, il);
    Node* attended = b_.attend_heads(inputs_, qkv, il);
    Node* gate = g_.cont(half(head), {head * heads.n_heads, b_.n_tokens, 1, 1});
    return b_.project(g_.mul(attended, g_.activate(Unary::sigmoid, gate)), il);
  }

  Node* feed_forward(Node* a, int il) {
    if (const auto* dense = std::get_if<DenseFfn>(&b_.layer(il).ffn)) return b_.ffn(a, il, "", style_.activation, dense->ffn_size);
    const auto* spec = std::get_if<MoeFfn>(&b_.layer(il).ffn);
    if (spec == nullptr) return a;
    MoeStyle how = style_.moe;
    how.normalizes = how.normalizes && spec->normalizes_weights;
    how.scales = spec->scales_weights;
    // Nemotron's experts work on a shorter vector than the router sees.
    Node* shortened = project(a, "ffn_latent_down", il);
    Node* scores = b_.apply(b_.linear("ffn_gate_inp", il), a);
    Node* routed = project(b_.moe(shortened, il, *spec, how, scores), "ffn_latent_up", il);
    if (b_.matrix("ffn_up_shexp", il) == nullptr) return routed;
    Node* shared = b_.ffn(a, il, "_shexp", style_.activation, spec->shared_ffn_size);
    if (Node* gate = b_.parameter("ffn_gate_inp_shexp", il)) shared = g_.mul(shared, g_.activate(Unary::sigmoid, g_.mul_mat(gate, a)));
    return g_.add(routed, shared);
  }

  Node* project(Node* a, std::string_view name, int il) {
    Node* matrix = b_.matrix(name, il);
    return matrix != nullptr ? g_.mul_mat(matrix, a) : a;
  }

  Builder& b_;
  Graph& g_;
  const Style& style_;
  States states_;
  Node* positions_ = nullptr;
  Node* ids_ = nullptr;
  CacheInputs inputs_;
};

}  // namespace

bool build_hybrid(Builder& builder, std::string_view architecture) {
  const Style* style = style_of(architecture);
  if (style == nullptr) return false;
  Hybrid(builder, *style).build();
  return true;
}

bool draft_with_hybrid(Builder& builder, std::string_view architecture) {
  if (!is_any_of(architecture, {"qwen3next", "qwen35", "qwen35moe"})) return false;
  Hybrid(builder, *style_of(architecture)).build_draft();
  return true;
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
// Kimi-VL, K2.5 and later with their image encoder, and Kimi Linear.
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"
#include "read/linear_attention.hpp"
#include "read/towers/moonvit.hpp"

namespace weighbridge {

namespace {

constexpr LatentAttention kAttention{
    .q_lora_rank = 0, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .head_dim_v = 128, .indexer = {}};

constexpr ExpertNames kLinearExperts{.router = "block_sparse_moe.gate",
                                     .router_bias = "block_sparse_moe.gate.e_score_correction_bias",
                                     .gate = "block_sparse_moe.experts.{expert}.w1",
                                     .up = "block_sparse_moe.experts.{expert}.w3",
                                     .down = "block_sparse_moe.experts.{expert}.w2",
                                     .shared = "block_sparse_moe.shared_experts."};

/// What Kimi K3 has beyond Kimi Linear.
struct K3Parts {
  bool full_rank_gate = false;  ///< of the delta attention
  bool latent_gate = false;     ///< a gate on what leaves latent attention
  bool residual_attention = false;
  std::int64_t expert_width = 0;  ///< routed experts work in a space of this width; 0: in the hidden one
  bool expert_norm = false;
};

/// The layers that `full_attn_layers` names, counted from 1.
LayerFlags read_full_layers(KeyReader& linear, std::int64_t n_layers) {
  LayerFlags full(static_cast<std::size_t>(n_layers), 0);
  const bool by_full = linear.has("full_attn_layers");
  const std::string_view key = by_full ? "full_attn_layers" : "kda_layers";
  if (!linear.has(key)) {
    linear.fail(notice::missing_key(linear.path("full_attn_layers"), "full_attn_layers", "the numbers of the layers with full attention"));
    return full;
  }
  if (!by_full) full.assign(full.size(), 1);
  const Json& list = *linear.json().find(key);
  for (const Json& entry : list) {
    const std::int64_t number = whole_number_of(entry).value_or(0);
    if (number < 1 || number > n_layers) {
      linear.fail(notice::wrong_type(linear.path(key), std::string(key), excerpt(entry), "numbers from 1 to " + grouped(n_layers)));
      return full;
    }
    full[static_cast<std::size_t>(number - 1)] = by_full ? 1 : 0;
  }
  return full;
}

/// Experts that work in a narrower space: what the router sees and what the shared ones take stays wide.
void add_latent_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden, const K3Parts& parts) {
  tensors.linear(kLinearExperts.router, moe.n_experts, hidden);
  tensors.add({.name = kLinearExperts.router_bias, .rows = moe.n_experts, .type = dtype::f32});
  tensors.copies(moe.n_experts);
  tensors.linear(kLinearExperts.gate, moe.moe_ffn_size, parts.expert_width);
  tensors.linear(kLinearExperts.up, moe.moe_ffn_size, parts.expert_width);
  tensors.linear(kLinearExperts.down, parts.expert_width, moe.moe_ffn_size);
  tensors.copies(1);
  tensors.linear("block_sparse_moe.routed_expert_down_proj", parts.expert_width, hidden);
  tensors.linear("block_sparse_moe.routed_expert_up_proj", hidden, parts.expert_width);
  if (parts.expert_norm) tensors.norm("block_sparse_moe.routed_expert_norm", parts.expert_width);
  if (moe.shared_ffn_size > 0) add_dense_ffn(tensors, {moe.shared_ffn_size}, hidden, false, false, kLinearExperts.shared);
}

void add_layer(Draft& draft, const LayerSpec& layer, const K3Parts& parts) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("input_layernorm", hidden);
  if (const auto* delta = std::get_if<RecurrentMixer>(&layer.mixer)) add_kimi_delta(tensors, *delta, hidden, parts.full_rank_gate);
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) {
    add_latent_attention(tensors, *latent, hidden);
    if (parts.latent_gate) tensors.linear("self_attn.g_proj", latent->n_heads * latent->head_dim_v, hidden);
  }
  tensors.norm("post_attention_layernorm", hidden);
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add_dense_ffn(tensors, *dense, hidden);
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn))
    parts.expert_width > 0 ? add_latent_experts(tensors, *moe, hidden, parts) : add_experts(tensors, *moe, hidden, kLinearExperts);
  if (!parts.residual_attention) return;
  for (const char* name : {"self_attention_res_proj", "mlp_res_proj"})
    tensors.add({.name = std::string(name) + ".weight", .rows = 1, .cols = hidden});
  for (const char* name : {"self_attention_res_norm", "mlp_res_norm"}) tensors.norm(name, hidden);
}

void add_kimi_linear(Draft& draft, const K3Parts& parts, std::string_view root, std::string_view head) {
  const std::string prefix = std::string(root) + "layers.{layer}.";
  add_embeddings(draft, root);
  for (std::int64_t layer = 0; layer < draft.model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer, prefix);
    add_layer(draft, draft.model.layers[static_cast<std::size_t>(layer)], parts);
  }
  add_head(draft, root, head);
  if (!parts.residual_attention) return;
  draft.tensors.add({.name = std::string(root) + "output_attn_res_proj.weight", .rows = 1, .cols = draft.model.hidden_size});
  draft.tensors.norm(std::string(root) + "output_attn_res_norm", draft.model.hidden_size);
}

K3Parts read_parts(KeyReader& config, KeyReader& linear) {
  K3Parts parts;
  parts.full_rank_gate = linear.flag_or("use_full_rank_gate", false);
  parts.latent_gate = config.flag_or("mla_use_output_gate", false);
  parts.residual_attention = config.has("attn_res_block_size");
  parts.expert_width = config.count_or_zero("routed_expert_hidden_size", config_limit::hidden);
  parts.expert_norm = config.flag_or("latent_moe_use_norm", false);
  return parts;
}

void read_linear_text(KeyReader& config, Draft& draft, std::string_view root, std::string_view head) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive(config.has("max_position_embeddings") ? "max_position_embeddings" : "model_max_length",
                                             config_limit::context);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const LatentAttention latent = read_latent_attention(config, kAttention);
  const ExpertStack stack = read_expert_stack(config, {.experts = "num_experts",
                                                       .used = config.has("num_experts_per_token") ? "num_experts_per_token" : "num_experts_per_tok",
                                                       .shared = "num_shared_experts",
                                                       .scales_weights = true});
  if (!config.has("linear_attn_config") || !config.json().find("linear_attn_config")->is_object())
    config.fail(notice::missing_key(config.path("linear_attn_config"), "linear_attn_config", "an object with num_heads and head_dim"));
  if (config.error()) return;
  KeyReader linear = config.under("linear_attn_config");
  const RecurrentMixer delta = read_kimi_delta(linear);
  const LayerFlags full = read_full_layers(linear, stack.n_layers);
  const K3Parts parts = read_parts(config, linear);
  config.adopt(linear);
  if (config.error()) return;
  fill_layers(
      model, stack, [&](std::int64_t layer) { return full[static_cast<std::size_t>(layer)] != 0 ? Mixer(latent) : Mixer(delta); }, latent);
  model.rotary_dim = config.flag_or("mla_use_nope", false) ? 0 : latent.qk_rope_head_dim;
  add_kimi_linear(draft, parts, root, head);
}

/// The language model's keys; null with an error if they are not there.
bool has_text(KeyReader& config) {
  if (config.has("text_config") && config.json().find("text_config")->is_object()) return true;
  config.fail(notice::missing_key(config.path("text_config"), "text_config", "an object with the language model's keys"));
  return false;
}

void add_encoder(KeyReader& config, Draft& draft, bool kimi_vl) {
  if (config.error()) return;
  const std::optional<MoonVit> vit = read_moonvit(config);
  if (config.error()) return;
  if (!vit)
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "a MoonViT vision_config"));
  draft.model.vision = vit->tower;
  add_moonvit(draft.tensors, *vit, draft.model.hidden_size, kimi_vl);
}

void read_with_encoder(KeyReader& config, Draft& draft, bool kimi_vl) {
  if (!has_text(config)) return;
  KeyReader text = config.under("text_config");
  read_latent_moe(
      text, draft,
      {.attention = {.q_lora_rank = 1536, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .head_dim_v = 128, .indexer = {}},
       .experts = {},
       .root = "language_model.model.",
       .head = "language_model.lm_head"});
  config.adopt(text);
  add_encoder(config, draft, kimi_vl);
}

}  // namespace

/// Kimi-VL (moonshotai/Kimi-VL-A3B modeling_kimi_vl.py): Moonlight with an image encoder.
void read_kimi_vl(KeyReader& config, Draft& draft) { read_with_encoder(config, draft, true); }

/// Kimi K2.5 and later (moonshotai/Kimi-K2.5 modeling_kimi_k25.py): Kimi K2 with an image encoder.
void read_kimi_k25(KeyReader& config, Draft& draft) { read_with_encoder(config, draft, false); }

/// Kimi Linear (moonshotai/Kimi-Linear-48B-A3B modeling_kimi.py): Kimi Delta Attention, and latent attention without rotation in every fourth layer.
void read_kimi_linear(KeyReader& config, Draft& draft) { read_linear_text(config, draft, "model.", "lm_head"); }

/// Kimi K3 (moonshotai/Kimi-K3 modeling_kimi_k3.py): Kimi Linear's layers with gates, experts in a narrower space, attention over the residuals of
/// earlier blocks, and an image encoder.
void read_kimi_k3(KeyReader& config, Draft& draft) {
  if (!has_text(config)) return;
  KeyReader text = config.under("text_config");
  read_linear_text(text, draft, "language_model.model.", "language_model.lm_head");
  config.adopt(text);
  add_encoder(config, draft, false);
}

}  // namespace weighbridge

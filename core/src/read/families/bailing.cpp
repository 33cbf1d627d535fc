// SPDX-License-Identifier: Apache-2.0
// Ling and Ring of inclusionAI.
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"
#include "read/linear_attention.hpp"

namespace weighbridge {

namespace {

constexpr ExpertNames kExperts{.router_bias = "mlp.gate.expert_bias"};

/// What all of them share besides the mixers.
struct Bailing {
  bool qkv_bias = false;
  bool bias = false;
  bool qk_norm = false;
  std::int64_t attention_gate = 0;  ///< rows of a gate on what leaves latent attention
  bool delta_low_rank = false;      ///< forget gate and output gate of the delta attention in two matrices each
};

void add_qk_norms(TensorList& tensors, std::int64_t head_dim) {
  tensors.norm("attention.query_layernorm", head_dim);
  tensors.norm("attention.key_layernorm", head_dim);
}

void add_qkv(TensorList& tensors, std::int64_t q, std::int64_t kv, std::int64_t hidden, bool bias, bool recurrent) {
  constexpr std::string_view name = "attention.query_key_value.weight";
  const auto role = [&](TensorRole attention) { return recurrent ? TensorRole::recurrent_in : attention; };
  tensors.add({.name = name, .rows = q, .cols = hidden, .role = role(TensorRole::attention_q)});
  tensors.add({.name = name, .rows = kv, .cols = hidden, .role = role(TensorRole::attention_k)});
  tensors.add({.name = name, .rows = kv, .cols = hidden, .role = role(TensorRole::attention_v)});
  if (bias) tensors.add({.name = "attention.query_key_value.bias", .rows = q + 2 * kv});
}

void add_grouped(TensorList& tensors, const FullAttention& a, std::int64_t hidden, const Bailing& b) {
  add_qkv(tensors, a.n_heads * a.head_dim_k, a.n_kv_heads * a.head_dim_k, hidden, b.qkv_bias, false);
  tensors.linear("attention.dense", hidden, a.n_heads * a.head_dim_v, b.bias);
  if (b.qk_norm) add_qk_norms(tensors, a.head_dim_k);
}

void add_latent(TensorList& tensors, const LatentAttention& a, std::int64_t hidden, const Bailing& b) {
  const std::int64_t query_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  if (a.q_lora_rank > 0) {
    tensors.linear("attention.q_a_proj", a.q_lora_rank, hidden, b.qkv_bias);
    tensors.norm("attention.q_a_layernorm", a.q_lora_rank);
    tensors.linear("attention.q_b_proj", query_rows, a.q_lora_rank);
  } else {
    tensors.linear("attention.q_proj", query_rows, hidden);
  }
  tensors.linear("attention.kv_a_proj_with_mqa", a.kv_lora_rank + a.qk_rope_head_dim, hidden, b.qkv_bias);
  tensors.norm("attention.kv_a_layernorm", a.kv_lora_rank);
  tensors.linear("attention.kv_b_proj", a.n_heads * (a.qk_nope_head_dim + a.head_dim_v), a.kv_lora_rank);
  tensors.linear("attention.dense", hidden, a.n_heads * a.head_dim_v, b.bias);
  if (b.attention_gate > 0) tensors.linear("attention.g_proj", b.attention_gate, hidden);
}

/// Lightning attention with a gate and a norm over groups of its output.
void add_lightning(TensorList& tensors, const RecurrentMixer& m, std::int64_t hidden, const Bailing& b) {
  add_qkv(tensors, m.inner_size, m.inner_size, hidden, b.qkv_bias, true);
  tensors.add({.name = "attention.g_proj.weight", .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in});
  tensors.add({.name = "attention.dense.weight", .rows = hidden, .cols = m.inner_size, .role = TensorRole::recurrent_out});
  tensors.norm("attention.g_norm", m.inner_size);
  if (b.qk_norm) add_qk_norms(tensors, m.inner_size / m.n_heads);
}

/// Kimi Delta Attention whose gates are one matrix each (`no_kda_lora`).
void add_full_rank_delta(TensorList& tensors, const RecurrentMixer& m, std::int64_t hidden) {
  const auto in = [&](const char* name) { tensors.add({.name = name, .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in}); };
  for (const char* name :
       {"attention.q_proj.weight", "attention.k_proj.weight", "attention.v_proj.weight", "attention.f_proj.weight", "attention.g_proj.weight"})
    in(name);
  for (const char* name : {"attention.q_conv1d.weight", "attention.k_conv1d.weight", "attention.v_conv1d.weight"})
    tensors.add({.name = name, .rows = m.inner_size, .cols = m.conv_kernel, .role = TensorRole::recurrent_state, .type = dtype::f32});
  tensors.add({.name = "attention.A_log", .rows = m.n_heads, .role = TensorRole::recurrent_state, .type = dtype::f32});
  tensors.add({.name = "attention.dt_bias", .rows = m.inner_size, .role = TensorRole::recurrent_state, .type = dtype::f32});
  tensors.linear("attention.b_proj", m.n_heads, hidden);
  tensors.norm("attention.o_norm", m.inner_size / m.n_heads);
  tensors.add({.name = "attention.o_proj.weight", .rows = hidden, .cols = m.inner_size, .role = TensorRole::recurrent_out});
}

void add_layer(Draft& draft, const LayerSpec& layer, const Bailing& b) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("input_layernorm", hidden);
  if (const auto* heads = std::get_if<FullAttention>(&layer.mixer)) add_grouped(tensors, *heads, hidden, b);
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) add_latent(tensors, *latent, hidden, b);
  if (const auto* recurrent = std::get_if<RecurrentMixer>(&layer.mixer)) {
    if (recurrent->kind == RecurrentKind::lightning)
      add_lightning(tensors, *recurrent, hidden, b);
    else if (b.delta_low_rank)
      add_kimi_delta(tensors, *recurrent, hidden, false, "attention.");
    else
      add_full_rank_delta(tensors, *recurrent, hidden);
  }
  tensors.norm("post_attention_layernorm", hidden);
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add_dense_ffn(tensors, *dense, hidden, b.bias);
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) add_experts(tensors, *moe, hidden, kExperts);
}

void add_all(Draft& draft, const Bailing& b) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.outside();
  tensors.linear("model.word_embeddings", draft.model.vocab_size, hidden);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++);
    add_layer(draft, layer, b);
  }
  add_head(draft);
  tensors.part(ModelPart::mtp);
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++);
    add_layer(draft, layer, b);
    for (const char* name : {"enorm", "hnorm", "final_layernorm"}) tensors.norm(name, hidden);
    tensors.linear("eh_proj", hidden, 2 * hidden);
  }
  tensors.part(ModelPart::text);
}

Bailing read_parts(KeyReader& config, bool qk_norm) {
  Bailing b;
  b.qkv_bias = config.flag_or("use_qkv_bias", false);
  b.bias = config.flag_or("use_bias", false);
  b.qk_norm = config.flag_or("use_qk_norm", qk_norm);
  b.delta_low_rank = config.has("no_kda_lora") && !config.flag_or("no_kda_lora", true);
  return b;
}

ExpertStack read_stack(KeyReader& config, bool router_bias) {
  ExpertStack stack = read_expert_stack(config, {.experts = "num_experts",
                                                 .shared = "num_shared_experts",
                                                 .router_bias = config.flag_or("moe_router_enable_expert_bias", router_bias),
                                                 .scales_weights = router_bias});
  const std::int64_t width = config.positive_or("moe_shared_expert_intermediate_size", config_limit::ffn, stack.moe.moe_ffn_size, "");
  stack.moe.shared_ffn_size = config.count_or_zero("num_shared_experts", 64) * width;
  return stack;
}

/// Layers in groups of `layer_group_size`, whose last attends to everything; so do those after the last whole group.
bool is_linear(std::int64_t layer, std::int64_t group, std::int64_t n_layers) { return (layer + 1) % group != 0 && layer < n_layers / group * group; }

void read_grouped(KeyReader& config, Draft& draft, bool second) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const Bailing b = read_parts(config, second);
  const ExpertStack stack = read_stack(config, second);
  const std::int64_t group = config.positive_or("layer_group_size", config_limit::layers, 1, "");
  if (config.error()) return;
  const RecurrentMixer lightning = lightning_attention(attention.n_heads, attention.head_dim_k);
  const auto mixer = [&](std::int64_t layer) { return is_linear(layer, group, stack.n_layers) ? Mixer(lightning) : Mixer(attention); };
  fill_layers(model, stack, mixer, attention);
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(1.0));
  add_all(draft, b);
}

}  // namespace

/// Ling 1 (inclusionAI/Ling modeling_bailing_moe.py, vllm-project/vllm models/bailing_moe.py): fused attention, experts with shared ones.
void read_bailing_moe(KeyReader& config, Draft& draft) { read_grouped(config, draft, false); }

/// Ling 2 (vllm-project/vllm models/bailing_moe.py): norms on queries and keys, a correction bias on the router. With `layer_group_size` (Ring-linear,
/// vllm-project/vllm models/bailing_moe_linear.py) only the last layer of a group attends to everything; the others are lightning attention.
void read_bailing_moe_v2(KeyReader& config, Draft& draft) { read_grouped(config, draft, true); }

/// Ling 2.5 and later: latent attention in the last layer of a group; the others are lightning attention (vllm-project/vllm
/// models/bailing_moe_linear.py) or, from Ling 3 on, Kimi Delta Attention (vllm-project/vllm models/bailing_moe_v3.py).
void read_bailing_hybrid(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const LatentAttention latent = read_latent_attention(
      config, {.q_lora_rank = 0, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .head_dim_v = 128, .indexer = {}});
  Bailing b = read_parts(config, true);
  const ExpertStack stack = read_stack(config, true);
  const std::int64_t group = config.positive("layer_group_size", config_limit::layers);
  if (config.error()) return;
  if (!config.has("head_dim") && model.hidden_size % latent.n_heads != 0)
    return config.fail(notice::not_divisible(config.path("hidden_size"), "hidden_size", grouped(model.hidden_size),
                                             "a multiple of num_attention_heads, " + grouped(latent.n_heads) + ", or a head_dim"));
  const std::int64_t head_dim = config.positive_or("head_dim", config_limit::head_dim, model.hidden_size / latent.n_heads, "");
  const std::int64_t kernel = config.count_or_zero("short_conv_kernel_size", config_limit::head_dim);
  const std::string gate = config.text_if_given("gated_attention_proj_granularity_type").value_or("");
  b.attention_gate = gate == "head_wise" ? latent.n_heads : gate == "element_wise" ? latent.n_heads * latent.head_dim_v : 0;
  if (config.error()) return;
  const RecurrentMixer linear = kernel > 0 ? kimi_delta(latent.n_heads, head_dim, kernel) : lightning_attention(latent.n_heads, head_dim);
  fill_layers(
      model, stack, [&](std::int64_t layer) { return is_linear(layer, group, stack.n_layers) ? Mixer(linear) : Mixer(latent); }, latent);
  model.rotary_dim = latent.qk_rope_head_dim;
  add_all(draft, b);
}

}  // namespace weighbridge

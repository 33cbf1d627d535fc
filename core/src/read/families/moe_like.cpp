// SPDX-License-Identifier: Apache-2.0
// Families of experts whose layers are Llama's but for a few names, norms and gates.
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Experts from layer `first_k_dense_replace` on.
void add_layers_after_dense(Model& model, const FullAttention& attention, const DenseFfn& dense, const MoeFfn& moe, std::int64_t n_layers,
                            std::int64_t n_dense) {
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, moe});
  model.layers.change(0, static_cast<std::size_t>(n_dense), [&](LayerSpec& layer) { layer.ffn = dense; });
}

/// Which layers have experts: `mlp_layer_types` of "dense" and "sparse", or all but `mlp_only_layers` and those between the steps.
LayerFlags read_sparse_layers(KeyReader& config, std::int64_t n_layers) {
  if (config.has("mlp_layer_types")) return read_layer_kinds(config, "mlp_layer_types", n_layers, {"dense", "sparse"});
  const std::int64_t step = config.positive_or("decoder_sparse_step", config_limit::layers, 1, "");
  LayerFlags sparse = read_listed_layers(config, "mlp_only_layers", n_layers);
  for (std::size_t layer = 0; layer < sparse.size(); ++layer)
    sparse[layer] = sparse[layer] == 0 && (static_cast<std::int64_t>(layer) + 1) % step == 0 ? 1 : 0;
  return sparse;
}

}  // namespace

/// Solar Open (huggingface/transformers models/solar_open): GLM-4.5's layers.
void read_solar_open(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const bool qk_norm = config.flag_or("use_qk_norm", false);
  MoeFfn moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.whole_number_if_given("n_shared_experts", 0, 64).value_or(1) * moe.moe_ffn_size;
  moe.router_bias = true;
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.count_or_zero("first_k_dense_replace", config_limit::layers);
  const DenseFfn dense{n_dense > 0 ? config.positive("intermediate_size", config_limit::ffn) : 0};
  if (config.error()) return;
  add_layers_after_dense(model, attention, dense, moe, n_layers, n_dense);
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(1.0));
  add_decoder(draft, {.qkv_bias = bias, .qk_norm = qk_norm});
}

/// Hunyuan 3 (huggingface/transformers models/hy_v3): norms on queries and keys, a shared block, a correction bias beside the experts; one further
/// layer predicts the token after the next.
void read_hy_v3(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool qk_norm = config.flag_or("qk_norm", true);
  MoeFfn moe = read_routed_experts(config, "num_experts", config.has("moe_intermediate_size") ? "moe_intermediate_size" : "expert_hidden_dim");
  moe.shared_ffn_size = config.count_or_zero("num_shared_experts", 64) * moe.moe_ffn_size;
  moe.router_bias = config.flag_or("moe_router_enable_expert_bias", true);
  read_expert_choice(config, moe, config.flag_or("route_norm", true), true, "router_scaling_factor");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.whole_number_if_given("first_k_dense_replace", 0, config_limit::layers).value_or(1);
  const std::int64_t n_mtp = config.count_or_zero("num_nextn_predict_layers", 64);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  if (config.error()) return;
  add_layers_after_dense(model, attention, dense, moe, n_layers, n_dense);
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{attention, moe});
  model.rotary_dim = attention.head_dim_k;
  draft.mtp_stores_embeddings = false;
  add_decoder(draft, {.qk_norm = qk_norm}, {.router = "mlp.router.gate", .router_bias = "mlp.expert_bias", .shared = "mlp.shared_mlp."});
}

/// Mellum 2 (huggingface/transformers models/mellum): Qwen3 MoE with layers that slide.
void read_mellum(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const LayerFlags sparse = read_sparse_layers(config, n_layers);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const DenseFfn dense{config.count_or_zero("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  model.n_rotary_tables = 2;  // rope_parameters of full and of sliding layers differ
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return false; })) {
    model.layers.push_back({mixer, sparse[model.layers.size()] != 0 ? Ffn(moe) : Ffn(dense)});
  }
  if (!config.error()) add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .qk_norm = true});
}

/// Hunyuan A13B (huggingface/transformers models/hunyuan_v1_moe): experts in every layer, a shared block, norms on queries and keys. Some keys are lists
/// of one number a layer; all published ones are constant.
void read_hunyuan_v1_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const auto same_everywhere = [&](std::string_view key, std::int64_t fallback) {
    const auto found = config.json().find(key);
    if (found == config.json().end() || found->is_null()) return fallback;
    const bool is_list = found->is_array() && !found->empty();
    const std::optional<std::int64_t> number = whole_number_of(is_list ? found->front() : *found);
    bool good = number && *number >= 0 && *number <= config_limit::moe_ffn;
    for (std::size_t i = 1; is_list && good && i < found->size(); ++i) good = whole_number_of((*found)[i]) == number;
    if (!good) config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(*found), "one whole number, or a list of equal ones"));
    return good ? *number : fallback;
  };
  const std::int64_t width = config.positive("intermediate_size", config_limit::ffn);
  MoeFfn moe;
  moe.n_experts = same_everywhere("num_experts", 1);
  moe.n_experts_used = same_everywhere("moe_topk", 1);
  moe.moe_ffn_size = same_everywhere("moe_intermediate_size", width);
  if (config.flag_or("use_mixed_mlp_moe", true)) moe.shared_ffn_size = same_everywhere("num_shared_expert", 1) * width;
  const bool qk_norm = config.flag_or("use_qk_norm", true);
  if (config.flag_or("use_cla", false))
    config.warn(notice::custom("assumed_default", config.path("use_cla"),
                               "`use_cla` is true; every layer was counted with keys and values of its own, which is never too little.", "use_cla",
                               "true", "keys and values in every layer"));
  if (config.error()) return;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, moe.n_experts > 1 ? Ffn(moe) : Ffn(DenseFfn{width})});
  model.rotary_dim = attention.head_dim_k;
  add_decoder(draft,
              {.qkv_bias = bias, .output_bias = bias, .qk_norm = qk_norm, .q_norm = "self_attn.query_layernorm", .k_norm = "self_attn.key_layernorm"},
              {.router = "mlp.gate.wg", .shared = "mlp.shared_mlp."});
}

/// K2 Horizon (IFM/K2-Horizon-375B-A23B): a bias on the router, a shared block; in the MoVA models the layers with experts choose their value projection
/// among `mova_num_experts` too, and the output of attention is gated.
void read_k2_horizon(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const bool router_bias = config.flag_or("moe_gate_bias", true);
  const bool gated = config.has("attention_gate_func");
  const bool qk_norm = config.flag_or("query_key_norm", false);
  MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("num_shared_experts", 64) * moe.moe_ffn_size;
  const std::int64_t n_values = config.count_or_zero("mova_num_experts", config_limit::experts);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const LayerFlags sparse = read_sparse_layers(config, n_layers);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  if (config.error()) return;
  const std::int64_t hidden = model.hidden_size;
  model.rotary_dim = config.positive_or("rope_head_dim", config_limit::head_dim, attention.head_dim_k, "");
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool has_experts = sparse[static_cast<std::size_t>(layer)] != 0;
    model.layers.push_back({attention, has_experts ? Ffn(moe) : Ffn(dense)});
    tensors.at_layer(layer);
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, attention, hidden, {.qkv_bias = bias, .output_bias = bias, .qk_norm = qk_norm, .no_value = has_experts && n_values > 0});
    if (has_experts && n_values > 0) {
      tensors.linear("self_attn.v_router", n_values, hidden, router_bias);
      tensors.copies(n_values);
      tensors.linear("self_attn.v_experts.{expert}", attention.n_kv_heads * attention.head_dim_v, hidden);
      tensors.copies(1);
    }
    if (gated) tensors.linear("self_attn.gate_proj", attention.n_heads * attention.head_dim_v, hidden);
    tensors.norm("post_attention_layernorm", hidden);
    if (!has_experts) {
      add_dense_ffn(tensors, dense, hidden);
      continue;
    }
    add_experts(tensors, moe, hidden);
    if (router_bias) tensors.add({.name = "mlp.gate.bias", .rows = moe.n_experts});
  }
  add_head(draft);
}

}  // namespace weighbridge

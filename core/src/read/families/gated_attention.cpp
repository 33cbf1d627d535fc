// SPDX-License-Identifier: Apache-2.0
// Families that gate the output of attention: Trinity (AFMoE), Laguna.
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// `num_attention_heads_per_layer`; the same in every layer if it is absent.
std::vector<std::int64_t> read_heads(KeyReader& config, std::int64_t n_heads, std::int64_t n_layers) {
  std::vector<std::int64_t> heads(static_cast<std::size_t>(n_layers), n_heads);
  if (config.error() || !config.has("num_attention_heads_per_layer")) return heads;
  const Json& listed = *config.json().find("num_attention_heads_per_layer");
  bool good = listed.is_array() && listed.size() == heads.size();
  for (std::size_t i = 0; good && i < heads.size(); ++i) {
    heads[i] = whole_number_of(listed[i]).value_or(0);
    good = heads[i] > 0 && heads[i] <= config_limit::heads;
  }
  if (!good)
    config.fail(notice::wrong_type(config.path("num_attention_heads_per_layer"), "num_attention_heads_per_layer", excerpt(listed),
                                   "a number of heads for each of num_hidden_layers, " + grouped(n_layers)));
  return heads;
}

/// One gate a head, or one a value: "per-head", true (both per head), "per-element".
std::int64_t gate_rows(KeyReader& config, const FullAttention& heads) {
  if (!config.has("gating")) return heads.n_heads;
  const Json& gating = *config.json().find("gating");
  if (gating.is_boolean()) return gating.get<bool>() ? heads.n_heads : 0;
  const std::string_view name = gating.is_string() ? std::string_view(gating.get_ref<const std::string&>()) : std::string_view();
  if (is_any_of(name, {"per-head", "per_head"})) return heads.n_heads;
  if (is_any_of(name, {"per-element", "per_element", "elementwise"})) return heads.n_heads * heads.head_dim_v;
  config.fail(notice::unknown("unsupported", config.path("gating"), "gating", excerpt(gating), "\"per-head\", \"per-element\", true or false"));
  return 0;
}

}  // namespace

/// Arcee Trinity (huggingface/transformers models/afmoe): four norms a layer, norms on queries and keys, a gate on the output of attention; every
/// `global_attn_every_n_layers`-th layer sees everything; experts after `num_dense_layers` layers.
void read_afmoe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.whole_number_if_given("num_shared_experts", 0, 64).value_or(1) * moe.moe_ffn_size;
  moe.router_bias = true;
  read_expert_choice(config, moe, config.flag_or("route_norm", true), true, "route_scale");
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.whole_number_if_given("num_dense_layers", 0, config_limit::layers).value_or(1);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 2048, "");
  const std::int64_t period = config.positive_or("global_attn_every_n_layers", config_limit::layers, 4, "");
  const std::vector<Mixer> mixers = mixers_with_window(config, attention, n_layers, window,
                                                       [&](std::int64_t layer) { return (layer + 1) % period != 0; });
  if (config.error()) return;
  const std::int64_t hidden = model.hidden_size;
  model.rotary_dim = attention.head_dim_k;
  add_embeddings(draft);
  for (const Mixer& mixer : mixers) {
    const bool has_experts = model.n_layers() >= n_dense;
    tensors.at_layer(model.n_layers());
    model.layers.push_back({mixer, has_experts ? Ffn(moe) : Ffn(dense)});
    add_attention(tensors, attention, hidden, {.qk_norm = true});
    tensors.linear("self_attn.gate_proj", attention.n_heads * attention.head_dim_v, hidden);
    for (const std::string_view norm : {"input_layernorm", "post_attention_layernorm", "pre_mlp_layernorm", "post_mlp_layernorm"})
      tensors.norm(norm, hidden);
    if (has_experts) {
      add_experts(tensors, moe, hidden, {.router = "mlp.router.gate", .router_bias = "mlp.expert_bias"});
    } else {
      add_dense_ffn(tensors, dense, hidden);
    }
  }
  add_head(draft);
}

/// Poolside Laguna (huggingface/transformers models/laguna): heads by layer, most layers slide, a gate per head, experts after the first layer.
void read_laguna(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const bool qkv_bias = config.flag_or("qkv_bias", bias);
  MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("shared_expert_intermediate_size", config_limit::moe_ffn);
  moe.router_bias = true;
  read_expert_choice(config, moe, true, true, "moe_routed_scaling_factor");
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const std::vector<std::int64_t> heads_by_layer = read_heads(config, attention.n_heads, n_layers);
  const LayerFlags slides = read_sliding_layers(config, n_layers);
  LayerFlags sparse = read_layer_kinds(config, "mlp_layer_types", n_layers, {"dense", "sparse"});
  if (config.error()) return;
  if (sparse.empty()) {
    sparse.assign(static_cast<std::size_t>(n_layers), 1);
    sparse.front() = 0;
  }
  const std::int64_t hidden = model.hidden_size;
  model.rotary_dim = attention.head_dim_k;
  model.n_rotary_tables = 2;
  add_embeddings(draft);
  for (std::size_t layer = 0; layer < sparse.size(); ++layer) {
    FullAttention heads = attention;
    heads.n_heads = heads_by_layer[layer];
    check_head_groups(config, heads);
    const bool is_sliding = window > 0 && !slides.empty() && slides[layer] != 0;
    const bool has_experts = sparse[layer] != 0;
    model.layers.push_back({is_sliding ? Mixer(SlidingAttention{heads, window}) : Mixer(heads), has_experts ? Ffn(moe) : Ffn(dense)});
    tensors.at_layer(static_cast<std::int64_t>(layer));
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, heads, hidden, {.qkv_bias = qkv_bias, .output_bias = bias, .qk_norm = true});
    if (const std::int64_t rows = gate_rows(config, heads); rows > 0) tensors.linear("self_attn.g_proj", rows, hidden);
    tensors.norm("post_attention_layernorm", hidden);
    if (has_experts) {
      add_experts(tensors, moe, hidden, {.router_bias = "mlp.experts.e_score_correction_bias", .shared = "mlp.shared_expert."});
    } else {
      add_dense_ffn(tensors, dense, hidden);
    }
  }
  add_head(draft);
}

}  // namespace weighbridge

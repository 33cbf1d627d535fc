// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// The dense layers that predict further tokens, without embedding and head of their own.
void add_mtp_layers(Draft& draft, const DecoderStyle& style, std::string_view prefix, std::string_view projection,
                    std::initializer_list<std::string_view> norms) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.part(ModelPart::mtp);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++, prefix);
    for (const std::string_view norm : norms) tensors.norm(norm, hidden);
    tensors.linear(projection, hidden, 2 * hidden);
    add_decoder_layer(draft, layer, style);
  }
  tensors.part(ModelPart::text);
}

/// Embeddings, layers and head, as add_decoder() writes them for a model without MTP layers.
void add_without_mtp(Draft& draft, const DecoderStyle& style, const ExpertNames& experts = {}) {
  LayerList mtp;
  std::swap(mtp, draft.model.mtp_layers);
  add_decoder(draft, style, experts);
  std::swap(mtp, draft.model.mtp_layers);
}

FullAttention read_swa_heads(KeyReader& config, const FullAttention& full) {
  FullAttention heads;
  heads.n_heads = config.positive_or("swa_num_attention_heads", config_limit::heads, full.n_heads, "");
  heads.n_kv_heads = config.positive_or("swa_num_key_value_heads", config_limit::heads, full.n_kv_heads, "");
  heads.head_dim_k = config.positive_or("swa_head_dim", config_limit::head_dim, full.head_dim_k, "");
  heads.head_dim_v = config.positive_or("swa_v_head_dim", config_limit::head_dim, full.head_dim_v, "");
  heads.sinks = config.flag_or("add_swa_attention_sink_bias", false);
  check_head_groups(config, heads);
  return heads;
}

/// `hybrid_layer_pattern`: 1 for a layer that slides; without it, `hybrid_block_size` layers of which the last sees everything.
LayerFlags read_pattern(KeyReader& config, std::int64_t n_layers) {
  LayerFlags slides;
  if (const Json* pattern = list_per_layer(config, "hybrid_layer_pattern", n_layers)) {
    for (const Json& entry : *pattern) slides.push_back(entry == 1 ? 1 : 0);
    return slides;
  }
  const std::int64_t block = config.positive_or("hybrid_block_size", config_limit::layers, 6, "no hybrid_layer_pattern is given");
  for (std::int64_t layer = 0; layer < n_layers; ++layer) slides.push_back(layer == 0 || (layer + 1) % block == 0 ? 0 : 1);
  return slides;
}

}  // namespace

/// MiMo-7B (XiaomiMiMo/MiMo modeling_mimo.py): Qwen 2's layers, and dense layers that predict further tokens.
void read_mimo(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool qkv_bias = config.flag_or("attention_bias", true);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_mtp = config.count_or_zero("num_nextn_predict_layers", 64);
  if (config.error()) return;
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, ffn});
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{attention, ffn});
  const DecoderStyle style{.qkv_bias = qkv_bias};
  add_without_mtp(draft, style);
  add_mtp_layers(draft, style, "model.mtp_layers.{layer}.", "input_proj", {"token_layernorm", "hidden_layernorm", "final_layernorm"});
}

/// MiMo-V2 (vllm-project/vllm models/mimo_v2_flash.py): sliding layers with heads and sinks of their own, experts without shared ones, and
/// three dense sliding layers that predict further tokens, which the config does not name.
void read_mimo_v2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  FullAttention full = read_full_attention(config, model);
  full.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, full.head_dim_k, "");
  full.sinks = config.flag_or("add_full_attention_sink_bias", false);
  const FullAttention swa = read_swa_heads(config, full);
  const std::int64_t window = config.positive(config.has("sliding_window") ? "sliding_window" : "sliding_window_size", config_limit::context);
  const bool qkv_bias = config.flag_or("attention_bias", false);
  ExpertStack stack = read_expert_stack(config, {});
  if (config.error()) return;
  if (!config.has("num_nextn_predict_layers")) stack.n_mtp = 3;
  const LayerFlags slides = read_pattern(config, stack.n_layers);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  if (config.error()) return;
  const SlidingAttention sliding{swa, window};
  fill_layers(
      model, stack, [&](std::int64_t layer) { return slides[static_cast<std::size_t>(layer)] != 0 ? Mixer(sliding) : Mixer(full); }, sliding);
  model.mtp_layers.change_all([&](LayerSpec& layer) { layer.ffn = dense; });
  model.rotary_dim = rotary_part(full.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(1.0));
  model.n_rotary_tables = 2;
  // The attention was quantized in as many shards as full layers have key heads, and the scales of each begin at a block of their own
  // (jundot/omlx omlx/patches/mimo_v2/fused_qkv_layout.py): 192 rows of keys take two blocks of 128.
  const DecoderStyle style{.qkv_bias = qkv_bias, .key_shards = full.n_kv_heads};
  const bool f32_router = config.text_if_given("moe_router_dtype").value_or(model.architecture == "mimo_v2_flash" ? "float32" : "") == "float32";
  add_without_mtp(draft, style, {.router_type = f32_router ? std::optional(dtype::f32) : std::nullopt});
  add_mtp_layers(draft, style, "model.mtp.layers.{layer}.", "eh_proj", {"enorm", "hnorm", "final_layernorm"});
}

}  // namespace weighbridge

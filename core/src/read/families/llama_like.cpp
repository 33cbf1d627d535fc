// SPDX-License-Identifier: Apache-2.0
// Families whose layers are Llama's but for biases, norms or the gate.
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

struct Variant {
  DecoderStyle style{};
  bool gated = true;
  bool tied = false;  ///< what tie_word_embeddings is if the config does not say
  double rotary = 1;  ///< what partial_rotary_factor is if the config does not say
};

void read_variant(KeyReader& config, Draft& draft, const Variant& variant) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", variant.tied);
  const FullAttention attention = read_full_attention(config, model);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn), variant.gated};
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(variant.rotary));
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (!config.error()) add_decoder(draft, variant.style);
}

/// `attention_bias` covers q, k, v and o; `mlp_bias` the feed-forward block.
DecoderStyle usual_biases(KeyReader& config) {
  const bool attention = config.flag_or("attention_bias", false);
  return {.qkv_bias = attention, .output_bias = attention, .ffn_bias = config.flag_or("mlp_bias", false)};
}

}  // namespace

/// Granite 3 and 4.1 (huggingface/transformers models/granite): Llama with multipliers.
void read_granite(KeyReader& config, Draft& draft) { read_variant(config, draft, {.style = usual_biases(config)}); }

/// Arcee AFM (models/arcee): no gate in the feed-forward block.
void read_arcee(KeyReader& config, Draft& draft) { read_variant(config, draft, {.style = usual_biases(config), .gated = false}); }

/// Nemotron and Minitron (models/nemotron): LayerNorm, no gate, half of each head rotates.
void read_nemotron(KeyReader& config, Draft& draft) {
  DecoderStyle style = usual_biases(config);
  style.norm_bias = true;
  read_variant(config, draft, {.style = style, .gated = false, .rotary = 0.5});
}

/// Seed-OSS (models/seed_oss): biases on q, k and v, one of its own on o.
void read_seed_oss(KeyReader& config, Draft& draft) {
  DecoderStyle style = usual_biases(config);
  style.qkv_bias = config.flag_or("attention_bias", true);
  style.output_bias = config.flag_or("attention_out_bias", false);
  read_variant(config, draft, {.style = style});
}

/// InternLM3 (internlm/internlm3-8b-instruct modeling_internlm3.py): `qkv_bias` for q, k and v, `bias` for all other projections.
void read_internlm3(KeyReader& config, Draft& draft) {
  const bool bias = config.flag_or("bias", false);
  read_variant(config, draft, {.style = {.qkv_bias = config.flag_or("qkv_bias", false), .output_bias = bias, .ffn_bias = bias}});
}

/// ERNIE 4.5 dense (models/ernie4_5): one flag for all biases.
void read_ernie4_5(KeyReader& config, Draft& draft) {
  const bool bias = config.flag_or("use_bias", false);
  read_variant(config, draft, {.style = {.qkv_bias = bias, .output_bias = bias, .ffn_bias = bias}, .tied = true});
}

/// Helium (models/helium): Llama with heads of 128.
void read_helium(KeyReader& config, Draft& draft) { read_variant(config, draft, {.style = usual_biases(config)}); }

/// InternLM 1 (internlm/internlm-7b modeling_internlm.py): `bias` for all of attention.
void read_internlm(KeyReader& config, Draft& draft) {
  const bool bias = config.flag_or("bias", true);
  read_variant(config, draft, {.style = {.qkv_bias = bias, .output_bias = bias}});
}

/// Jais 2 (models/jais2): LayerNorm, no gate, biases everywhere.
void read_jais2(KeyReader& config, Draft& draft) {
  const bool attention = config.flag_or("attention_bias", true);
  const bool ffn = config.flag_or("mlp_bias", true);
  read_variant(config, draft, {.style = {.qkv_bias = attention, .output_bias = attention, .ffn_bias = ffn, .norm_bias = true}, .gated = false});
}

/// MiniCPM (openbmb/MiniCPM-2B-sft-bf16 modeling_minicpm.py): Llama with multipliers; tied unless the config says otherwise.
void read_minicpm(KeyReader& config, Draft& draft) { read_variant(config, draft, {.style = usual_biases(config), .tied = true}); }

/// Orion (OrionStarAI/Orion-14B-Base modeling_orion.py): LayerNorm.
void read_orion(KeyReader& config, Draft& draft) { read_variant(config, draft, {.style = {.norm_bias = true}}); }

/// XVERSE (xverse/XVERSE-7B modeling_xverse.py).
void read_xverse(KeyReader& config, Draft& draft) { read_variant(config, draft, {}); }

/// Hunyuan dense (models/hunyuan_v1_dense): norms on queries and keys under names of their own.
void read_hunyuan_v1_dense(KeyReader& config, Draft& draft) {
  DecoderStyle style = usual_biases(config);
  style.qk_norm = config.flag_or("use_qk_norm", true);
  style.q_norm = "self_attn.query_layernorm";
  style.k_norm = "self_attn.key_layernorm";
  read_variant(config, draft, {.style = style});
}

}  // namespace weighbridge

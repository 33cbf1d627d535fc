// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Reads what all of GPT-2's line have; `defaults.ffn` 0 means four times the hidden size.
LayerSpec read_layer(KeyReader& config, Model& model, const ClassDefaults& defaults) {
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  ClassDefaults wide = defaults;
  if (wide.ffn == 0) wide.ffn = 4 * model.hidden_size;
  DenseFfn ffn = read_dense_ffn(config, wide);
  ffn.gated = false;
  return {attention, ffn};
}

void fill_layers(KeyReader& config, Model& model, const LayerSpec& layer, const ClassDefaults& defaults) {
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), layer);
}

constexpr ClassicNames kGpt2Names{.embedding = "transformer.wte",
                                  .positions = "transformer.wpe",
                                  .layer = "transformer.h.{layer}.",
                                  .norm = "ln_1",
                                  .ffn_norm = "ln_2",
                                  .qkv = "attn.c_attn",
                                  .attention_output = "attn.c_proj",
                                  .up = "mlp.c_fc",
                                  .down = "mlp.c_proj",
                                  .last_norm = "transformer.ln_f",
                                  .head = "lm_head"};

/// Causal masks, which old versions stored with every layer.
void add_causal_masks(Draft& draft) {
  for (std::int64_t layer = 0; layer < draft.model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer, "transformer.h.{layer}.");
    draft.tensors.add({.name = "attn.mask",
                       .rows = draft.model.max_context_tokens,
                       .cols = draft.model.max_context_tokens,
                       .role = TensorRole::norm,
                       .is_copy = true});
  }
}

}  // namespace

/// GPT-2 (huggingface/transformers models/gpt2): learned positions, biases everywhere, embeddings tied.
void read_gpt2(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 768, .layers = 12, .heads = 12, .vocab = 50257, .context = 1024, .tied = true};
  const LayerSpec layer = read_layer(config, draft.model, defaults);
  fill_layers(config, draft.model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, kGpt2Names);
  if (draft.stores_buffers) add_causal_masks(draft);
}

/// StarCoder 1 and its like (huggingface/transformers models/gpt_bigcode): GPT-2 with one key and value head.
void read_gpt_bigcode(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 768, .layers = 12, .heads = 12, .vocab = 50257, .context = 1024, .tied = true};
  LayerSpec layer = read_layer(config, draft.model, defaults);
  if (config.flag_or("multi_query", true)) std::get<FullAttention>(layer.mixer).n_kv_heads = 1;
  fill_layers(config, draft.model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, kGpt2Names);
}

/// GPT-NeoX and Pythia (huggingface/transformers models/gpt_neox): rotary positions on a part of each head, `rotary_pct`.
void read_gpt_neox(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 6144, .layers = 44, .heads = 64, .ffn = 24576, .vocab = 50432, .context = 2048};
  constexpr ClassicNames names{.embedding = "gpt_neox.embed_in",
                               .layer = "gpt_neox.layers.{layer}.",
                               .norm = "input_layernorm",
                               .ffn_norm = "post_attention_layernorm",
                               .qkv = "attention.query_key_value",
                               .attention_output = "attention.dense",
                               .up = "mlp.dense_h_to_4h",
                               .down = "mlp.dense_4h_to_h",
                               .last_norm = "gpt_neox.final_layer_norm",
                               .head = "embed_out"};
  Model& model = draft.model;
  const LayerSpec layer = read_layer(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", true);
  const std::string_view part = first_key(config, {"rotary_pct", "partial_rotary_factor"});
  model.rotary_dim = rotary_part(std::get<FullAttention>(layer.mixer).head_dim_k, config.fraction(part, 1.0).value_or(0.25));
  fill_layers(config, model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, names, {.qkv_bias = bias, .output_bias = bias});
}

/// BLOOM (huggingface/transformers models/bloom): ALiBi, a norm after the embeddings, embeddings tied.
void read_bloom(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 64, .layers = 2, .heads = 8, .vocab = 250880, .context = 2048, .tied = true};
  constexpr ClassicNames names{.embedding = "transformer.word_embeddings",
                               .embedding_norm = "transformer.word_embeddings_layernorm",
                               .layer = "transformer.h.{layer}.",
                               .norm = "input_layernorm",
                               .ffn_norm = "post_attention_layernorm",
                               .qkv = "self_attention.query_key_value",
                               .attention_output = "self_attention.dense",
                               .up = "mlp.dense_h_to_4h",
                               .down = "mlp.dense_4h_to_h",
                               .last_norm = "transformer.ln_f",
                               .head = "lm_head"};
  const LayerSpec layer = read_layer(config, draft.model, defaults);
  fill_layers(config, draft.model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, names);
}

/// MPT (huggingface/transformers models/mpt): no biases unless `no_bias` is false; ALiBi, or learned positions without it; embeddings tied.
void read_mpt(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 2048, .layers = 24, .heads = 16, .vocab = 50368, .context = 2048, .tied = true};
  ClassicNames names{.embedding = "transformer.wte",
                     .layer = "transformer.blocks.{layer}.",
                     .norm = "norm_1",
                     .ffn_norm = "norm_2",
                     .qkv = "attn.Wqkv",
                     .attention_output = "attn.out_proj",
                     .up = "ffn.up_proj",
                     .down = "ffn.down_proj",
                     .last_norm = "transformer.norm_f",
                     .head = "lm_head"};
  LayerSpec layer = read_layer(config, draft.model, defaults);
  std::get<DenseFfn>(layer.ffn).ffn_size = config.positive_or("expansion_ratio", 64, 4, "") * draft.model.hidden_size;
  bool alibi = true;
  if (config.has("attn_config") && config.json().find("attn_config")->is_object()) {
    KeyReader attention = config.under("attn_config");
    alibi = attention.flag_or("alibi", true);
    auto& heads = std::get<FullAttention>(layer.mixer);
    heads.n_kv_heads = attention.positive_or("kv_n_heads", config_limit::heads, heads.n_heads, "");
    if (attention.text_if_given("attn_type").value_or("") == "multiquery_attention") heads.n_kv_heads = 1;
    config.adopt(attention);
  }
  const bool bias = !config.flag_or("no_bias", true);
  if (!alibi) names.positions = "transformer.wpe";
  fill_layers(config, draft.model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, names, {.norm_bias = bias, .qkv_bias = bias, .output_bias = bias, .ffn_bias = bias});
}

/// OPT (huggingface/transformers models/opt): learned positions with two rows more; `word_embed_proj_dim` may differ from the hidden size (350M).
void read_opt(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 768, .layers = 12, .heads = 12, .ffn = 3072, .vocab = 50272, .context = 2048, .tied = true};
  ClassicNames names{.embedding = "model.decoder.embed_tokens",
                     .positions = "model.decoder.embed_positions",
                     .layer = "model.decoder.layers.{layer}.",
                     .norm = "self_attn_layer_norm",
                     .ffn_norm = "final_layer_norm",
                     .q = "self_attn.q_proj",
                     .k = "self_attn.k_proj",
                     .v = "self_attn.v_proj",
                     .attention_output = "self_attn.out_proj",
                     .up = "fc1",
                     .down = "fc2",
                     .last_norm = "model.decoder.final_layer_norm",
                     .head = "lm_head"};
  Model& model = draft.model;
  const LayerSpec layer = read_layer(config, model, defaults);
  const std::int64_t width = config.positive_or("word_embed_proj_dim", config_limit::hidden, model.hidden_size, "");
  const bool bias = config.flag_or("enable_bias", true);
  if (!config.flag_or("do_layer_norm_before", true) || config.flag_or("_remove_final_layer_norm", false)) names.last_norm = {};
  fill_layers(config, model, layer, defaults);
  if (config.error()) return;
  add_classic_decoder(draft, names, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = bias, .extra_positions = 2, .embedding_size = width});
  if (width == model.hidden_size) return;
  draft.tensors.outside();
  draft.tensors.linear("model.decoder.project_in", model.hidden_size, width);
  draft.tensors.linear("model.decoder.project_out", width, model.hidden_size);
}

}  // namespace weighbridge

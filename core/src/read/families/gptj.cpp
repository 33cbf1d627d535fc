// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr ClassDefaults kGptJDefaults{.hidden = 4096, .layers = 28, .heads = 16, .vocab = 50400, .context = 2048};
constexpr ClassicNames kGptJ{.embedding = "transformer.wte",
                             .layer = "transformer.h.{layer}.",
                             .norm = "ln_1",
                             .q = "attn.q_proj",
                             .k = "attn.k_proj",
                             .v = "attn.v_proj",
                             .attention_output = "attn.out_proj",
                             .up = "mlp.fc_in",
                             .down = "mlp.fc_out",
                             .last_norm = "transformer.ln_f",
                             .head = "lm_head"};

LayerSpec read_layer(KeyReader& config, Model& model, const ClassDefaults& defaults) {
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  DenseFfn ffn = read_dense_ffn(config, {.ffn = 4 * model.hidden_size});
  ffn.gated = false;
  return {attention, ffn};
}

/// One norm serves attention and feed-forward block, which run side by side; biases in the latter and in the head only.
void read_parallel(KeyReader& config, Draft& draft, const ClassDefaults& defaults, const ClassicNames& names) {
  Model& model = draft.model;
  const LayerSpec layer = read_layer(config, model, defaults);
  model.rotary_dim = config.positive_or("rotary_dim", config_limit::head_dim, 64, "");
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), layer);
  if (!config.error()) add_classic_decoder(draft, names, {.qkv_bias = false, .output_bias = false, .head_bias = true});
}

/// Which layers see a window only: `attention_types` repeats lists of "global" and "local"; without it they alternate.
LayerFlags read_local_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags local;
  if (config.has("attention_types") && config.json().find("attention_types")->is_array()) {
    for (const Json& entry : *config.json().find("attention_types")) {
      const bool good = entry.is_array() && entry.size() == 2 && entry[0].is_array();
      const std::int64_t times = good ? whole_number_of(entry[1]).value_or(0) : 0;
      for (std::int64_t i = 0; i < times && static_cast<std::int64_t>(local.size()) < n_layers; ++i)
        for (const Json& kind : entry[0]) local.push_back(kind == "local" ? 1 : 0);
    }
    if (static_cast<std::int64_t>(local.size()) != n_layers)
      config.fail(notice::wrong_type(config.path("attention_types"), "attention_types", excerpt(*config.json().find("attention_types")),
                                     "lists of \"global\" and \"local\" that come to num_layers, " + grouped(n_layers)));
    return local;
  }
  for (std::int64_t layer = 0; layer < n_layers; ++layer) local.push_back(layer % 2 == 1 ? 1 : 0);
  return local;
}

}  // namespace

/// GPT-J (huggingface/transformers models/gptj).
void read_gptj(KeyReader& config, Draft& draft) { read_parallel(config, draft, kGptJDefaults, kGptJ); }

/// CodeGen (models/codegen): GPT-J with queries, keys and values in one matrix.
void read_codegen(KeyReader& config, Draft& draft) {
  ClassicNames names = kGptJ;
  names.q = names.k = names.v = {};
  names.qkv = "attn.qkv_proj";
  read_parallel(config, draft, kGptJDefaults, names);
}

/// GPT-Neo (models/gpt_neo): learned positions, no bias on queries, keys and values; some layers see `window_size` tokens.
void read_gpt_neo(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 2048, .layers = 24, .heads = 16, .vocab = 50257, .context = 2048, .tied = true};
  constexpr ClassicNames names{.embedding = "transformer.wte",
                               .positions = "transformer.wpe",
                               .layer = "transformer.h.{layer}.",
                               .norm = "ln_1",
                               .ffn_norm = "ln_2",
                               .q = "attn.attention.q_proj",
                               .k = "attn.attention.k_proj",
                               .v = "attn.attention.v_proj",
                               .attention_output = "attn.attention.out_proj",
                               .up = "mlp.c_fc",
                               .down = "mlp.c_proj",
                               .last_norm = "transformer.ln_f",
                               .head = "lm_head"};
  Model& model = draft.model;
  const LayerSpec layer = read_layer(config, model, defaults);
  const std::int64_t window = config.positive_or("window_size", config_limit::context, 256, "");
  const std::int64_t n_layers = read_layer_count(config, defaults);
  if (config.error()) return;
  const FullAttention heads = *grouped_attention(layer.mixer);
  for (const char local : read_local_layers(config, n_layers))
    model.layers.push_back({local != 0 ? Mixer(SlidingAttention{heads, window}) : Mixer(heads), layer.ffn});
  if (!config.error()) add_classic_decoder(draft, names, {.qkv_bias = false});
}

/// Persimmon (models/persimmon): norms with biases, of queries and keys too; half of each head rotates.
void read_persimmon(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 36, .heads = 64, .ffn = 16384, .vocab = 262144, .context = 16384};
  constexpr ClassicNames names{.embedding = "model.embed_tokens",
                               .layer = "model.layers.{layer}.",
                               .norm = "input_layernorm",
                               .ffn_norm = "post_attention_layernorm",
                               .qkv = "self_attn.query_key_value",
                               .attention_output = "self_attn.dense",
                               .up = "mlp.dense_h_to_4h",
                               .down = "mlp.dense_4h_to_h",
                               .last_norm = "model.final_layernorm",
                               .head = "lm_head"};
  Model& model = draft.model;
  LayerSpec layer = read_layer(config, model, defaults);
  std::get<DenseFfn>(layer.ffn).ffn_size = read_dense_ffn(config, defaults).ffn_size;
  const std::int64_t head_dim = std::get<FullAttention>(layer.mixer).head_dim_k;
  const bool qk_norm = config.flag_or("qk_layernorm", true);
  model.rotary_dim = rotary_part(head_dim, config.fraction("partial_rotary_factor", 1.0).value_or(0.5));
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), layer);
  if (config.error()) return;
  add_classic_decoder(draft, names);
  for (std::int64_t index = 0; qk_norm && index < model.n_layers(); ++index) {
    draft.tensors.at_layer(index);
    draft.tensors.norm("self_attn.q_layernorm", head_dim, true);
    draft.tensors.norm("self_attn.k_layernorm", head_dim, true);
  }
}

}  // namespace weighbridge

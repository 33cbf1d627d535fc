// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// EXAONE 4 writes the order of its layers as letters, "LLLG" over and over, where it does not list `layer_types`; null means that all see everything.
LayerFlags read_pattern(KeyReader& config) {
  LayerFlags slides;
  if (config.error() || !config.has("sliding_window_pattern")) return slides;
  const Json& pattern = *config.json().find("sliding_window_pattern");
  if (const std::optional<std::int64_t> period = whole_number_of(pattern); period && *period > 0 && *period <= config_limit::layers) {
    slides.assign(static_cast<std::size_t>(*period), 1);
    slides.back() = 0;
  } else if (pattern.is_string() && !pattern.get_ref<const std::string&>().empty()) {
    for (const char letter : pattern.get_ref<const std::string&>()) slides.push_back(letter == 'L' ? 1 : 0);
  } else {
    config.fail(notice::wrong_type(config.path("sliding_window_pattern"), "sliding_window_pattern", excerpt(pattern), "letters such as \"LLLG\""));
  }
  return slides;
}

std::vector<Mixer> read_mixers(KeyReader& config, const FullAttention& attention, std::int64_t n_layers) {
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const LayerFlags pattern = read_pattern(config);
  return mixers_with_window(config, attention, n_layers, window,
                            [&](std::int64_t layer) { return !pattern.empty() && pattern[static_cast<std::size_t>(layer) % pattern.size()] != 0; });
}

}  // namespace

/// EXAONE 3 and 3.5 (LGAI-EXAONE/EXAONE-3.5-7.8B-Instruct modeling_exaone.py): Llama under other names.
void read_exaone(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  const FullAttention heads = read_full_attention(config, model);
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t ffn = config.positive_or("intermediate_size", config_limit::ffn, 4 * hidden, "");
  const std::int64_t n_layers = config.positive(config.has("num_layers") ? "num_layers" : "num_hidden_layers", config_limit::layers);
  model.rotary_dim = heads.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{heads, DenseFfn{ffn}});
  if (config.error()) return;
  if (has_llama3_scaling(config)) model.rope_factors = model.rotary_dim / 2;
  tensors.linear("transformer.wte", model.vocab_size, hidden);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer, "transformer.h.{layer}.");
    tensors.norm("ln_1", hidden);
    tensors.linear("attn.attention.q_proj", heads.n_heads * heads.head_dim_k, hidden);
    tensors.linear("attn.attention.k_proj", heads.n_kv_heads * heads.head_dim_k, hidden);
    tensors.linear("attn.attention.v_proj", heads.n_kv_heads * heads.head_dim_v, hidden);
    tensors.linear("attn.attention.out_proj", hidden, heads.n_heads * heads.head_dim_v);
    tensors.norm("ln_2", hidden);
    tensors.linear("mlp.c_fc_0", ffn, hidden);
    tensors.linear("mlp.c_fc_1", ffn, hidden);
    tensors.linear("mlp.c_proj", hidden, ffn);
  }
  add_head(draft, "transformer.", "lm_head", "ln_f");
}

/// EXAONE 4 (huggingface/transformers models/exaone4): norms after attention and feed-forward block only, norms on queries and keys.
void read_exaone4(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  if (has_llama3_scaling(config)) model.rope_factors = model.rotary_dim / 2;
  for (const Mixer& mixer : read_mixers(config, attention, n_layers)) model.layers.push_back({mixer, ffn});
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer);
    add_attention(tensors, attention, model.hidden_size, {.qk_norm = true});
    tensors.norm("post_attention_layernorm", model.hidden_size);
    add_dense_ffn(tensors, ffn, model.hidden_size);
    tensors.norm("post_feedforward_layernorm", model.hidden_size);
  }
  add_head(draft);
}

/// K-EXAONE (huggingface/transformers models/exaone_moe): the first `first_k_dense_replace` layers dense, the rest MoE with a shared block; three of
/// four layers slide.
void read_exaone_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("num_shared_experts", 64) * moe.moe_ffn_size;
  moe.router_bias = true;
  read_expert_choice(config, moe, true, true);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.whole_number_if_given("first_k_dense_replace", 0, config_limit::layers).value_or(1);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : read_mixers(config, attention, n_layers))
    model.layers.push_back({mixer, model.n_layers() < n_dense ? Ffn(dense) : Ffn(moe)});
  if (!config.error() && config.count_or_zero("num_nextn_predict_layers", 64) > 0)
    config.warn(
        notice::custom("not_counted", config.path("num_nextn_predict_layers"),
                       "The multi-token-prediction layer is not counted: its tensors are not documented. Engines load it for speculation only.",
                       "num_nextn_predict_layers", "", "a checkpoint without it"));
  if (!config.error()) add_decoder(draft, {.qk_norm = true}, {.router_bias = "mlp.e_score_correction_bias"});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Llama 3.1 scales each frequency by a factor of its own; `rope_type` was called `type` at first.
bool has_llama3_scaling(const KeyReader& config) {
  const auto scaling = config.json().find("rope_scaling");
  if (scaling == config.json().end() || !scaling->is_object()) return false;
  return scaling->value("rope_type", Json()) == "llama3" || scaling->value("type", Json()) == "llama3";
}

/// Checkpoints written by old versions hold the rotary frequencies of every layer (Llama 1 and 2).
void add_rotary_frequencies(Draft& draft) {
  for (std::int64_t layer = 0; layer < draft.model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    draft.tensors.add({.name = "self_attn.rotary_emb.inv_freq", .rows = draft.model.rotary_dim / 2, .role = TensorRole::norm, .is_copy = true});
  }
}

}  // namespace

/// Llama 1 to 3 (huggingface/transformers models/llama): `attention_bias` covers q, k, v and o; `mlp_bias` the feed-forward block.
void read_llama(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const bool ffn_bias = config.flag_or("mlp_bias", false);
  model.rotary_dim = attention.head_dim_k;
  if (has_llama3_scaling(config)) model.rope_factors = model.rotary_dim / 2;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = ffn_bias});
  if (draft.stores_buffers) add_rotary_frequencies(draft);
}

}  // namespace weighbridge

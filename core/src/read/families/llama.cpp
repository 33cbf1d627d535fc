// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

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
  if (draft.stores_buffers) draft.rotary_values = model.rotary_dim / 2;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = ffn_bias});
}

}  // namespace weighbridge

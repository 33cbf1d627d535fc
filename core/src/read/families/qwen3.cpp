// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

void read_qwen3_text(KeyReader& config, Draft& draft, const TextPlace& place) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = place.tied.value_or(model.tied_embeddings);
  FullAttention attention = read_full_attention(config, model);
  if (!config.has("head_dim")) attention.head_dim_k = attention.head_dim_v = 128;
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.root = place.root, .head = place.head, .qkv_bias = bias, .output_bias = bias, .qk_norm = true});
}

/// Dense Qwen3 (huggingface/transformers models/qwen3): RMS norms on queries and keys, no biases unless `attention_bias`; head_dim defaults to 128.
void read_qwen3(KeyReader& config, Draft& draft) { read_qwen3_text(config, draft, {}); }

}  // namespace weighbridge

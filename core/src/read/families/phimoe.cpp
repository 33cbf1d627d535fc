// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Phi-3.5-MoE (huggingface/transformers models/phimoe): Mixtral's experts, LayerNorm, and biases on attention and head if the config says so.
void read_phimoe(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 32, .heads = 32, .kv_heads = 8, .ffn = 6400, .vocab = 32064, .context = 131072};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const bool head_bias = config.flag_or("lm_head_bias", false);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  MoeFfn moe;
  moe.n_experts = config.positive_or("num_local_experts", config_limit::experts, 16, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, 2, "");
  moe.moe_ffn_size = read_dense_ffn(config, defaults).ffn_size;
  check_experts_used(config, moe, "num_local_experts");
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, moe});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .norm_bias = true, .head_bias = head_bias}, mixtral_experts());
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families.hpp"

namespace weighbridge {

/// gpt-oss (huggingface/transformers models/gpt_oss): biases on attention, router and experts, a sink per query head, every layer with an even
/// index slides; experts are published in MXFP4.
void read_gpt_oss(KeyReader& config, Model& model) {
  read_common(config, model);
  FullAttention attention = read_full_attention(config, model);
  if (!config.has("head_dim")) attention.head_dim_k = attention.head_dim_v = 64;
  attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", true);
  attention.sinks = true;
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 128, "");
  MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  moe.bias = true;
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.naming = CheckpointNaming::gpt_oss;
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t layer) { return layer % 2 == 0; }))
    model.layers.push_back({mixer, moe});
}

}  // namespace weighbridge

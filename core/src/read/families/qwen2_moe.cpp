// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

/// Qwen 1.5 MoE and Qwen2 MoE (huggingface/transformers models/qwen2_moe): attention as in Qwen2, with `qkv_bias` unless it is false; a shared expert
/// with a gate beside the routed ones.
void read_qwen2_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("qkv_bias", true);
  const MoeFfn moe = read_qwen_experts(config, 60, 4, 1408, 5632);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Ffn& ffn : read_sparse_ffns(config, moe, n_layers)) model.layers.push_back({attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias}, kQwenExperts);
}

}  // namespace weighbridge

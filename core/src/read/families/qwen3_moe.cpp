// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

void read_qwen3_moe_text(KeyReader& config, Draft& draft, const TextPlace& place) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = place.tied.value_or(model.tied_embeddings);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Ffn& ffn : read_sparse_ffns(config, moe, n_layers)) model.layers.push_back({attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.root = place.root, .head = place.head, .qkv_bias = bias, .output_bias = bias, .qk_norm = true});
}

/// Qwen3 MoE (huggingface/transformers models/qwen3_moe): attention as in Qwen3; every `decoder_sparse_step`-th layer has experts, none shared.
void read_qwen3_moe(KeyReader& config, Draft& draft) { read_qwen3_moe_text(config, draft, {}); }

}  // namespace weighbridge

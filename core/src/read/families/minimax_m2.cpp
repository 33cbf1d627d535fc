// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// MiniMax-M2 (huggingface/transformers models/minimax_m2, vllm-project/vllm models/minimax_m2.py): experts in every layer, norms over all query and
/// all key heads, a router kept in f32. The multi-token-prediction modules that the config names are not in the published checkpoints.
void read_minimax_m2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("shared_intermediate_size", config_limit::ffn);
  moe.router_bias = config.flag_or("use_routing_bias", true);
  const bool qk_norm = config.flag_or("use_qk_norm", true);
  const bool by_head = config.text_if_given("qk_norm_type").value_or("per_layer") == "per_head";
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = config.positive_or("rotary_dim", config_limit::head_dim, attention.head_dim_k, "");
  if (config.error()) return;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, moe});
  add_decoder(draft, {.qk_norm = qk_norm, .qk_norm_of_all_heads = !by_head},
              {.router = "block_sparse_moe.gate",
               .router_bias = "block_sparse_moe.e_score_correction_bias",
               .gate = "block_sparse_moe.experts.{expert}.w1",
               .up = "block_sparse_moe.experts.{expert}.w3",
               .down = "block_sparse_moe.experts.{expert}.w2",
               .shared = "block_sparse_moe.shared_experts.",
               .router_type = dtype::f32});
}

}  // namespace weighbridge

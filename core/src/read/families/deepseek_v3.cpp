// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"

namespace weighbridge {

namespace {

constexpr LatentAttention kV3Attention{
    .q_lora_rank = 1536, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .head_dim_v = 128, .indexer = {}};
constexpr ExpertKeys kV3Experts{.n_dense = 3, .n_shared = 1, .scales_weights = true};

}  // namespace

/// DeepSeek-V3 and R1 (huggingface/transformers models/deepseek_v3): MLA in every layer, the first `first_k_dense_replace` layers dense,
/// the rest MoE; `num_nextn_predict_layers` further MoE layers predict the tokens after the next. Kimi K2 is the same.
void read_deepseek_v3(KeyReader& config, Draft& draft) { read_latent_moe(config, draft, {kV3Attention, kV3Experts}); }

/// DeepSeek-V3.2 (huggingface/transformers models/deepseek_v32): V3 with an indexer in every layer.
void read_deepseek_v32(KeyReader& config, Draft& draft) {
  LatentAttention attention = kV3Attention;
  attention.indexer = {64, 128, 2048, 1};
  read_latent_moe(config, draft, {attention, kV3Experts});
}

/// DeepSeek-V2 and V2-Lite (huggingface/transformers models/deepseek_v2, deepseek-ai/DeepSeek-V2 modeling_deepseek.py): V3's layers; the router has a
/// correction bias only with `topk_method` "noaux_tc".
void read_deepseek_v2(KeyReader& config, Draft& draft) {
  ExpertKeys experts{.n_dense = 0, .n_shared = 2};
  experts.normalizes_weights = false;
  experts.router_bias = config.text_if_given("topk_method").value_or("greedy") == "noaux_tc";
  read_latent_moe(config, draft, {kV3Attention, experts});
}

}  // namespace weighbridge

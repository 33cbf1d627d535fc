// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"

namespace weighbridge {

/// GLM-5 (huggingface/transformers models/glm_moe_dsa): DeepSeek-V3.2's layers; from 5.2 on only some layers have an indexer, the others read what
/// the last one chose. The published counts leave no room for an embedding and a head of the MTP layer's own.
void read_glm_moe_dsa(KeyReader& config, Draft& draft) {
  LatentMoeStyle style{
      {.q_lora_rank = 2048, .kv_lora_rank = 512, .qk_nope_head_dim = 192, .qk_rope_head_dim = 64, .head_dim_v = 256, .indexer = {32, 128, 2048, 1}},
      {.n_dense = 3, .n_shared = 1, .scales_weights = true}};
  if (!config.has("n_routed_experts") && config.has("num_experts")) style.experts.experts = "num_experts";
  if (!config.has("weighbridge")) draft.mtp_stores_embeddings = false;
  read_latent_moe(config, draft, style);
}

/// GLM-4.7-Flash (huggingface/transformers models/glm4_moe_lite): DeepSeek-V3's layers.
void read_glm4_moe_lite(KeyReader& config, Draft& draft) {
  read_latent_moe(config, draft,
                  {{.q_lora_rank = 768, .kv_lora_rank = 512, .qk_nope_head_dim = 192, .qk_rope_head_dim = 64, .head_dim_v = 256, .indexer = {}},
                   {.n_dense = 1, .n_shared = 1, .scales_weights = true}});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/families/glm.hpp"

namespace weighbridge {

void read_glm4_moe_text(KeyReader& config, Draft& draft, std::string_view root) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool qkv_bias = config.flag_or("attention_bias", false);
  const bool qk_norm = config.flag_or("use_qk_norm", false);
  const ExpertStack stack = read_expert_stack(config, {.n_dense = 1, .n_shared = 1});
  if (config.error()) return;
  fill_layers(
      model, stack, [&](std::int64_t) { return attention; }, attention);
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.5));
  add_decoder(draft, {.root = root, .qkv_bias = qkv_bias, .qk_norm = qk_norm});
}

/// GLM-4.5 to 4.7 (huggingface/transformers models/glm4_moe): the first `first_k_dense_replace` layers dense, the rest MoE with shared experts and
/// a correction bias on the router; `attention_bias` covers q, k and v only; `num_nextn_predict_layers` further MoE layers are stored.
void read_glm4_moe(KeyReader& config, Draft& draft) { read_glm4_moe_text(config, draft, "model."); }

}  // namespace weighbridge

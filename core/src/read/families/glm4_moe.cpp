// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// GLM-4.5 to 4.7 (huggingface/transformers models/glm4_moe): the first `first_k_dense_replace` layers dense, the rest MoE with shared experts and
/// a correction bias on the router; `attention_bias` covers q, k and v only; `num_nextn_predict_layers` further MoE layers are stored.
void read_glm4_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool qkv_bias = config.flag_or("attention_bias", false);
  const bool qk_norm = config.flag_or("use_qk_norm", false);
  MoeFfn moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("n_shared_experts", 64) * moe.moe_ffn_size;
  moe.router_bias = true;
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.has("first_k_dense_replace") ? config.count_or_zero("first_k_dense_replace", config_limit::layers) : 1;
  const std::int64_t n_mtp = config.count_or_zero("num_nextn_predict_layers", 64);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  if (config.error()) return;
  for (std::int64_t layer = 0; layer < n_layers; ++layer)
    model.layers.push_back(layer < n_dense ? LayerSpec{attention, dense} : LayerSpec{attention, moe});
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{attention, moe});
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.5));
  add_decoder(draft, {.qkv_bias = qkv_bias, .qk_norm = qk_norm});
}

}  // namespace weighbridge

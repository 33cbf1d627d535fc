// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// DeepSeek-V3 and R1 (huggingface/transformers models/deepseek_v3): MLA in every layer, the first `first_k_dense_replace` layers dense,
/// the rest MoE; `num_nextn_predict_layers` further MoE layers predict the tokens after the next.
void read_deepseek_v3(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  LatentAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.q_lora_rank = config.count_or_zero("q_lora_rank", config_limit::hidden);
  attention.kv_lora_rank = config.positive("kv_lora_rank", config_limit::head_dim);
  attention.qk_nope_head_dim = config.positive("qk_nope_head_dim", config_limit::head_dim);
  attention.qk_rope_head_dim = config.positive("qk_rope_head_dim", config_limit::head_dim);
  attention.head_dim_v = config.positive("v_head_dim", config_limit::head_dim);

  MoeFfn moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("n_shared_experts", 64) * moe.moe_ffn_size;
  moe.router_bias = true;

  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.count_or_zero("first_k_dense_replace", config_limit::layers);
  const std::int64_t n_mtp = config.count_or_zero("num_nextn_predict_layers", 64);
  if (n_dense > n_layers)
    config.fail(notice::out_of_range(config.path("first_k_dense_replace"), "first_k_dense_replace", grouped(n_dense),
                                     "at most num_hidden_layers, " + grouped(n_layers)));
  const std::int64_t moe_frequency = config.positive_or("moe_layer_freq", config_limit::layers, 1, "");
  const DenseFfn dense{n_dense > 0 || moe_frequency > 1 ? config.positive("intermediate_size", config_limit::ffn) : 0};
  if (config.error()) return;

  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_moe = layer >= n_dense && layer % moe_frequency == 0;
    model.layers.push_back(is_moe ? LayerSpec{attention, moe} : LayerSpec{attention, dense});
  }
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{attention, moe});
  model.rotary_dim = attention.qk_rope_head_dim;
  add_decoder(draft);
}

}  // namespace weighbridge

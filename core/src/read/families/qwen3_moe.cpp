// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Qwen3 MoE (huggingface/transformers models/qwen3_moe): attention as in Qwen3; every `decoder_sparse_step`-th layer has experts, none shared,
/// but for those of `mlp_only_layers`.
void read_qwen3_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t step = config.positive_or("decoder_sparse_step", config_limit::layers, 1, "");
  if (config.error()) return;
  const LayerFlags stays_dense = read_layer_list(config, "mlp_only_layers", n_layers);
  if (config.error()) return;

  DenseFfn dense;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_moe = (layer + 1) % step == 0 && stays_dense[static_cast<std::size_t>(layer)] == 0;
    if (!is_moe && dense.ffn_size == 0) dense.ffn_size = config.positive("intermediate_size", config_limit::ffn);
    model.layers.push_back(is_moe ? LayerSpec{attention, moe} : LayerSpec{attention, dense});
  }
  model.rotary_dim = attention.head_dim_k;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .qk_norm = true});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// `mlp_only_layers`: the layers that stay dense although their turn would be MoE.
LayerFlags read_dense_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags dense(static_cast<std::size_t>(n_layers), 0);
  if (config.error() || !config.has("mlp_only_layers")) return dense;
  const Json& listed = *config.json().find("mlp_only_layers");
  const std::string expected = "a list of layer numbers from 0 to " + grouped(n_layers - 1);
  if (!listed.is_array()) config.fail(notice::wrong_type(config.path("mlp_only_layers"), "mlp_only_layers", excerpt(listed), expected));
  for (const Json& item : listed) {
    const std::optional<std::int64_t> layer = whole_number_of(item);
    if (layer && *layer >= 0 && *layer < n_layers)
      dense[static_cast<std::size_t>(*layer)] = 1;
    else
      config.fail(notice::out_of_range(config.path("mlp_only_layers"), "mlp_only_layers", excerpt(item), expected));
  }
  return dense;
}

}  // namespace

/// Qwen3 MoE (huggingface/transformers models/qwen3_moe): attention as in Qwen3; every `decoder_sparse_step`-th layer has experts, none shared.
void read_qwen3_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t step = config.positive_or("decoder_sparse_step", config_limit::layers, 1, "");
  if (config.error()) return;
  const LayerFlags stays_dense = read_dense_layers(config, n_layers);

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

// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/linear_attention.hpp"

namespace weighbridge {

namespace {

constexpr ExpertNames kExperts{.router = "block_sparse_moe.gate",
                               .gate = "block_sparse_moe.experts.{expert}.w1",
                               .up = "block_sparse_moe.experts.{expert}.w3",
                               .down = "block_sparse_moe.experts.{expert}.w2",
                               .shared = "shared_mlp."};

/// 1 for a layer with softmax attention: `attn_type_list`, or `layer_types` of huggingface/transformers; without either, every second layer.
LayerFlags read_softmax_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags softmax;
  if (const Json* list = list_per_layer(config, "attn_type_list", n_layers)) {
    for (const Json& entry : *list) softmax.push_back(entry == 1 ? 1 : 0);
  } else if (const Json* types = list_per_layer(config, "layer_types", n_layers)) {
    for (const Json& type : *types) softmax.push_back(type == "linear_attention" ? 0 : 1);
  } else {
    for (std::int64_t layer = 0; layer < n_layers; ++layer) softmax.push_back(layer % 2 == 0 ? 1 : 0);
  }
  return softmax;
}

void add_lightning(TensorList& tensors, const RecurrentMixer& m, std::int64_t hidden) {
  for (int part = 0; part < 3; ++part)
    tensors.add({.name = "self_attn.qkv_proj.weight", .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in});
  tensors.add({.name = "self_attn.output_gate.weight", .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in});
  tensors.add({.name = "self_attn.out_proj.weight", .rows = hidden, .cols = m.inner_size, .role = TensorRole::recurrent_out});
  tensors.norm("self_attn.norm", m.inner_size);
}

}  // namespace

/// MiniMax-Text-01 and M1 (MiniMaxAI/MiniMax-M1 modeling_minimax_m1.py, vllm-project/vllm models/minimax_text_01.py): lightning attention, softmax
/// attention in every eighth layer, experts in all.
void read_minimax_m1(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  moe.shared_ffn_size = config.count_or_zero("shared_intermediate_size", config_limit::ffn);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;
  const LayerFlags softmax = read_softmax_layers(config, n_layers);
  model.rotary_dim = config.positive_or("rotary_dim", config_limit::head_dim, attention.head_dim_k, "");
  if (config.error()) return;
  const RecurrentMixer lightning = lightning_attention(attention.n_heads, attention.head_dim_k);
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool full = softmax[static_cast<std::size_t>(layer)] != 0;
    model.layers.push_back({full ? Mixer(attention) : Mixer(lightning), moe});
    draft.tensors.at_layer(layer);
    add_decoder_layer(draft, model.layers.back(), {}, kExperts);
    if (!full) add_lightning(draft.tensors, lightning, model.hidden_size);
  }
  add_head(draft);
}

}  // namespace weighbridge

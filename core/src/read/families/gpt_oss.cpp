// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// All experts of a layer lie in one tensor, gate and up fused; everything has a bias.
void add_experts_of_gpt_oss(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden) {
  tensors.linear("mlp.router", moe.n_experts, hidden, true);
  tensors.copies(moe.n_experts);
  // The halves of one matrix follow each other: the GGUF converter takes them as one.
  for (int half = 0; half < 2; ++half) tensors.add({.name = "mlp.experts.gate_up_proj", .rows = moe.moe_ffn_size, .cols = hidden});
  for (int half = 0; half < 2; ++half) tensors.add({.name = "mlp.experts.gate_up_proj_bias", .rows = moe.moe_ffn_size});
  tensors.add({.name = "mlp.experts.down_proj", .rows = hidden, .cols = moe.moe_ffn_size});
  tensors.add({.name = "mlp.experts.down_proj_bias", .rows = hidden});
  tensors.copies(1);
}

}  // namespace

/// gpt-oss (huggingface/transformers models/gpt_oss): biases on attention, router and experts, a sink per query head, every layer with an even
/// index slides; experts are published in MXFP4.
void read_gpt_oss(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  FullAttention attention = read_full_attention(config, model);
  if (!config.has("head_dim")) attention.head_dim_k = attention.head_dim_v = 64;
  const bool bias = config.flag_or("attention_bias", true);
  attention.sinks = true;
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 128, "");
  const MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t layer) { return layer % 2 == 0; }))
    model.layers.push_back({mixer, moe});
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    draft.tensors.norm("input_layernorm", model.hidden_size);
    add_attention(draft.tensors, attention, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    draft.tensors.norm("post_attention_layernorm", model.hidden_size);
    add_experts_of_gpt_oss(draft.tensors, moe, model.hidden_size);
  }
  add_head(draft);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

/// Gate and up in one matrix, of all experts together; a block that every token takes beside them.
void add_granite_ffn(TensorList& tensors, const Ffn& ffn, std::int64_t hidden) {
  std::int64_t shared = 0;
  if (const auto* dense = std::get_if<DenseFfn>(&ffn)) shared = dense->ffn_size;
  if (const auto* moe = std::get_if<MoeFfn>(&ffn)) {
    shared = moe->shared_ffn_size;
    tensors.linear("block_sparse_moe.router.layer", moe->n_experts, hidden);
    tensors.copies(moe->n_experts);
    for (int half = 0; half < 2; ++half) tensors.linear("block_sparse_moe.input_linear", moe->moe_ffn_size, hidden);
    tensors.linear("block_sparse_moe.output_linear", hidden, moe->moe_ffn_size);
    tensors.copies(1);
  }
  if (shared == 0) return;
  for (int half = 0; half < 2; ++half) tensors.linear("shared_mlp.input_linear", shared, hidden);
  tensors.linear("shared_mlp.output_linear", hidden, shared);
}

/// Attention or Mamba-2 by layer; `mamba` is unused where every layer has attention.
void add_granite_layers(Draft& draft, const Mamba2Shape& mamba, bool bias) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_embeddings(draft);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++);
    tensors.norm("input_layernorm", hidden);
    if (const FullAttention* heads = grouped_attention(layer.mixer))
      add_attention(tensors, *heads, hidden, {.qkv_bias = bias, .output_bias = bias});
    else
      add_mamba2(tensors, mamba, hidden, "mamba.");
    tensors.norm("post_attention_layernorm", hidden);
    add_granite_ffn(tensors, layer.ffn, hidden);
  }
  add_head(draft);
}

/// Widths that are left out are none: Granite 4.0 Micro has no experts, Granite 3 MoE no shared block.
Ffn read_granite_ffn(KeyReader& config, bool has_shared) {
  const std::int64_t shared = has_shared ? config.count_or_zero("shared_intermediate_size", config_limit::ffn) : 0;
  if (config.has("num_local_experts") && config.count_or_zero("num_local_experts", config_limit::experts) == 0) return DenseFfn{shared};
  MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  moe.shared_ffn_size = shared;
  return moe;
}

Mamba2Shape read_granite_mamba(KeyReader& config, std::int64_t hidden) {
  Mamba2Shape shape;
  shape.inner_size = config.positive_or("mamba_expand", 64, 2, "") * hidden;
  shape.n_heads = config.positive_or("mamba_n_heads", config_limit::heads, 128, "");
  shape.n_groups = config.positive_or("mamba_n_groups", config_limit::heads, 1, "");
  shape.state_size = config.positive_or("mamba_d_state", config_limit::head_dim, 256, "");
  shape.conv_kernel = config.positive_or("mamba_d_conv", 64, 4, "");
  shape.conv_bias = config.flag_or("mamba_conv_bias", true);
  shape.in_bias = shape.out_bias = config.flag_or("mamba_proj_bias", false);
  return shape;
}

/// Whether a layer has attention: `layer_types`, or `attn_layer_indices` (Bamba).
LayerFlags read_attention_layers(KeyReader& config, std::int64_t n_layers) {
  if (config.has("layer_types")) return read_layer_kinds(config, "layer_types", n_layers, {"mamba", "attention"});
  return read_listed_layers(config, "attn_layer_indices", n_layers);
}

void read_granite_moe(KeyReader& config, Draft& draft, bool has_shared) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const Ffn ffn = read_granite_ffn(config, has_shared);
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (!config.error()) add_granite_layers(draft, {}, bias);
}

}  // namespace

/// Granite 3 MoE (huggingface/transformers models/granitemoe).
void read_granitemoe(KeyReader& config, Draft& draft) { read_granite_moe(config, draft, false); }

/// The same with a block that every token takes (models/granitemoeshared).
void read_granitemoeshared(KeyReader& config, Draft& draft) { read_granite_moe(config, draft, true); }

/// Granite 4.0 (huggingface/transformers models/granitemoehybrid): Mamba-2 in most layers, attention in some; experts, a shared block, or both.
void read_granitemoehybrid(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const Ffn ffn = read_granite_ffn(config, true);
  const Mamba2Shape mamba = read_granite_mamba(config, model.hidden_size);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const LayerFlags attends = read_attention_layers(config, n_layers);
  if (config.error()) return;
  model.rotary_dim = attention.head_dim_k;
  for (const char attention_here : attends) model.layers.push_back({attention_here != 0 ? Mixer(attention) : Mixer(mamba2_mixer(mamba)), ffn});
  add_granite_layers(draft, mamba, bias);
}

/// Bamba (huggingface/transformers models/bamba): Mamba-2 in most layers, attention in those of `attn_layer_indices`, dense.
void read_bamba(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const bool ffn_bias = config.flag_or("mlp_bias", false);
  const Mamba2Shape mamba = read_granite_mamba(config, model.hidden_size);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const LayerFlags attends = read_attention_layers(config, n_layers);
  if (config.error()) return;
  model.rotary_dim = attention.head_dim_k;
  add_embeddings(draft);
  for (const char attention_here : attends) {
    draft.tensors.at_layer(model.n_layers());
    model.layers.push_back({attention_here != 0 ? Mixer(attention) : Mixer(mamba2_mixer(mamba)), ffn});
    draft.tensors.norm("input_layernorm", model.hidden_size);
    if (attention_here != 0)
      add_attention(draft.tensors, attention, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    else
      add_mamba2(draft.tensors, mamba, model.hidden_size, "mamba.");
    draft.tensors.norm("pre_ff_layernorm", model.hidden_size);
    add_dense_ffn(draft.tensors, ffn, model.hidden_size, ffn_bias, false, "feed_forward.");
  }
  add_head(draft, "model.", "lm_head", "final_layernorm");
}

}  // namespace weighbridge

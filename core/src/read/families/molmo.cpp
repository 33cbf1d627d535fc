// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kNewTokens = 128;  // rows of an embedding of its own, additional_vocab_size

struct Style {
  bool qkv_bias = false;
  bool qk_norm = false;
};

void add_layer(TensorList& tensors, const FullAttention& heads, const DenseFfn& ffn, std::int64_t hidden, const Style& style) {
  tensors.norm("attn_norm", hidden);
  add_fused_qkv(tensors, heads, hidden, "att_proj", style.qkv_bias);
  if (style.qk_norm) tensors.norm("q_norm", heads.n_heads * heads.head_dim_k);
  if (style.qk_norm) tensors.norm("k_norm", heads.n_kv_heads * heads.head_dim_k);
  tensors.add({.name = "attn_out.weight", .rows = hidden, .cols = heads.n_heads * heads.head_dim_v, .role = TensorRole::attention_output});
  tensors.norm("ff_norm", hidden);
  tensors.add({.name = "ff_proj.weight", .rows = ffn.ffn_size, .cols = hidden, .role = TensorRole::ffn_gate_up});
  tensors.add({.name = "ff_proj.weight", .rows = ffn.ffn_size, .cols = hidden, .role = TensorRole::ffn_gate_up});
  tensors.add({.name = "ff_out.weight", .rows = hidden, .cols = ffn.ffn_size, .role = TensorRole::ffn_down});
}

/// CLIP ViT-L of 336 pixels without its last layer, pooled by attention, which no config describes.
void add_vision(TensorList& tensors, const VisionTower& tower, std::int64_t hidden, std::int64_t ffn) {
  const std::string base = "model.vision_backbone.";
  const std::int64_t width = tower.hidden_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = base + "image_vit.class_embedding", .rows = width});
  tensors.add({.name = base + "image_vit.positional_embedding", .rows = tower.patches() + 1, .cols = width});
  tensors.linear(base + "image_vit.patch_embedding", width, tower.n_channels * tower.patch_size * tower.patch_size);
  tensors.norm(base + "image_vit.pre_ln", width, true);
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, "model.vision_backbone.image_vit.transformer.resblocks.{layer}.");
    tensors.norm("attention_norm", width, true);
    for (const char* name : {"attention.wq", "attention.wk", "attention.wv", "attention.wo"}) tensors.linear(name, width, width, true);
    tensors.norm("ffn_norm", width, true);
    tensors.linear("feed_forward.w1", tower.ffn_size, width, true);
    tensors.linear("feed_forward.w2", width, tower.ffn_size, true);
  }
  tensors.outside();
  tensors.add({.name = base + "pad_embed", .rows = 2, .cols = 2 * width});  // two layers' outputs side by side
  for (const char* name : {"wq", "wk", "wv"}) tensors.linear(base + "image_pooling_2d." + name, width, 2 * width, true);
  tensors.linear(base + "image_pooling_2d.wo", width, width, true);
  tensors.linear(base + "image_projector.w1", ffn, width);
  tensors.linear(base + "image_projector.w2", hidden, ffn);
  tensors.linear(base + "image_projector.w3", ffn, width);
  tensors.part(ModelPart::text);
}

}  // namespace

/// Molmo (allenai/Molmo-7B-D-0924 modeling_molmo.py): Qwen2's or OLMo's layers under names of their own.
void read_molmo(KeyReader& config, Draft& draft) {
  constexpr VisionTower kClip{1024, 4096, 23, 16, 3, 14, 336, 0};
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention heads = read_full_attention(config, model);
  // Gate and up together.
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn) / 2};
  const Style style{config.flag_or("qkv_bias", false), config.flag_or("attention_layer_norm", false)};
  model.tied_embeddings = config.flag_or("weight_tying", false);
  const std::int64_t rows = config.positive_or("embedding_size", config_limit::vocab, model.vocab_size, "");
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config)), LayerSpec{heads, ffn});
  model.rotary_dim = heads.head_dim_k;
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  tensors.add({.name = "model.transformer.wte.embedding", .rows = rows, .cols = model.hidden_size, .role = TensorRole::embedding});
  tensors.add({.name = "model.transformer.wte.new_embedding", .rows = kNewTokens, .cols = model.hidden_size, .role = TensorRole::embedding});
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "model.transformer.blocks.{layer}.");
    add_layer(tensors, heads, ffn, model.hidden_size, style);
  }
  tensors.outside();
  tensors.norm("model.transformer.ln_f", model.hidden_size);
  if (!model.tied_embeddings)
    tensors.add({.name = "model.transformer.ff_out.weight", .rows = rows, .cols = model.hidden_size, .role = TensorRole::output_head});
  model.vision = kClip;
  model.vision->tokens_per_image = (12 + 1) * 12 * 12;  // max_crops of the published preprocessor_config.json, and the whole image
  add_vision(tensors, kClip, model.hidden_size, ffn.ffn_size);
}

}  // namespace weighbridge

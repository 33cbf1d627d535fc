// SPDX-License-Identifier: Apache-2.0
#include "read/towers/deepseek_vit.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

namespace {

/// Gate and up are one matrix.
void add_block(TensorList& tensors, const VisionTower& tower) {
  const std::int64_t width = tower.hidden_size;
  tensors.norm("norm1", width);
  tensors.linear("attn.wqkv", 3 * width, width, true);
  tensors.linear("attn.wo", width, width, true);
  tensors.norm("norm2", width);
  tensors.linear("mlp.w1", 2 * tower.ffn_size, width);
  tensors.linear("mlp.w2", width, tower.ffn_size);
}

}  // namespace

DeepseekVit read_deepseek_vit(KeyReader& vision) {
  DeepseekVit vit;
  VisionTower& tower = vit.tower;
  tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 1024, "");
  tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 2816, "");
  tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 32, "");
  tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, 16, "");
  tower.n_channels = 3;
  tower.patch_size = vision.positive_or("patch_size", 1024, 14, "");
  vit.merge = vision.positive_or("downsample_ratio", 64, 3, "");
  tower.tokens_per_image = vision.positive_or("max_image_tokens", config_limit::context, 1024, "");
  // The largest square image whose merged patches are as many tokens.
  std::int64_t side = 1;
  while ((side + 1) * (side + 1) <= tower.tokens_per_image) ++side;
  tower.image_size = side * vit.merge * tower.patch_size;
  return vit;
}

void add_deepseek_vit(TensorList& tensors, const DeepseekVit& vit, std::int64_t hidden) {
  const VisionTower& tower = vit.tower;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("vision.patch_embed.proj", tower.hidden_size, tower.n_channels * tower.patch_size * tower.patch_size, true);
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, "vision.blocks.{layer}.");
    add_block(tensors, tower);
  }
  tensors.outside();
  tensors.norm("vision.norm", tower.hidden_size);
  tensors.linear("aligner.w1", hidden, tower.hidden_size * vit.merge * vit.merge, true);
  tensors.linear("aligner.w2", hidden, hidden, true);
  for (const char* name : {"image_start", "image_end", "image_newline"}) tensors.add({.name = name, .rows = hidden});
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

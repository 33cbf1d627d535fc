// SPDX-License-Identifier: Apache-2.0
#include "read/towers/glm_vit.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;

void add_block(TensorList& tensors, const GlmVit& vit) {
  const VisionTower& t = vit.tower;
  tensors.norm("norm1", t.hidden_size);
  tensors.norm("norm2", t.hidden_size);
  tensors.linear("attn.qkv", 3 * t.hidden_size, t.hidden_size, vit.bias);
  tensors.linear("attn.proj", t.hidden_size, t.hidden_size, vit.bias);
  if (vit.qk_norm)
    for (const char* name : {"attn.q_norm", "attn.k_norm"}) tensors.norm(name, t.hidden_size / t.n_heads);
  tensors.linear("mlp.gate_proj", t.ffn_size, t.hidden_size, vit.bias);
  tensors.linear("mlp.up_proj", t.ffn_size, t.hidden_size, vit.bias);
  tensors.linear("mlp.down_proj", t.hidden_size, t.ffn_size, vit.bias);
}

}  // namespace

std::optional<GlmVit> read_glm_vit(KeyReader& config, bool next) {
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return std::nullopt;
  KeyReader vision = config.under("vision_config");
  GlmVit vit;
  VisionTower& t = vit.tower;
  t.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, next ? 1024 : 1536, "");
  t.n_layers = vision.positive_or("depth", config_limit::layers, 24, "");
  t.n_heads = vision.positive_or("num_heads", config_limit::heads, next ? 16 : 12, "");
  t.n_channels = vision.positive_or("in_channels", 64, 3, "");
  t.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  t.image_size = vision.positive_or("image_size", kMostPixels, 336, "");
  vit.n_frames = vision.positive_or("temporal_patch_size", 64, 2, "");
  vit.merge = vision.positive_or("spatial_merge_size", 64, 2, "");
  vit.out_width = vision.positive_or("out_hidden_size", config_limit::hidden, 4096, "");
  // GLM-4.1V's blocks are as wide as the language model; `intermediate_size` is that of the merger.
  const std::int64_t own_width = vision.positive_or("intermediate_size", config_limit::ffn, next ? 4096 : 13696, "");
  t.ffn_size = next ? own_width : vit.out_width;
  vit.merger_width = next ? vision.positive_or("projection_intermediate_size", config_limit::ffn, 10240, "") : own_width;
  vit.bias = vision.flag_or("attention_bias", next);
  vit.qk_norm = next;
  config.adopt(vision);
  if (config.error()) return std::nullopt;
  t.tokens_per_image = t.patches() / (vit.merge * vit.merge);
  return vit;
}

void add_glm_vit(TensorList& tensors, const GlmVit& vit) {
  const VisionTower& t = vit.tower;
  const std::string root = "model.visual.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(root + "patch_embed.proj", t.hidden_size, t.n_channels * vit.n_frames * t.patch_size * t.patch_size, true);
  if (!vit.qk_norm) {
    tensors.linear(root + "embeddings.position_embedding", t.patches(), t.hidden_size);
    tensors.norm(root + "post_conv_layernorm", t.hidden_size);
  }
  for (std::int64_t layer = 0; layer < t.n_layers; ++layer) {
    tensors.at_layer(layer, "model.visual.blocks.{layer}.");
    add_block(tensors, vit);
  }
  tensors.outside();
  tensors.norm(root + "post_layernorm", t.hidden_size);
  tensors.linear(root + "downsample", vit.out_width, t.hidden_size * vit.merge * vit.merge, true);
  tensors.linear(root + "merger.proj", vit.out_width, vit.out_width);
  tensors.norm(root + "merger.post_projection_norm", vit.out_width, true);
  tensors.linear(root + "merger.gate_proj", vit.merger_width, vit.out_width);
  tensors.linear(root + "merger.up_proj", vit.merger_width, vit.out_width);
  tensors.linear(root + "merger.down_proj", vit.out_width, vit.merger_width);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

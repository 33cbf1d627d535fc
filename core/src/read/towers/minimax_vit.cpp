// SPDX-License-Identifier: Apache-2.0
#include "read/towers/minimax_vit.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;

/// spatial_merge_size or temporal_patch_size: there, or in `img_token_compression_config`.
std::int64_t read_merge(KeyReader& config, std::string_view key) {
  if (config.has(key) || !config.has("img_token_compression_config") || !config.json().find("img_token_compression_config")->is_object())
    return config.positive_or(key, 64, 2, "");
  KeyReader compression = config.under("img_token_compression_config");
  const std::int64_t size = compression.positive_or(key, 64, 2, "");
  config.adopt(compression);
  return size;
}

}  // namespace

std::optional<VisionTower> read_minimax_vit(KeyReader& config) {
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return std::nullopt;
  KeyReader vision = config.under("vision_config");
  VisionTower tower;
  tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 1280, "");
  tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 5120, "");
  tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 32, "");
  tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, 16, "");
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  tower.image_size = vision.positive_or("image_size", kMostPixels, 2016, "");
  const std::int64_t merge = read_merge(vision, "spatial_merge_size");
  config.adopt(vision);
  if (config.error()) return std::nullopt;
  tower.tokens_per_image = tower.patches() / (merge * merge);
  return tower;
}

void add_minimax_vit(TensorList& tensors, KeyReader& config, const VisionTower& t, std::int64_t text_hidden) {
  KeyReader vision = config.under("vision_config");
  const std::int64_t merge = read_merge(vision, "spatial_merge_size");
  const std::int64_t frames = read_merge(vision, "temporal_patch_size");
  const std::int64_t width = config.positive_or("projector_hidden_size", config_limit::hidden, text_hidden, "");
  const bool bias = config.flag_or("multimodal_projector_bias", true);
  if (config.error()) return;
  const std::string root = "vision_tower.vision_model.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(root + "embeddings.patch_embedding", t.hidden_size, t.n_channels * frames * t.patch_size * t.patch_size);
  tensors.norm(root + "pre_layrnorm", t.hidden_size, true);
  for (std::int64_t layer = 0; layer < t.n_layers; ++layer) {
    tensors.at_layer(layer, "vision_tower.vision_model.encoder.layers.{layer}.");
    tensors.norm("layer_norm1", t.hidden_size, true);
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
      tensors.linear(name, t.hidden_size, t.hidden_size, true);
    tensors.norm("layer_norm2", t.hidden_size, true);
    tensors.linear("mlp.fc1", t.ffn_size, t.hidden_size, true);
    tensors.linear("mlp.fc2", t.hidden_size, t.ffn_size, true);
  }
  tensors.outside();
  tensors.linear("multi_modal_projector.linear_1", width, t.hidden_size, bias);
  tensors.linear("multi_modal_projector.linear_2", text_hidden, width, bias);
  tensors.linear("patch_merge_mlp.linear_1", text_hidden, text_hidden * merge * merge, true);
  tensors.linear("patch_merge_mlp.linear_2", text_hidden, text_hidden, true);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

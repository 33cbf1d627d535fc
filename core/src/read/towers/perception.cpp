// SPDX-License-Identifier: Apache-2.0
#include "read/towers/perception.hpp"

#include <algorithm>

#include "read/decoder.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;
constexpr double kMlpRatio = 8960.0 / 1536.0;
constexpr std::int64_t kWindow = 3 * 3;  // of the convolutions, each of which halves both sides

void add_block(TensorList& tensors, const VisionTower& tower) {
  const std::int64_t width = tower.hidden_size;
  tensors.add({.name = "attn.in_proj_weight", .rows = 3 * width, .cols = width});
  tensors.add({.name = "attn.in_proj_bias", .rows = 3 * width});
  tensors.linear("attn.out_proj", width, width, true);
  tensors.norm("ln_1", width, true);
  tensors.norm("ln_2", width, true);
  tensors.add({.name = "ls_1.gamma", .rows = width});
  tensors.add({.name = "ls_2.gamma", .rows = width});
  tensors.linear("mlp.c_fc", tower.ffn_size, width, true);
  tensors.linear("mlp.c_proj", width, tower.ffn_size, true);
}

void add_perception(TensorList& tensors, const PerceptionTower& p, std::int64_t hidden, bool projector_bias) {
  const std::int64_t width = p.tower.hidden_size;
  const std::string base = "vision_model.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "conv1", width, p.tower.n_channels * p.tower.patch_size * p.tower.patch_size);
  if (p.class_token) tensors.add({.name = base + "class_embedding", .rows = width});
  if (p.positions) tensors.add({.name = base + "positional_embedding", .rows = p.tower.patches() + (p.class_token ? 1 : 0), .cols = width});
  if (p.norm_before) tensors.norm(base + "ln_pre", width, true);
  if (p.norm_after) tensors.norm(base + "ln_post", width, true);
  for (std::int64_t index = 0; index < p.tower.n_layers; ++index) {
    tensors.at_layer(index, "vision_model.transformer.resblocks.{layer}.");
    add_block(tensors, p.tower);
  }
  tensors.outside();
  tensors.linear(base + "vit_downsampler1", 2 * width, width * kWindow, true);
  tensors.linear(base + "vit_downsampler2", 4 * width, 2 * width * kWindow, true);
  tensors.linear("vit_large_projector", hidden, 4 * width, projector_bias);
  tensors.part(ModelPart::text);
}

}  // namespace

PerceptionTower read_perception(KeyReader& vision) {
  PerceptionTower p;
  VisionTower& tower = p.tower;
  tower.hidden_size = vision.positive_or(first_key(vision, {"hidden_size", "width"}), config_limit::hidden, 1536, "");
  tower.n_layers = vision.positive_or(first_key(vision, {"num_hidden_layers", "layers"}), config_limit::layers, 47, "");
  tower.n_heads = vision.positive_or(first_key(vision, {"num_attention_heads", "heads"}), config_limit::heads, 16, "");
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  tower.image_size = vision.positive_or("image_size", kMostPixels, 728, "");
  tower.ffn_size = static_cast<std::int64_t>(static_cast<double>(tower.hidden_size) * vision.fraction("mlp_ratio", 64).value_or(kMlpRatio));
  p.class_token = vision.flag_or("use_cls_token", false);
  p.positions = vision.flag_or("use_abs_posemb", true);
  p.norm_before = vision.flag_or("use_ln_pre", true);
  p.norm_after = vision.flag_or("use_ln_post", false);
  if (vision.error()) return p;
  check_image_size(vision, tower);
  tower.tokens_per_image = std::max<std::int64_t>(1, tower.patches() / 16);
  return p;
}

void add_perception_of(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> vision = object_under(config, "vision_config");
  if (config.error()) return;
  if (!vision)
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "an object with the encoder's sizes"));
  const PerceptionTower perception = read_perception(*vision);
  config.adopt(*vision);
  const bool bias = config.flag_or("projector_bias", false);
  if (config.error()) return;
  draft.model.vision = perception.tower;
  add_perception(draft.tensors, perception, draft.model.hidden_size, bias);
}

}  // namespace weighbridge

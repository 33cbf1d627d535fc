// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// RMS norms, gates, positions rotated (rednote-hilab/dots.ocr modeling_dots_vision.py).
void add_dots_vit(TensorList& tensors, const VisionTower& tower, std::int64_t merge, std::int64_t hidden, bool bias, bool post_norm) {
  const std::int64_t width = tower.hidden_size;
  const std::int64_t merged = width * merge * merge;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("vision_tower.patch_embed.patchifier.proj", width, tower.n_channels * tower.patch_size * tower.patch_size, true);
  tensors.norm("vision_tower.patch_embed.patchifier.norm", width);
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, "vision_tower.blocks.{layer}.");
    tensors.norm("norm1", width);
    tensors.linear("attn.qkv", 3 * width, width, bias);
    tensors.linear("attn.proj", width, width, bias);
    tensors.norm("norm2", width);
    tensors.linear("mlp.fc1", tower.ffn_size, width, bias);
    tensors.linear("mlp.fc2", width, tower.ffn_size, bias);
    tensors.linear("mlp.fc3", tower.ffn_size, width, bias);
  }
  tensors.outside();
  if (post_norm) tensors.norm("vision_tower.post_trunk_norm", width);
  tensors.norm("vision_tower.merger.ln_q", width, true);
  tensors.linear("vision_tower.merger.mlp.0", merged, merged, true);
  tensors.linear("vision_tower.merger.mlp.2", hidden, merged, true);
  tensors.part(ModelPart::text);
}

}  // namespace

/// dots.ocr (rednote-hilab/dots.ocr modeling_dots_ocr.py): Qwen2 with an encoder of its own.
void read_dots_ocr(KeyReader& config, Draft& draft) {
  draft.model.architecture = "qwen2";
  read_qwen2(config, draft);
  std::optional<KeyReader> vision = object_under(config, "vision_config");
  if (config.error()) return;
  if (!vision)
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "an object with the encoder's sizes"));
  VisionTower tower = read_image_sizes(*vision, {1536, 4224, 42, 12, 3, 14, 28 * 14 * 2, 0});
  tower.hidden_size = vision->positive_or("embed_dim", config_limit::hidden, tower.hidden_size, "");
  const std::int64_t merge = vision->positive_or("spatial_merge_size", 64, 2, "");
  const bool bias = vision->flag_or("use_bias", false);
  const bool post_norm = vision->flag_or("post_norm", true);
  config.adopt(*vision);
  if (config.error()) return;
  // max_pixels of the published preprocessor_config.json, 11,289,600 = 3,360 x 3,360.
  tower.image_size = 3360 / tower.patch_size * tower.patch_size;
  tower.tokens_per_image = std::max<std::int64_t>(1, tower.patches() / (merge * merge));
  draft.model.vision = tower;
  add_dots_vit(draft.tensors, tower, merge, draft.model.hidden_size, bias, post_norm);
}

}  // namespace weighbridge

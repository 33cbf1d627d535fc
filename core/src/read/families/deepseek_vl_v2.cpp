// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/language_model.hpp"
#include "read/towers/sam.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// SigLIP as timm writes it, with its pooling head (deepseek-ai/DeepSeek-VL2 deepseek_vl2/models/siglip_vit.py).
void add_timm_siglip(TensorList& tensors, const VisionTower& tower) {
  const std::int64_t width = tower.hidden_size;
  const auto add_mlp = [&](const std::string& name) {
    tensors.linear(name + "fc1", tower.ffn_size, width, true);
    tensors.linear(name + "fc2", width, tower.ffn_size, true);
  };
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("vision.patch_embed.proj", width, tower.n_channels * tower.patch_size * tower.patch_size, true);
  tensors.add({.name = "vision.pos_embed", .rows = tower.patches(), .cols = width});
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, "vision.blocks.{layer}.");
    tensors.norm("norm1", width, true);
    tensors.linear("attn.qkv", 3 * width, width, true);
    tensors.linear("attn.proj", width, width, true);
    tensors.norm("norm2", width, true);
    add_mlp("mlp.");
  }
  tensors.outside();
  tensors.norm("vision.norm", width, true);
  tensors.add({.name = "vision.attn_pool.latent", .rows = width});
  tensors.linear("vision.attn_pool.q", width, width, true);
  tensors.linear("vision.attn_pool.kv", 2 * width, width, true);
  tensors.linear("vision.attn_pool.proj", width, width, true);
  tensors.norm("vision.attn_pool.norm", width, true);
  add_mlp("vision.attn_pool.mlp.");
}

/// Learned vectors that end a row and part the views.
void add_separators(TensorList& tensors, std::int64_t hidden, const std::string& root) {
  tensors.add({.name = root + "image_newline", .rows = hidden});
  tensors.add({.name = root + "view_seperator", .rows = hidden});
}

struct Projector {
  std::int64_t depth = 2;
  std::int64_t ratio = 1;
  std::int64_t merge = 2;
};

Projector read_projector(KeyReader& config) {
  Projector projector;
  if (std::optional<KeyReader> keys = object_under(config, "projector_config")) {
    projector.depth = keys->positive_or("depth", 64, 2, "");
    projector.ratio = keys->positive_or("mlp_ratio", 64, 1, "");
    projector.merge = keys->positive_or("downsample_ratio", 64, 2, "");
    config.adopt(*keys);
  }
  return projector;
}

/// Four neighbouring patches side by side, and an MLP.
void add_projector(TensorList& tensors, const Projector& projector, std::int64_t width, std::int64_t hidden) {
  const std::int64_t inner = hidden * projector.ratio;
  tensors.linear("projector.layers.0", inner, width * projector.merge * projector.merge, true);
  std::int64_t index = 0;
  for (std::int64_t layer = 1; layer < projector.depth - 1; ++layer)
    tensors.linear("projector.layers." + std::to_string(index += 2), inner, inner, true);
  tensors.linear("projector.layers." + std::to_string(index + 2), hidden, inner, true);
}

/// DeepSeek-OCR's config names its encoders under `width` and gives few of their sizes (deepseek-ai/DeepSeek-OCR deepencoder.py).
bool is_ocr(KeyReader& config) {
  const auto vision = config.json().find("vision_config");
  return vision != config.json().end() && vision->is_object() && vision->contains("width") && (*vision)["width"].is_object();
}

void add_ocr(KeyReader& config, Draft& draft) {
  if (!(*config.json().find("vision_config"))["width"].contains("clip-l-14-224"))
    return config.warn(notice::custom("not_counted", config.path("vision_config.width"),
                                      "The image encoder is not counted: expected SAM and CLIP, as in DeepSeek-OCR.", "vision_config.width", "",
                                      "clip-l-14-224 and sam_vit_b"));
  constexpr VisionTower kClipLarge{1024, 4096, 24, 16, 3, 14, 224, 0};
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  draft.model.vision = kClipLarge;
  draft.model.vision->tokens_per_image = kClipLarge.patches();
  add_clip(tensors, kClipLarge, "model.vision_model.", false);
  add_sam(tensors, "model.sam_model.");
  tensors.linear("model.projector.layers", hidden, kClipLarge.hidden_size + kSamWidth, true);
  add_separators(tensors, hidden, "model.");
  tensors.part(ModelPart::text);
}

}  // namespace

/// DeepSeek-VL2 (deepseek-ai/DeepSeek-VL2) and DeepSeek-OCR: DeepSeek's experts with SigLIP, or with SAM and CLIP one after the other.
void read_deepseek_vl_v2(KeyReader& config, Draft& draft) {
  const bool ocr = is_ocr(config);
  read_language_model(config, draft, {.root = ocr ? "" : "language.", .type = "deepseek_v2"});
  if (config.error()) return;
  if (ocr) return add_ocr(config, draft);
  const Projector projector = read_projector(config);
  VisionTower tower{1152, 4304, 27, 16, 3, 14, 384, 0};
  if (std::optional<KeyReader> vision = object_under(config, "vision_config")) {
    tower.hidden_size = vision->positive_or("width", config_limit::hidden, tower.hidden_size, "");
    tower.n_layers = vision->positive_or("layers", config_limit::layers, tower.n_layers, "");
    const double ratio = vision->fraction("mlp_ratio", 64).value_or(3.7362);
    tower.ffn_size = static_cast<std::int64_t>(static_cast<double>(tower.hidden_size) * ratio);
    config.adopt(*vision);
  }
  if (config.error()) return;
  tower.tokens_per_image = tower.patches() / (projector.merge * projector.merge);
  draft.model.vision = tower;
  add_timm_siglip(draft.tensors, tower);
  add_projector(draft.tensors, projector, tower.hidden_size, draft.model.hidden_size);
  add_separators(draft.tensors, draft.model.hidden_size, "");
  draft.tensors.part(ModelPart::text);
}

}  // namespace weighbridge

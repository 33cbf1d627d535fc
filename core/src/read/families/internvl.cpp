// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// InternViT (OpenGVLab/InternVL modeling_intern_vit.py, and huggingface/transformers models/internvl).
struct InternVit {
  VisionTower tower;
  bool qkv_bias = true;
  bool qk_norm = false;
  bool norm_bias = true;
};

InternVit read_vit(KeyReader& vision, bool published_code) {
  InternVit vit;
  const VisionTower six_billion{3200, 12800, 48, 25, 3, 14, 448, 0};
  vit.tower = read_image_sizes(vision, published_code ? six_billion : VisionTower{1024, 4096, 24, 16, 3, 14, 448, 0});
  vit.qkv_bias = vision.flag_or(published_code ? "qkv_bias" : "attention_bias", false);
  vit.qk_norm = vision.flag_or(published_code ? "qk_normalization" : "use_qk_norm", published_code);
  vit.norm_bias = vision.text_if_given("norm_type").value_or(published_code ? "rms_norm" : "layer_norm") == "layer_norm";
  return vit;
}

/// The names are those of the first published checkpoints; those of transformers' own class hold the same tensors, q, k and v apart.
void add_vit(TensorList& tensors, const InternVit& vit) {
  const VisionTower& tower = vit.tower;
  const std::int64_t width = tower.hidden_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = "vision_model.embeddings.class_embedding", .rows = width});
  tensors.linear("vision_model.embeddings.patch_embedding", width, tower.n_channels * tower.patch_size * tower.patch_size, true);
  tensors.add({.name = "vision_model.embeddings.position_embedding", .rows = tower.patches() + 1, .cols = width});
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, "vision_model.encoder.layers.{layer}.");
    tensors.linear("attn.qkv", 3 * width, width, vit.qkv_bias);
    tensors.linear("attn.proj", width, width, true);
    if (vit.qk_norm) tensors.norm("attn.q_norm", width);
    if (vit.qk_norm) tensors.norm("attn.k_norm", width);
    tensors.linear("mlp.fc1", tower.ffn_size, width, true);
    tensors.linear("mlp.fc2", width, tower.ffn_size, true);
    tensors.norm("norm1", width, vit.norm_bias);
    tensors.norm("norm2", width, vit.norm_bias);
    tensors.add({.name = "ls1", .rows = width});
    tensors.add({.name = "ls2", .rows = width});
  }
}

void read_parts(KeyReader& config, Draft& draft, bool published_code) {
  read_language_model(config, draft, {.type = published_code ? "llama" : "qwen2"});
  const double ratio = config.fraction("downsample_ratio", 1.0).value_or(0.5);
  std::optional<KeyReader> vision = object_under(config, "vision_config");
  if (config.error()) return;
  if (!vision)
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "an object with the encoder's sizes"));
  const InternVit vit = read_vit(*vision, published_code);
  config.adopt(*vision);
  if (config.error()) return;
  const auto merge = static_cast<std::int64_t>(1.0 / std::max(ratio, 1.0 / 64) + 0.5);
  const std::int64_t patches = vit.tower.hidden_size * merge * merge;
  draft.model.vision = vit.tower;
  draft.model.vision->tokens_per_image = std::max<std::int64_t>(1, vit.tower.patches() / (merge * merge));
  TensorList& tensors = draft.tensors;
  add_vit(tensors, vit);
  tensors.outside();
  tensors.norm("mlp1.0", patches, true);
  tensors.linear("mlp1.1", draft.model.hidden_size, patches, true);
  tensors.linear("mlp1.3", draft.model.hidden_size, draft.model.hidden_size, true);
  tensors.part(ModelPart::text);
}

}  // namespace

/// InternVL 1.5 to 3.5 as published (OpenGVLab/InternVL modeling_internvl_chat.py): any language model under `llm_config`.
void read_internvl_chat(KeyReader& config, Draft& draft) { read_parts(config, draft, true); }

/// The same as transformers' own class (models/internvl).
void read_internvl(KeyReader& config, Draft& draft) { read_parts(config, draft, false); }

}  // namespace weighbridge

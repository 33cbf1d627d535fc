// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

namespace {

/// The image encoder, and what merges its patches.
struct Encoder {
  VisionTower tower;
  std::int64_t merged = 0;    ///< width of the patches of one token
  std::int64_t n_frames = 2;  ///< of a video that become one token
};

Encoder read_encoder(KeyReader& vision) {
  Encoder encoder;
  VisionTower& tower = encoder.tower;
  tower.hidden_size = vision.positive_or(first_key(vision, {"hidden_size", "embed_dim"}), config_limit::hidden, 1280, "");
  const std::int64_t ratio = vision.positive_or("mlp_ratio", 64, 4, "");
  tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, ratio * tower.hidden_size, "");
  tower.n_layers = vision.positive_or("depth", config_limit::layers, 32, "");
  tower.n_heads = vision.positive_or("num_heads", config_limit::heads, 16, "");
  tower.n_channels = vision.positive_or(first_key(vision, {"in_channels", "in_chans"}), 64, 3, "");
  tower.patch_size = vision.positive_or("patch_size", 1024, 14, "");
  const std::int64_t merge = vision.positive_or("spatial_merge_size", 16, 2, "");
  constexpr std::int64_t most_patches_per_side = 176;  // max_pixels of the published preprocessor_config.json: 6177 tokens of 28 x 28 pixels
  tower.image_size = most_patches_per_side * tower.patch_size;
  tower.tokens_per_image = most_patches_per_side * most_patches_per_side / (merge * merge);
  encoder.merged = tower.hidden_size * merge * merge;
  encoder.n_frames = vision.positive_or("temporal_merge_size", 16, 2, "");
  return encoder;
}

void add_encoder(TensorList& tensors, const VisionTower& tower) {
  const std::int64_t width = tower.hidden_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("vision_model.patch_embed.proj", width, tower.n_channels * tower.patch_size * tower.patch_size);
  for (std::int64_t layer = 0; layer < tower.n_layers; ++layer) {
    tensors.at_layer(layer, "vision_model.blocks.{layer}.");
    tensors.norm("norm1", width, true);
    tensors.norm("norm2", width, true);
    tensors.linear("attn.qkv", 3 * width, width, true);
    tensors.linear("attn.proj", width, width, true);
    tensors.linear("mlp.fc1", tower.ffn_size, width, true);
    tensors.linear("mlp.fc2", width, tower.ffn_size, true);
  }
  tensors.outside();
  tensors.norm("vision_model.ln", width, true);
}

/// Merges patches in the image, then pictures in time.
void add_resampler(TensorList& tensors, const Encoder& encoder, std::int64_t hidden) {
  const std::string base = "model.resampler_model.";
  const std::int64_t merged = encoder.merged;
  const auto add_mlp = [&](const std::string& name, std::int64_t cols) {
    tensors.linear(name + ".0", merged, cols, true);
    tensors.linear(name + ".2", merged, merged, true);
    tensors.norm(name + ".3", merged, true);
  };
  add_mlp(base + "spatial_linear", merged);
  add_mlp(base + "temporal_linear", merged * encoder.n_frames);
  tensors.linear(base + "mlp", hidden, merged, true);
  tensors.norm(base + "after_norm", hidden);
}

/// Images have experts of their own, as many as text and narrower, with a router and a correction bias for them.
void add_image_experts(Draft& draft, std::int64_t n_experts, std::int64_t width) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  for (std::int64_t layer = 0; layer < draft.model.n_layers(); ++layer) {
    if (!std::holds_alternative<MoeFfn>(draft.model.layers[static_cast<std::size_t>(layer)].ffn)) continue;
    tensors.at_layer(layer);
    tensors.add({.name = "mlp.gate.weight_1", .rows = n_experts, .cols = hidden});
    tensors.add({.name = "mlp.moe_statics.e_score_correction_bias_1", .rows = n_experts, .type = dtype::f32});
    tensors.copies(n_experts);
    tensors.linear("mlp.experts_1.{expert}.gate_proj", width, hidden);
    tensors.linear("mlp.experts_1.{expert}.up_proj", width, hidden);
    tensors.linear("mlp.experts_1.{expert}.down_proj", hidden, width);
    tensors.copies(1);
  }
}

/// The second entry of a list of one number for text and one for images; `fallback` where there is no such list.
std::int64_t second_of(KeyReader& config, std::string_view key, std::int64_t most, std::int64_t fallback) {
  const auto found = config.json().find(key);
  if (found == config.json().end() || !found->is_array() || found->size() != 2) return fallback;
  const std::optional<std::int64_t> number = whole_number_of((*found)[1]);
  if (number && *number >= 0 && *number <= most) return *number;
  config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(*found), "two whole numbers"));
  return fallback;
}

}  // namespace

/// ERNIE 4.5 VL (huggingface/transformers models/ernie4_5_vl_moe, vllm-project/vllm models/ernie45_vl.py, ernie45_vl_moe.py): ERNIE 4.5 with experts
/// for images beside those for text, an image encoder and a resampler. The published configs have the language model's keys at the top.
void read_ernie4_5_vl_moe(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_ernie4_5_moe(*text, draft);
  const std::int64_t n_experts = second_of(*text, "moe_num_experts", config_limit::experts,
                                           first_moe(draft.model) != nullptr ? first_moe(draft.model)->n_experts : 0);
  const std::int64_t width = second_of(*text, "moe_intermediate_size", config_limit::moe_ffn, 512);
  config.adopt(*text);
  std::optional<KeyReader> vision = object_under(config, "vision_config");
  if (config.error()) return;
  if (!vision)
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "an object with the encoder's sizes"));
  const Encoder encoder = read_encoder(*vision);
  config.adopt(*vision);
  if (config.error()) return;
  draft.model.vision = encoder.tower;
  add_encoder(draft.tensors, encoder.tower);
  add_resampler(draft.tensors, encoder, draft.model.hidden_size);
  if (n_experts > 0 && width > 0) add_image_experts(draft, n_experts, width);
  draft.tensors.part(ModelPart::text);
}

}  // namespace weighbridge

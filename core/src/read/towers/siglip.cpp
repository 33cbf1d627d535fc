// SPDX-License-Identifier: Apache-2.0
#include "read/towers/siglip.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/towers/pixtral.hpp"

namespace weighbridge {

std::optional<VisionTower> read_siglip(KeyReader& config) {
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return std::nullopt;
  KeyReader vision = config.under("vision_config");
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "patch_size", "image_size"})
    if (!vision.has(key)) return std::nullopt;
  if (vision.text_if_given("model_type").value_or("siglip_vision_model") != "siglip_vision_model") return std::nullopt;
  constexpr std::int64_t most_pixels = std::int64_t{1} << 16;
  VisionTower tower;
  tower.hidden_size = vision.positive("hidden_size", config_limit::hidden);
  tower.ffn_size = vision.positive("intermediate_size", config_limit::ffn);
  tower.n_layers = vision.positive("num_hidden_layers", config_limit::layers);
  tower.n_heads = vision.positive("num_attention_heads", config_limit::heads);
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = vision.positive("patch_size", most_pixels);
  tower.image_size = vision.positive("image_size", most_pixels);
  tower.tokens_per_image = config.positive_or("mm_tokens_per_image", config_limit::context, 256, "");
  check_image_size(vision, tower);
  config.adopt(vision);
  return tower;
}

VisionTower read_image_sizes(KeyReader& vision, const VisionTower& otherwise) {
  constexpr std::int64_t most_pixels = std::int64_t{1} << 16;
  const auto pixels = [&](const char* key, std::int64_t fallback) {
    const auto given = vision.json().find(key);
    const bool is_pair = given != vision.json().end() && given->is_array() && !given->empty();
    if (!is_pair) return vision.positive_or(key, most_pixels, fallback, "");
    const std::int64_t side = whole_number_of(given->front()).value_or(0);
    if (side <= 0 || side > most_pixels) vision.fail(notice::wrong_type(vision.path(key), key, excerpt(*given), "a number of pixels, or two"));
    return side;
  };
  VisionTower tower;
  tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, otherwise.hidden_size, "");
  tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, otherwise.ffn_size, "");
  tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, otherwise.n_layers, "");
  tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, otherwise.n_heads, "");
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = pixels("patch_size", otherwise.patch_size);
  tower.image_size = pixels("image_size", otherwise.image_size);
  if (vision.error()) return otherwise;
  check_image_size(vision, tower);
  tower.tokens_per_image = std::max<std::int64_t>(1, tower.patches());
  return tower;
}

namespace {

void add_layers(TensorList& tensors, const VisionTower& tower, const std::string& root, bool last_norm = true) {
  const std::int64_t width = tower.hidden_size;
  const std::string layer = root + "encoder.layers.{layer}.";
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, layer);
    tensors.norm("layer_norm1", width, true);
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
      tensors.linear(name, width, width, true);
    tensors.norm("layer_norm2", width, true);
    tensors.linear("mlp.fc1", tower.ffn_size, width, true);
    tensors.linear("mlp.fc2", width, tower.ffn_size, true);
  }
  tensors.outside();
  if (last_norm) tensors.norm(root + "post_layernorm", width, true);
}

}  // namespace

void add_siglip(TensorList& tensors, const VisionTower& tower, std::string_view root) {
  const std::int64_t width = tower.hidden_size;
  const std::string base(root);
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "embeddings.patch_embedding", width, tower.n_channels * tower.patch_size * tower.patch_size, true);
  tensors.linear(base + "embeddings.position_embedding", tower.patches(), width);
  add_layers(tensors, tower, base);
  tensors.part(ModelPart::text);
}

void add_clip(TensorList& tensors, const VisionTower& tower, std::string_view root, bool last_norm) {
  const std::int64_t width = tower.hidden_size;
  const std::string base(root);
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = base + "embeddings.class_embedding", .rows = width});
  tensors.linear(base + "embeddings.patch_embedding", width, tower.n_channels * tower.patch_size * tower.patch_size);
  tensors.linear(base + "embeddings.position_embedding", tower.patches() + 1, width);
  tensors.norm(base + "pre_layrnorm", width, true);
  add_layers(tensors, tower, base, last_norm);
  tensors.part(ModelPart::text);
}

std::optional<VisionTower> add_image_encoder(KeyReader& config, Draft& draft, std::string_view root, std::string_view type) {
  if (config.error()) return std::nullopt;
  const auto given = config.json().find("vision_config");
  const bool is_object = given != config.json().end() && given->is_object();
  const std::string kind = is_object && given->contains("model_type") && (*given)["model_type"].is_string()
                               ? (*given)["model_type"].get<std::string>()
                               : std::string(type);
  const bool clip = kind == "clip_vision_model" || kind == "clip";
  const bool siglip = kind == "siglip_vision_model" || kind == "siglip" || kind == "idefics3_vision" || kind == "idefics3" ||
                      kind == "smolvlm_vision" || kind == "siglip2_vision_model" || kind == "siglip2";
  if (!is_object || !(clip || siglip || kind == "pixtral")) {
    config.warn(notice::custom("not_counted", config.path("vision_config"),
                               "The image encoder is not counted: expected a `vision_config` of CLIP, SigLIP or Pixtral.", "vision_config", kind,
                               "a CLIP, SigLIP or Pixtral vision_config"));
    return std::nullopt;
  }
  KeyReader vision = config.under("vision_config");
  const VisionTower base{768, 3072, 12, 12, 3, clip ? 32 : 16, 224, 0};
  const VisionTower tower = kind == "pixtral" ? read_pixtral(vision, 1) : read_image_sizes(vision, base);
  config.adopt(vision);
  if (config.error()) return std::nullopt;
  draft.model.vision = tower;
  constexpr std::string_view inner = "vision_model.";  // Pixtral's encoder has no such level
  if (kind == "pixtral") add_pixtral(draft.tensors, tower, root.ends_with(inner) ? root.substr(0, root.size() - inner.size()) : root);
  if (clip) add_clip(draft.tensors, tower, root);
  if (siglip) add_siglip(draft.tensors, tower, root);
  return tower;
}

}  // namespace weighbridge

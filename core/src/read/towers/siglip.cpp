// SPDX-License-Identifier: Apache-2.0
#include "read/towers/siglip.hpp"

#include "json_text.hpp"
#include "read/decoder.hpp"

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

void add_siglip(TensorList& tensors, const VisionTower& tower, std::string_view root) {
  const std::int64_t width = tower.hidden_size;
  const std::string base(root);
  const std::string layer = base + "encoder.layers.{layer}.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "embeddings.patch_embedding", width, tower.n_channels * tower.patch_size * tower.patch_size, true);
  tensors.linear(base + "embeddings.position_embedding", tower.patches(), width);
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
  tensors.norm(base + "post_layernorm", width, true);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/towers/pixtral.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

VisionTower read_pixtral(KeyReader& vision, std::int64_t merge) {
  constexpr std::int64_t most_pixels = std::int64_t{1} << 16;
  VisionTower tower;
  tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 1024, "");
  tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 4096, "");
  tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 24, "");
  tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, 16, "");
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = vision.positive_or("patch_size", most_pixels, 16, "");
  tower.image_size = vision.positive_or("image_size", most_pixels, 1024, "");
  if (vision.error()) return tower;
  check_image_size(vision, tower);
  tower.tokens_per_image = std::max<std::int64_t>(1, tower.patches() / (merge * merge));
  return tower;
}

void add_pixtral(TensorList& tensors, const VisionTower& tower, std::string_view root) {
  const std::string base(root);
  const std::string layer = base + "transformer.layers.{layer}.";
  const std::int64_t width = tower.hidden_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "patch_conv", width, tower.n_channels * tower.patch_size * tower.patch_size);
  tensors.norm(base + "ln_pre", width);
  for (std::int64_t index = 0; index < tower.n_layers; ++index) {
    tensors.at_layer(index, layer);
    tensors.norm("attention_norm", width);
    for (const char* name : {"attention.q_proj", "attention.k_proj", "attention.v_proj", "attention.o_proj"}) tensors.linear(name, width, width);
    tensors.norm("ffn_norm", width);
    add_dense_ffn(tensors, {tower.ffn_size}, width, false, false, "feed_forward.");
  }
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

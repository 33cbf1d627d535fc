// SPDX-License-Identifier: Apache-2.0
#include "read/towers/llama4_vision.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;

void add_block(TensorList& tensors, const VisionTower& tower) {
  const std::int64_t width = tower.hidden_size;
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}) tensors.linear(name, width, width, true);
  tensors.linear("mlp.fc1", tower.ffn_size, width, true);
  tensors.linear("mlp.fc2", width, tower.ffn_size, true);
  tensors.norm("input_layernorm", width, true);
  tensors.norm("post_attention_layernorm", width, true);
}

}  // namespace

Llama4Vision read_llama4_vision(KeyReader& vision) {
  Llama4Vision v;
  v.tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 768, "");
  v.tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 5632, "");
  v.tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 34, "");
  v.tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, 16, "");
  v.tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  v.tower.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  v.tower.image_size = vision.positive_or("image_size", kMostPixels, 448, "");
  v.adapter_size = vision.positive_or("projector_input_dim", config_limit::hidden, 4096, "");
  v.adapter_output = vision.positive_or("projector_output_dim", config_limit::hidden, 4096, "");
  v.output_size = vision.positive_or("vision_output_dim", config_limit::hidden, 7680, "");
  const double ratio = vision.fraction("pixel_shuffle_ratio", 1.0).value_or(0.5);
  v.shuffle = static_cast<std::int64_t>(1.0 / std::max(ratio, 1.0 / 64) + 0.5);
  if (vision.error()) return v;
  check_image_size(vision, v.tower);
  v.tower.tokens_per_image = std::max<std::int64_t>(1, v.tower.patches() / (v.shuffle * v.shuffle));
  return v;
}

void add_llama4_vision(TensorList& tensors, const Llama4Vision& v, std::int64_t hidden) {
  const std::int64_t width = v.tower.hidden_size;
  const std::string base = "vision_model.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "patch_embedding.linear", width, v.tower.n_channels * v.tower.patch_size * v.tower.patch_size);
  tensors.add({.name = base + "class_embedding", .rows = width});
  tensors.add({.name = base + "positional_embedding_vlm", .rows = v.tower.patches() + 1, .cols = width});
  tensors.norm(base + "layernorm_pre", width, true);
  tensors.norm(base + "layernorm_post", width, true);
  for (std::int64_t index = 0; index < v.tower.n_layers; ++index) {
    tensors.at_layer(index, "vision_model.model.layers.{layer}.");
    add_block(tensors, v.tower);
  }
  tensors.outside();
  tensors.linear(base + "vision_adapter.mlp.fc1", v.adapter_size, width * v.shuffle * v.shuffle);
  tensors.linear(base + "vision_adapter.mlp.fc2", v.adapter_output, v.adapter_size);
  tensors.linear("multi_modal_projector.linear_1", hidden, v.output_size);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

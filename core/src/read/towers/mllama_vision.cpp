// SPDX-License-Identifier: Apache-2.0
#include "read/towers/mllama_vision.hpp"

#include "json_text.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;
constexpr std::int64_t kMostTiles = 256;

void add_block(TensorList& tensors, const VisionTower& tower, bool gated) {
  const std::int64_t width = tower.hidden_size;
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}) tensors.linear(name, width, width);
  tensors.linear("mlp.fc1", tower.ffn_size, width, true);
  tensors.linear("mlp.fc2", width, tower.ffn_size, true);
  tensors.norm("input_layernorm", width, true);
  tensors.norm("post_attention_layernorm", width, true);
  if (!gated) return;
  tensors.add({.name = "gate_attn", .rows = 1});
  tensors.add({.name = "gate_ffn", .rows = 1});
}

/// Embeddings of positions and of where a tile lies, one for every aspect ratio.
void add_positions(TensorList& tensors, const MllamaVision& v, const std::string& base) {
  const std::int64_t width = v.tower.hidden_size;
  const std::int64_t ratios = v.n_aspect_ratios + 1;
  tensors.add({.name = base + "gated_positional_embedding.gate", .rows = 1});
  tensors.add({.name = base + "gated_positional_embedding.embedding", .rows = v.tile_tokens(), .cols = width});
  tensors.linear(base + "gated_positional_embedding.tile_embedding", ratios, v.n_tiles * v.tile_tokens() * width);
  for (const char* name : {"pre_tile_positional_embedding", "post_tile_positional_embedding"}) {
    tensors.add({.name = base + name + ".gate", .rows = 1});
    tensors.linear(base + name + ".embedding", ratios, v.n_tiles * width);
  }
}

}  // namespace

MllamaVision read_mllama_vision(KeyReader& vision) {
  MllamaVision v;
  v.tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 1280, "");
  v.tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 5120, "");
  v.tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 32, "");
  v.tower.n_heads = vision.positive_or(first_key(vision, {"attention_heads", "num_attention_heads"}), config_limit::heads, 16, "");
  v.tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  v.tower.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  v.tower.image_size = vision.positive_or("image_size", kMostPixels, 448, "");
  v.n_global_layers = vision.positive_or("num_global_layers", config_limit::layers, 8, "");
  v.n_tiles = vision.positive_or("max_num_tiles", kMostTiles, 4, "");
  v.output_size = vision.positive_or("vision_output_dim", config_limit::hidden, 7680, "");
  const auto ratios = vision.json().find("supported_aspect_ratios");
  const bool listed = ratios != vision.json().end() && ratios->is_array() && !ratios->empty() && ratios->size() <= kMostTiles;
  v.n_aspect_ratios = listed ? static_cast<std::int64_t>(ratios->size()) : 8;
  if (vision.error()) return v;
  check_image_size(vision, v.tower);
  v.tile_patches = v.tower.patches();
  v.tower.tokens_per_image = v.n_tiles * v.tile_tokens();
  std::int64_t side = 1;
  while (side * side < v.n_tiles) ++side;
  v.tower.image_size *= side;
  return v;
}

void add_mllama_vision(TensorList& tensors, const MllamaVision& v, std::int64_t hidden) {
  const std::int64_t width = v.tower.hidden_size;
  const std::string base = "vision_model.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "patch_embedding", width, v.tower.n_channels * v.tower.patch_size * v.tower.patch_size);
  tensors.add({.name = base + "class_embedding", .rows = width});
  add_positions(tensors, v, base);
  tensors.norm(base + "layernorm_pre", width, true);
  tensors.norm(base + "layernorm_post", width, true);
  for (std::int64_t index = 0; index < v.tower.n_layers; ++index) {
    tensors.at_layer(index, "vision_model.transformer.layers.{layer}.");
    add_block(tensors, v.tower, false);
  }
  for (std::int64_t index = 0; index < v.n_global_layers; ++index) {
    tensors.at_layer(index, "vision_model.global_transformer.layers.{layer}.");
    add_block(tensors, v.tower, true);
  }
  tensors.outside();
  tensors.linear("multi_modal_projector", hidden, v.output_size, true);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// The image encoder of Llama 3.2 Vision (huggingface/transformers models/mllama, MllamaVisionModel): an image is cut into up to `n_tiles` tiles, whose
/// patches pass through `tower.n_layers` layers alone and `n_global_layers` gated ones together.
struct MllamaVision {
  VisionTower tower;
  std::int64_t tile_patches = 0;  ///< of one tile; `tower.image_size` is that of all tiles as a square
  std::int64_t n_global_layers = 0;
  std::int64_t n_tiles = 0;
  std::int64_t n_aspect_ratios = 0;  ///< that have embeddings; one row more serves none
  std::int64_t output_size = 0;      ///< vision_output_dim

  /// Tokens of one tile: its patches and the class token.
  [[nodiscard]] std::int64_t tile_tokens() const { return tile_patches + 1; }
};

[[nodiscard]] MllamaVision read_mllama_vision(KeyReader& vision);
/// The encoder and the projection to the language model's width.
void add_mllama_vision(TensorList& tensors, const MllamaVision& vision, std::int64_t hidden);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// The image encoder of GLM-4.1V and later, with the merging of its patches.
struct GlmVit {
  VisionTower tower;
  std::int64_t n_frames = 0;      ///< images that one patch spans (temporal_patch_size)
  std::int64_t merge = 0;         ///< patches along one side that become one token
  std::int64_t out_width = 0;     ///< of the language model
  std::int64_t merger_width = 0;  ///< of the block that ends the encoder
  bool bias = false;              ///< of attention and feed-forward blocks
  bool qk_norm = false;           ///< GLM-5.3-Flash: norms on queries and keys, no learned positions
};

/// The encoder in `vision_config`; nothing if there is none. `next`: GLM-5.3-Flash's.
[[nodiscard]] std::optional<GlmVit> read_glm_vit(KeyReader& config, bool next);

/// Names begin with "model.visual." (huggingface/transformers models/glm4v, models/glm_ocr).
void add_glm_vit(TensorList& tensors, const GlmVit& vit);

}  // namespace weighbridge

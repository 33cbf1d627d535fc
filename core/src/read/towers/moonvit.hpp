// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// MoonViT, the image encoder of Kimi-VL, K2.5 and K3, with what stands between it and the language model.
struct MoonVit {
  VisionTower tower;
  std::int64_t position_rows = 0;  ///< learned positions, a square grid
  std::int64_t merge = 0;          ///< patches that become one token
  std::int64_t attention_width = 0;
  std::int64_t projector_width = 0;
  bool bias = true;  ///< of projections
  bool patch_bias = true;
  bool norm_bias = true;    ///< false: RMS norms
  bool norm_before = true;  ///< the projector's norm: before its first matrix, over one patch; false: after its last
};

/// The encoder in `vision_config`; nothing if there is none.
[[nodiscard]] std::optional<MoonVit> read_moonvit(KeyReader& config);

/// Encoder and projector, whose names are `projector`proj.0 and so on (moonshotai/Kimi-K2.5 modeling_kimi_k25.py, moonshotai/Kimi-VL).
void add_moonvit(TensorList& tensors, const MoonVit& vit, std::int64_t text_hidden, bool kimi_vl);

}  // namespace weighbridge

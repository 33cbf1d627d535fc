// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// The image encoder of MiniMax-M3 in `vision_config`: CLIP's layers with rotated positions; nothing if there is none. `config` holds the keys of the
/// projector, too.
[[nodiscard]] std::optional<VisionTower> read_minimax_vit(KeyReader& config);

/// Encoder, projector and the merging of patches (huggingface/transformers models/minimax_m3_vl).
void add_minimax_vit(TensorList& tensors, KeyReader& config, const VisionTower& tower, std::int64_t text_hidden);

}  // namespace weighbridge

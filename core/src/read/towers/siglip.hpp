// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// The SigLIP encoder in `vision_config`; nothing if the config does not say all of it, or it is another encoder.
[[nodiscard]] std::optional<VisionTower> read_siglip(KeyReader& config);

/// SigLIP without its pooling head (huggingface/transformers models/siglip/modeling_siglip.py); names begin with `root`.
void add_siglip(TensorList& tensors, const VisionTower& tower, std::string_view root = "vision_tower.vision_model.");

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// Step's image encoder: a perception encoder whose output two convolutions make smaller.
struct PerceptionTower {
  VisionTower tower;
  bool class_token = false;
  bool positions = true;  ///< learned, one a patch
  bool norm_before = true;
  bool norm_after = false;
};

/// The sizes in `vision_config`; what it leaves out are the defaults of the class (huggingface/transformers models/step3p7).
[[nodiscard]] PerceptionTower read_perception(KeyReader& vision);
/// The encoder, its convolutions, and the projection to `hidden` (vllm-project/vllm models/step_vl.py).
void add_perception(TensorList& tensors, const PerceptionTower& p, std::int64_t hidden, bool projector_bias);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

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
/// The encoder that `vision_config` describes, its convolutions, and the projection to the language model's width (vllm-project/vllm
/// models/step_vl.py). A warning if there is none.
void add_perception_of(KeyReader& config, Draft& draft);

}  // namespace weighbridge

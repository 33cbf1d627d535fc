// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/perception.hpp"

namespace weighbridge {

/// Step3-VL (vllm-project/vllm models/step_vl.py): Qwen3 with a perception encoder.
void read_step3_vl(KeyReader& config, Draft& draft) {
  read_language_model(config, draft, {.root = {}, .type = "qwen3"});
  add_perception_of(config, draft);
}

}  // namespace weighbridge

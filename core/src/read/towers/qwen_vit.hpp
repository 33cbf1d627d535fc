// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

enum class QwenVitGeneration {
  qwen2,    ///< layer norms, MLP without gate (huggingface/transformers models/qwen2_vl)
  qwen2_5,  ///< RMS norms, MLP with gate, windows (models/qwen2_5_vl)
  qwen3,    ///< layer norms, learned positions, MLP without gate (models/qwen3_vl)
};

struct QwenVitStyle {
  QwenVitGeneration generation = QwenVitGeneration::qwen3;
  bool has_deepstack = true;   ///< mergers also after `deepstack_visual_indexes`, for the language model's first layers
  bool nested_merger = false;  ///< Qwen3-Omni names the parts of a merger otherwise (models/qwen3_omni_moe)
};

/// The image encoder of Qwen2-VL and later, which `vision_config` describes: its sizes in `draft.model.vision`, its tensors under names that begin
/// with `root`. It takes images of any size; counted is the largest that the published preprocessors let through, 16,384 tokens. A warning if there is
/// no `vision_config`.
void add_qwen_vit(KeyReader& config, Draft& draft, std::string_view root, const QwenVitStyle& style);

}  // namespace weighbridge

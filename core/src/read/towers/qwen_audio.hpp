// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The sound encoder of Qwen3-Omni (huggingface/transformers models/qwen3_omni_moe, Qwen3OmniMoeAudioEncoder), which `audio_config` describes; names
/// begin with `root`. A warning if there is no `audio_config`.
void add_qwen_audio(KeyReader& config, Draft& draft, std::string_view root);

}  // namespace weighbridge

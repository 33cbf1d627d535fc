// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The sound encoder of Phi-4-multimodal (vllm-project/vllm models/phi4mm_audio.py, phi4mm_utils.py), a conformer, which audio_processor.config
/// describes; what that leaves out is as in Phi-4-multimodal-instruct. Names begin with `root`.
void add_phi4_audio(KeyReader& config, Draft& draft, std::string_view root);

}  // namespace weighbridge

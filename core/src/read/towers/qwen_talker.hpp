// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// What speaks in Qwen3-Omni (huggingface/transformers models/qwen3_omni_moe): the talker, which `talker_config` describes, and code2wav. Sizes that
/// are left out are those of the class.
void add_qwen_talker(KeyReader& config, Draft& draft);

}  // namespace weighbridge

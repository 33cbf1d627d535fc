// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The language model of GLM-4.5 to 4.7 and of the vision models on it; names of layers begin with `root`.
void read_glm4_moe_text(KeyReader& config, Draft& draft, std::string_view root);

/// The dense language model of GLM-4 (`extra_norms`: GLM-4-0414 norms what leaves attention and feed-forward block, too).
void read_glm4_text(KeyReader& config, Draft& draft, std::string_view root, bool extra_norms);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "engine/serving_rules.hpp"

namespace weighbridge {

ServingRules serving_rules() { return {sglang::plan, tensorrt_llm::plan}; }

}  // namespace weighbridge

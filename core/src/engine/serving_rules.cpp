// SPDX-License-Identifier: Apache-2.0
#include "engine/serving_rules.hpp"

#include "serving_options.hpp"

namespace weighbridge {

ServingRules serving_rules() {
  return {sglang::plan, tensorrt_llm::plan, lmdeploy::plan, tgi::plan, read_serving_options, describe_serving_options, longest_sequence_option};
}

}  // namespace weighbridge

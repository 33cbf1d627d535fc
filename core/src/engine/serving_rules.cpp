// SPDX-License-Identifier: Apache-2.0
#include "engine/serving_rules.hpp"

#include "fit_trial.hpp"
#include "options/serving_options.hpp"

namespace weighbridge {

namespace {

constexpr EngineRules kEngines[] = {{"sglang", sglang::plan}, {"tensorrt-llm", tensorrt_llm::plan}, {"lmdeploy", lmdeploy::plan}, {"tgi", tgi::plan}};

}  // namespace

ServingRules serving_rules() {
  return {kEngines,           read_serving_options,        describe_serving_options, longest_sequence_option, &vllm::kCompressedRules,
          &vllm::kDraftRules, vllm::shared_caches_problem, vllm::arguments_problem,  offer_nearest,           describe_nearest,
          refuse_overlong};
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// LM Studio runs llama.cpp; its code is not open. What its documentation says (lmstudio-ai/docs) is counted, and what it does not say is counted
// as llama.cpp does it, and said to be so.
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/local_rules.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge::lm_studio {

namespace {

constexpr std::int64_t kContext = 4096;   // 1_developer/2_rest/list.md, an instance as loaded
constexpr std::int64_t kBatch = 512;      // the same: eval_batch_size
constexpr std::int64_t kPredictions = 4;  // 0_app/5_advanced/parallel-requests.md: "By default, Max Concurrent Predictions is set to 4."

}  // namespace

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min(kContext, model.max_context_tokens), 1}; }

Plan plan(const Job& job) {
  Scenario scenario = job.scenario;
  LlamaCppOptions& o = scenario.options.llama_cpp;
  scenario.engine_version.clear();
  o.n_ctx = scenario.context_tokens * scenario.sequences;
  o.n_seq_max = std::max(o.n_seq_max.value_or(kPredictions), scenario.sequences);
  o.kv_unified = true;  // the slots share one cache of context_length tokens
  o.n_batch = o.n_ubatch = o.n_batch.value_or(kBatch);
  o.n_outputs = o.n_seq_max;
  o.mmproj = o.mmproj.value_or(llama_cpp::projector_bytes(job) > Bytes());
  o.fit = o.fit.value_or(true);
  Plan plan = llama_cpp::plan({job.model, job.tensors, scenario, job.explain, job.memo});
  plan.report.name = "lm-studio";
  plan.report.version = kVersion;
  plan.report.default_context_tokens = usual_workload(job.model, scenario).context_tokens;
  if (!job.explain) return plan;
  const std::string& version = job.scenario.engine_version;
  if (!version.empty() && version != kVersion) plan.warnings.push_back(unread_version("LM Studio", version, kVersion));
  plan.warnings.push_back(notice::custom("lm_studio_not_verified", "params.engine.name",
                                         "LM Studio does not publish how it shares the cache among its " + grouped(*o.n_seq_max) +
                                             " predictions and how it chooses the layers on the GPU: both were counted as llama.cpp does it, one "
                                             "cache for all and its automatic fit. Not verified.",
                                         "lm-studio", grouped(*o.n_seq_max)));
  return plan;
}

}  // namespace weighbridge::lm_studio

// SPDX-License-Identifier: Apache-2.0
// LM Studio runs llama.cpp; its code is not open. What it publishes is counted: its documentation (lmstudio-ai/docs, by its path) and the defaults
// that its SDK carries (npm's @lmstudio/sdk, dist/index.cjs, globalConfigSchematics). What it does not is counted as llama.cpp does it, and said
// to be so.
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/local_rules.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge::lm_studio {

namespace {

constexpr std::int64_t kContext = 4096;  // 1_developer/2_rest/list.md, an instance as loaded
constexpr std::int64_t kBatch = 512;     // the same: eval_batch_size. SDK 2.0: 2,048, and 512 of them in one graph

/// What changed with 0.4. Of each: the SDK's defaults and where the documentation says it.
struct Rules {
  std::string_view version;
  std::int64_t predictions;  ///< at once; others wait. 0_app/5_advanced/parallel-requests.md: "instead of queued", four with llama.cpp 2.0.0
  bool flash_attention;      ///< SDK 1.0 to 1.5: false and experimental; 1_developer/2_rest/list.md of 0.4: true
};
constexpr Rules kRules[] = {{"0.3", 1, false}, {"0.4", 4, true}};
static_assert(std::size(kRules) == kVersions.size());

/// The rules of "0.3.31" are those of "0.3"; of a release before it too, of any other the newest.
const Rules& rules_for(std::string_view version) {
  for (const Rules& rules : kRules)
    if (version == rules.version || version.starts_with(std::string(rules.version) + ".")) return rules;
  const bool is_older = version.starts_with("0.1.") || version.starts_with("0.2.") || version == "0.1" || version == "0.2";
  return is_older ? kRules[0] : kRules[std::size(kRules) - 1];
}

bool is_read(std::string_view version) { return version.empty() || version.starts_with(rules_for(version).version); }

void settle(const Job& job, const Rules& rules, Scenario& scenario) {
  LlamaCppOptions& o = scenario.options.llama_cpp;
  scenario.engine_version.clear();
  const bool queues = rules.predictions == 1;
  if (queues) scenario.sequences = 1;
  o.n_ctx = scenario.context_tokens * scenario.sequences;
  o.n_seq_max = queues ? 1 : std::max(o.n_seq_max.value_or(rules.predictions), scenario.sequences);
  o.kv_unified = true;  // useUnifiedKvCache: the slots share one cache of context_length tokens
  o.n_batch = o.n_ubatch = o.n_batch.value_or(kBatch);
  // Until tools/server/server-context.cpp had server_output_limits, a graph had room for the results of all its tokens.
  if (!queues) o.n_outputs = o.n_seq_max;
  if (!rules.flash_attention) o.flash_attn = o.flash_attn.value_or(false);
  o.mmproj = o.mmproj.value_or(llama_cpp::projector_bytes(job) > Bytes());
  o.fit = o.fit.value_or(true);  // autoFit of SDK 2.0; how 0.3 chose is not published
}

void add_warnings(const Job& job, const Rules& rules, const Scenario& settled, Notices& warnings) {
  const std::string& version = job.scenario.engine_version;
  if (!is_read(version)) warnings.push_back(unread_version("LM Studio", version, rules.version));
  if (job.scenario.sequences > settled.sequences)
    warnings.push_back(notice::custom("lm_studio_queues", "params.workload.sequences",
                                      "LM Studio " + std::string(rules.version) + " answers one request at a time; others wait.", "sequences",
                                      grouped(job.scenario.sequences), "1"));
  const std::int64_t predictions = *settled.options.llama_cpp.n_seq_max;
  const std::string unknown = rules.predictions == 1
                                  ? "how it chooses the layers on the GPU and which llama.cpp it runs: its automatic fit and its graphs, "
                                    "with a wider band, were counted as llama.cpp has them today"
                                  : "how it shares the cache among its " + grouped(predictions) +
                                        " predictions and how it chooses the layers on the GPU: both were counted as llama.cpp does "
                                        "it, one cache for all and its automatic fit";
  warnings.push_back(notice::custom("lm_studio_not_verified", "params.engine.name", "LM Studio does not publish " + unknown + ". Not verified.",
                                    "lm-studio", grouped(predictions)));
}

}  // namespace

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min(kContext, model.max_context_tokens), 1}; }

Plan plan(const Job& job) {
  const Rules& rules = rules_for(job.scenario.engine_version);
  Scenario scenario = job.scenario;
  settle(job, rules, scenario);
  Plan plan;
  const bool is_shown = job.explain || (job.memo != nullptr && job.memo->is_shown);
  if (!is_shown && job.scenario.sequences > scenario.sequences)  // a solver's question: it queues them
    plan.impossible = notice::out_of_range("params.workload.sequences", "sequences", "", "1");
  else
    plan = llama_cpp::plan({job.model, job.tensors, scenario, job.explain, job.memo});
  if (rules.predictions == 1) llama_cpp::widen_graphs(plan, llama_cpp::kOtherGraphs);
  plan.report.name = "lm-studio";
  plan.report.version = rules.version;
  plan.report.default_context_tokens = usual_workload(job.model, scenario).context_tokens;
  if (job.explain) add_warnings(job, rules, scenario, plan.warnings);
  return plan;
}

}  // namespace weighbridge::lm_studio

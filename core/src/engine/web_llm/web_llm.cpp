// SPDX-License-Identifier: Apache-2.0
// WebLLM: MLC's weights and cache in a browser, through WebGPU, for one conversation. It has no budget: what the browser gives is the limit, and
// no buffer may be larger than what the device lets a shader bind.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/local_rules.hpp"
#include "engine/mlc/mlc.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::web_llm {

namespace {

constexpr std::int64_t kChunk = 1024;   // of the compiled libraries that src/config.ts lists (cs1k)
constexpr Bytes kLargestBuffer = kGiB;  // src/engine.ts getMaxStorageBufferBindingSize: what is asked of the device
constexpr Source kStepSource{"mlc-ai/web-llm src/config.ts vram_required_MB; mlc-ai/mlc-llm python/mlc_llm/compiler_pass/estimate_memory_usage.py",
                             "https://github.com/mlc-ai/web-llm/blob/c51c9c0b1b4a2e01432362606f79fda42380dc7b/src/config.ts"};
constexpr Source kBrowserSource{"mlc-ai/web-llm src/engine.ts: what the browser and its driver take is logged nowhere",
                                "https://github.com/mlc-ai/web-llm/blob/c51c9c0b1b4a2e01432362606f79fda42380dc7b/src/engine.ts"};

mlc::Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  mlc::Settings s;
  s.sequences = 1;
  s.cache_tokens = scenario.context_tokens;
  s.chunk = std::min(scenario.options.max_num_batched_tokens.value_or(kChunk), std::max<std::int64_t>(1, s.cache_tokens));
  s.value_bytes = mlc::value_bytes(scenario.weights_format);
  return s;
}

/// A step of the prompt as the compiler plans it, and the logits of one token in the processors that choose the next.
Term compute_term(const Job& job, const mlc::Settings& s) {
  std::vector<FormulaRow> rows;
  rows.push_back(mlc::planned_step(job, s));
  rows.push_back(make_row(job.explain, "logits", {{"vocab_size", job.model.vocab_size}, {"bytes_per_logit", 12}}));
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kStepSource;
  for (const FormulaRow& row : rows) term.bytes += row.bytes;
  term.low = term.bytes / 2;
  term.high = 2 * term.bytes + 64 * kMiB;
  if (job.explain) term.formula.rows = std::move(rows);
  return term;
}

Term browser_term(const Job& job) {
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = kBrowserSource;
  term.high = 512 * kMiB;
  if (job.explain) term.formula.rows.push_back({"not_measured", {}, {}, true});
  return term;
}

std::optional<Notice> refusal(const Job& job, const mlc::Settings& s, Plan& plan) {
  const Scenario& scenario = job.scenario;
  if (scenario.hardware.empty())
    return notice::custom("needs_device", "params.hardware", "WebLLM needs a GPU that the browser can use.", "hardware", "[]", "at least one GPU");
  if (scenario.device_count() != 1)
    return notice::custom("layout_not_counted", "params.hardware", "A browser gives WebLLM one GPU: expected one.", "hardware",
                          grouped(scenario.device_count()), "1");
  if (scenario.sequences > 1) return notice::out_of_range("params.workload.sequences", "sequences", grouped(scenario.sequences), "at most 1");
  if (std::optional<Notice> problem = mlc::refusal(job, web_llm_engine(), "WebLLM", plan)) return problem;
  const Bytes largest = mlc::largest_tensor(job, s);
  if (largest <= kLargestBuffer) return std::nullopt;
  return notice::out_of_range("params.weights.format", "maxStorageBufferBindingSize", grouped(difference(largest, Bytes())),
                              "at most " + grouped(difference(kLargestBuffer, Bytes())));
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, web_llm_engine());
  const mlc::Settings s = settle(job);
  plan.impossible = refusal(job, s, plan);
  if (plan.impossible) return plan;
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.capacity = device.limit = group.capacity();
  device.terms.push_back(mlc::weights_term(job, s));
  device.terms.push_back(mlc::cache_term(job, s));
  device.terms.push_back(compute_term(job, s));
  device.terms.push_back(browser_term(job));
  device.reserved = device.total();
  device.observed = device.total() + group.used;
  plan.report.kv_cache_tokens = s.cache_tokens;
  plan.devices.push_back(std::move(device));
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(4096, model.max_context_tokens), 1}; }

}  // namespace weighbridge::web_llm

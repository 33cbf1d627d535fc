// SPDX-License-Identifier: Apache-2.0
// SGLang over equal GPUs. The budget of one GPU, model_runner (_profile_available_bytes):
//   free = what is free once the processes have found each other, before anything is loaded
//   weights + cache = free * mem_fraction_static;  the rest is for everything else, which nobody measures
#include "engine/sglang/sglang.hpp"

#include <algorithm>
#include <cmath>

#include "engine/serving_rules.hpp"

namespace weighbridge::sglang {

namespace {

/// Terms that count against the share, the context's own left out.
Bytes static_part(const DevicePlan& device) {
  Bytes sum;
  for (const Term& term : device.terms)
    if (term.inside_limit && term.id != "overhead") sum += term.bytes;
  return sum;
}

Bytes slack_part(const DevicePlan& device) { return device.total() - device.inside(); }

/// The engine takes a share of what is free beside the context; the limit has the context in it, so that more of it means less of the rest.
DevicePlan plan_stage(const Job& job, const Settings& s, const Rules& rules, const Stage& stage) {
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  const Term context = context_term(job, s);
  device.limit = scaled(device.capacity - context.bytes, s.share) + context.bytes;
  device.terms.push_back(kept_weights(job, stage, [&] { return weights_term(job, s, stage); }));
  Pools pools = pools_of(job, s, stage);
  device.terms.push_back(std::move(pools.cache));
  if (pools.states.bytes > Bytes()) device.terms.push_back(std::move(pools.states));
  if (Term draft = draft_term(job, s, rules, stage); draft.inside_limit && draft.bytes > Bytes()) device.terms.push_back(std::move(draft));
  device.terms.push_back(context);
  for (Term& term : slack_terms(job, s, rules, stage)) device.terms.push_back(std::move(term));
  device.reserved = device.limit + slack_part(device);
  device.observed = device.reserved + group.used;
  return device;
}

/// Bytes for cache and states that the share leaves beside the weights.
Bytes pool_of(const DevicePlan& device) {
  Bytes beside;
  for (const Term& term : device.terms)
    if (term.inside_limit && term.id != "kv_cache" && term.id != "recurrent_state") beside += term.bytes;
  return device.limit - beside;
}

/// The stage with the fewest tokens decides for all; each group of DP attention has a pool of its own.
void report_pool(const Job& job, const Settings& s, const std::vector<Stage>& stages, Plan& plan) {
  std::optional<std::int64_t> least;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::int64_t tokens = pool_tokens(job.model, s, stages[i], pool_of(plan.devices[i]));
    if (!least || tokens < *least) {
      least = tokens;
      plan.report.kv_cache_pool = pool_of(plan.devices[i]);
    }
  }
  const std::int64_t tokens = std::min(least.value_or(0), job.scenario.options.serving.max_total_tokens.value_or(least.value_or(0)));
  plan.report.kv_cache_tokens = tokens;
  plan.report.max_concurrency = static_cast<double>(tokens * s.groups * s.copies) / static_cast<double>(std::max<std::int64_t>(1, s.context));
}

/// A share at which it runs, where the one in force leaves too little on one side and the card would do; thousandths, as the engine rounds.
std::optional<double> working_share(const std::vector<DevicePlan>& devices) {
  double least = 0;
  double most = 1;
  for (const DevicePlan& device : devices) {
    const Bytes overhead = device.inside() - static_part(device);
    const double free = static_cast<double>((device.capacity - overhead).count());
    if (free <= 0) return std::nullopt;
    least = std::max(least, static_cast<double>(static_part(device).count()) / free);
    most = std::min(most, 1 - static_cast<double>(slack_part(device).count()) / free);
  }
  const double lowest = std::ceil(least * 1000) / 1000;
  const double highest = std::floor(most * 1000) / 1000;
  if (lowest > highest || highest <= 0) return std::nullopt;
  return std::max(lowest, highest);
}

bool holds(const DevicePlan& device) { return device.inside() <= device.limit && device.reserved <= device.capacity; }

}  // namespace

Plan plan(const Job& job) {
  Plan plan;
  const Rules& rules = rules_for(job.scenario.engine_version);
  plan.report.name = "sglang";
  plan.report.version = rules.version;
  if (job.explain && !is_known_version(job.scenario.engine_version))
    plan.warnings.push_back(unread_version("SGLang", job.scenario.engine_version, rules.version));
  plan.impossible = refusal(job);
  if (plan.impossible) return plan;
  const Settings settings = settle(job, rules);
  if (job.memo != nullptr) job.memo->block_tokens = settings.page_size;
  plan.impossible = layout_problem(job, settings);
  if (plan.impossible) {
    if (job.explain && job.scenario.parallel.nodes == 1 && plan.impossible->where == "params.parallel.tensor")
      plan.nearest_tensor_parallel = nearest_tensor_parallel(job, settings.tensor);
    return plan;
  }
  if (job.explain) add_warnings(job, settings, plan.warnings);
  const std::vector<Stage> stages = stages_of(job.model, settings.pipeline);
  for (const Stage& stage : stages) plan.devices.push_back(plan_stage(job, settings, rules, stage));
  if (job.explain) report_pool(job, settings, stages, plan);
  plan.report.overlong = Overlong::refuses_request;  // managers/tp_worker.py max_req_len
  if (!std::all_of(plan.devices.begin(), plan.devices.end(), holds)) plan.nearest_share = working_share(plan.devices);
  plan.tight_at_best = job.scenario.hardware.front().device.unified_memory && settings.share > kSafeShareOfSystemMemory;
  // The copies of the model follow one another; with one stage they are alike.
  const std::vector<DevicePlan> copy = plan.devices;
  if (settings.pipeline == 1) plan.devices.front().count *= settings.copies;
  for (std::int64_t i = 1; i < settings.copies && settings.pipeline > 1; ++i) plan.devices.insert(plan.devices.end(), copy.begin(), copy.end());
  return plan;
}

}  // namespace weighbridge::sglang

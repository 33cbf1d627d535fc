// SPDX-License-Identifier: Apache-2.0
#include "advise/moved_job.hpp"

#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "setting_names.hpp"
#include "solve/running.hpp"

namespace weighbridge {

namespace {

Json without(const Trials& trials, Json patch, std::initializer_list<const char*> keys) {
  for (const char* key : keys)
    if (trials.params().contains(key)) patch[key] = nullptr;
  return patch;
}

/// A job where it may fit.
struct Attempt {
  std::optional<MovedJob> job;  ///< empty: it does not surely fit
  bool is_last = false;         ///< no other layout would make a difference
};

/// By little more than formulas, unless it may fit.
Result<Attempt> attempt(Trials& trials, const Json& patch) {
  Result<Setup> setup = trials.read(patch);
  if (!setup && setup.error().code == kRunningDoesNotFit) return Attempt();
  if (!setup) return fail(setup.error());
  const Scenario trial = without_fit(setup->scenario);
  Result<Estimate> least = evaluate_least(*setup->prepared, trial);
  if (!least) return fail(least.error());
  const Attempt failed{{}, least->verdict.kind != VerdictClass::impossible && !heeds_layouts(trial)};
  if (least->verdict.kind != VerdictClass::fits) {
    // An engine that takes a share of the memory may start with a smaller one, if none is asked for; then one is.
    const std::optional<double> share = least->verdict.nearest_share;
    if (!share || trial.options.gpu_memory_utilization) return failed;
    const std::string option(find_engine(trial.engine)->share_option);
    return attempt(trials, together(patch, {{"engine", {{"options", {{option, *share}}}}}}));
  }
  Result<Estimate> answer = evaluate(*setup->prepared, trial);
  if (!answer) return fail(answer.error());
  if (answer->verdict.kind != VerdictClass::fits) return failed;
  if (places_by_itself(setup->scenario)) {
    Result<MovedJob> job = told(trials, patch);
    if (!job) return fail(job.error());
    if (job->answer.verdict.kind != VerdictClass::fits) return failed;
    return Attempt{std::move(*job), true};
  }
  return Attempt{MovedJob{patch, std::move(setup->scenario), std::move(*answer)}, true};
}

}  // namespace

std::vector<Json> in_layouts(const Json& patch, std::int64_t count) {
  std::vector<Json> patches;
  for (const Parallel& p : layouts_of(count)) {
    const Json layout{{"tensor", p.tensor}, {"pipeline", p.pipeline}, {"data", 1}, {"expert", false}};
    patches.push_back(patches.empty() ? patch : together(patch, {{"parallel", layout}}));
  }
  return patches;
}

Json moved_patch(const Trials& trials, Json hardware) {
  Json patch = leave_out(trials, leave_out(trials, Json{{"hardware", std::move(hardware)}}, kSplitOptions), kPlaceOptions);
  return without(trials, std::move(patch), {"parallel", "offload"});
}

Json alone(const Trials& trials, Json patch) { return without(trials, std::move(patch), {"running"}); }

Result<MovedJob> told(Trials& trials, const Json& patch) {
  Result<Setup> setup = trials.read(patch);
  if (!setup) return fail(setup.error());
  Result<Estimate> answer = trials.evaluate_exactly(*setup);
  if (!answer) return fail(answer.error());
  // Only an answer with rows says why, or that a context is refused which a need of more than there is leaves open.
  const Verdict& verdict = answer->verdict;
  const bool is_short = verdict.kind == VerdictClass::no || (verdict.kind == VerdictClass::tight && verdict.need > verdict.limit);
  if (verdict.kind == VerdictClass::impossible || is_short) answer = evaluate_with_rows(*setup->prepared, setup->scenario);
  if (!answer) return fail(answer.error());
  refuse_overlong(*setup->prepared, setup->scenario, *answer);
  offer_ways_out(*setup->prepared, setup->scenario, *answer);
  return MovedJob{patch, std::move(setup->scenario), std::move(*answer)};
}

Result<MovedJob> told_in_some_layout(Trials& trials, const Json& patch, std::int64_t count) {
  std::optional<MovedJob> refused;
  for (const Json& layout : in_layouts(patch, count)) {
    Result<MovedJob> outcome = told(trials, layout);
    if (!outcome || outcome->answer.verdict.kind != VerdictClass::impossible) return outcome;
    if (!refused) refused = std::move(*outcome);
  }
  return std::move(*refused);
}

Result<std::optional<MovedJob>> fitting(Trials& trials, const Json& patch, std::int64_t count) {
  for (const Json& layout : in_layouts(patch, count)) {
    Result<Attempt> made = attempt(trials, layout);
    if (!made) return fail(made.error());
    if (made->is_last) return std::move(made->job);
  }
  return std::optional<MovedJob>();
}

Result<std::optional<MovedJob>> fewest_of(Trials& trials, std::int64_t most, const std::function<Json(std::int64_t)>& patch_of) {
  for (std::int64_t count = 1; count <= most; ++count) {
    Result<std::optional<MovedJob>> outcome = fitting(trials, patch_of(count), count);
    if (!outcome) return outcome;
    if (!*outcome) continue;
    for (std::int64_t fewer = count - 1; fewer > 0 && places_by_itself((*outcome)->scenario); --fewer) {
      Result<MovedJob> job = told(trials, patch_of(fewer));
      if (!job || job->answer.verdict.kind != VerdictClass::fits) break;
      *outcome = std::move(*job);
    }
    return outcome;
  }
  return std::optional<MovedJob>();
}

namespace {

Json patch_of(const Trials& trials, const Machine& machine, std::int64_t count) {
  Json hardware = Json::array();
  for (const MachineDevices& some : machine.devices) hardware.push_back({{"device", some.device}, {"count", some.count}});
  if (count != machine.device_count()) hardware.front()["count"] = count;
  Json patch = alone(trials, moved_patch(trials, std::move(hardware)));
  const auto asked = trials.params().find("host");
  const bool has_host = asked != trials.params().end();
  if (machine.host_memory) {
    patch["host"] = {{"memory_bytes", machine.host_memory->count()}, {"used_bytes", nullptr}};
    if (has_host && asked->contains("bandwidth_gb_s")) patch["host"]["bandwidth_gb_s"] = nullptr;
  } else if (has_host) {
    patch["host"] = nullptr;
  }
  return patch;
}

}  // namespace

Result<MovedJob> told_on(Trials& trials, const Machine& machine) {
  std::optional<MovedJob> refused;
  const std::int64_t all = machine.device_count();
  for (std::int64_t count = all; count >= (machine.devices.size() == 1 ? 1 : all); --count) {
    const Json patch = patch_of(trials, machine, count);
    Result<std::optional<MovedJob>> sure = fitting(trials, patch, count);
    if (!sure) return fail(sure.error());
    Result<MovedJob> job = *sure ? told(trials, (*sure)->patch) : told_in_some_layout(trials, patch, count);
    if (!job || job->answer.verdict.kind != VerdictClass::impossible) return job;
    if (!refused) refused = std::move(*job);
  }
  return std::move(*refused);
}

}  // namespace weighbridge

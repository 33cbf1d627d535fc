// SPDX-License-Identifier: Apache-2.0
// What advice proposes of settings whose value is looked for.
#include <algorithm>
#include <cmath>
#include <utility>

#include "advise/advise_trials.hpp"
#include "advise/moved_job.hpp"
#include "advise/relatives.hpp"
#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "setting_names.hpp"
#include "verdict.hpp"
#include "weighbridge/fit.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kRoundContext = 1024;  // people ask for contexts in whole 1024 tokens
constexpr std::int64_t kMostShare = 98;       // in hundredths: of a whole card the context always has some
constexpr std::int64_t kLeastShare = 50;
constexpr std::int64_t kMostGpus = 64;

/// The largest share worth a thought, in hundredths: an engine that takes it of the whole card does not start beside what lies outside it.
std::int64_t most_share(const Situation& now, const Engine& engine, const DevicePlan& device) {
  if (!engine.shares_total) return kMostShare;
  const double share = largest_utilization(device, now.scenario().hardware[device.group]).value_or(0);
  return std::min(kMostShare, static_cast<std::int64_t>(std::round(share * 100)));
}

/// Hundredths of a card that the engine takes as it is asked now.
std::int64_t present_share(const Situation& now) {
  const DevicePlan& device = now.answer.devices[now.answer.verdict.device];
  const Bytes whole = now.scenario().hardware[device.group].device.runtime_bytes;
  const double usual = static_cast<double>(device.limit.count()) / static_cast<double>(whole.count());
  return static_cast<std::int64_t>(std::floor(now.scenario().options.gpu_memory_utilization.value_or(usual) * 100));
}

Change share_change(const Situation& now, const Engine& engine, double to, Price price) {
  const std::optional<double>& given = now.scenario().options.gpu_memory_utilization;
  return {Strategy::share,
          price,
          std::abs(100 * to - static_cast<double>(present_share(now))),
          given ? Json(*given) : Json(),
          to,
          {{"engine", {{"options", {{std::string(engine.share_option), to}}}}}}};
}

/// Another share of each card. Where the engine's own limit is short: the smallest larger one that surely fits. Where the card is, since what lies
/// outside the limit finds no room: the largest smaller one.
void take_other_share(const Situation& now, const Engine& engine, std::vector<Change>& changes) {
  if (!engine.has_option(engine.share_option) || now.answer.devices.empty()) return;
  const std::int64_t present = present_share(now);
  const auto propose = [&](double to, Price price, bool is_sure) {
    Change change = share_change(now, engine, to, price);
    if (!is_sure && !now.fits_with(change.patch)) return false;
    changes.push_back(std::move(change));
    return true;
  };
  const auto in_hundredths = [](std::int64_t share) { return static_cast<double>(share) / 100; };
  if (now.goal == AdviceGoal::fit) {
    const Verdict& verdict = now.answer.verdict;
    const std::optional<double> share = verdict.nearest_share;
    if (share && propose(*share, Price::less_cache, false)) return;
    // Within its limit and yet not sure: the system has to live in the same memory.
    const bool leaves_too_little = verdict.kind == VerdictClass::tight && verdict.high <= verdict.limit;
    if (verdict.card_binds || leaves_too_little) {
      // Of a share of what is free the verdict names none.
      for (std::int64_t less = std::min(present, kMostShare); !share && less >= kLeastShare; --less)
        if (propose(in_hundredths(less), Price::less_cache, false)) return;
      return;
    }
  }
  const std::int64_t most = most_share(now, engine, now.answer.devices[now.answer.verdict.device]);
  for (std::int64_t share = now.goal == AdviceGoal::room ? std::max(most, present + 1) : present + 1; share <= most; ++share)
    if (propose(in_hundredths(share), Price::less_for_others, share == most)) return;
}

/// A shorter context, at least an eighth of what was asked: the longest that surely fits, or where none does, the longest at the best estimate; else
/// a quarter, to show how far that goes.
void shorten_context(const Situation& now, std::vector<Change>& changes) {
  const std::int64_t asked = now.scenario().context_tokens;
  if (asked < 2) return;
  std::int64_t tokens = asked / 2;
  if (now.goal == AdviceGoal::fit) {
    const Limit limit = solve_context(*now.setup.prepared, now.scenario(), std::min(now.trials.model().max_context_tokens, asked - 1));
    tokens = limit.safe < asked / 8 ? limit.best : limit.safe;
    if (tokens < asked / 8) tokens = std::max<std::int64_t>(1, asked / 4);
  }
  if (tokens > kRoundContext) tokens = tokens / kRoundContext * kRoundContext;
  const double lost = 1 - static_cast<double>(tokens) / static_cast<double>(asked);
  changes.push_back({Strategy::context, Price::shorter_context, lost, asked, tokens, context_patch(now.trials, tokens)});
}

void take_fewer_requests(const Situation& now, std::vector<Change>& changes) {
  const std::int64_t asked = now.scenario().sequences;
  if (asked < 2) return;
  std::int64_t sequences = asked / 2;
  if (now.goal == AdviceGoal::fit) {
    const Limit limit = solve_sequences(*now.setup.prepared, now.scenario(), asked - 1);
    sequences = std::max<std::int64_t>(1, limit.safe == 0 ? limit.best : limit.safe);
  }
  const double lost = 1 - static_cast<double>(sequences) / static_cast<double>(asked);
  changes.push_back({Strategy::sequences, Price::fewer_requests, lost, asked, sequences, sequences_patch(now.trials, sequences)});
}

bool has_memory_of_its_own(const Scenario& scenario) {
  return !scenario.hardware.empty() &&
         std::none_of(scenario.hardware.begin(), scenario.hardware.end(), [](const DeviceGroup& g) { return g.device.unified_memory; });
}

void move_experts(const Situation& now, std::vector<Change>& changes) {
  const std::int64_t before = now.scenario().cpu_moe_layers;
  const std::int64_t all = now.trials.model().n_layers();
  const std::int64_t moved = solve_cpu_moe_layers(*now.setup.prepared, now.scenario(), before).value_or(all);
  changes.push_back(
      {Strategy::experts, Price::experts_on_host, static_cast<double>(moved), before, moved, {{"offload", {{"cpu_moe_layers", moved}}}}});
}

void move_layers(const Situation& now, std::vector<Change>& changes) {
  const std::int64_t on_devices = now.answer.engine.gpu_layers.value_or(0);
  if (on_devices == 0) return;
  const std::optional<std::int64_t> kept = solve_gpu_layers(*now.setup.prepared, now.scenario(), on_devices - 1);
  if (!kept) return;
  changes.push_back(
      {Strategy::layers, Price::layers_on_host, static_cast<double>(on_devices - *kept), on_devices, *kept, gpu_layers_patch(now.trials, *kept)});
}

/// The request with `count` GPUs of its first kind in so many machines, in the engine's own layout.
Json devices_patch(const Situation& now, std::int64_t count, std::int64_t machines) {
  const Json& params = now.trials.params();
  Json rows = params["hardware"];
  rows[0]["count"] = count;
  Json patch = leave_out(now.trials, Json{{"hardware", std::move(rows)}}, kSplitOptions);
  const auto parallel = params.find("parallel");
  if (parallel == params.end()) return patch;
  patch["parallel"] = nullptr;
  if (machines == 1) return patch;
  for (const auto& [key, value] : parallel->items()) patch["parallel"][key] = nullptr;
  patch["parallel"]["nodes"] = machines;
  return patch;
}

/// More GPUs of the first kind, in several machines whole machines more: the fewest with which it surely fits; else the fewest with which it may.
void add_devices(const Situation& now, std::vector<Change>& changes) {
  const Scenario& s = now.scenario();
  if (!has_memory_of_its_own(s) || s.hardware.front().device.stands_alone()) return;
  const std::int64_t count = s.hardware.front().count;
  const std::int64_t nodes = s.parallel.nodes;
  if (nodes > 1 && (s.hardware.size() > 1 || count % nodes != 0)) return;
  const std::int64_t each = nodes > 1 ? count / nodes : 1;
  std::vector<std::int64_t> counts{count + each, count + 2 * each, count + 3 * each, 2 * count, 4 * count, 8 * count};
  if (now.goal == AdviceGoal::room) counts = {2 * count};
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  const bool has_layouts = heeds_layouts(s) && s.hardware.size() == 1;
  std::optional<Change> best;
  bool is_sure = false;
  bool is_possible = false;
  for (const std::int64_t more : counts) {
    if (more > kMostGpus || is_sure) break;
    bool is_first = true;
    for (Json& layout : in_layouts(devices_patch(now, more, nodes > 1 ? more / each : 1), more)) {
      if (!is_first && (!has_layouts || is_sure)) break;
      // What does not fit shows how far the engine's own layout goes.
      const bool is_shown = std::exchange(is_first, false);
      const std::optional<Estimate> outcome = now.with(layout);
      if (!outcome) continue;
      is_sure = outcome->verdict.kind == VerdictClass::fits;
      const bool is_better = !is_possible && (is_shown || may_fit(*outcome));
      if (!is_sure && !is_better) continue;
      is_possible = is_possible || may_fit(*outcome);
      best = Change{Strategy::devices, Price::more_devices, static_cast<double>(more), count, more, std::move(layout)};
    }
  }
  if (best) changes.push_back(std::move(*best));
}

}  // namespace

std::optional<Change> safe_share(const Situation& now) {
  const Engine* engine = find_engine(now.scenario().engine);
  if (engine == nullptr || !engine->shares_total || !engine->has_option(engine->share_option) || now.answer.devices.empty()) return std::nullopt;
  if (now.goal == AdviceGoal::room || now.scenario().options.vllm.kv_cache_memory_bytes) return std::nullopt;
  const DevicePlan& device = now.answer.devices[now.answer.verdict.device];
  const std::optional<double> share = largest_utilization(device, now.scenario().hardware[device.group], Figure::high);
  if (!share || std::lround(*share * 100) >= present_share(now)) return std::nullopt;
  return share_change(now, *engine, *share, Price::less_cache);
}

std::vector<Change> solved_changes(const Situation& now, bool with_host) {
  std::vector<Change> changes;
  const Scenario& s = now.scenario();
  const Engine* engine = find_engine(s.engine);
  if (engine == nullptr) return changes;
  take_other_share(now, *engine, changes);
  shorten_context(now, changes);
  take_fewer_requests(now, changes);
  if (with_host && now.goal == AdviceGoal::fit && s.engine == "llama.cpp" && has_memory_of_its_own(s)) {
    if (first_moe(now.trials.model()) != nullptr) move_experts(now, changes);
    move_layers(now, changes);
  }
  add_devices(now, changes);
  return changes;
}

std::vector<Change> model_changes(const Situation& now, std::vector<std::string>& unread) {
  std::vector<Change> changes;
  bool is_found = false;
  bool is_possible = false;
  for (const CatalogueModel* relative : smaller_relatives(now.trials.catalogue(), now.trials.model().id)) {
    if (now.trials.find_relative(relative->id) == nullptr) {
      unread.push_back(relative->id);
      continue;
    }
    if (is_found) continue;
    // The request's own model may have come with its spec; a relative is one of the catalogue.
    Json patch{{"model", {{"id", relative->id}, {"spec", nullptr}, {"config", nullptr}, {"name", nullptr}, {"hub", nullptr}}}};
    const std::int64_t most = relative->summary.max_context_tokens;
    if (now.scenario().context_tokens > most) patch = together(std::move(patch), context_patch(now.trials, most));
    const std::optional<Estimate> outcome = now.with(patch);
    is_found = outcome && (outcome->verdict.kind == VerdictClass::fits || now.goal == AdviceGoal::room);
    if (!is_found && is_possible) continue;
    is_possible = outcome && may_fit(*outcome);
    changes.assign(1, {Strategy::model, Price::smaller_model, -static_cast<double>(relative->summary.parameters), now.trials.model().name,
                       relative->name, std::move(patch)});
  }
  return changes;
}

}  // namespace weighbridge

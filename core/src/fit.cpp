// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/fit.hpp"

#include "engine/engine.hpp"
#include "engine/local_rules.hpp"
#include "fit_trial.hpp"

namespace weighbridge {

Result<Estimate> evaluate_least(Prepared& prepared, const Scenario& scenario) {
  prepared.memo().graphs = GraphTerms();
  Result<Estimate> least = evaluate(prepared, scenario);
  prepared.memo().graphs.reset();
  return least;
}

Result<Estimate> evaluate_most(Prepared& prepared, const Scenario& scenario) {
  prepared.memo().forms = true;
  Result<Estimate> most = evaluate(prepared, scenario);
  prepared.memo().forms = false;
  return most;
}

bool is_replayed(const Scenario& scenario) {
  const Engine* engine = has_local_rules() ? find_engine(scenario.engine) : nullptr;
  return engine != nullptr && engine->is_llama_cpp();
}

std::int64_t context_step(const Scenario& scenario) {
  const Engine* engine = find_engine(scenario.engine);
  const std::int64_t padding = engine == nullptr ? 1 : engine->context_padding;
  return padding % scenario.sequences == 0 ? padding / scenario.sequences : 1;
}

Scenario without_fit(const Scenario& scenario) {
  Scenario trial = scenario;
  trial.options.llama_cpp.fit = false;
  return trial;
}

std::vector<Parallel> layouts_of(std::int64_t count) {
  std::vector<Parallel> layouts{{count}};
  const bool is_power_of_two = (count & (count - 1)) == 0;
  for (std::int64_t stages = 2; is_power_of_two && stages <= count; stages *= 2) layouts.push_back({count / stages, stages});
  return layouts;
}

bool heeds_layouts(const Scenario& scenario) {
  const Engine* engine = find_engine(scenario.engine);
  return engine != nullptr && !engine->is_llama_cpp() && engine->usual_workload == nullptr;
}

namespace {

/// Layers on the host that nobody asked to be there: the engine leaves them where they do not fit on the devices, as it sees it.
bool leaves_some_by_itself(const Scenario& scenario, const Estimate& result) {
  if (!has_local_rules() || !result.host || !result.host->holds_model || result.devices.empty()) return false;
  const LlamaCppOptions& o = scenario.options.llama_cpp;
  const std::int64_t asked = o.n_gpu_layers.value_or(-1);
  if (asked < 0) return scenario.cpu_moe_layers == 0 && o.override_tensor.empty();
  return result.engine.gpu_layers.value_or(asked) < std::min(asked, result.engine.all_gpu_layers.value_or(asked));
}

/// Room where everything lies that should be there.
Rooms rooms_of(const Scenario& scenario, const Estimate& result, Figure figure) {
  return leaves_some_by_itself(scenario, result) ? Rooms() : rooms(result, figure);
}

Rooms rooms_with(Prepared& prepared, const Scenario& scenario, Figure figure = Figure::best) {
  const OnlyWhole whole(prepared.memo());
  std::optional<WithoutBounds> quick;
  if (figure == Figure::best) quick.emplace(&prepared.memo());
  const Result<Estimate> result = evaluate(prepared, scenario);
  return result ? rooms_of(scenario, *result, figure) : Rooms();
}

/// The scenario holds even if its graphs took more than they can: nothing need be replayed. By the figure; bounds are wider for some graphs.
bool clearly_holds(Prepared& prepared, const Scenario& scenario) {
  const OnlyWhole whole(prepared.memo());
  const WithoutBounds quick(&prepared.memo());
  return holds_at_most(prepared, scenario, [&](const Estimate& most) { return rooms_of(scenario, most, Figure::high); });
}

/// Whether the scenario holds, counted in full only if that is not clear.
bool holds_at(Prepared& prepared, const Scenario& scenario) {
  if (is_replayed(scenario)) {
    const OnlyWhole whole(prepared.memo());
    const Result<Estimate> least = evaluate_least(prepared, scenario);
    if (!least || !holds(rooms_of(scenario, *least, Figure::best))) return false;
    if (clearly_holds(prepared, scenario)) return true;
  }
  return holds(rooms_with(prepared, scenario));
}

/// The largest value in [0, most] of what `set` changes in `trial` that holds; it grows by `step`, memory mostly by `grain` of them.
std::int64_t largest_of(Prepared& prepared, Scenario& trial, std::int64_t most, std::int64_t step, std::int64_t grain, Figure figure, SetValue set) {
  const Engine* engine = find_engine(trial.engine);
  const auto in_turn = engine != nullptr && engine->deals_in_turn ? local_rules().largest_in_turn : nullptr;
  if (in_turn != nullptr) return in_turn(prepared, trial, most, figure, set);
  const Steps steps{step, most};
  return steps.value(largest_holding(steps.count(), grain, [&](std::int64_t count) {
    set(trial, steps.value(count));
    return rooms_with(prepared, trial, figure);
  }));
}

std::int64_t largest_context(Prepared& prepared, const Scenario& scenario, std::int64_t most, Figure figure) {
  Scenario trial = scenario;
  trial.options.max_model_len.reset();  // the answer is what to set it to
  trial.options.llama_cpp.n_ctx.reset();
  trial.context_tokens = most;
  if (most > 0 && figure == Figure::best && clearly_holds(prepared, trial)) return most;
  const auto largest_by = [&](std::int64_t step) {
    const std::int64_t grain = step == 1 ? prepared.memo().block_tokens : 1;
    return largest_of(prepared, trial, most, step, grain, figure, [](Scenario& moved, std::int64_t tokens) { moved.context_tokens = tokens; });
  };
  const std::int64_t step = context_step(trial);
  if (!is_replayed(trial) || step > 1) return largest_by(step);
  // What runs llama.cpp may decide by single tokens, though the cache grows by more.
  const std::int64_t coarse = std::max<std::int64_t>(1, kContextPadding / trial.sequences);
  const std::int64_t best = largest_by(coarse);
  if (best == most) return best;
  const auto rooms_at = [&](std::int64_t tokens) {
    trial.context_tokens = tokens;
    return rooms_with(prepared, trial, figure);
  };
  Rooms next = rooms_at(best + 1);
  return holds(next) ? last_holding({best + 1, std::move(next)}, {std::min(best + coarse, most), {}}, 1, rooms_at) : best;
}

std::int64_t largest_sequences(Prepared& prepared, const Scenario& scenario, std::int64_t most, Figure figure) {
  Scenario trial = scenario;
  trial.options.max_num_seqs.reset();
  trial.options.llama_cpp.n_seq_max.reset();
  trial.options.llama_cpp.n_ctx.reset();
  const auto largest_up_to = [&](std::int64_t limit) {
    return largest_of(prepared, trial, limit, 1, 1, figure, [](Scenario& moved, std::int64_t sequences) { moved.sequences = sequences; });
  };
  trial.sequences = most;
  const auto holds_clearly = [&] { return figure == Figure::best && clearly_holds(prepared, trial); };
  std::int64_t best = most > 0 && holds_clearly() ? most : largest_up_to(most);
  if (!is_replayed(scenario)) return best;
  // llama.cpp plans its graph for a multiple of the sequences, so a few less may take more: 255 of them 765 tokens, 256 only 512.
  const std::int64_t batch = scenario.options.llama_cpp.n_ubatch.value_or(kMicroBatch);
  while (best > 1) {
    const std::int64_t worst = ceil_div(batch, ceil_div(batch, best)) - 1;
    trial.sequences = worst;
    if (worst < 1 || worst * ceil_div(batch, worst) <= best * ceil_div(batch, best) || holds_clearly() || holds(rooms_with(prepared, trial, figure)))
      break;
    best = largest_up_to(worst - 1);
  }
  return best;
}

}  // namespace

std::int64_t solve_max_context(Prepared& prepared, const Scenario& scenario) {
  return largest_context(prepared, scenario, prepared.model().max_context_tokens, Figure::best);
}

std::int64_t solve_safe_context(Prepared& prepared, const Scenario& scenario, std::int64_t best) {
  return largest_context(prepared, scenario, best, Figure::high);
}

std::int64_t solve_max_sequences(Prepared& prepared, const Scenario& scenario) {
  const Engine* engine = find_engine(scenario.engine);
  // What runs llama.cpp chooses devices and batch anew for every number; more may then hold where fewer do not, and halving finds the lower bound.
  const bool has_slots = engine != nullptr && engine->is_llama_cpp() && engine->usual_workload == nullptr;
  return largest_sequences(prepared, scenario, has_slots ? kMostSlots : kMaxSequences, Figure::best);
}

std::int64_t solve_safe_sequences(Prepared& prepared, const Scenario& scenario, std::int64_t best) {
  return largest_sequences(prepared, scenario, best, Figure::high);
}

namespace {

/// So many devices that fewer cannot hold the weights, by the least that one alone would hold of them: without what its kernels pad. Parts of it have
/// no less together.
std::int64_t least_devices(Prepared& prepared, Scenario trial) {
  trial.hardware.front().count = 1;
  trial.parallel = {};
  const Result<Estimate> alone = evaluate(prepared, trial);
  if (!alone || alone->devices.size() != 1) return 1;
  const DevicePlan& device = alone->devices.front();
  if (device.terms.front().id != "weights" || device.capacity == Bytes()) return 1;
  return 1 + static_cast<std::int64_t>((device.terms.front().low - Bytes(1)) / device.capacity);
}

}  // namespace

std::optional<Parallel> solve_fewest_devices(Prepared& prepared, const Scenario& scenario) {
  // What another model takes of each device depends on how many there are.
  if (scenario.hardware.empty() || !scenario.running.empty()) return std::nullopt;
  const std::int64_t tried = is_replayed(scenario) ? llama_cpp::kMostDevices : 64;
  const std::int64_t most = scenario.hardware.front().device.stands_alone() ? 1 : tried;
  Scenario trial = scenario;
  trial.hardware.resize(1);
  trial.options.llama_cpp.tensor_split.clear();
  const bool has_layouts = heeds_layouts(trial);
  for (std::int64_t count = has_layouts ? least_devices(prepared, trial) : 1; count <= most; ++count) {
    trial.hardware.front().count = count;
    for (const Parallel& layout : layouts_of(count)) {
      trial.parallel = layout;
      if (holds_at(prepared, trial)) return layout;
      if (!has_layouts) break;
    }
  }
  return std::nullopt;
}

}  // namespace weighbridge

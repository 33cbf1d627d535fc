// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "advise/moved_job.hpp"
#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "setting_names.hpp"
#include "solve/running.hpp"
#include "verdict.hpp"
#include "weighbridge/fit.hpp"
#include "weighbridge/solve.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostDevices = 64;
constexpr std::array<std::string_view, 6> kUnknowns{"context", "sequences", "cache_type", "devices", "gpu_layers", "cpu_moe_layers"};

class Search {
 public:
  Search(Trials& trials, Unknown find) : trials_(trials), find_(find) {}

  Result<Solution> run() {
    Result<Setup> setup = trials_.read(Json::object());
    if (!setup) return fail(setup.error());
    switch (find_) {
      case Unknown::context:
        return context(*setup);
      case Unknown::sequences:
        return sequences(*setup);
      case Unknown::cache_type:
        return cache_type(setup->scenario);
      case Unknown::devices:
        return devices(setup->scenario);
      case Unknown::gpu_layers:
        return gpu_layers();
      case Unknown::cpu_moe_layers:
        return cpu_moe_layers(setup->scenario);
    }
    return unsupported();
  }

 private:
  [[nodiscard]] tl::unexpected<Error> unsupported() const {
    const std::string name(name_of(find_));
    const std::string expected = "a setting that the engine, the model and the devices have";
    return fail(
        notice::custom("unsupported", "params.find", "`" + name + "` cannot be looked for here: expected " + expected + ".", "find", name, expected));
  }

  Result<Solved> solved(const Json& value, const Json& patch) {
    Result<MovedJob> job = told(trials_, patch);
    if (!job) return fail(job.error());
    return Solved{value, std::move(*job)};
  }

  Result<Solution> nothing() {
    Result<MovedJob> job = told(trials_, Json::object());
    if (!job) return fail(job.error());
    return Solution{std::nullopt, std::nullopt, std::move(*job)};
  }

  /// `patch_of` makes the patch of a value. `next`: nothing at the end of the scale.
  template <class PatchOf>
  Result<Solution> found(std::int64_t value, std::optional<std::int64_t> next, PatchOf patch_of) {
    Solution solution;
    Result<Solved> best = solved(value, patch_of(value));
    if (!best) return fail(best.error());
    // What the solver left open may decide: how the engine places layers by itself, or the host.
    const VerdictClass kind = best->job.answer.verdict.kind;
    const bool is_of_layers = find_ == Unknown::gpu_layers || find_ == Unknown::cpu_moe_layers;  // the others then lie on the host
    if (is_of_layers ? kind == VerdictClass::no || kind == VerdictClass::impossible : kind != VerdictClass::fits) return nothing();
    solution.best = std::move(*best);
    if (!next) return solution;
    Result<Solved> behind = solved(*next, patch_of(*next));
    if (!behind) return fail(behind.error());
    // An engine that runs one at a time lets the others wait, which takes no memory.
    if (find_ == Unknown::sequences && behind->job.answer.verdict.kind == VerdictClass::fits) return solution;
    solution.next = std::move(*behind);
    return solution;
  }

  Result<Solution> context(const Setup& setup) {
    const std::int64_t trained = trials_.model().max_context_tokens;
    const std::int64_t most = solve_context(*setup.prepared, setup.scenario, trained).safe;
    if (most == 0) return nothing();
    const auto next = most < trained ? std::optional(most + 1) : std::nullopt;
    return found(most, next, [&](std::int64_t tokens) { return context_patch(trials_, tokens); });
  }

  Result<Solution> sequences(const Setup& setup) {
    const std::int64_t most = solve_sequences(*setup.prepared, setup.scenario).safe;
    if (most == 0) return nothing();
    const auto next = most < kMaxSequences ? std::optional(most + 1) : std::nullopt;
    return found(most, next, [&](std::int64_t sequences) { return sequences_patch(trials_, sequences); });
  }

  Result<Solution> cache_type(const Scenario& scenario) {
    const Engine* engine = find_engine(scenario.engine);
    if (engine == nullptr || engine->kv_types.empty()) return unsupported();
    Solution solution;
    for (const std::string_view type : cache_types_by_loss(*engine)) {
      Result<Solved> outcome = solved(type, cache_patch(trials_, type));
      if (!outcome) return fail(outcome.error());
      if (outcome->job.answer.verdict.kind == VerdictClass::fits) {
        solution.best = std::move(*outcome);
        return solution;
      }
      // What the engine or the device refuses is no step of the scale.
      if (outcome->job.answer.verdict.kind != VerdictClass::impossible) solution.next = std::move(*outcome);
    }
    return nothing();
  }

  Result<Solution> devices(const Scenario& scenario) {
    if (scenario.hardware.empty()) return unsupported();
    const auto patch_of = [&](std::int64_t many) {
      Json row = trials_.params()["hardware"].front();
      row["count"] = many;
      return moved_patch(trials_, Json::array({std::move(row)}));
    };
    Result<std::optional<MovedJob>> fewest = fewest_of(trials_, kMostDevices, patch_of);
    if (!fewest) return fail(fewest.error());
    if (!*fewest) return nothing();
    const std::int64_t count = (*fewest)->scenario.device_count();
    Solution solution;
    Result<Solved> best = solved(count, (*fewest)->patch);
    if (!best) return fail(best.error());
    solution.best = std::move(*best);
    if (count == 1) return solution;
    Result<MovedJob> job = told_in_some_layout(trials_, patch_of(count - 1), count - 1);
    // With fewer, not even the other models that run there find room.
    if (!job && job.error().code == kRunningDoesNotFit) return solution;
    if (!job) return fail(job.error());
    solution.next = Solved{count - 1, std::move(*job)};
    return solution;
  }

  Result<Solution> gpu_layers() {
    const Json all_patch = gpu_layers_patch(trials_, nullptr);
    const Result<Setup> setup = trials_.read(all_patch);
    if (!setup) return fail(setup.error());
    const Result<Estimate> whole = evaluate(*setup->prepared, without_fit(setup->scenario));
    if (!whole) return fail(whole.error());
    if (whole->verdict.kind == VerdictClass::impossible) return nothing();
    const std::optional<std::int64_t> all = whole->engine.all_gpu_layers;
    if (!all || !whole->engine.gpu_layers || whole->devices.empty()) return unsupported();
    const auto patch_of = [&](std::int64_t layers) { return gpu_layers_patch(trials_, layers); };
    if (whole->engine.gpu_layers == all && holds(device_margin(*whole, Figure::high))) return found(*all, std::nullopt, patch_of);
    const std::optional<std::int64_t> most = solve_gpu_layers(*setup->prepared, setup->scenario, *all - 1);
    if (!most) return nothing();
    return found(*most, *most + 1, patch_of);
  }

  Result<Solution> cpu_moe_layers(const Scenario& scenario) {
    if (scenario.engine != "llama.cpp" || scenario.hardware.empty() || first_moe(trials_.model()) == nullptr) return unsupported();
    const auto patch_of = [](std::int64_t layers) { return Json{{"offload", {{"cpu_moe_layers", layers}}}}; };
    const Result<Setup> setup = trials_.read(patch_of(0));
    if (!setup) return fail(setup.error());
    const std::optional<std::int64_t> fewest = solve_cpu_moe_layers(*setup->prepared, setup->scenario, 0);
    if (!fewest) return nothing();
    return found(*fewest, *fewest > 0 ? std::optional(*fewest - 1) : std::nullopt, patch_of);
  }

  Trials& trials_;
  Unknown find_;
};

}  // namespace

std::string_view name_of(Unknown find) { return kUnknowns[static_cast<std::size_t>(find)]; }

std::optional<Unknown> find_unknown(std::string_view name) {
  const auto found = std::find(kUnknowns.begin(), kUnknowns.end(), name);
  if (found == kUnknowns.end()) return std::nullopt;
  return static_cast<Unknown>(found - kUnknowns.begin());
}

Result<Solution> solve_setting(const Json& params, const Model& model, const Catalogue& catalogue, Unknown find) {
  const std::vector<Model> none;
  Trials trials(params, model, none, catalogue);
  return Search(trials, find).run();
}

Result<CheapestMachine> solve_machine(const Json& params, const Model& model, const Catalogue& catalogue, const std::vector<Machine>& machines,
                                      std::string_view currency) {
  const std::vector<Model> none;
  Trials trials(params, model, none, catalogue);
  std::vector<const Machine*> order;
  for (const Machine& machine : machines)
    if (machine.price && machine.price->currency == currency) order.push_back(&machine);
  std::sort(order.begin(), order.end(), [](const Machine* a, const Machine* b) { return costs_less(*a, *b); });
  CheapestMachine cheapest;
  for (const Machine* machine : order) {
    Result<MovedJob> job = told_on(trials, *machine);
    if (!job) return fail(job.error());
    const bool fits = job->answer.verdict.kind == VerdictClass::fits;
    (fits ? cheapest.best : cheapest.cheaper) = OnMachine{machine, std::move(*job), {}};
    if (fits) return cheapest;
  }
  Result<MovedJob> asked = told(trials, Json::object());
  if (!asked) return fail(asked.error());
  return CheapestMachine{std::nullopt, std::nullopt, std::move(*asked)};
}

}  // namespace weighbridge

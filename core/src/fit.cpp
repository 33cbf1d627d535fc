// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/fit.hpp"

#include <algorithm>
#include <array>

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

bool places_by_itself(const Scenario& scenario) {
  const LlamaCppOptions& o = scenario.options.llama_cpp;
  const Engine* engine = find_engine(scenario.engine);
  const bool is_left_to_it = engine->usual_workload != nullptr || o.fit.value_or(false);
  return engine->is_llama_cpp() && is_left_to_it && !scenario.hardware.empty() && !o.n_gpu_layers;
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

/// How far one setting of a scenario goes. Where counting is quick an evaluation tells both figures, so what was tried for one serves the other.
class Search {
 public:
  Search(Prepared& prepared, Scenario trial, SetValue set) : prepared_(prepared), trial_(std::move(trial)), set_(set), moves_(prepared.memo()) {}

  [[nodiscard]] const Scenario& trial() const { return trial_; }

  /// Takes what was counted at `value` for granted.
  void know(std::int64_t value, const Estimate& counted) {
    Try& known = tries_.emplace_back(Try{value, {Rooms(), Rooms()}});
    if (leaves_some_by_itself(trial_, counted)) return;
    RoomsByFigure rooms = rooms_by_figure(counted);
    for (std::size_t figure = 0; figure < rooms.size(); ++figure) known.rooms[figure] = std::move(rooms[figure]);
  }

  [[nodiscard]] bool clearly_holds_at(std::int64_t value) {
    set_(trial_, value);
    return clearly_holds(prepared_, trial_);
  }

  [[nodiscard]] Rooms rooms_at(std::int64_t value, Figure figure) {
    const auto tried = std::find_if(tries_.begin(), tries_.end(), [&](const Try& known) { return known.value == value && known.of(figure); });
    if (tried != tries_.end()) return *tried->of(figure);
    set_(trial_, value);
    if (is_replayed(trial_)) {
      Rooms rooms = rooms_with(prepared_, trial_, figure);
      tries_.push_back({value, {}});
      tries_.back().of(figure) = rooms;
      return rooms;
    }
    const Result<Estimate> counted = evaluate(prepared_, trial_);
    if (!counted) return {};
    know(value, *counted);
    return *tries_.back().of(figure);
  }

  /// The largest value in [0, most] that holds; it grows by `step`, memory mostly by `grain` of them.
  std::int64_t largest(std::int64_t most, std::int64_t step, std::int64_t grain, Figure figure) {
    const Engine* engine = find_engine(trial_.engine);
    const auto in_turn = engine != nullptr && engine->deals_in_turn ? local_rules().largest_in_turn : nullptr;
    if (in_turn != nullptr) return in_turn(prepared_, trial_, most, grain, figure, set_);
    const Steps steps{step, most};
    const auto at = [&](std::int64_t count) { return rooms_at(steps.value(count), figure); };
    std::optional<Tried> good;
    std::optional<Tried> bad;
    for (const Try& known : tries_) {
      if (!known.of(figure) || known.value < 1 || known.value > most || known.value % step != 0) continue;
      const bool is_good = holds(*known.of(figure));
      std::optional<Tried>& bound = is_good ? good : bad;
      const std::int64_t count = known.value / step;
      if (!bound || (is_good ? count > bound->value : count < bound->value)) bound = {count, *known.of(figure)};
    }
    return steps.value(largest_holding(std::move(good), std::move(bad), steps.count(), grain, at));
  }

 private:
  struct Try {
    std::int64_t value = 0;
    std::array<std::optional<Rooms>, 2> rooms;  ///< by figure; what was not counted is empty

    [[nodiscard]] const std::optional<Rooms>& of(Figure figure) const { return rooms[static_cast<std::size_t>(figure)]; }
    [[nodiscard]] std::optional<Rooms>& of(Figure figure) { return rooms[static_cast<std::size_t>(figure)]; }
  };

  Prepared& prepared_;
  Scenario trial_;
  SetValue set_;
  OnlyWorkloadMoves moves_;
  std::vector<Try> tries_;
};

std::int64_t largest_context(Prepared& prepared, Search& search, std::int64_t most, Figure figure) {
  if (most > 0 && figure == Figure::best && search.clearly_holds_at(most)) return most;
  const auto largest_by = [&](std::int64_t step) { return search.largest(most, step, step == 1 ? prepared.memo().block_tokens : 1, figure); };
  const std::int64_t step = context_step(search.trial());
  if (!is_replayed(search.trial()) || step > 1) return largest_by(step);
  // What runs llama.cpp may decide by single tokens, though the cache grows by more.
  const std::int64_t coarse = std::max<std::int64_t>(1, kContextPadding / search.trial().sequences);
  const std::int64_t best = largest_by(coarse);
  if (best == most) return best;
  const auto rooms_at = [&](std::int64_t tokens) { return search.rooms_at(tokens, figure); };
  Rooms next = rooms_at(best + 1);
  return holds(next) ? last_holding({best + 1, std::move(next)}, {std::min(best + coarse, most), {}}, 1, rooms_at) : best;
}

std::int64_t largest_sequences(Search& search, std::int64_t most, Figure figure) {
  const auto holds_clearly = [&](std::int64_t sequences) { return figure == Figure::best && search.clearly_holds_at(sequences); };
  std::int64_t best = most > 0 && holds_clearly(most) ? most : search.largest(most, 1, 1, figure);
  if (!is_replayed(search.trial())) return best;
  // llama.cpp plans its graph for a multiple of the sequences, so a few less may take more: 255 of them 765 tokens, 256 only 512.
  const std::int64_t batch = search.trial().options.llama_cpp.n_ubatch.value_or(kMicroBatch);
  while (best > 1) {
    const std::int64_t worst = ceil_div(batch, ceil_div(batch, best)) - 1;
    if (worst < 1 || worst * ceil_div(batch, worst) <= best * ceil_div(batch, best) || holds_clearly(worst) || holds(search.rooms_at(worst, figure)))
      break;
    best = search.largest(worst - 1, 1, 1, figure);
  }
  return best;
}

}  // namespace

Limit solve_context(Prepared& prepared, const Scenario& scenario, std::int64_t most, const Estimate* counted) {
  Scenario trial = scenario;
  trial.options.max_model_len.reset();  // the answer is what to set it to
  trial.options.llama_cpp.n_ctx.reset();
  Search search(prepared, std::move(trial), [](Scenario& moved, std::int64_t tokens) { moved.context_tokens = tokens; });
  if (counted != nullptr && !scenario.options.max_model_len) search.know(scenario.context_tokens, *counted);
  Limit limit;
  limit.best = largest_context(prepared, search, most, Figure::best);
  limit.safe = largest_context(prepared, search, limit.best, Figure::high);
  return limit;
}

Limit solve_sequences(Prepared& prepared, const Scenario& scenario, std::int64_t most, const Estimate* counted) {
  // What runs llama.cpp chooses devices and batch anew for every number; more may then hold where fewer do not, and halving finds the lower bound.
  const Engine* engine = find_engine(scenario.engine);
  const bool has_slots = engine != nullptr && engine->is_llama_cpp() && engine->usual_workload == nullptr;
  Scenario trial = scenario;
  trial.options.max_num_seqs.reset();
  trial.options.llama_cpp.n_seq_max.reset();
  trial.options.llama_cpp.n_ctx.reset();
  Search search(prepared, std::move(trial), [](Scenario& moved, std::int64_t sequences) { moved.sequences = sequences; });
  if (counted != nullptr && !scenario.options.max_num_seqs) search.know(scenario.sequences, *counted);
  Limit limit;
  limit.best = largest_sequences(search, std::min(most, has_slots ? kMostSlots : kMaxSequences), Figure::best);
  limit.safe = largest_sequences(search, limit.best, Figure::high);
  return limit;
}

namespace {

/// So many devices that fewer cannot hold the weights, by the least that one alone would hold of them: without what its kernels pad. Parts of it have
/// no less together.
std::int64_t least_devices(Prepared& prepared, Scenario& trial) {
  trial.hardware.front().count = 1;
  trial.parallel = {};
  const Result<Estimate> alone = evaluate(prepared, trial);
  if (!alone || alone->devices.size() != 1) return 1;
  const DevicePlan& device = alone->devices.front();
  if (device.terms.front().id != "weights" || device.capacity == Bytes()) return 1;
  return 1 + static_cast<std::int64_t>((device.terms.front().low - Bytes(1)) / device.capacity);
}

}  // namespace

std::optional<Parallel> solve_fewest_devices(Prepared& prepared, const Scenario& scenario, const Estimate* counted) {
  // What another model takes of each device depends on how many there are.
  if (scenario.hardware.empty() || !scenario.running.empty()) return std::nullopt;
  const std::int64_t tried = is_replayed(scenario) ? llama_cpp::kMostDevices : 64;
  const std::int64_t most = scenario.hardware.front().device.stands_alone() ? 1 : tried;
  Scenario trial = scenario;
  trial.hardware.resize(1);
  trial.options.llama_cpp.tensor_split.clear();
  const bool has_layouts = heeds_layouts(trial);
  const auto is_counted = [&] {
    return counted != nullptr && has_layouts && scenario.hardware.size() == 1 && trial.hardware.front().count == scenario.hardware.front().count &&
           trial.parallel == scenario.parallel;
  };
  for (std::int64_t count = has_layouts ? least_devices(prepared, trial) : 1; count <= most; ++count) {
    trial.hardware.front().count = count;
    for (const Parallel& layout : layouts_of(count)) {
      trial.parallel = layout;
      if (is_counted() ? holds(rooms_of(scenario, *counted, Figure::best)) : holds_at(prepared, trial)) return layout;
      if (!has_layouts) break;
    }
  }
  return std::nullopt;
}

}  // namespace weighbridge

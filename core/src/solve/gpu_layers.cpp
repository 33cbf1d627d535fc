// SPDX-License-Identifier: Apache-2.0
// Apart from the other solvers, since a module without the engines that leave layers on the host does without it (wasm/without_rules.cpp).
#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "verdict.hpp"
#include "weighbridge/fit.hpp"

namespace weighbridge {

namespace {

/// What all devices have left together, by the high bound.
std::int64_t common_room(const Estimate& estimate) {
  Bytes need;
  Bytes limit;
  for (const DevicePlan& device : estimate.devices) {
    need += device.high() * static_cast<std::uint64_t>(device.count);
    limit += device.limit * static_cast<std::uint64_t>(device.count);
  }
  return difference(limit, need);
}

/// Room with as many layers on the devices as were asked for: Ollama may leave some of them to the host.
Margin room_for_asked(const Scenario& scenario, const Result<Estimate>& result) {
  const std::int64_t asked = scenario.options.llama_cpp.n_gpu_layers.value_or(0);
  if (!result || result->engine.gpu_layers.value_or(asked) < asked) return std::nullopt;
  return device_margin(*result, Figure::high);
}

/// By the high bound, of which the figure alone is a part: where that has no room, the rest need not be counted.
Margin room_with_bounds(Prepared& prepared, const Scenario& scenario) {
  {
    const WithoutBounds quick(&prepared.memo());
    const Margin room = room_for_asked(scenario, evaluate(prepared, scenario));
    if (!holds(room)) return room;
  }
  return room_for_asked(scenario, evaluate(prepared, scenario));
}

}  // namespace

std::optional<std::int64_t> solve_gpu_layers(Prepared& prepared, const Scenario& scenario, std::int64_t most) {
  Scenario trial = without_fit(scenario);
  const auto least_at = [&](std::int64_t layers) {
    trial.options.llama_cpp.n_gpu_layers = layers;
    return evaluate_least(prepared, trial);
  };
  // With every layer less the devices need less together.
  most = largest_holding(most, 1, [&](std::int64_t layers) {
    const Result<Estimate> least = least_at(layers);
    return least ? Rooms{common_room(*least)} : Rooms();
  });
  // From there downwards, since the need of the fullest one need not fall with every single layer. By the high bound: what is proposed as the way
  // out must not end in an out-of-memory error.
  std::int64_t graphs = 0;  // what they took of the fullest device with the layers that had no room
  for (std::int64_t layers = most; layers >= 0; --layers) {
    const Result<Estimate> least = least_at(layers);
    const Margin free = room_for_asked(trial, least);
    // With a few layers less they take little less; without any, the processor may take over what is large.
    if (!holds(free) || (layers > 0 && *free < graphs / 2)) continue;
    const Margin room = room_with_bounds(prepared, trial);
    if (holds(room)) return layers;
    if (room) graphs = *free - *room;
  }
  return std::nullopt;
}

std::optional<std::int64_t> solve_cpu_moe_layers(Prepared& prepared, const Scenario& scenario, std::int64_t least) {
  const std::int64_t layers = prepared.model().n_layers();
  Scenario trial = without_fit(scenario);
  const auto room = [](const Result<Estimate>& outcome) { return outcome ? device_margin(*outcome, Figure::high) : std::nullopt; };
  const auto room_beside = [&](std::int64_t kept) {
    trial.cpu_moe_layers = layers - kept;
    return only_room(room(evaluate_least(prepared, trial)));
  };
  // Without the buffers of graphs, which take the time to count, the search comes to no more than that; from there it goes on layer by layer.
  for (std::int64_t moved = layers - largest_holding(layers - least, 1, room_beside); moved <= layers; ++moved) {
    trial.cpu_moe_layers = moved;
    if (holds(room(evaluate(prepared, trial)))) return moved;
  }
  return std::nullopt;
}

}  // namespace weighbridge

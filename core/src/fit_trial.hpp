// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "boundary.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge {

class JsonOut;

/// evaluate() without what takes the time to count, which can only add to the need.
[[nodiscard]] Result<Estimate> evaluate_least(Prepared& prepared, const Scenario& scenario);

/// evaluate() with more for that than it can take: what holds so need not be counted.
[[nodiscard]] Result<Estimate> evaluate_most(Prepared& prepared, const Scenario& scenario);

/// Whether counting takes so much time that it pays to ask first for the least and the most.
[[nodiscard]] bool is_replayed(const Scenario& scenario);

/// Whether it holds so, where that saves time; `room_of` says how much room an answer has.
template <class RoomOf>
bool holds_at_most(Prepared& prepared, const Scenario& scenario, RoomOf room_of) {
  if (!is_replayed(scenario)) return false;
  const Result<Estimate> most = evaluate_most(prepared, scenario);
  return most && holds(room_of(*most));
}

/// What estimate() adds to a verdict that is not `fits`: layers on the host, a system limit that can be raised, what runs instead.
void offer_ways_out(Prepared& prepared, const Scenario& scenario, Estimate& result);

/// For a layout, a weights format, a cache type or ranks that the engine refuses: the nearest that it runs, where the engine named none.
void offer_nearest(Prepared& prepared, const Scenario& scenario, Verdict& verdict);

/// The same for the wire; `json` stays as it is where none was found.
void describe_nearest(const Verdict& verdict, const std::vector<DeviceGroup>& hardware, JsonOut& json);

/// A context that not even one request alone has room for, whatever the others hold: class `impossible`, with what the engine does then
/// (EngineReport::overlong) and the longest one that has.
void refuse_overlong(Prepared& prepared, const Scenario& scenario, Estimate& answer);

/// What a solver moves: everything on the devices, since an engine that fits itself would always hold.
[[nodiscard]] Scenario without_fit(const Scenario& scenario);

/// Whether the engine decides which layers lie on the devices. What runs llama.cpp keeps a margin there, and may leave some to the processor where all
/// would have room, or do with fewer devices than an even split.
[[nodiscard]] bool places_by_itself(const Scenario& scenario);

/// Tokens of a sequence by which its context grows: what lies between two multiples takes the memory of the upper one.
[[nodiscard]] std::int64_t context_step(const Scenario& scenario);

/// Values that grow by `step` up to `most`, which the last one is cut to.
struct Steps {
  std::int64_t step = 1;
  std::int64_t most = 0;

  [[nodiscard]] std::int64_t count() const { return ceil_div(most, step); }
  [[nodiscard]] std::int64_t value(std::int64_t number) const { return std::min(number * step, most); }
};

/// The layouts of `count` equal devices that are tried, in this order: tensor parallel over all, and for powers of two pipelines of such groups, the
/// longest last.
[[nodiscard]] std::vector<Parallel> layouts_of(std::int64_t count);

/// Engines that people run at home deal layers out by themselves, whatever layout is asked for, or know no pipeline.
[[nodiscard]] bool heeds_layouts(const Scenario& scenario);

/// Changes what a search is for.
using SetValue = void (*)(Scenario& trial, std::int64_t value);

/// The largest value in [0, most] that holds, where layers are dealt out in turn (Engine::deals_in_turn): what holds may have gaps. Memory mostly grows
/// by `grain` of the value.
[[nodiscard]] std::int64_t largest_in_turn(Prepared& prepared, Scenario& trial, std::int64_t most, std::int64_t grain, Figure figure, SetValue set);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// The search for the largest value that holds, of engines that give layers to the first device with room for them. Apart from the other solvers: the
// first module of the page has none of these engines.
#include <vector>

#include "fit_trial.hpp"

namespace weighbridge {

namespace {

/// What a value comes to where the layers that a device takes depend on all else that it holds.
struct Dealt {
  Rooms rooms;
  std::vector<Bytes> weights;  ///< of each device
};

Dealt dealt_at(Prepared& prepared, const Scenario& scenario, Figure figure) {
  Dealt dealt;
  const Result<Estimate> result = evaluate(prepared, scenario);
  if (!result) return dealt;
  dealt.rooms = rooms(*result, figure);
  for (const DevicePlan& device : result->devices)
    dealt.weights.push_back(device.terms.front().id == "weights" ? device.terms.front().bytes : Bytes());
  return dealt;
}

/// The largest value in [least, most] that holds, 0 if none does. The room falls as the value grows as long as the layers lie the same; when one more
/// goes to the next device, there may be more again. They only ever go onwards: where they lie the same at both ends, they do between.
template <class DealtOf>
std::int64_t largest_dealt(std::int64_t least, const Dealt& at_least, std::int64_t most, const Dealt& at_most, std::int64_t grain, DealtOf dealt_of) {
  if (holds(at_most.rooms)) return most;
  if (most - least <= 1) return holds(at_least.rooms) ? least : 0;
  if (at_least.weights == at_most.weights) {
    if (!holds(at_least.rooms)) return 0;
    return last_holding({least, at_least.rooms}, {most, at_most.rooms}, grain, [&](std::int64_t value) { return dealt_of(value).rooms; });
  }
  const std::int64_t middle = least + (most - least) / 2;
  const Dealt at_middle = dealt_of(middle);
  const std::int64_t above = largest_dealt(middle, at_middle, most, at_most, grain, dealt_of);
  return above > 0 ? above : largest_dealt(least, at_least, middle, at_middle, grain, dealt_of);
}

}  // namespace

std::int64_t largest_in_turn(Prepared& prepared, Scenario& trial, std::int64_t most, std::int64_t grain, Figure figure, SetValue set) {
  if (most < 1) return 0;
  const auto dealt_of = [&](std::int64_t value) {
    set(trial, value);
    return dealt_at(prepared, trial, figure);
  };
  return largest_dealt(1, dealt_of(1), most, dealt_of(most), grain, dealt_of);
}

}  // namespace weighbridge

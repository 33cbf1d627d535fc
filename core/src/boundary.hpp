// SPDX-License-Identifier: Apache-2.0
// Where a need that grows with a value reaches a limit.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The least of several rooms; nothing if it cannot run this way.
using Margin = std::optional<std::int64_t>;

inline bool holds(Margin room) { return room && *room >= 0; }
[[nodiscard]] bool holds(const Rooms& rooms);

[[nodiscard]] inline Rooms only_room(Margin room) { return room ? Rooms{*room} : Rooms(); }

/// What gives the rooms at a value, borrowed for the call. With a greater value none of them may be larger.
class RoomsAt {
 public:
  template <class F, std::enable_if_t<!std::is_same_v<F, RoomsAt>, int> = 0>
  RoomsAt(const F& rooms_at) : context_(&rooms_at), call_([](const void* f, std::int64_t value) { return (*static_cast<const F*>(f))(value); }) {}
  Rooms operator()(std::int64_t value) const { return call_(context_, value); }

 private:
  const void* context_;
  Rooms (*call_)(const void* context, std::int64_t value);
};

/// A value that was tried, and its rooms.
struct Tried {
  std::int64_t value = 0;
  Rooms rooms;
};

/// The largest value in [good.value, bad.value) that holds; `good` does, `bad` does not. Memory is nearly linear in contexts and requests, so the next
/// trial is where lines through the last two cross zero, each check's by itself; where that does not halve the bracket in three trials, the next one
/// does, which bounds the search whatever the shape. `grain`: steps of the value in which memory mostly grows, tried before what lies between.
[[nodiscard]] std::int64_t last_holding(Tried good, Tried bad, std::int64_t grain, const RoomsAt& rooms_at);

/// The largest value in [good.value, most] that holds; `good` does.
[[nodiscard]] std::int64_t largest_holding_from(Tried good, std::int64_t most, const RoomsAt& rooms_at);

/// The largest value in [0, most] that holds; 0 always does. `good` and `bad`: what is known to hold and not to, if anything, from 1 to `most`.
[[nodiscard]] std::int64_t largest_holding(std::optional<Tried> good, std::optional<Tried> bad, std::int64_t most, std::int64_t grain,
                                           const RoomsAt& rooms_at);

inline std::int64_t largest_holding(std::int64_t most, std::int64_t grain, const RoomsAt& rooms_at) {
  return largest_holding({}, {}, most, grain, rooms_at);
}

}  // namespace weighbridge

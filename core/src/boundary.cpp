// SPDX-License-Identifier: Apache-2.0
#include "boundary.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

/// Where the first of the lines through two trials reaches zero, at most `bound`; nothing if none falls.
std::optional<std::int64_t> crossing(const Tried& a, const Tried& b, std::int64_t bound) {
  if (a.rooms.size() != b.rooms.size()) return std::nullopt;
  std::optional<double> first;
  for (std::size_t check = 0; check < a.rooms.size(); ++check) {
    const double slope = (static_cast<double>(b.rooms[check]) - static_cast<double>(a.rooms[check])) / static_cast<double>(b.value - a.value);
    if (slope >= 0) continue;
    const double zero = static_cast<double>(b.value) - static_cast<double>(b.rooms[check]) / slope;
    first = std::min(first.value_or(zero), zero);
  }
  if (!first) return std::nullopt;
  return static_cast<std::int64_t>(std::clamp(*first, 0.0, static_cast<double>(bound)));
}

}  // namespace

bool holds(const Rooms& rooms) {
  return !rooms.empty() && std::all_of(rooms.begin(), rooms.end(), [](std::int64_t room) { return room >= 0; });
}

std::int64_t last_holding(Tried good, Tried bad, std::int64_t grain, const RoomsAt& rooms_at) {
  std::int64_t widths[] = {2 * bad.value, 2 * bad.value, 2 * bad.value};  // of the bracket before the last trials
  Tried before = bad;                                                     // the last trial but one
  Tried last = good;
  for (std::size_t trial = 0; bad.value - good.value > 1; ++trial) {
    std::int64_t& width = widths[trial % 3];
    const bool is_slow = bad.value - good.value > width / 2;
    width = bad.value - good.value;
    std::optional<std::int64_t> zero;
    if (!is_slow) zero = crossing(before, last, bad.value);
    if (!is_slow && !zero) zero = crossing(good, bad, bad.value);
    std::int64_t next = zero.value_or(good.value + width / 2);
    if (zero) next = std::clamp(next - next % grain, good.value + 1, bad.value - 1);
    before = std::move(last);
    last = {next, rooms_at(next)};
    (holds(last.rooms) ? good : bad) = last;
  }
  return good.value;
}

std::int64_t largest_holding_from(Tried good, std::int64_t most, const RoomsAt& rooms_at) {
  if (most <= good.value) return good.value;
  Tried bad{most, rooms_at(most)};
  return holds(bad.rooms) ? most : last_holding(std::move(good), std::move(bad), 1, rooms_at);
}

std::int64_t largest_holding(std::optional<Tried> good, std::optional<Tried> bad, std::int64_t most, std::int64_t grain, const RoomsAt& rooms_at) {
  if (most < 1) return 0;
  if (!bad) bad = {most, rooms_at(most)};
  if (holds(bad->rooms)) return most;
  if (bad->value == 1) return 0;
  if (!good || good->value > bad->value) good = {1, rooms_at(1)};
  return holds(good->rooms) ? last_holding(std::move(*good), std::move(*bad), grain, rooms_at) : 0;
}

}  // namespace weighbridge

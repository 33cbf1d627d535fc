// SPDX-License-Identifier: Apache-2.0
#include "verdict.hpp"

#include <algorithm>
#include <cmath>

#include "engine/engine.hpp"

namespace weighbridge {

namespace {

Bytes sum_of(const std::vector<Term>& terms, Bytes Term::*figure) {
  Bytes sum;
  for (const Term& term : terms) sum += term.*figure;
  return sum;
}

}  // namespace

Bytes DevicePlan::total() const { return sum_of(terms, &Term::bytes); }
Bytes DevicePlan::low() const { return sum_of(terms, &Term::low); }
Bytes DevicePlan::high() const { return sum_of(terms, &Term::high); }

Bytes HostPlan::total() const { return sum_of(terms, &Term::bytes); }
Bytes HostPlan::low() const { return sum_of(terms, &Term::low); }
Bytes HostPlan::high() const { return sum_of(terms, &Term::high); }

Bytes DevicePlan::inside() const {
  Bytes sum;
  for (const Term& term : terms)
    if (term.inside_limit) sum += term.bytes;
  return sum;
}

namespace {

/// One of the two checks of a device: what counts against a bound, and the bound.
struct Check {
  std::size_t device = 0;
  bool is_card = false;
  Bytes need, low, high, bound;
};

/// The engine's own limit against what counts inside it. Bounds of terms add plainly: no two are known to be independent.
Check engine_check(const DevicePlan& device, std::size_t index) {
  Check check{index, false, {}, {}, {}, device.limit};
  for (const Term& term : device.terms) {
    if (!term.inside_limit) continue;
    check.need += term.bytes;
    check.low += term.low;
    check.high += term.high;
  }
  return check;
}

/// The card against all that the engine takes of it: the whole limit if it reserves a pool, plus what lies outside.
Check card_check(const DevicePlan& device, std::size_t index) {
  Check check{index, true, device.reserved, device.reserved, device.reserved, device.capacity};
  Bytes outside, outside_high, inside_high;
  for (const Term& term : device.terms) {
    if (term.inside_limit) {
      inside_high += term.high;
      continue;
    }
    outside += term.bytes;
    outside_high += term.high;
    check.low = check.low - term.bytes + term.low;
  }
  // What is no pool of a fixed size takes its terms and nothing else: as little as their low bounds, and it may grow to its own high bound.
  if (device.reserved == device.total()) check.low = device.low();
  check.high = std::max(device.reserved > outside ? device.reserved - outside : Bytes(), inside_high) + outside_high;
  return check;
}

VerdictClass classify(const Check& check) {
  if (check.low > check.bound) return VerdictClass::no;
  if (check.need > check.bound || check.high > check.bound) return VerdictClass::tight;
  return VerdictClass::fits;
}

/// Worse verdicts first, and of those that are tight the ones whose best figure is too large; among equals the engine's own limit, which is what a
/// person can set; then the smaller margin.
bool is_worse(const Check& a, const Check& b) {
  const auto rank = [](const Check& c) { return static_cast<int>(classify(c)); };
  if (rank(a) != rank(b)) return rank(a) > rank(b);
  if ((a.need > a.bound) != (b.need > b.bound)) return a.need > a.bound;
  if (a.is_card != b.is_card) return b.is_card;
  return difference(a.bound, a.need) < difference(b.bound, b.need);
}

}  // namespace

Bytes taken_of_card(const DevicePlan& device) { return card_check(device, 0).high; }

Verdict judge(const std::vector<DevicePlan>& devices, bool tight_at_best) {
  if (devices.empty()) return {};
  Check worst = engine_check(devices.front(), 0);
  const auto weigh = [&](const Check& check) {
    if (is_worse(check, worst)) worst = check;
  };
  for (std::size_t index = 0; index < devices.size(); ++index) {
    if (index > 0) weigh(engine_check(devices[index], index));
    weigh(card_check(devices[index], index));
  }
  Verdict verdict;
  verdict.kind = classify(worst);
  if (tight_at_best && verdict.kind == VerdictClass::fits) verdict.kind = VerdictClass::tight;
  verdict.device = worst.device;
  verdict.card_binds = worst.is_card;
  verdict.need = worst.need;
  verdict.low = worst.low;
  verdict.high = worst.high;
  verdict.limit = worst.bound;
  return verdict;
}

std::optional<double> largest_utilization(const DevicePlan& device, const DeviceGroup& group, Figure figure) {
  Bytes outside;
  for (const Term& term : device.terms)
    if (!term.inside_limit) outside += figure == Figure::high ? term.high : term.bytes;
  if (group.device.runtime_bytes == Bytes() || outside > device.capacity) return std::nullopt;
  const double share = static_cast<double>((device.capacity - outside).count()) / static_cast<double>(group.device.runtime_bytes.count());
  const double hundredths = std::floor(share * 100.0) / 100.0;
  if (hundredths < 0.01) return std::nullopt;
  return std::min(hundredths, 1.0);
}

std::optional<double> sure_utilization(const DevicePlan& device, const DeviceGroup& group, double most) {
  std::optional<double> share = largest_utilization(device, group, Figure::high);
  if (share) share = std::min(*share, most);
  if (!share || engine_check(device, 0).high > scaled(group.device.runtime_bytes, *share)) return std::nullopt;
  return share;
}

namespace {

Check host_check(const HostPlan& host) { return {0, false, host.total(), host.low(), host.high(), host.capacity.value_or(Bytes())}; }

std::int64_t room_of(const Check& check, Figure figure) { return difference(check.bound, figure == Figure::high ? check.high : check.need); }

void add_room(RoomsByFigure& left, const Check& check, Figure best = Figure::best, Figure high = Figure::high) {
  left[0].push_back(room_of(check, best));
  left[1].push_back(room_of(check, high));
}

RoomsByFigure rooms_of_devices(const Estimate& estimate) {
  RoomsByFigure left;
  for (Rooms& rooms : left) rooms.reserve(2 * estimate.devices.size() + 1);
  for (std::size_t index = 0; index < estimate.devices.size(); ++index) {
    add_room(left, engine_check(estimate.devices[index], index));
    add_room(left, card_check(estimate.devices[index], index));
  }
  return left;
}

}  // namespace

Rooms device_rooms(const Estimate& estimate, Figure figure) { return std::move(rooms_of_devices(estimate)[static_cast<std::size_t>(figure)]); }

RoomsByFigure rooms_by_figure(const Estimate& estimate) {
  RoomsByFigure left = rooms_of_devices(estimate);
  if (!has_local_rules() || !estimate.host || !estimate.host->capacity) return left;
  const bool is_counted_high = estimate.host->holds_model;  // as weigh_host counts the little that always stays there
  add_room(left, host_check(*estimate.host), Figure::best, is_counted_high ? Figure::high : Figure::best);
  return left;
}

Rooms rooms(const Estimate& estimate, Figure figure) { return std::move(rooms_by_figure(estimate)[static_cast<std::size_t>(figure)]); }

namespace {

std::optional<std::int64_t> least(const Rooms& left) {
  return left.empty() ? std::nullopt : std::optional(*std::min_element(left.begin(), left.end()));
}

}  // namespace

std::optional<std::int64_t> device_margin(const Estimate& estimate, Figure figure) { return least(device_rooms(estimate, figure)); }
std::optional<std::int64_t> margin(const Estimate& estimate, Figure figure) { return least(rooms(estimate, figure)); }

VerdictClass judge_host(const HostPlan& host) { return host.capacity ? classify(host_check(host)) : VerdictClass::unknown; }

Bytes sure_need(const HostPlan& host) {
  // What llama-server keeps of earlier prompts begins empty and grows to limits that can be set (`--cache-ram`, `--ctx-checkpoints`).
  const auto grows_later = [](const Term& term) { return term.id == "prompt_cache" || term.id == "checkpoints"; };
  Bytes sum;
  for (const Term& term : host.terms) sum += grows_later(term) ? term.bytes : term.high;
  return sum;
}

void weigh_host(Verdict& verdict, const HostPlan& host, bool is_alone) {
  const VerdictClass kind = judge_host(host);
  if (!is_alone && verdict.kind == VerdictClass::no) return;
  if (is_alone || kind == VerdictClass::no) {
    const Check check = host_check(host);
    verdict = {};
    verdict.kind = kind;
    verdict.host_binds = true;
    verdict.need = check.need;
    verdict.low = check.low;
    verdict.high = check.high;
    verdict.limit = check.bound;
    return;
  }
  if (!host.holds_model) {
    // The little that always stays on the host is worth a word only where there is too little of it.
    if (host.capacity && host.total() > *host.capacity) verdict.kind = VerdictClass::tight;
    return;
  }
  if (kind == VerdictClass::unknown)
    verdict.kind = VerdictClass::unknown;
  else if (host.total() > *host.capacity)
    verdict.kind = VerdictClass::tight;
  else if (verdict.kind == VerdictClass::fits)
    verdict.kind = VerdictClass::offload;
}

}  // namespace weighbridge

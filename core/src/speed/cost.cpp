// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/cost.hpp"

#include <algorithm>
#include <tuple>

namespace weighbridge {

namespace {

/// Whether `machine` has a price, and at least the devices of `wanted` and no others.
bool is_enough(const Machine& machine, const DeviceGroup& wanted) {
  return machine.price && machine.devices.size() == 1 && machine.devices.front().device == wanted.device.id &&
         machine.devices.front().count >= wanted.count;
}

}  // namespace

std::vector<Cost> costs_of(const std::vector<Machine>& machines, const std::vector<DeviceGroup>& hardware, const Between& tokens_per_second) {
  constexpr double seconds = 3600;
  constexpr double million = 1e6;
  std::vector<Cost> costs;
  if (hardware.size() != 1) return costs;
  const DeviceGroup& wanted = hardware.front();
  for (const Machine& machine : machines) {
    if (!is_enough(machine, wanted)) continue;
    const bool is_larger_than_needed = std::any_of(machines.begin(), machines.end(), [&](const Machine& other) {
      return is_enough(other, wanted) && other.provider == machine.provider && other.device_count() < machine.device_count();
    });
    if (is_larger_than_needed) continue;
    const double hourly = machine.price->per_hour;
    costs.push_back({machine, {hourly * million / (seconds * tokens_per_second.high), hourly * million / (seconds * tokens_per_second.low)}});
  }
  std::sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) {
    return std::tie(a.machine.price->currency, a.machine.price->per_hour, a.machine.id) <
           std::tie(b.machine.price->currency, b.machine.price->per_hour, b.machine.id);
  });
  return costs;
}

}  // namespace weighbridge

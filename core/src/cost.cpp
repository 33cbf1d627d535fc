// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/cost.hpp"

#include <algorithm>
#include <tuple>

namespace weighbridge {

std::vector<Cost> costs_of(const std::vector<PricedMachine>& machines, const std::vector<DeviceGroup>& hardware, const Between& tokens_per_second) {
  constexpr double seconds = 3600;
  constexpr double million = 1e6;
  std::vector<Cost> costs;
  if (hardware.size() != 1) return costs;
  const DeviceGroup& wanted = hardware.front();
  for (const PricedMachine& machine : machines) {
    if (machine.device != wanted.device.id || machine.count < wanted.count) continue;
    const bool is_larger_than_needed = std::any_of(machines.begin(), machines.end(), [&](const PricedMachine& other) {
      const bool is_enough = other.device == wanted.device.id && other.count >= wanted.count;
      return is_enough && other.provider == machine.provider && other.count < machine.count;
    });
    if (is_larger_than_needed) continue;
    const double hourly = machine.price.per_hour;
    costs.push_back({machine, {hourly * million / (seconds * tokens_per_second.high), hourly * million / (seconds * tokens_per_second.low)}});
  }
  std::sort(costs.begin(), costs.end(), [](const Cost& a, const Cost& b) {
    return std::tie(a.machine.price.currency, a.machine.price.per_hour, a.machine.id) <
           std::tie(b.machine.price.currency, b.machine.price.per_hour, b.machine.id);
  });
  return costs;
}

}  // namespace weighbridge

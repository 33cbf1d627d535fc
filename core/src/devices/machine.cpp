// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/machine.hpp"

#include <tuple>

namespace weighbridge {

std::int64_t Machine::device_count() const {
  std::int64_t sum = 0;
  for (const MachineDevices& some : devices) sum += some.count;
  return sum;
}

bool costs_less(const Machine& a, const Machine& b) {
  const auto key = [](const Machine& machine) {
    const HourlyPrice price = machine.price.value_or(HourlyPrice());
    return std::make_tuple(!machine.price, price.currency != "USD", price.currency, price.per_hour, machine.id);
  };
  return key(a) < key(b);
}

}  // namespace weighbridge

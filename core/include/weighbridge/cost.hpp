// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weighbridge/machine.hpp"
#include "weighbridge/speed.hpp"

namespace weighbridge {

/// What a run costs on one machine.
struct Cost {
  Machine machine;             ///< with a price and devices of one kind
  Between per_million_tokens;  ///< generated ones, while all sequences generate, in the price's currency
};

/// Of each provider the machines that have the devices of `hardware` and no more of them than they must, the cheapest first within a currency. Empty
/// where the devices are of several kinds or no machine with a price has so many. The whole machine is paid, whatever part of it runs.
[[nodiscard]] std::vector<Cost> costs_of(const std::vector<Machine>& machines, const std::vector<DeviceGroup>& hardware,
                                         const Between& tokens_per_second);

}  // namespace weighbridge

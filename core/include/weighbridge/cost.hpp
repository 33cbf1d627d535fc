// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weighbridge/speed.hpp"

namespace weighbridge {

/// A price as someone saw it, never without where and when.
struct Price {
  double per_hour = 0;
  std::string currency;  ///< ISO 4217
  std::string date;      ///< YYYY-MM-DD, or less of it where no more is known
  std::string region;
  std::string basis;  ///< how it came to be known, as of all figures of the catalogue
};

/// A machine that can be hired, of core/data/machines: equal devices and their price together.
struct PricedMachine {
  std::string id;
  std::string provider;
  std::string name;
  std::string device;  ///< id of the devices
  std::int64_t count = 0;
  Price price;
};

/// What a run costs on one machine.
struct Cost {
  PricedMachine machine;
  Between per_million_tokens;  ///< generated ones, while all sequences generate, in the price's currency
};

/// Of each provider the machines that have the devices of `hardware` and no more of them than they must, the cheapest first within a currency. Empty
/// where the devices are of several kinds or no machine has so many. The whole machine is paid, whatever part of it runs.
[[nodiscard]] std::vector<Cost> costs_of(const std::vector<PricedMachine>& machines, const std::vector<DeviceGroup>& hardware,
                                         const Between& tokens_per_second);

}  // namespace weighbridge

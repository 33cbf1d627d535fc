// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "weighbridge/units.hpp"

namespace weighbridge {

/// A price as someone saw it, never without where and when.
struct HourlyPrice {
  double per_hour = 0;
  std::string currency;  ///< ISO 4217
  std::string date;      ///< YYYY-MM-DD, or less of it where no more is known
  std::string region;
  std::string basis;  ///< how it came to be known, as of all figures of the catalogue
};

/// Equal devices of a machine.
struct MachineDevices {
  std::string device;  ///< id
  std::int64_t count = 0;
};

/// An instance that can be hired, or a system that can be bought: a row of core/data/machines.
struct Machine {
  std::string id;
  std::string provider;  ///< empty for a system
  std::string name;
  std::vector<MachineDevices> devices;  ///< at least one
  std::optional<Bytes> host_memory;     ///< empty: not known, or that of the devices, which share it
  std::optional<HourlyPrice> price;     ///< of the whole machine

  [[nodiscard]] std::int64_t device_count() const;
};

/// Whether `a` is named before `b` by price: those with one first, US dollars before other currencies, in which most of the catalogue's are; then
/// the cheaper one, then the id.
[[nodiscard]] bool costs_less(const Machine& a, const Machine& b);

}  // namespace weighbridge

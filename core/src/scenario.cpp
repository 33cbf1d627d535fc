// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/scenario.hpp"

#include <algorithm>

namespace weighbridge {

bool Device::runs(std::string_view format) const { return std::find(formats.begin(), formats.end(), format) != formats.end(); }

std::int64_t Scenario::device_count() const {
  std::int64_t count = 0;
  for (const DeviceGroup& group : hardware) count += group.count;
  return count;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "json_out.hpp"
#include "weighbridge/machine.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// Reads `params.machines`, rows of core/data/machines; none where it is absent. A row that does not say its devices is left out.
[[nodiscard]] Result<std::vector<Machine>> read_machines(const Json& params);

/// Names, number of devices and price; what is not known is null.
[[nodiscard]] JsonOut describe_machine(const Machine& machine);

}  // namespace weighbridge

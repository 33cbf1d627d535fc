// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "method.hpp"

namespace weighbridge {

/// Adds `speed` and `receipts`, which ask the rules of every engine.
void add_speed(std::vector<Method>& methods);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace weighbridge {

/// The text of a file that was built into this program; empty if there is none by that name.
[[nodiscard]] std::string_view embedded(std::string_view name);

}  // namespace weighbridge

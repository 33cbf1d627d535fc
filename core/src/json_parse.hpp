// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "json_text.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// Parses JSON text without exceptions; Python's Infinity and NaN are null. Error invalid_json names line, column and the text found there; too_large above 4 MiB of text or
/// 200 levels of nesting, far beyond any request or config.
[[nodiscard]] Result<Json> parse_json(std::string_view text, std::string_view where);

}  // namespace weighbridge

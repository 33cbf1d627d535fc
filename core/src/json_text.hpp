// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace weighbridge {

using Json = nlohmann::ordered_json;

/// A whole number with thousands separated by commas, for messages.
[[nodiscard]] std::string grouped(std::int64_t number);

/// A JSON value as a message may show it: at most 40 characters, valid UTF-8.
[[nodiscard]] std::string excerpt(const Json& value);

/// `value` as a whole number if it is one and fits: 16, 16.0, but not 16.5, "16" or 1e30.
[[nodiscard]] std::optional<std::int64_t> whole_number_of(const Json& value);

[[nodiscard]] std::string lower_case(std::string_view text);

/// Whether `text` is one of `names`.
[[nodiscard]] bool is_any_of(std::string_view text, std::initializer_list<std::string_view> names);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "weighbridge/file_reader.hpp"

namespace weighbridge {

/// The keys of one architecture, `{architecture}.*`. A value is there once, or once for each layer.
class GgufKeys {
 public:
  explicit GgufKeys(const GgufHeader& header) : header_(header), prefix_(std::string(header.text("general.architecture")) + ".") {}

  [[nodiscard]] const GgufValue* find(std::string_view key) const { return header_.find(prefix_ + std::string(key)); }
  /// The value for `layer`, or `fallback` if the key is missing, negative or has none for it.
  [[nodiscard]] std::int64_t number(std::string_view key, std::int64_t fallback = 0, std::size_t layer = 0) const {
    const GgufValue* value = find(key);
    if (value == nullptr) return fallback;
    if (value->type != GgufType::array) return in_range(value->whole_number(), fallback);
    const auto values = value->whole_numbers();
    return values && layer < values->size() ? in_range((*values)[layer], fallback) : fallback;
  }

 private:
  /// No size of a model is larger; products of a few of them stay within int64.
  static constexpr std::int64_t kMost = std::int64_t{1} << 31;
  [[nodiscard]] static std::int64_t in_range(std::optional<std::int64_t> number, std::int64_t fallback) {
    return number && *number >= 0 && *number <= kMost ? *number : fallback;
  }

  const GgufHeader& header_;
  std::string prefix_;
};

}  // namespace weighbridge

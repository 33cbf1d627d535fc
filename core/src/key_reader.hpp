// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "json_text.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// Reads typed keys of one JSON object. The first problem is kept and every later read answers 0, so a reader lists its keys and asks once
/// at the end whether all was well.
class KeyReader {
 public:
  KeyReader(const Json& object, std::string_view where, Notices& warnings) : object_(object), where_(where), warnings_(warnings) {}

  [[nodiscard]] const Json& json() const { return object_; }
  /// A reader of the object under `key`; its error is its own until adopt() takes it over. Requires that the value is an object.
  [[nodiscard]] KeyReader under(std::string_view key) const { return {*object_.find(key), path(key), warnings_}; }
  /// The same for `object`, which stands for what is under `key`, with defaults filled in. It must outlive the reader.
  [[nodiscard]] KeyReader over(const Json& object, std::string_view key) const { return {object, path(key), warnings_}; }
  void adopt(const KeyReader& inner) {
    if (inner.error_) fail(*inner.error_);
  }
  [[nodiscard]] bool has(std::string_view key) const;
  /// A positive whole number up to `most`; missing is an error.
  [[nodiscard]] std::int64_t positive(std::string_view key, std::int64_t most);
  /// The same; missing (or null) means `fallback`, with a warning that names `reason` unless it is empty.
  [[nodiscard]] std::int64_t positive_or(std::string_view key, std::int64_t most, std::int64_t fallback, std::string_view reason);
  /// A whole number from 0 up to `most`; missing (or null) means 0, silently: absence says that the model has none.
  [[nodiscard]] std::int64_t count_or_zero(std::string_view key, std::int64_t most);
  [[nodiscard]] bool flag_or(std::string_view key, bool fallback);
  /// A number above 0 and up to `most`, or nothing if the key is absent. `said`: what is expected, if it is less than what is read.
  [[nodiscard]] std::optional<double> fraction(std::string_view key, double most, std::string_view said = {});
  /// A positive whole number up to `most`, or nothing if the key is absent.
  [[nodiscard]] std::optional<std::int64_t> positive_if_given(std::string_view key, std::int64_t most) { return whole_number(key, 1, most); }
  /// A whole number from `least` to `most`, or nothing if the key is absent.
  [[nodiscard]] std::optional<std::int64_t> whole_number_if_given(std::string_view key, std::int64_t least, std::int64_t most) {
    return whole_number(key, least, most);
  }
  [[nodiscard]] std::optional<bool> flag_if_given(std::string_view key);
  [[nodiscard]] std::optional<std::string> text_if_given(std::string_view key);
  /// Warns of every key that is not in `known`.
  void warn_of_other_keys(std::initializer_list<std::string_view> known) { warn_of_other_keys({known.begin(), known.size()}); }
  void warn_of_other_keys(std::span<const std::string_view> known);

  void fail(Error error);
  [[nodiscard]] std::string path(std::string_view key) const { return where_ + "." + std::string(key); }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void warn(Notice notice) { warnings_.push_back(std::move(notice)); }

 private:
  [[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view key, std::int64_t least, std::int64_t most);

  const Json& object_;
  std::string where_;
  Notices& warnings_;
  std::optional<Error> error_;
};

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "key_reader.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

const Json* find_value(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

}  // namespace

bool KeyReader::has(std::string_view key) const { return find_value(object_, key) != nullptr; }

void KeyReader::fail(Error error) {
  if (!error_) error_ = std::move(error);
}

std::optional<std::int64_t> KeyReader::whole_number(std::string_view key, std::int64_t least, std::int64_t most) {
  const Json* value = find_value(object_, key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = "a whole number from " + grouped(least) + " to " + grouped(most);
  const std::optional<std::int64_t> number = whole_number_of(*value);
  if (!number) {
    // A number that is whole but beyond int64, or a fraction, is out of range; everything else has the wrong type.
    fail(value->is_number() ? notice::out_of_range(path(key), std::string(key), excerpt(*value), expected)
                            : notice::wrong_type(path(key), std::string(key), excerpt(*value), expected));
    return std::nullopt;
  }
  if (*number < least || *number > most) {
    fail(notice::out_of_range(path(key), std::string(key), excerpt(*value), expected));
    return std::nullopt;
  }
  return number;
}

std::int64_t KeyReader::positive(std::string_view key, std::int64_t most) {
  if (!has(key)) {
    fail(notice::missing_key(path(key), std::string(key), "a whole number from 1 to " + grouped(most)));
    return 0;
  }
  return whole_number(key, 1, most).value_or(0);
}

std::int64_t KeyReader::positive_or(std::string_view key, std::int64_t most, std::int64_t fallback, std::string_view reason) {
  if (has(key)) return whole_number(key, 1, most).value_or(0);
  if (!reason.empty()) warn(notice::assumed_default(path(key), std::string(key), grouped(fallback), std::string(reason)));
  return fallback;
}

std::int64_t KeyReader::count_or_zero(std::string_view key, std::int64_t most) { return whole_number(key, 0, most).value_or(0); }

bool KeyReader::flag_or(std::string_view key, bool fallback) {
  const Json* value = find_value(object_, key);
  if (value == nullptr) return fallback;
  if (value->is_boolean()) return value->get<bool>();
  fail(notice::wrong_type(path(key), std::string(key), excerpt(*value), "true or false"));
  return fallback;
}

std::optional<double> KeyReader::fraction(std::string_view key, double most, std::string_view said) {
  const Json* value = find_value(object_, key);
  if (value == nullptr) return std::nullopt;
  const std::string expected = said.empty() ? "a number above 0, up to " + Json(most).dump() : std::string(said);
  if (!value->is_number()) {
    fail(notice::wrong_type(path(key), std::string(key), excerpt(*value), expected));
    return std::nullopt;
  }
  const double number = value->get<double>();
  if (number > 0 && number <= most) return number;
  fail(notice::out_of_range(path(key), std::string(key), excerpt(*value), expected));
  return std::nullopt;
}

std::optional<bool> KeyReader::flag_if_given(std::string_view key) { return has(key) ? std::optional<bool>(flag_or(key, false)) : std::nullopt; }

std::optional<std::string> KeyReader::text_if_given(std::string_view key) {
  const Json* value = find_value(object_, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_string()) return value->get<std::string>();
  fail(notice::wrong_type(path(key), std::string(key), excerpt(*value), "a text"));
  return std::nullopt;
}

void KeyReader::warn_of_other_keys(std::span<const std::string_view> known) {
  for (const auto& item : object_.items())
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) warn(notice::unknown_key(path(item.key()), item.key()));
}

}  // namespace weighbridge

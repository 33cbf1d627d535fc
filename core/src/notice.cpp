// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "weighbridge/result.hpp"

namespace weighbridge::notice {

namespace {

Notice make(std::string code, std::string where, std::string message, std::string key, std::string value, std::string expected) {
  return {std::move(code), std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected)};
}

}  // namespace

Notice missing_key(std::string where, std::string key, std::string expected) {
  std::string message = "`" + key + "` is missing: expected " + expected + ".";
  return make("missing_key", std::move(where), std::move(message), std::move(key), "", std::move(expected));
}

Notice wrong_type(std::string where, std::string key, std::string value, std::string expected) {
  std::string message = "`" + key + "`: expected " + expected + ", got " + value + ".";
  return make("wrong_type", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

Notice out_of_range(std::string where, std::string key, std::string value, std::string expected) {
  std::string message = "`" + key + "`: expected " + expected + ", got " + value + ".";
  return make("out_of_range", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

Notice not_divisible(std::string where, std::string key, std::string value, std::string expected) {
  std::string message = "`" + key + "` = " + value + " cannot be split this way: expected " + expected + ".";
  return make("not_divisible", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

Notice unknown(std::string code, std::string where, std::string key, std::string value, std::string expected) {
  std::string message = "We do not know the " + key + " `" + value + "`: expected " + expected + ".";
  return make(std::move(code), std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

Notice unknown_key(std::string where, std::string key) {
  std::string message = "`" + key + "` is not a key we read; it was not counted.";
  return make("unknown_key", std::move(where), std::move(message), std::move(key), "", "");
}

Notice assumed_default(std::string where, std::string key, std::string value, std::string reason) {
  std::string message = "config.json has no `" + key + "`. We took " + value + " (" + reason + ").";
  return make("assumed_default", std::move(where), std::move(message), std::move(key), std::move(value), std::move(reason));
}

Notice custom(std::string code, std::string where, std::string message, std::string key, std::string value, std::string expected) {
  return make(std::move(code), std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

}  // namespace weighbridge::notice

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "json_text.hpp"

namespace weighbridge {

struct JsonField;

/// JSON that is only written, never read again: a value becomes text at once. Answers hold thousands of values, and a tree of them costs
/// ten times as much. Written as a tree would be: `JsonOut{{"id", id}, {"bytes", 5}}`, `JsonOut::array()`, `push_back()`.
class JsonOut {
 public:
  JsonOut() : text_("null") {}
  JsonOut(std::nullptr_t) : JsonOut() {}
  JsonOut(const char* text) : JsonOut(std::string_view(text)) {}
  JsonOut(const std::string& text) : JsonOut(std::string_view(text)) {}
  JsonOut(std::string_view text);
  JsonOut(double number) : text_(Json(number).dump()) {}
  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  JsonOut(T number) {
    if constexpr (std::is_same_v<T, bool>)
      text_ = number ? "true" : "false";
    else
      text_ = std::to_string(number);
  }
  template <class T>
  JsonOut(const std::vector<T>& items) : JsonOut(array()) {
    for (const T& item : items) push_back(item);
  }
  /// Invalid UTF-8 becomes U+FFFD.
  JsonOut(const Json& tree) : text_(tree.dump(-1, ' ', false, Json::error_handler_t::replace)) {}
  /// An object.
  JsonOut(std::initializer_list<JsonField> fields);

  [[nodiscard]] static JsonOut array();
  /// Adds an item to an array.
  void push_back(const JsonOut& item);
  /// Adds a key to an object; the key must be new.
  void add(std::string_view key, const JsonOut& value);

  /// This object, which must not be empty, with one more key in front.
  [[nodiscard]] JsonOut with_first(std::string_view key, const JsonOut& value) const;

  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct JsonField {
  std::string_view key;  ///< plain ASCII without quotes
  JsonOut value;
};

}  // namespace weighbridge

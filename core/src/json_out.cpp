// SPDX-License-Identifier: Apache-2.0
#include "json_out.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

bool is_plain(std::string_view text) {
  for (const char c : text)
    if (c < ' ' || c > '~' || c == '"' || c == '\\') return false;
  return true;
}

char* put(char* at, std::string_view text) { return std::copy(text.begin(), text.end(), at); }

constexpr std::size_t kAroundField = 4;  // quotes, a colon, and the comma before or the brace behind

char* put_field(char* at, std::string_view key, const JsonOut& value) {
  *at++ = '"';
  at = put(at, key);
  *at++ = '"';
  *at++ = ':';
  return put(at, value.text());
}

}  // namespace

JsonOut::JsonOut(std::string_view text) {
  if (!is_plain(text)) {
    *this = JsonOut(Json(text));
    return;
  }
  text_.assign(text.size() + 2, '"');
  put(text_.data() + 1, text);
}

JsonOut::JsonOut(std::initializer_list<JsonField> fields) {
  std::size_t size = 1;
  for (const JsonField& field : fields) size += field.key.size() + field.value.text_.size() + kAroundField;
  text_.assign(std::max<std::size_t>(size, 2), '}');
  char* at = text_.data();
  *at++ = '{';
  for (const JsonField& field : fields) {
    at = put_field(at, field.key, field.value);
    *at++ = ',';
  }
  text_.back() = '}';
}

JsonOut JsonOut::array() {
  JsonOut list;
  list.text_ = "[]";
  return list;
}

void JsonOut::push_back(const JsonOut& item) {
  text_.back() = ',';
  if (text_.size() == 2) text_.pop_back();
  text_ += item.text_;
  text_ += ']';
}

void JsonOut::add(std::string_view key, const JsonOut& value) {
  std::size_t end = text_.size();
  text_.back() = ',';
  if (end == 2) --end;
  text_.resize(end + key.size() + value.text_.size() + kAroundField);
  put_field(text_.data() + end, key, value);
  text_.back() = '}';
}

JsonOut JsonOut::with_first(std::string_view key, const JsonOut& value) const {
  JsonOut longer;
  longer.text_.assign(text_.size() + key.size() + value.text_.size() + kAroundField, '{');
  char* at = put_field(longer.text_.data() + 1, key, value);
  *at++ = ',';
  put(at, std::string_view(text_).substr(1));
  return longer;
}

}  // namespace weighbridge

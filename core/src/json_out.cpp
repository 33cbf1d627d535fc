// SPDX-License-Identifier: Apache-2.0
#include "json_out.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

bool needs_no_escape(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

void append_field(std::string& text, std::string_view key, const JsonOut& value) {
  text += '"';
  text += key;
  text += "\":";
  text += value.text();
}

}  // namespace

JsonOut::JsonOut(std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), needs_no_escape)) {
    *this = JsonOut(Json(text));
    return;
  }
  text_.reserve(text.size() + 2);
  text_ += '"';
  text_ += text;
  text_ += '"';
}

JsonOut::JsonOut(std::initializer_list<JsonField> fields) {
  std::size_t size = 2;
  for (const JsonField& field : fields) size += field.key.size() + field.value.text_.size() + 4;
  text_.reserve(size);
  text_ += '{';
  for (const JsonField& field : fields) {
    if (text_.size() > 1) text_ += ',';
    append_field(text_, field.key, field.value);
  }
  text_ += '}';
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
  text_.back() = ',';
  if (text_.size() == 2) text_.pop_back();
  append_field(text_, key, value);
  text_ += '}';
}

JsonOut JsonOut::with_first(std::string_view key, const JsonOut& value) const {
  JsonOut longer;
  longer.text_.reserve(text_.size() + key.size() + value.text_.size() + 4);
  longer.text_ = '{';
  append_field(longer.text_, key, value);
  longer.text_ += ',';
  longer.text_.append(text_, 1);
  return longer;
}

}  // namespace weighbridge

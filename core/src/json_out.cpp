// SPDX-License-Identifier: Apache-2.0
#include "json_out.hpp"

#include <algorithm>
#include <charconv>

namespace weighbridge {

namespace {

bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

char* copy_to(char* at, std::string_view text) { return std::copy(text.begin(), text.end(), at); }

constexpr std::size_t kLeastRoom = 256;
constexpr std::size_t kMostDigits = 20;  // of 64 bits, with a sign

}  // namespace

JsonValue::JsonValue(std::string_view text) : kind_(Kind::text), size_(text.size()) { text_ = text.data(); }
JsonValue::JsonValue(Kind kind, std::uint64_t whole) : kind_(kind) { whole_ = whole; }

JsonOut JsonOut::array() {
  JsonOut list;
  list.size_ = 0;
  list.put("[]");
  return list;
}

char* JsonOut::room_for(std::size_t size) {
  if (size_ + size > capacity_) {
    capacity_ = std::max({kLeastRoom, 2 * capacity_, size_ + size});
    std::unique_ptr<char[]> larger(new char[capacity_]);
    copy_to(larger.get(), text());
    buffer_ = std::move(larger);
  }
  return buffer_.get() + size_;
}

void JsonOut::put(char c) {
  *room_for(1) = c;
  ++size_;
}

void JsonOut::put(std::string_view text) {
  copy_to(room_for(text.size()), text);
  size_ += text.size();
}

void JsonOut::put_quoted(std::string_view text) {
  char* at = room_for(text.size() + 2);
  *at++ = '"';
  for (const char c : text) {
    if (!is_plain(c)) return append(Json(text));
    *at++ = c;
  }
  *at = '"';
  size_ += text.size() + 2;
}

void JsonOut::append(const JsonField& field) {
  const std::string_view key = field.key;
  char* at = room_for(key.size() + 3);
  *at++ = '"';
  at = copy_to(at, key);
  *at++ = '"';
  *at = ':';
  size_ += key.size() + 3;
  append(field.value);
}

void JsonOut::append(const JsonValue& value) {
  using Kind = JsonValue::Kind;
  const auto append_whole = [this](auto number) {
    char* at = room_for(kMostDigits);
    size_ += static_cast<std::size_t>(std::to_chars(at, at + kMostDigits, number).ptr - at);
  };
  switch (value.kind_) {
    case Kind::null:
    case Kind::absent:
      return put("null");
    case Kind::flag:
      return put(value.whole_ != 0 ? "true" : "false");
    case Kind::integer:
      return append_whole(static_cast<std::int64_t>(value.whole_));
    case Kind::natural:
      return append_whole(value.whole_);
    case Kind::number:
      return append(Json(value.number_));
    case Kind::text:
      return put_quoted({value.text_, value.size_});
    case Kind::tree:
      return put(std::string_view(value.tree_->dump(-1, ' ', false, Json::error_handler_t::replace)));
    case Kind::written:
      return put(value.written_->text());
    case Kind::fields:
      put('{');
      for (std::size_t i = 0, written = 0; i < value.size_; ++i) {
        if (value.fields_[i].value.kind_ == Kind::absent) continue;
        if (written++ > 0) put(',');
        append(value.fields_[i]);
      }
      return put('}');
    case Kind::list:
      put("[]");
      return value.write_(value.list_, *this);
  }
}

void JsonOut::reopen() {
  buffer_[size_ - 1] = ',';
  const char before = buffer_[size_ - 2];
  if (before == '[' || before == '{') --size_;
}

void JsonOut::push_back(const JsonValue& item) {
  reopen();
  append(item);
  put(']');
}

void JsonOut::push_back(const JsonField& first, const JsonOut& object) {
  reopen();
  put('{');
  append(first);
  put(',');
  put(object.text().substr(1));
  put(']');
}

void JsonOut::add(const JsonField& field) {
  if (field.value.kind_ == JsonValue::Kind::absent) return;
  reopen();
  append(field);
  put('}');
}

}  // namespace weighbridge

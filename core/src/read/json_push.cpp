// SPDX-License-Identifier: Apache-2.0
#include "read/json_push.hpp"

namespace weighbridge {

namespace {

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_token(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E'; }
bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

void append_utf8(std::string& text, std::uint32_t code) {
  const auto tail = [&](int shift) { text += static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0U | code >> 6);
    tail(0);
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0U | code >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0U | code >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
}

/// Bytes that follow a lead byte of UTF-8, and where the first of them lies: table 3-7 of the Unicode standard, which has no overlong forms, no
/// surrogates and nothing above U+10FFFF.
struct Tails {
  int count = 0;
  unsigned char least = 0x80;
  unsigned char most = 0xBF;
};

Tails tails_of(unsigned char lead) {
  if (lead >= 0xC2 && lead < 0xE0) return {1};
  if (lead == 0xE0) return {2, 0xA0};
  if (lead == 0xED) return {2, 0x80, 0x9F};
  if (lead > 0xE0 && lead < 0xF0) return {2};
  if (lead == 0xF0) return {3, 0x90};
  if (lead == 0xF4) return {3, 0x80, 0x8F};
  if (lead > 0xF0 && lead < 0xF4) return {3};
  return {};  // no lead byte
}

bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    if (lead < 0x80) continue;
    Tails tails = tails_of(lead);
    if (tails.count == 0) return false;
    for (; tails.count > 0; --tails.count) {
      if (++i == text.size()) return false;
      const auto tail = static_cast<unsigned char>(text[i]);
      if (tail < tails.least || tail > tails.most) return false;
      tails.least = 0x80;
      tails.most = 0xBF;
    }
  }
  return true;
}

bool is_number(std::string_view text) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t start = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    return i > start;
  };
  if (i < text.size() && text[i] == '-') ++i;
  if (i < text.size() && text[i] == '0')
    ++i;
  else if (!digits())
    return false;
  if (i < text.size() && text[i] == '.' && (++i, !digits())) return false;
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) ++i;
    if (!digits()) return false;
  }
  return i == text.size();
}

}  // namespace

bool JsonPush::push(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (state_ == State::text && high_surrogate_ == 0) {
      const std::size_t start = i;
      while (i < text.size() && is_plain(text[i])) ++i;
      token_.append(text, start, i - start);
      position_ += i - start;
      if (i == text.size()) break;
    }
    ++position_;
    if (!step(text[i])) return false;
  }
  return true;
}

bool JsonPush::end() {
  if (state_ == State::token && !end_token()) return false;
  return state_ == State::after || refuse();
}

bool JsonPush::step(char c) {
  if (state_ == State::token) {
    if (is_token(c)) {
      token_ += c;
      return true;
    }
    if (!end_token()) return false;
  }
  switch (state_) {
    case State::text:
      if (c == '\\') {
        state_ = State::escape;
        return true;
      }
      return c == '"' && high_surrogate_ == 0 ? end_text() : refuse();
    case State::escape:
      return escape(c);
    case State::unicode:
      return unicode(c);
    default:
      break;
  }
  if (is_space(c)) return true;
  switch (state_) {
    case State::value_or_close:
      return c == ']' ? close(c) : begin_value(c);
    case State::value:
      return begin_value(c);
    case State::key_or_close:
      if (c == '}') return close(c);
      [[fallthrough]];
    case State::key:
      if (c != '"') return refuse();
      begin_text(true);
      return true;
    case State::colon:
      if (c != ':') return refuse();
      state_ = State::value;
      return true;
    case State::comma_or_close:
      if (c != ',') return close(c);
      state_ = in_object() ? State::key : State::value;
      return true;
    default:
      return refuse();
  }
}

bool JsonPush::begin_value(char c) {
  if (c == '{' || c == '[') return open(c);
  if (c == '"') {
    begin_text(false);
    return true;
  }
  if (!is_token(c)) return refuse();
  token_.assign(1, c);
  state_ = State::token;
  return true;
}

bool JsonPush::open(char bracket) {
  if (levels_ == kMostLevels) return refuse();
  ++levels_;
  objects_ = objects_ << 1 | (bracket == '{' ? 1U : 0U);
  state_ = bracket == '{' ? State::key_or_close : State::value_or_close;
  return events_.on_open(bracket);
}

bool JsonPush::close(char bracket) {
  if (bracket != (in_object() ? '}' : ']')) return refuse();
  --levels_;
  objects_ >>= 1;
  end_value();
  return events_.on_close();
}

void JsonPush::begin_text(bool key) {
  token_.clear();
  is_key_ = key;
  state_ = State::text;
}

bool JsonPush::end_text() {
  if (!is_utf8(token_)) return refuse();
  if (is_key_) {
    state_ = State::colon;
    return events_.on_key(token_);
  }
  end_value();
  return events_.on_string(token_);
}

bool JsonPush::end_token() {
  if (token_ != "true" && token_ != "false" && token_ != "null" && !is_number(token_)) return refuse();
  end_value();
  return events_.on_other(token_);
}

bool JsonPush::escape(char c) {
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  if (c == 'u') {
    code_ = 0;
    digits_ = 0;
    state_ = State::unicode;
    return true;
  }
  const std::size_t at = kNames.find(c);
  if (at == std::string_view::npos || high_surrogate_ != 0) return refuse();
  token_ += kMeant[at];
  state_ = State::text;
  return true;
}

bool JsonPush::unicode(char c) {
  const auto lower = static_cast<char>(c | 0x20);
  if (!is_digit(c) && (lower < 'a' || lower > 'f')) return refuse();
  code_ = code_ << 4 | static_cast<std::uint32_t>(is_digit(c) ? c - '0' : lower - 'a' + 10);
  if (++digits_ < 4) return true;
  state_ = State::text;
  const bool high = code_ >= 0xD800 && code_ < 0xDC00;
  const bool low = code_ >= 0xDC00 && code_ < 0xE000;
  if (low != (high_surrogate_ != 0)) return refuse();
  if (high) {
    high_surrogate_ = code_;
    return true;
  }
  append_utf8(token_, low ? 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (code_ - 0xDC00) : code_);
  high_surrogate_ = 0;
  return true;
}

}  // namespace weighbridge

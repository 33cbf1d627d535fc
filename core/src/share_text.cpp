// SPDX-License-Identifier: Apache-2.0
#include "share_text.hpp"

#include <cmath>

namespace weighbridge {

namespace {

bool is_plain(char c) {
  const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter_or_digit || std::string_view("-._~:/@+,").find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string escape_link_value(std::string_view value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : value) {
    if (is_plain(c)) {
      text += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    text += '%';
    text += digits[byte >> 4U];
    text += digits[byte & 15U];
  }
  return text;
}

std::string unescape_link_value(std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool escaped = value[i] == '%' && i + 2 < value.size() && hex_digit(value[i + 1]) >= 0 && hex_digit(value[i + 2]) >= 0;
    if (!escaped) {
      text += value[i];
      continue;
    }
    text += static_cast<char>(hex_digit(value[i + 1]) * 16 + hex_digit(value[i + 2]));
    i += 2;
  }
  return text;
}

std::string tokens_text(std::int64_t tokens) { return tokens % 1024 == 0 ? std::to_string(tokens / 1024) + "k" : std::to_string(tokens); }

std::optional<std::int64_t> tokens_of(std::string_view text) {
  const bool thousands = !text.empty() && (text.back() == 'k' || text.back() == 'K');
  if (thousands) text.remove_suffix(1);
  const std::optional<std::int64_t> number = digits_of(text);
  if (!number) return std::nullopt;
  return thousands ? *number * 1024 : *number;
}

std::optional<std::int64_t> digits_of(std::string_view text) {
  if (text.empty() || text.size() > 15) return std::nullopt;
  std::int64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + (c - '0');
  }
  return number;
}

std::optional<double> decimal_of(std::string_view text) {
  const std::size_t dot = text.find('.');
  const std::optional<std::int64_t> whole = digits_of(text.substr(0, dot));
  if (!whole) return std::nullopt;
  if (dot == std::string_view::npos) return static_cast<double>(*whole);
  const std::string_view rest = text.substr(dot + 1);
  const std::optional<std::int64_t> fraction = rest.size() <= 6 ? digits_of(rest) : std::nullopt;
  if (!fraction) return std::nullopt;
  double scale = 1;
  for (std::size_t i = 0; i < rest.size(); ++i) scale *= 10;
  return static_cast<double>(*whole) + static_cast<double>(*fraction) / scale;
}

std::string decimal_text(double value) {
  const auto thousandths = static_cast<std::int64_t>(std::llround(value * 1000));
  std::string text = std::to_string(thousandths / 1000);
  if (thousandths % 1000 == 0) return text;
  std::string digits = std::to_string(1000 + thousandths % 1000).substr(1);
  while (digits.back() == '0') digits.pop_back();
  return text + "." + digits;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weighbridge {

/// Whether a shell takes `word` as it is, and a program not for a flag; `extra` are characters allowed beside letters, digits, ".", "_" and "-".
[[nodiscard]] inline bool is_plain_word(std::string_view word, std::string_view extra = "") {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  if (word.empty() || word.front() == '-') return false;
  for (const char c : word)
    if (plain.find(c) == std::string_view::npos && extra.find(c) == std::string_view::npos) return false;
  return true;
}

/// `text` as one word of a shell, whatever is in it: a link may have brought it.
[[nodiscard]] inline std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

/// A line for a shell, flag by flag; what is not given is left out.
class CommandLine {
 public:
  explicit CommandLine(std::string start) : text_(std::move(start)) {}
  void add(std::string_view flag) { text_ += " " + std::string(flag); }
  /// Quoted where a shell would not take it as it is.
  void add(std::string_view flag, const std::string& value) {
    text_ += " " + std::string(flag) + " " + (is_plain_word(value, "/,=:") ? value : shell_word(value));
  }
  void add_quoted(std::string_view flag, std::string_view value) { text_ += " " + std::string(flag) + " " + shell_word(value); }
  void add(std::string_view flag, std::int64_t value) { text_ += " " + std::string(flag) + " " + std::to_string(value); }
  void add(std::string_view flag, const std::optional<std::int64_t>& value) {
    if (value) add(flag, *value);
  }
  void add_if(bool condition, std::string_view flag) {
    if (condition) add(flag);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace weighbridge

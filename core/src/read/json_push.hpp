// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weighbridge {

/// What a JsonPush reports. Each returns whether to go on. A text is only valid during the call, and may be moved from.
class JsonEvents {
 public:
  virtual bool on_open(char bracket) = 0;  ///< { or [
  virtual bool on_close() = 0;
  virtual bool on_key(std::string& key) = 0;
  virtual bool on_string(std::string& text) = 0;
  virtual bool on_other(std::string_view token) = 0;  ///< a number, true, false or null, as written

 protected:
  ~JsonEvents() = default;
};

/// A JSON parser that is given its text in pieces, and holds no more of it than one name or value. As strict as nlohmann/json, UTF-8 included, but for numbers
/// beyond double, which are reported as written.
class JsonPush {
 public:
  /// Nesting beyond this is refused: the files read this way have three levels.
  static constexpr int kMostLevels = 32;

  explicit JsonPush(JsonEvents& events) : events_(events) {}

  /// False once the text is not JSON, or a report was answered with false.
  [[nodiscard]] bool push(std::string_view text);
  /// The text is over: whether it was one whole value.
  [[nodiscard]] bool end();
  /// The outermost value has ended; only spaces may follow.
  [[nodiscard]] bool complete() const { return state_ == State::after; }
  /// Characters read, the one that was refused included.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  /// Whether the text itself was refused, rather than a report of it.
  [[nodiscard]] bool is_malformed() const { return malformed_; }

 private:
  enum class State { value, value_or_close, key, key_or_close, colon, comma_or_close, text, escape, unicode, token, after };

  [[nodiscard]] bool step(char c);
  [[nodiscard]] bool begin_value(char c);
  [[nodiscard]] bool open(char bracket);
  [[nodiscard]] bool close(char bracket);
  void begin_text(bool key);
  [[nodiscard]] bool end_text();
  [[nodiscard]] bool end_token();
  [[nodiscard]] bool escape(char c);
  [[nodiscard]] bool unicode(char c);
  void end_value() { state_ = levels_ == 0 ? State::after : State::comma_or_close; }
  [[nodiscard]] bool in_object() const { return (objects_ & 1U) != 0; }
  [[nodiscard]] bool refuse() {
    malformed_ = true;
    return false;
  }

  JsonEvents& events_;
  State state_ = State::value;
  std::string token_;
  std::uint64_t objects_ = 0;  ///< one bit a level, the innermost lowest: object or array
  int levels_ = 0;
  bool is_key_ = false;
  bool malformed_ = false;
  std::uint32_t code_ = 0;            ///< of an escape such as \u00e9
  int digits_ = 0;                    ///< of it that were read
  std::uint32_t high_surrogate_ = 0;  ///< the first half of a pair, whose second half must follow
  std::uint64_t position_ = 0;
};

}  // namespace weighbridge

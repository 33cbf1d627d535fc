// SPDX-License-Identifier: Apache-2.0
// A regular expression as a small program that runs in all its states at once (Thompson): no pattern takes more than pattern x text steps, which
// a pattern from someone's config could otherwise. std::regex would weigh more than all of this reader.
#include "python_regex.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace weighbridge {

namespace {

constexpr std::size_t kMaxPattern = 400;
constexpr int kMaxDepth = 16;

struct CharSet {
  std::array<std::uint64_t, 2> bits{};  ///< ASCII

  void add(char c) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 128) bits[code / 64] |= std::uint64_t{1} << (code % 64);
  }
  void add_range(char from, char to) {
    for (int c = from; c <= to; ++c) add(static_cast<char>(c));
  }
  void add(const CharSet& other) {
    for (std::size_t i = 0; i < 2; ++i) bits[i] |= other.bits[i];
  }
  void invert() {
    for (std::uint64_t& word : bits) word = ~word;
  }
  [[nodiscard]] bool has(char c) const {
    const auto code = static_cast<unsigned char>(c);
    return code < 128 && (bits[code / 64] >> (code % 64) & 1) != 0;
  }
};

enum class Op { set, split, at_start, at_end, matched };

struct Step {
  Op op = Op::matched;
  CharSet set;
  int next = 1;   ///< relative
  int other = 0;  ///< of a split; relative
};

class Compiler {
 public:
  explicit Compiler(std::string_view pattern) : pattern_(pattern) {
    if (pattern.size() > kMaxPattern) ok_ = false;
    if (ok_) alternatives(0);
    if (at_ < pattern_.size()) ok_ = false;
    steps_.push_back({});
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

 private:
  [[nodiscard]] bool more() const { return ok_ && at_ < pattern_.size(); }
  [[nodiscard]] bool take(char c) {
    if (!more() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] int size() const { return static_cast<int>(steps_.size()); }

  void alternatives(int depth) {
    if (depth > kMaxDepth) ok_ = false;
    const int begin = size();
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')') repeated(depth);
    if (!take('|')) return;
    insert_split(begin, 1, size() - begin + 2);
    const int jump = size();
    steps_.push_back({Op::split, {}, 1, 1});
    alternatives(depth + 1);
    steps_[static_cast<std::size_t>(jump)].next = steps_[static_cast<std::size_t>(jump)].other = size() - jump;
  }

  void repeated(int depth) {
    const int begin = size();
    atom(depth);
    if (take('*')) {
      insert_split(begin, 1, size() - begin + 2);
      steps_.push_back({Op::split, {}, begin - size(), begin - size()});
    } else if (take('+')) {
      steps_.push_back({Op::split, {}, begin - size(), 1});
    } else if (take('?')) {
      insert_split(begin, 1, size() - begin + 1);
    } else {
      return;
    }
    static_cast<void>(take('?'));  // lazy: the same set of matches
  }

  void atom(int depth) {
    const char c = pattern_[at_++];
    if (c == '^') return steps_.push_back({Op::at_start, {}, 1, 0});
    if (c == '$') return steps_.push_back({Op::at_end, {}, 1, 0});
    if (c == '(') {
      if (take('?') && !take(':')) ok_ = false;  // look-around and flags
      alternatives(depth + 1);
      if (!take(')')) ok_ = false;
      return;
    }
    CharSet set;
    if (c == '[') {
      set = char_class();
    } else if (c == '.') {
      set.invert();
    } else if (c == '\\') {
      set = escaped();
    } else {
      if (c == '*' || c == '+' || c == '?' || c == '{' || c == ')') ok_ = false;
      set.add(c);
    }
    steps_.push_back({Op::set, set, 1, 0});
  }

  CharSet escaped() {
    CharSet set;
    if (!more()) {
      ok_ = false;
      return set;
    }
    const char c = pattern_[at_++];
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (c == 'd' || c == 'w') set.add_range('0', '9');
    if (c == 'w') {
      set.add_range('a', 'z');
      set.add_range('A', 'Z');
      set.add('_');
    } else if (c == 's') {
      set.add(' ');
    } else if (!is_letter) {
      set.add(c);
    } else if (c != 'd') {
      ok_ = false;
    }
    return set;
  }

  CharSet char_class() {
    CharSet set;
    const bool inverted = take('^');
    while (more() && pattern_[at_] != ']') {
      const char c = pattern_[at_++];
      if (c == '\\') {
        set.add(escaped());
      } else if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        set.add_range(c, pattern_[at_ + 1]);
        at_ += 2;
      } else {
        set.add(c);
      }
    }
    if (!take(']')) ok_ = false;
    if (inverted) set.invert();
    return set;
  }

  void insert_split(int at, int next, int other) { steps_.insert(steps_.begin() + at, Step{Op::split, {}, next, other}); }

  std::string_view pattern_;
  std::size_t at_ = 0;
  bool ok_ = true;
  std::vector<Step> steps_;
};

/// All states that a program is in.
class States {
 public:
  explicit States(const std::vector<Step>& steps) : steps_(&steps), seen_(steps.size(), 0) {}

  /// Adds a state and all that follow from it without a character.
  void add(int state, bool at_start, bool at_end) {
    std::vector<int> waiting{state};
    while (!waiting.empty()) {
      const int here = waiting.back();
      waiting.pop_back();
      if (seen_[static_cast<std::size_t>(here)]) continue;
      seen_[static_cast<std::size_t>(here)] = 1;
      const Step& step = (*steps_)[static_cast<std::size_t>(here)];
      if (step.op == Op::matched) matched_ = true;
      if (step.op == Op::set) active_.push_back(here);
      if (step.op == Op::split || (step.op == Op::at_start && at_start) || (step.op == Op::at_end && at_end)) waiting.push_back(here + step.next);
      if (step.op == Op::split) waiting.push_back(here + step.other);
    }
  }
  [[nodiscard]] bool matched() const { return matched_; }
  [[nodiscard]] const std::vector<int>& active() const { return active_; }

 private:
  const std::vector<Step>* steps_;
  std::vector<char> seen_;
  std::vector<int> active_;
  bool matched_ = false;
};

}  // namespace

namespace {

bool runs_through(const std::vector<Step>& steps, std::string_view text) {
  States states(steps);
  states.add(0, true, text.empty());
  for (std::size_t i = 0; i < text.size() && !states.matched(); ++i) {
    States next(steps);
    for (const int state : states.active())
      if (steps[static_cast<std::size_t>(state)].set.has(text[i])) next.add(state + 1, false, i + 1 == text.size());
    states = std::move(next);
  }
  return states.matched();
}

}  // namespace

bool is_known_regex(std::string_view pattern) { return Compiler(pattern).ok(); }

bool regex_matches(std::string_view pattern, std::string_view text) {
  const Compiler program(pattern);
  return program.ok() && runs_through(program.steps(), text);
}

std::vector<std::size_t> regex_matching(std::string_view pattern, const std::vector<std::string>& texts) {
  const Compiler program(pattern);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < texts.size() && program.ok(); ++i)
    if (runs_through(program.steps(), texts[i])) found.push_back(i);
  return found;
}

}  // namespace weighbridge

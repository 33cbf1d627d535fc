// SPDX-License-Identifier: Apache-2.0
#include "read/json_push.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace weighbridge::json_push_test {
namespace {

/// Writes what is reported as text again, so that two runs compare.
class Recorder : public JsonEvents {
 public:
  bool on_open(char bracket) override { return add(std::string(1, bracket)); }
  bool on_close() override { return add("close"); }
  bool on_key(std::string& key) override { return add("key " + key); }
  bool on_string(std::string& text) override { return add("text " + text); }
  bool on_other(std::string_view token) override { return add(std::string(token)); }

  std::string events;

 private:
  bool add(const std::string& event) {
    events += event + '\n';
    return true;
  }
};

struct Outcome {
  bool ok = false;
  std::string events;
};

Outcome parse(std::string_view text, std::size_t piece) {
  Recorder recorder;
  JsonPush json(recorder);
  for (std::size_t at = 0; at < text.size(); at += piece)
    if (!json.push(text.substr(at, piece))) return {false, recorder.events};
  const bool ok = json.end();
  return {ok, recorder.events};
}

const std::vector<std::string>& samples() {
  static const std::vector<std::string> texts{
      R"({"a":[1,-2.5e+3,true,false,null],"b":{"c":"d"},"":[]})",
      R"("\u00e9\ud83d\ude00\n\"\\\/\b\f\r\t")",
      "\"é€😀\"",
      " [ ] ",
      "0",
      "-0.0",
      "1e5",
      "[[[[1]]]]",
      "",
      " ",
      "{",
      "[1,]",
      "{\"a\":1,}",
      "{\"a\" 1}",
      "{a:1}",
      "[1 2]",
      "01",
      "1.",
      ".5",
      "-",
      "+1",
      "1e",
      "tru",
      "truee",
      "nul",
      "NaN",
      "\"\\x\"",
      "\"\\ud83d\"",
      "\"\\ude00\"",
      "\"\\ud83dx\"",
      "\"\\ud83d\\n\"",
      "\"\\u12g4\"",
      "\"\t\"",
      "\"\xff\"",
      "\"\xc0\x80\"",
      "\"\xe0\x9f\xbf\"",
      "\"\xed\xa0\x80\"",
      "\"\xf4\x90\x80\x80\"",
      "\"\xf0\x9f\"",
      "[1]]",
      "[1}",
      "{\"a\":1]",
      "1 2",
      "'a'",
      "[\"a\" \"b\"]",
      "{\"a\":{}}x",
      "\"a",
  };
  return texts;
}

TEST(JsonPush, AcceptsWhatTheLibraryAcceptsAndNothingElse) {
  for (const std::string& text : samples()) EXPECT_EQ(parse(text, text.size() + 1).ok, nlohmann::json::accept(text)) << text;
}

TEST(JsonPush, PiecesOfAnySizeReportTheSame) {
  for (const std::string& text : samples()) {
    const Outcome whole = parse(text, text.size() + 1);
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
      const Outcome cut = parse(text, piece);
      EXPECT_EQ(cut.ok, whole.ok) << text;
      EXPECT_EQ(cut.events, whole.events) << text;
    }
  }
}

TEST(JsonPush, TextsAreReportedDecoded) { EXPECT_EQ(parse(R"({"\u006b":"\u00e9\ud83d\ude00\n"})", 1).events, "{\nkey k\ntext é😀\n\nclose\n"); }

TEST(JsonPush, NestingHasALimit) {
  const auto nested = [](int levels) {
    return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
  };
  EXPECT_TRUE(parse(nested(JsonPush::kMostLevels), 5).ok);
  EXPECT_FALSE(parse(nested(JsonPush::kMostLevels + 1), 5).ok);
}

}  // namespace
}  // namespace weighbridge::json_push_test

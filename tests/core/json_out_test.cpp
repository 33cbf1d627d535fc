// SPDX-License-Identifier: Apache-2.0
#include "json_out.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "api_fixture.hpp"

namespace weighbridge::json_out_test {

namespace {

TEST(JsonOut, WritesWhatATreeWould) {
  const std::vector<std::string> names{"a", "b\"c", ""};
  const std::vector<std::int64_t> none;
  const std::optional<std::int64_t> nothing;
  const Json tree{{"x", {1, 2}}};
  const JsonOut inner{{"deep", {{"deeper", {{"number", -5}}}}}};
  const JsonOut out{{"text", "plain"},
                    {"quoted", "a\"b\\c\n\x01 é"},
                    {"least", std::numeric_limits<std::int64_t>::min()},
                    {"most", std::numeric_limits<std::uint64_t>::max()},
                    {"half", 0.5},
                    {"flag", true},
                    {"null", nothing},
                    {"names", names},
                    {"none", none},
                    {"tree", tree},
                    {"inner", inner}};
  const Json expected{{"text", "plain"},
                      {"quoted", "a\"b\\c\n\x01 é"},
                      {"least", std::numeric_limits<std::int64_t>::min()},
                      {"most", std::numeric_limits<std::uint64_t>::max()},
                      {"half", 0.5},
                      {"flag", true},
                      {"null", nullptr},
                      {"names", names},
                      {"none", Json::array()},
                      {"tree", tree},
                      {"inner", {{"deep", {{"deeper", {{"number", -5}}}}}}}};
  EXPECT_EQ(out.text(), expected.dump());
}

TEST(JsonOut, LeavesAbsentFieldsOut) {
  const JsonOut out{{"a", JsonValue::absent()}, {"b", 1}, {"c", JsonValue::absent()}};
  EXPECT_EQ(out.text(), R"({"b":1})");
  const JsonOut empty{{"a", JsonValue::absent()}};
  EXPECT_EQ(empty.text(), "{}");
}

TEST(JsonOut, GrowsFieldByFieldAndItemByItem) {
  JsonOut object = JsonOut::object();
  JsonOut list = JsonOut::array();
  EXPECT_EQ(object.text(), "{}");
  EXPECT_EQ(list.text(), "[]");
  list.push_back(JsonOut::array());
  list.push_back({{"a", 1}});
  list.push_back({"first", 0}, JsonOut{{"then", 1}});
  object.add("list", list);
  object.add("absent", JsonValue::absent());
  object.add("end", nullptr);
  EXPECT_EQ(object.text(), R"({"list":[[],{"a":1},{"first":0,"then":1}],"end":null})");
}

TEST(JsonOut, ListsInPlaceWhateverTheirLength) {
  std::vector<int> numbers(5000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<int>(i);
  const JsonOut out{{"squares", JsonList{numbers, [](JsonOut& list, int number) { list.push_back({{"of", number}, {"is", number * number}}); }}}};
  const Json read = testing::parse(std::string(out.text()));
  ASSERT_EQ(read["squares"].size(), numbers.size());
  EXPECT_EQ(read["squares"].back(), (Json{{"of", 4999}, {"is", 4999 * 4999}}));
}

TEST(JsonOut, InvalidTextIsMendedNotRefused) { EXPECT_EQ(JsonOut(JsonValue("a\xff")).text(), "\"a\xEF\xBF\xBD\""); }

}  // namespace
}  // namespace weighbridge::json_out_test

// SPDX-License-Identifier: Apache-2.0
// Whole answers, kept beside their requests in tests/golden/*.json. After a change that moves figures on purpose, write them again and review
// the difference: WEIGHBRIDGE_UPDATE_GOLDEN=1 build/native/tests/weighbridge_golden
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api_fixture.hpp"

namespace weighbridge {
namespace {

using testing::Json;
using Path = std::filesystem::path;

std::vector<Path> golden_files() {
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(WEIGHBRIDGE_GOLDEN_DIR))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Indented JSON in which whatever fits on a line stays on one, so that a difference shows the term it belongs to.
std::string readable(const Json& value, std::size_t indent = 0) {
  constexpr std::size_t width = 200;
  std::string line = value.dump();
  if (line.size() + indent <= width || !value.is_structured() || value.empty()) return line;
  const std::string margin(indent + 1, ' ');
  std::string text(1, value.is_array() ? '[' : '{');
  for (const auto& item : value.items()) {
    text += (text.size() > 1 ? ",\n" : "\n") + margin;
    if (value.is_object()) text += Json(item.key()).dump() + ": ";
    text += readable(item.value(), indent + 1);
  }
  return text + '\n' + std::string(indent, ' ') + (value.is_array() ? ']' : '}');
}

class Golden : public ::testing::TestWithParam<Path> {};

TEST_P(Golden, AnswersAreTheKeptOnes) {
  std::stringstream text;
  text << std::ifstream(GetParam()).rdbuf();
  Json file = testing::parse(text.str());
  ASSERT_TRUE(file.is_object()) << GetParam();
  const bool update = std::getenv("WEIGHBRIDGE_UPDATE_GOLDEN") != nullptr;
  for (Json& call : file["calls"]) {
    Json response = testing::parse(testing::api().call(call["request"].dump()));
    if (update)
      call["response"] = std::move(response);
    else
      EXPECT_EQ(readable(response), readable(call["response"])) << call["request"].dump();
  }
  if (update) std::ofstream(GetParam()) << readable(file) << '\n';
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, ::testing::ValuesIn(golden_files()), [](const auto& instance) {
  std::string name = instance.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace weighbridge

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
      EXPECT_EQ(response.dump(1), call["response"].dump(1)) << call["request"].dump();
  }
  if (update) std::ofstream(GetParam()) << file.dump(1) << '\n';
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, ::testing::ValuesIn(golden_files()), [](const auto& instance) {
  std::string name = instance.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <utility>

#include "api_fixture.hpp"

namespace weighbridge::article_test {
namespace {

using testing::Json;

Json article(const char* model, const char* format, const char* device, int count = 1) {
  return testing::estimate({{"model", {{"id", model}}},
                            {"weights", {{"format", format}}},
                            {"engine", {{"name", "article"}}},
                            {"workload", {{"context_tokens", 2048}, {"sequences", 1}}},
                            {"hardware", Json::array({{{"device", device}, {"count", count}}})}});
}

TEST(Article, ItsWorkedCaseComesOutInWholeBytes) {
  const Json fp16 = article("article/7b", "fp16", "rtx-4090");
  EXPECT_EQ(fp16["devices"][0]["total_bytes"], 14'050'331'648);
  EXPECT_EQ(testing::term(fp16, "compute")["bytes"], 16'777'216);
  EXPECT_EQ(testing::term(fp16, "kv_cache")["bytes"], 33'554'432);
  EXPECT_EQ(article("article/7b", "int8", "rtx-4090")["devices"][0]["total_bytes"], 7'025'165'824);
}

TEST(Article, ItsTableOfWeightsComesOut) {
  const std::array<std::pair<const char*, std::int64_t>, 3> rows{
      {{"article/7b", 7'000'000'000}, {"article/13b", 13'000'000'000}, {"article/30b", 30'000'000'000}}};
  for (const auto& [model, parameters] : rows) {
    EXPECT_EQ(testing::term(article(model, "fp16", "h200-sxm"), "weights")["bytes"], 2 * parameters) << model;
    EXPECT_EQ(testing::term(article(model, "int8", "h200-sxm"), "weights")["bytes"], parameters) << model;
  }
}

TEST(Article, ItsThreeDeploymentsFit) {
  EXPECT_EQ(article("article/7b", "int8", "jetson-agx-orin-64gb")["verdict"]["class"], "fits");
  EXPECT_EQ(article("article/30b", "fp16", "a100-sxm4-40gb", 8)["verdict"]["class"], "fits");
  EXPECT_EQ(article("article/13b", "int8", "rtx-4090")["verdict"]["class"], "fits");
}

TEST(Article, SixtyGigabytesFitOnTwoCardsOfForty) { EXPECT_EQ(article("article/30b", "fp16", "a100-sxm4-40gb", 2)["fewest_devices"], 2); }

TEST(Article, ItHasNoRuleForFourBits) {
  const Json result = article("article/7b", "int4", "rtx-4090");
  EXPECT_EQ(result["verdict"]["class"], "impossible");
  EXPECT_EQ(result["verdict"]["reason"]["code"], "unsupported");
}

TEST(Article, SequencesMultiplyActivationsAndCache) {
  Json params = testing::usual_request();
  params["engine"]["name"] = "article";
  params["workload"]["sequences"] = 1;
  const Json one = testing::estimate(params);
  params["workload"]["sequences"] = 4;
  const Json four = testing::estimate(params);
  for (const char* id : {"kv_cache", "compute"})
    EXPECT_EQ(testing::term(four, id)["bytes"].get<std::int64_t>(), 4 * testing::term(one, id)["bytes"].get<std::int64_t>());
}

}  // namespace
}  // namespace weighbridge::article_test

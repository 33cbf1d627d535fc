// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::fit_test {
namespace {

using testing::Json;

/// The point estimate against both bounds, from the answer's own figures.
bool holds(const Json& params) {
  const Json result = testing::estimate(params);
  if (result["verdict"]["class"] == "impossible") return false;
  for (const Json& device : result["devices"]) {
    const bool inside = device["need_inside_bytes"].get<std::int64_t>() <= device["limit_bytes"].get<std::int64_t>();
    const bool on_card = device["reserved_bytes"].get<std::int64_t>() <= device["capacity_bytes"].get<std::int64_t>();
    if (!inside || !on_card) return false;
  }
  return true;
}

Json request(const char* model, const char* device, int count, const char* engine = "vllm") {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", engine}}},
          {"workload", {{"context_tokens", 2048}, {"sequences", 4}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

/// Not even the high bounds exceed a limit, from the answer's own figures.
bool surely_holds(const Json& params) {
  const Json result = testing::estimate(params);
  if (result["verdict"]["class"] == "impossible") return false;
  for (const Json& device : result["devices"]) {
    std::int64_t inside = 0;
    std::int64_t on_card = device["reserved_bytes"].get<std::int64_t>();
    for (const Json& term : device["terms"]) {
      const auto high = term["high_bytes"].get<std::int64_t>();
      if (term["inside_limit"] == true)
        inside += high;
      else
        on_card += high - term["bytes"].get<std::int64_t>();
    }
    if (inside > device["limit_bytes"].get<std::int64_t>() || on_card > device["capacity_bytes"].get<std::int64_t>()) return false;
  }
  return true;
}

class Solved : public ::testing::TestWithParam<std::tuple<const char*, const char*, int, const char*>> {};

TEST_P(Solved, LimitsHoldAndOneStepMoreDoesNot) {
  const auto& [model, device, count, engine] = GetParam();
  const Json params = request(model, device, count, engine);
  const Json result = testing::estimate(params);
  const auto most = result["max_context_tokens"].get<std::int64_t>();
  const auto trained = result["model"]["max_context_tokens"].get<std::int64_t>();
  Json trial = params;
  if (most > 0) {
    trial["workload"]["context_tokens"] = most;
    EXPECT_TRUE(holds(trial)) << most;
  }
  if (most < trained) {
    trial["workload"]["context_tokens"] = most + 1;
    EXPECT_FALSE(holds(trial)) << most + 1;
  }
  trial = params;
  const auto sequences = result["max_sequences"].get<std::int64_t>();
  if (sequences > 0) {
    trial["workload"]["sequences"] = sequences;
    EXPECT_TRUE(holds(trial)) << sequences;
  }
  if (sequences < 1'000'000) {
    trial["workload"]["sequences"] = sequences + 1;
    EXPECT_FALSE(holds(trial)) << sequences + 1;
  }
}

TEST_P(Solved, SafeLimitsSurelyHoldAndOneStepMoreMayNot) {
  const auto& [model, device, count, engine] = GetParam();
  const Json params = request(model, device, count, engine);
  const Json result = testing::estimate(params);
  for (const auto& [axis, safe, most] :
       {std::tuple{"context_tokens", "safe_context_tokens", "max_context_tokens"}, std::tuple{"sequences", "safe_sequences", "max_sequences"}}) {
    const auto value = result[safe].get<std::int64_t>();
    ASSERT_LE(value, result[most].get<std::int64_t>());
    Json trial = params;
    trial["workload"][axis] = value;
    if (value > 0) {
      EXPECT_TRUE(surely_holds(trial)) << axis << ' ' << value;
    }
    if (value == result[most].get<std::int64_t>()) continue;
    trial["workload"][axis] = value + 1;
    EXPECT_FALSE(surely_holds(trial)) << axis << ' ' << value + 1;
  }
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Solved,
                         ::testing::Values(std::tuple{"deepseek-ai/DeepSeek-R1", "h200-sxm", 8, "vllm"},
                                           std::tuple{"deepseek-ai/DeepSeek-R1", "h100-sxm", 8, "vllm"},
                                           std::tuple{"deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "rtx-3090", 1, "vllm"},
                                           std::tuple{"deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "rtx-4090", 2, "vllm"},
                                           std::tuple{"deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "h100-sxm", 4, "vllm"},
                                           std::tuple{"article/7b", "rtx-4090", 1, "article"}, std::tuple{"article/30b", "rtx-4090", 2, "article"}));

TEST(FewestDevices, IsTheSmallestCountThatHolds) {
  const Json result = testing::estimate(testing::usual_request());
  const int fewest = result["fewest_devices"].get<int>();
  for (int count = 1; count < fewest; ++count) {
    Json params = testing::usual_request();
    params["hardware"][0]["count"] = count;
    EXPECT_FALSE(holds(params)) << count;
  }
  Json params = testing::usual_request();
  params["hardware"][0]["count"] = fewest;
  EXPECT_TRUE(holds(params));
}

// Every H100 of one group has a whole copy of the latent cache, 34.3 GiB of 16 requests, whatever their number; two groups have half of it each.
TEST(FewestDevices, MayBeThoseOfAPipeline) {
  Json params = testing::usual_request();
  params["hardware"] = Json::array({{{"device", "h100-sxm"}, {"count", 8}}});
  const Json answer = testing::estimate(params);
  EXPECT_EQ(answer["fewest_devices"], 16);
  EXPECT_EQ(answer["fewest_stages"], 2);
  params["hardware"][0]["count"] = 16;
  EXPECT_FALSE(holds(params));
  params["parallel"] = {{"tensor", 8}, {"pipeline", 2}};
  EXPECT_TRUE(holds(params));
}

TEST(FewestDevices, IsNullWhenNoCountHolds) {
  EXPECT_TRUE(testing::estimate(request("deepseek-ai/DeepSeek-R1", "rtx-4060", 8))["fewest_devices"].is_null());
  // A laptop has one, and slices of a GPU do not work together.
  EXPECT_TRUE(testing::estimate(request("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "rtx-4060-laptop", 1))["fewest_devices"].is_null());
}

TEST(Sweep, GivesTheFiguresOfSingleEstimates) {
  const Json points = testing::call(
      "sweep", {{"request", testing::usual_request()}, {"axis", "context_tokens"}, {"values", {1024, 32768}}})["result"]["points"];
  ASSERT_EQ(points.size(), 2U);
  const Json single = testing::estimate(testing::usual_request());
  EXPECT_EQ(points[1]["need_bytes"], single["devices"][0]["total_bytes"]);
  EXPECT_EQ(points[1]["class"], single["verdict"]["class"]);
}

}  // namespace
}  // namespace weighbridge::fit_test

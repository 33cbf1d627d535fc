// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::mlx_test {
namespace {

using testing::bytes_of;
using testing::Json;

Json request(const char* model, const char* format, int context, const Json& options = Json::object(), const char* device = "m4-max-64gb") {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", format}}},
          {"engine", {{"name", "mlx"}, {"options", options}}},
          {"workload", {{"context_tokens", context}, {"sequences", 1}}},
          {"hardware", Json::array({{{"device", device}, {"count", 1}}})}};
}

std::int64_t term(const Json& params, const char* id) { return bytes_of(testing::estimate(params)["devices"][0], id); }

// ml-explore/mlx-lm mlx_lm/BENCHMARKS.md: 2,048 tokens of prompt and 128 generated on an M4 Max, mx.get_peak_memory() in 10^9 bytes.
TEST(Mlx, ThePublishedPeaksComeOutWithinTwoPercent) {
  struct Row {
    const char* model;
    const char* format;
    double gb;
  };
  const Row rows[] = {{"Qwen/Qwen3-4B-Instruct-2507", "checkpoint", 9.02},    {"Qwen/Qwen3-4B-Instruct-2507", "mlx-8bit", 5.254},
                      {"Qwen/Qwen3-4B-Instruct-2507", "mlx-6bit", 4.25},      {"Qwen/Qwen3-4B-Instruct-2507", "mlx-5bit", 3.86},
                      {"Qwen/Qwen3-4B-Instruct-2507", "mlx-4bit", 3.35},      {"Qwen/Qwen3-30B-A3B-Instruct-2507", "mlx-8bit", 33.46},
                      {"Qwen/Qwen3-30B-A3B-Instruct-2507", "mlx-4bit", 18.20}};
  for (const Row& row : rows) {
    const Json result = testing::estimate(request(row.model, row.format, 2176, {{"max_tokens", 128}}));
    std::int64_t sum = 0;
    for (const Json& part : result["devices"][0]["terms"])
      if (part["id"] != "overhead") sum += part["bytes"].get<std::int64_t>();
    EXPECT_NEAR(static_cast<double>(sum) / 1e9, row.gb, row.gb / 50) << row.model << row.format;
  }
}

// Heads of 256 values have no fused kernel: the scores of a step are held once, as mask and softmax are written over them. Peaks at 131,072 tokens
// on an M5 Max (ml-explore/mlx-lm#1781).
TEST(Mlx, ScoresWithoutAFusedKernelAreHeldOnce) {
  const std::pair<int, double> rows[] = {{2048, 39.78}, {1024, 32.26}, {512, 28.54}, {256, 26.52}};
  for (const auto& [step, gb] : rows) {
    Json params = request("Qwen/Qwen3.8-27B", "mlx-4bit", 131072, {{"prefill_step_size", step}, {"max_tokens", 128}});
    std::int64_t sum = 0;
    const Json result = testing::estimate(params);
    for (const Json& part : result["devices"][0]["terms"]) sum += part["bytes"].get<std::int64_t>();
    EXPECT_NEAR(static_cast<double>(sum) / 1e9, gb, gb * 0.055) << step;
  }
}

TEST(Mlx, CachesGrowInStepsOf256Tokens) {
  const std::int64_t a_token = 36 * 2 * 8 * 128 * 2;  // Qwen3-4B
  EXPECT_EQ(term(request("Qwen/Qwen3-4B", "mlx-4bit", 2048), "kv_cache"), a_token * 2048);
  EXPECT_EQ(term(request("Qwen/Qwen3-4B", "mlx-4bit", 2049), "kv_cache"), a_token * 2304);
}

TEST(Mlx, AQuantizedCacheHasAScaleAndABiasForEvery64Values) {
  Json params = request("Qwen/Qwen3-4B", "mlx-4bit", 4096);
  params["kv_cache"] = {{"k", "q8"}, {"v", "q8"}};
  EXPECT_EQ(term(params, "kv_cache"), std::int64_t{4096} * 36 * 2 * 8 * 128 * (8 * 64 + 32) / (8 * 64));
}

TEST(Mlx, ARotatingCacheStopsGrowing) {
  const std::int64_t a_token = 36 * 2 * 8 * 128 * 2;
  EXPECT_EQ(term(request("Qwen/Qwen3-4B", "mlx-4bit", 16384, {{"max_kv_size", 1024}}), "kv_cache"), a_token * 1024);
}

TEST(Mlx, AStepInFlightDoesNotGrowWithItsPartsBeyondElevenCommandBuffers) {
  const auto step = [](int tokens) { return term(request("Qwen/Qwen3-4B", "mlx-4bit", 16384, {{"prefill_step_size", tokens}}), "compute"); };
  EXPECT_GT(step(2048), step(512));
  EXPECT_LT(step(2048), 4 * step(512));
}

TEST(Mlx, TheServersEarlierPromptsAreCounted) {
  const Json params = request("Qwen/Qwen3-4B", "mlx-4bit", 4096, {{"prompt_cache_size", 10}});
  EXPECT_EQ(term(params, "prompt_cache"), 10 * term(params, "kv_cache"));
}

// mlx_lm/models/cache.py: RotatingKVCache.to_quantized raises NotImplementedError.
TEST(Mlx, ACacheThatKeepsAWindowIsNotQuantized) {
  Json params = testing::serving_request("mlx", "google/gemma-3-27b-it", "apple-m2-ultra-192gb", 1);
  params["weights"] = {{"format", "mlx-4bit"}};
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
  params["kv_cache"] = {{"k", "q8"}, {"v", "q8"}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["nearest"]["kv_cache"]["k"], "auto");
  // Gemma 2's class keeps all tokens of every layer.
  for (const char* whole : {"google/gemma-2-9b-it", "Qwen/Qwen3-8B"}) {
    params["model"]["id"] = whole;
    EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible") << whole;
  }
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
  params["engine"]["options"]["max_kv_size"] = 4096;
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "impossible");
}

// make_prompt_cache: a class with make_cache() knows no --max-kv-size; gemma2.py, starcoder2.py and llama.py without layer_types know no window.
TEST(Mlx, CachesAreThoseOfTheModelsClass) {
  const auto codes = [](const Json& params) { return testing::call("estimate", params)["warnings"].dump(); };
  const Json limited = request("meta-llama/Llama-3.1-8B-Instruct", "mlx-4bit", 16384, {{"max_kv_size", 1024}});
  EXPECT_EQ(term(limited, "kv_cache"), std::int64_t{16384} * 32 * 2 * 8 * 128 * 2);
  EXPECT_NE(codes(limited).find("max_kv_size_unused"), std::string::npos);
  const Json whole = request("mistralai/Mistral-7B-v0.1", "mlx-4bit", 16384);
  EXPECT_EQ(term(whole, "kv_cache"), std::int64_t{16384} * 32 * 2 * 8 * 128 * 2);
  EXPECT_NE(codes(whole).find("sliding_counted_full"), std::string::npos);
  const Json windowed = request("openai/gpt-oss-20b", "mlx-4bit", 16384);
  EXPECT_LT(term(windowed, "kv_cache"), std::int64_t{16384} * 24 * 2 * 8 * 64 * 2);
  EXPECT_EQ(codes(windowed), "[]");
}

TEST(Mlx, OnlyModelsThatItHasCodeFor) {
  const Json verdict = testing::estimate(request("BAAI/bge-m3", "bf16", 4096))["verdict"];
  EXPECT_EQ(verdict["reason"]["code"], "no_code_for_model");
}

TEST(Mlx, OnlyAppleDevicesAndItsOwnFormats) {
  const Json card = testing::estimate(request("Qwen/Qwen3-4B", "mlx-4bit", 4096, Json::object(), "rtx-4090"))["verdict"];
  EXPECT_EQ(card["class"], "impossible");
  EXPECT_EQ(card["reason"]["code"], "unknown_backend");
  const Json format = testing::estimate(request("Qwen/Qwen3-8B-AWQ", "checkpoint", 4096))["verdict"];
  EXPECT_EQ(format["class"], "impossible");
  EXPECT_EQ(format["nearest"]["weights"]["format"], "mlx-4bit");
}

}  // namespace
}  // namespace weighbridge::mlx_test

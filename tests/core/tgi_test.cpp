// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::tgi_test {
namespace {

using testing::Json;

Json tgi_request(const char* model, const char* device, int count, const Json& options = Json::object()) {
  return testing::serving_request("tgi", model, device, count, options);
}

Json tgi_term(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }

// models/globals.py BLOCK_SIZE: 1 with FlashInfer, 256 with flash decoding, 16 with paged attention.
TEST(TgiCache, TheAttentionSetsTheBlock) {
  const auto cache = [](const Json& options) {
    Json params = tgi_request("Qwen/Qwen2.5-7B-Instruct", "a100-sxm4-80gb", 1, options);
    params["workload"] = {{"context_tokens", 33}, {"sequences", 2}};
    return tgi_term(params, "kv_cache")["bytes"].get<std::int64_t>();
  };
  constexpr std::int64_t token = 28 * 2 * 4 * 128 * 2;
  EXPECT_EQ(cache(Json::object()), 2 * 33 * token);
  EXPECT_EQ(cache({{"attention", "paged"}}), 2 * 48 * token);
  EXPECT_EQ(cache({{"attention", "flashdecoding"}}), 2 * 256 * token);
  EXPECT_EQ(cache({{"kv_cache_dtype", "fp8_e4m3fn"}}), 33 * token);
}

// models/__init__.py: 128 heads over eight ranks, keys and values as wide as a key of 128 and 64; 61 layers; flash decoding, since 192 is no head
// size of FlashInfer's.
TEST(TgiCache, LatentsAreKeptForEveryHead) {
  Json params = tgi_request("deepseek-ai/DeepSeek-R1", "h200-sxm", 8);
  params["workload"] = {{"context_tokens", 256}, {"sequences", 1}};
  EXPECT_EQ(tgi_term(params, "kv_cache")["bytes"], 256LL * 61 * 2 * 16 * 192 * 2);
}

TEST(TgiCache, AWindowForgetsNothing) {
  EXPECT_EQ(tgi_term(tgi_request("google/gemma-3-27b-it", "h100-sxm", 1), "kv_cache")["bytes"], 8LL * 4096 * 62 * 2 * 16 * 128 * 2);
}

// models/flash_causal_lm.py warmup: everything but the graphs shares 90 % of the card.
TEST(TgiBudget, APrefillAndTheCacheShareNineTenthsOfTheCard) {
  const Json result = testing::estimate(tgi_request("Qwen/Qwen2.5-7B-Instruct", "a100-sxm4-80gb", 1, {{"cuda_memory_fraction", 0.5}}));
  const Json& device = result["devices"][0];
  const double limit = 0.45 * device["capacity_bytes"].get<double>();
  EXPECT_NEAR(device["limit_bytes"].get<double>(), limit, 1);
  double before = 0;
  for (const Json& term : device["terms"])
    if (term["id"] != "kv_cache" && term["inside_limit"] == true) before += term["bytes"].get<double>();
  EXPECT_NEAR(result["engine"]["kv_cache_pool_bytes"].get<double>(), limit - before, 2);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"].get<std::int64_t>(),
            result["engine"]["kv_cache_pool_bytes"].get<std::int64_t>() / (28 * 2 * 4 * 128 * 2));
}

// launcher/src/main.rs: 312 x 10^12 operations a second by those of a token, here 2 x 28 layers x 3,584 x (3 x 28 and 2 x 4 heads of 128, 3 x 18,944);
// a card that it does not know reads 4,096 tokens at once.
TEST(TgiBudget, TheLauncherSizesAPrefillByTheCardsSpeed) {
  const auto step = [](const char* device) {
    return testing::row_bytes(tgi_term(tgi_request("Qwen/Qwen2.5-7B-Instruct", device, 1), "compute"), "dense_ffn");
  };
  constexpr std::int64_t operations = 2LL * 28 * 3584 * (3 * 28 * 128 + 2 * 4 * 128 + 3 * 18944);
  constexpr std::int64_t tokens = 312'000'000'000'000 / operations;
  EXPECT_EQ(step("a100-sxm4-80gb"), tokens * (3 * 18944 + 4 * 3584) * 2);
  EXPECT_EQ(step("rtx-3090"), 4096LL * (3 * 18944 + 4 * 3584) * 2);
}

TEST(TgiLayout, RefusesWhatCannotRunAndNamesWhatRunsThroughTransformers) {
  const auto reason = [](const Json& params) { return testing::estimate(params)["verdict"]["reason"]["values"]["key"]; };
  EXPECT_EQ(reason(tgi_request("Qwen/Qwen2.5-7B-Instruct", "m4-max-64gb", 1)), "backend");
  EXPECT_EQ(reason(tgi_request("Qwen/Qwen3-Next-80B-A3B-Instruct", "h100-sxm", 4)), "model_type");
  EXPECT_EQ(reason(tgi_request("Qwen/Qwen2.5-7B-Instruct", "h100-sxm", 3)), "num_attention_heads");
  EXPECT_EQ(reason(tgi_request("Qwen/Qwen2.5-7B-Instruct", "h100-sxm", 1, {{"attention", "eager"}})), "attention");
  Json eight_bits = tgi_request("Qwen/Qwen2.5-7B-Instruct", "v100-sxm2-16gb", 1);
  eight_bits["weights"] = {{"format", "fp8"}};
  EXPECT_EQ(testing::estimate(eight_bits)["verdict"]["reason"]["code"], "needs_capability");
  EXPECT_EQ(testing::estimate(eight_bits)["verdict"]["reason"]["where"], "params.weights.format");
  const Json response = testing::call("estimate", tgi_request("Qwen/Qwen3-8B", "h100-sxm", 1));
  EXPECT_EQ(response["warnings"][0]["code"], "tgi_fallback");
}

}  // namespace
}  // namespace weighbridge::tgi_test

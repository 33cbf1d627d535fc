// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "api_fixture.hpp"

namespace weighbridge::transformers_test {
namespace {

using testing::bytes_of;
using testing::Json;
using testing::kGiBytes;

constexpr std::int64_t kMiBytes = 1048576;

Json request(const char* model, int context, const Json& hardware, const Json& options = Json::object(), const char* version = "4.46") {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", "transformers"}, {"version", version}, {"options", options}}},
          {"workload", {{"context_tokens", context}, {"sequences", 1}}},
          {"hardware", hardware}};
}

Json cards(const char* device, int count = 1) { return Json::array({{{"device", device}, {"count", count}}}); }

/// What torch.cuda.max_memory_allocated() would add up to.
std::int64_t allocated(const Json& estimate) {
  std::int64_t sum = 0;
  for (const Json& device : estimate["devices"])
    for (const Json& term : device["terms"])
      if (term["id"] != "overhead") sum += term["bytes"].get<std::int64_t>() * device.value("count", 1);
  return sum;
}

const Json kFlash{{"attn_implementation", "flash_attention_2"}, {"max_new_tokens", 2048}};

// QwenLM/Qwen3 docs at a912d23, speed_benchmark.rst: Qwen2.5-14B-Instruct in BF16 on one A100, max_memory_allocated in GiB.
TEST(Transformers, ThePublishedPeaksOfADenseModelComeOutWithinAPerMille) {
  const std::pair<int, double> rows[] = {{6144, 29.50}, {14336, 31.95}, {30720, 36.85}};
  for (const auto& [prompt, gib] : rows) {
    const Json result = testing::estimate(request("Qwen/Qwen2.5-14B-Instruct", prompt + 2048, cards("a100-80gb"), kFlash));
    EXPECT_NEAR(static_cast<double>(allocated(result)), gib * kGiBytes, gib * kGiBytes / 1000) << prompt;
  }
}

TEST(Transformers, ThePromptsStepHoldsThreeInnerAndFourHiddenStatesAToken) {
  const Json result = testing::estimate(request("Qwen/Qwen2.5-14B-Instruct", 32768, cards("a100-80gb"), kFlash));
  // 48 layers, 8 heads of 128 values for keys and values; 13,824 inner and 5,120 hidden values; two tables of 128 angles; four numbers of 8 bytes.
  EXPECT_EQ(bytes_of(result["devices"][0], "kv_cache"), std::int64_t{32768} * 48 * 2 * 8 * 128 * 2);
  const std::int64_t step = std::int64_t{30720} * ((3 * 13824 + 4 * 5120 + 2 * 128) * 2 + 4 * 8);
  EXPECT_EQ(bytes_of(result["devices"][0], "compute"), step - std::int64_t{2048} * 48 * 2 * 8 * 128 * 2);
}

TEST(Transformers, TensorsOfOddMiBTakeOneMoreUntilTheAllocatorIsWarmedUp) {
  const auto weights = [](const char* version) {
    return bytes_of(testing::estimate(request("Qwen/Qwen2.5-14B-Instruct", 4096, cards("a100-80gb"), kFlash, version))["devices"][0], "weights");
  };
  // 13,824 x 5,120 in 16 bit are 135 MiB: gate, up and down of each layer; 152,064 x 5,120 are 1,485: embeddings and head.
  EXPECT_EQ(weights("4.46") - weights("4.51"), (48 * 3 + 2) * kMiBytes);
}

TEST(Transformers, OldVersionsKeepTheLogitsOfEveryToken) {
  const auto compute = [](const char* version) {
    return bytes_of(testing::estimate(request("Qwen/Qwen2-7B", 16384, cards("a100-80gb"), kFlash, version))["devices"][0], "compute");
  };
  const std::int64_t missing = std::int64_t{2048} * 28 * 2 * 4 * 128 * 2;
  EXPECT_EQ(compute("4.38"), std::int64_t{14336} * (152064 * 6 + 3584 * 2) - missing);
  EXPECT_LT(compute("4.46"), std::int64_t{14336} * 152064);
}

TEST(Transformers, EagerAttentionHoldsEightBytesForEachPairOfTokens) {
  const Json options{{"attn_implementation", "eager"}};
  const Json result = testing::estimate(request("meta-llama/Llama-3.1-8B", 8192, cards("a100-80gb"), options));
  const std::int64_t scores = std::int64_t{8192} * 8192 * (32 * 8 + 2);
  EXPECT_GE(bytes_of(result["devices"][0], "compute"), scores);
  EXPECT_LT(bytes_of(result["devices"][0], "compute"), scores + kGiBytes);
}

TEST(Transformers, LatentAttentionIsCachedExpanded) {
  const Json result = testing::estimate(request("deepseek-ai/DeepSeek-V2-Lite", 4096, cards("a100-80gb")));
  // 27 layers of 16 heads: keys of 128 + 64 values, values of 128.
  EXPECT_EQ(bytes_of(result["devices"][0], "kv_cache"), std::int64_t{4096} * 27 * 16 * (192 + 128) * 2);
}

TEST(Transformers, LayersWithAWindowForgetSince456) {
  const auto cache = [](const char* version) {
    return bytes_of(testing::estimate(request("google/gemma-3-4b-it", 16384, cards("a100-80gb"), Json::object(), version))["devices"][0], "kv_cache");
  };
  const std::int64_t a_token = 2 * 4 * 256 * 2;  // of one layer; 5 of 34 layers see everything, 29 a window of 1,024
  EXPECT_EQ(cache("4.51"), a_token * 34 * 16384);
  EXPECT_EQ(cache("4.56"), a_token * (5 * 16384 + 29 * 1024));
}

TEST(Transformers, AQuantizedCacheTakesFourAndAHalfBitsAndAnOffloadedOneTwoLayers) {
  const auto cache = [](const char* kind) {
    const Json options{{"cache_implementation", kind}};
    return bytes_of(testing::estimate(request("meta-llama/Llama-3.1-8B", 8320, cards("a100-80gb"), options))["devices"][0], "kv_cache");
  };
  const std::int64_t a_token = 2 * 8 * 128 * 2;
  EXPECT_EQ(cache("dynamic"), a_token * 32 * 8320);
  EXPECT_EQ(cache("quantized"), a_token * 32 * 8192 * 9 / 32 + a_token * 32 * 128);
  EXPECT_EQ(cache("offloaded"), a_token * 2 * 8320);
}

TEST(Transformers, DeviceMapDealsLayersOutEvenlyAndTheHostTakesWhatIsLeft) {
  const Json two = testing::estimate(request("Qwen/Qwen2.5-14B-Instruct", 4096, cards("rtx-3090", 2), kFlash));
  ASSERT_EQ(two["devices"].size(), 2);
  const std::int64_t first = bytes_of(two["devices"][0], "weights");
  const std::int64_t second = bytes_of(two["devices"][1], "weights");
  EXPECT_NEAR(static_cast<double>(first), static_cast<double>(second), 0.35 * static_cast<double>(first));

  Json alone = request("Qwen/Qwen2.5-14B-Instruct", 4096, cards("rtx-3090"), kFlash);
  alone["host"] = {{"memory_bytes", 64 * kGiBytes}};
  const Json response = testing::call("estimate", alone);
  EXPECT_NE(response["result"]["verdict"]["class"], "no");
  EXPECT_GT(bytes_of(response["result"]["host"], "weights"), 8 * kGiBytes);
  EXPECT_NE(response["warnings"].dump().find("modules_on_host"), std::string::npos);
}

TEST(Transformers, WhatItRefusesComesWithTheNearestThatRuns) {
  const auto verdict = [](Json params, const char* format) {
    params["weights"] = {{"format", format}};
    return testing::estimate(params)["verdict"];
  };
  const Json old = verdict(request("meta-llama/Llama-3.1-8B", 4096, cards("t4"), kFlash), "checkpoint");
  EXPECT_EQ(old["class"], "impossible");
  EXPECT_EQ(old["reason"]["values"]["expected"], "sdpa");
  const Json apple = verdict(request("meta-llama/Llama-3.1-8B", 4096, cards("m4-max-64gb")), "nf4");
  EXPECT_EQ(apple["class"], "impossible");
  EXPECT_EQ(apple["nearest"]["weights"]["format"], "bf16");
  const Json flash = verdict(request("meta-llama/Llama-3.1-8B", 4096, cards("m4-max-64gb"), kFlash), "checkpoint");
  EXPECT_EQ(flash["reason"]["values"]["expected"], "sdpa");
  const Json packed = verdict(request("meta-llama/Llama-3.1-70B-Instruct", 4096, cards("rtx-3090")), "nf4");
  EXPECT_EQ(packed["class"], "impossible");
  const Json word = verdict(request("meta-llama/Llama-3.1-8B", 4096, cards("t4"), {{"attn_implementation", "flash"}}), "checkpoint");
  EXPECT_EQ(word["reason"]["values"]["value"], "\"flash\"");
}

TEST(Transformers, WithoutADeviceEverythingLiesOnTheHost) {
  const Json result = testing::estimate(request("meta-llama/Llama-3.1-8B", 4096, Json::array()));
  EXPECT_TRUE(result["devices"].empty());
  EXPECT_GT(bytes_of(result["host"], "weights"), 14 * kGiBytes);
  EXPECT_EQ(bytes_of(result["host"], "kv_cache"), std::int64_t{4096} * 32 * 2 * 8 * 128 * 2);
}

}  // namespace
}  // namespace weighbridge::transformers_test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::sglang_test {
namespace {

using testing::Json;
using testing::row_bytes;

Json with(const char* model, const char* device, int count, const Json& options = Json::object()) {
  return testing::serving_request("sglang", model, device, count, options);
}

Json term_of(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }
double gib_of(const Json& params, const char* id) { return term_of(params, id)["bytes"].get<double>() / testing::kGiBytes; }

/// The share of free memory that the engine settles on: what its limit has beside the context.
double share_of(Json params, const char* version) {
  params["engine"]["version"] = version;
  const Json result = testing::estimate(params);
  const auto context = testing::term(result, "overhead")["bytes"].get<double>();
  const Json& device = result["devices"][0];
  return (device["limit_bytes"].get<double>() - context) / (device["capacity_bytes"].get<double>() - context);
}

// 61 layers x (512 + 64) values: a page more than 8 x 4,096 tokens.
TEST(SglangCache, DeepSeekR1TakesItsLatentOnEveryRank) {
  EXPECT_EQ(row_bytes(term_of(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8), "kv_cache"), "token_pool"), 70'272LL * (8 * 4096 + 1));
  Json params = with("deepseek-ai/DeepSeek-R1", "b200-sxm", 4, {{"kv_cache_dtype", "fp8_e4m3"}});
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "token_pool"), 35'136LL * (8 * 4096 + 64));
}

// 94 layers x 1 of 4 heads x 2 x 128 values x 2 bytes: 367,404 tokens were 8.23 + 8.23 GiB (vllm-project/vllm#21348).
TEST(SglangCache, Qwen3_235BOnFourGpusTakes48128BytesAToken) {
  const Json cache = term_of(with("Qwen/Qwen3-235B-A22B", "h100-sxm", 4), "kv_cache");
  EXPECT_EQ(row_bytes(cache, "token_pool"), 48'128LL * (8 * 4096 + 1));
  EXPECT_NEAR(48'128.0 * 367'404 / testing::kGiBytes, 2 * 8.23, 0.01);
}

// quantization/marlin_utils_fp4.py, fp8.py: 61 layers of 384 experts, three matrices of 7168 x 3072 with a scale for 32 values; Marlin leaves those
// it loaded, of 4 bytes, beside its own. wo_a, 16 groups of 4096 x 1024, is widened from one byte to two except on 10.x.
TEST(SglangWeights, DeepSeekV4KeepsTheScalesThatMarlinRead) {
  const auto row = [](const char* device, const char* version, const char* label, const Json& options) {
    Json params = with("deepseek-ai/DeepSeek-V4-Pro", device, 8, options);
    params["engine"]["version"] = version;
    return row_bytes(term_of(params, "weights"), label);
  };
  constexpr std::int64_t scales = 61LL * 384 * 3 * 7168 * 3072 / 32 / 8;
  constexpr std::int64_t output = 61LL * 16 * 4096 * 1024 / 8;
  EXPECT_EQ(row("h200-sxm", "0.5.15", "spare_scales", Json::object()), 4 * scales);
  EXPECT_EQ(row("h200-sxm", "0.5.15", "widened_output", Json::object()), output);
  EXPECT_EQ(row("h200-sxm", "0.5.18", "spare_scales", Json::object()), 0);  // by FlashInfer from then on
  EXPECT_EQ(row("h200-sxm", "0.5.18", "spare_scales", {{"moe_runner_backend", "marlin"}}), scales);
  EXPECT_EQ(row("b200-sxm", "0.5.15", "spare_scales", Json::object()), 0);
  EXPECT_EQ(row("b200-sxm", "0.5.15", "widened_output", Json::object()), 0);
}

TEST(SglangWeights, Fp4ExpertsNeedHopperAndABackendThatWasRead) {
  const auto reason = [](const Json& params) { return testing::estimate(params)["verdict"]["reason"]; };
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-V4-Pro", "a100-sxm4-80gb", 8))["code"], "needs_capability");
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-V4-Pro", "h200-sxm", 8, {{"moe_runner_backend", "triton"}}))["values"]["key"], "moe_runner_backend");
}

// gpt-oss-120b: 36 layers of 128 experts, 3 x 2,880 x 2,880 of half a byte with a scale for 32; nothing is padded for Triton's kernels on one GPU. On
// Hopper the scales that were loaded stay. 12.x and 10.x pad.
TEST(SglangWeights, ExpertsOfGptOssRunByTritonBeforeBlackwell) {
  const auto row = [](const char* device, const char* label, const Json& options = Json::object()) {
    return row_bytes(term_of(with("openai/gpt-oss-120b", device, 1, options), "weights"), label);
  };
  constexpr std::int64_t values = 36LL * 128 * 3 * 2880 * 2880;
  EXPECT_EQ(row("h100-sxm", "spare_scales"), values / 32);
  EXPECT_EQ(row("a100-sxm4-80gb", "spare_scales"), 0);
  EXPECT_EQ(row("h100-sxm", "spare_scales", {{"moe_runner_backend", "marlin"}}), 0);
  EXPECT_NEAR(gib_of(with("openai/gpt-oss-120b", "a100-sxm4-80gb", 1), "weights"), 60.8, 0.1);
  EXPECT_NEAR(gib_of(with("openai/gpt-oss-120b", "h100-sxm", 1), "weights"), 60.8 + values / 32.0 / testing::kGiBytes, 0.1);
  EXPECT_GT(gib_of(with("openai/gpt-oss-120b", "rtx-pro-6000-blackwell", 1), "weights"), 65);
}

// Triton's kernels have no expert parallel: the 32 experts of each of four ranks are then widened to 16 bits.
TEST(SglangWeights, ExpertsOfGptOssThatAreDealtOutAreWidened) {
  const double split = gib_of(with("openai/gpt-oss-120b", "h100-sxm", 4), "weights");
  const double whole = gib_of(with("openai/gpt-oss-120b", "h100-sxm", 4, {{"ep_size", 4}}), "weights");
  EXPECT_LT(split, 18);
  EXPECT_NEAR(whole, 36.0 * 32 * 3 * 2880 * 2880 * 2 / testing::kGiBytes, 1.5);
}

// Sparse latents: 512 values of FP8, 4 scales of 4 bytes and 64 rotated values of 16 bits; the indexer's 128 and a scale. GLM-5's 78 layers were
// logged with 61,463 bytes a token.
TEST(SglangCache, SparseLatentsHaveScalesAndAnIndexer) {
  Json params = with("deepseek-ai/DeepSeek-V3.2", "h200-sxm", 8, {{"kv_cache_dtype", "fp8_e4m3"}});
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "token_pool"), 61LL * (656 + 132) * (8 * 4096 + 64));
  params["engine"]["options"].erase("kv_cache_dtype");
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "token_pool"), 61LL * (1152 + 132) * (8 * 4096 + 64));
  params["hardware"][0]["device"] = "b200-sxm";  // FP8 unless asked for otherwise
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "token_pool"), 61LL * (656 + 132) * (8 * 4096 + 64));
}

// gpt-oss: of each four tokens of the pool of all, the layers with a window have room for three and a bit.
TEST(SglangCache, LayersWithAWindowHaveAPoolOfTheirOwn) {
  Json params = with("openai/gpt-oss-120b", "h100-sxm", 1);
  params["workload"] = {{"context_tokens", 100'000}, {"sequences", 4}};
  const Json cache = term_of(params, "kv_cache");
  EXPECT_EQ(row_bytes(cache, "token_pool"), 18LL * 2048 * 400'001);
  EXPECT_EQ(row_bytes(cache, "window_pool"), 18LL * 2048 * 320'001);
  params["engine"]["options"]["swa_full_tokens_ratio"] = 0.1;
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "window_pool"), 18LL * 2048 * 40'001);
}

// disable_hybrid_swa_memory: all 24 layers of the 20B keep 2,048 bytes of every token before 0.5.10.
TEST(SglangCache, LayersOfGptOssKeepEveryTokenInOldReleases) {
  Json params = with("openai/gpt-oss-20b", "b200-sxm", 1);
  params["workload"] = {{"context_tokens", 100'000}, {"sequences", 4}};
  params["engine"]["version"] = "0.5.9";
  const Json cache = term_of(params, "kv_cache");
  EXPECT_EQ(row_bytes(cache, "token_pool"), 24LL * 2048 * (4 * 100'032 + 64));
  EXPECT_EQ(testing::find_row(cache, "window_pool"), nullptr);
  params["engine"]["version"] = "0.5.10";
  EXPECT_NE(testing::find_row(term_of(params, "kv_cache"), "window_pool"), nullptr);
}

// Three slots a request and a spare one, or one a request without a prefix cache; the pool of tokens is then as large as it need be.
TEST(SglangCache, StatesShareThePoolAtAFixedRatio) {
  Json params = with("Qwen/Qwen3-Next-80B-A3B-Instruct", "h200-sxm", 4);
  const Json shared = testing::estimate(params);
  const auto states = testing::term(shared, "recurrent_state")["bytes"].get<double>();
  EXPECT_NEAR(states / testing::term(shared, "kv_cache")["bytes"].get<double>(), 0.9, 1e-6);
  params["engine"]["options"]["disable_radix_cache"] = true;
  const Json alone = testing::estimate(params);
  EXPECT_LT(testing::term(alone, "recurrent_state")["bytes"].get<double>(), states / 2);
  EXPECT_EQ(row_bytes(testing::term(alone, "kv_cache"), "unused_by_split"), 0);
}

// The share that releases choose by themselves. 0.828 was found on H100 with Qwen3-32B (sgl-project/sglang#29092).
TEST(SglangShare, FollowsFromTheCardTheChunkAndTheGraphs) {
  EXPECT_NEAR(share_of(with("Qwen/Qwen3-32B", "h100-sxm", 2), "0.5.10"), 0.828, 1e-4);
  EXPECT_NEAR(share_of(with("Qwen/Qwen3-8B", "rtx-4090", 1), "0.5.3"), 0.847, 1e-4);
  EXPECT_NEAR(share_of(with("Qwen/Qwen3-8B", "l40s", 1), "0.5.3"), 0.851, 1e-4);
  EXPECT_NEAR(share_of(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8), "0.5.3"), 0.897, 1e-4);
  EXPECT_NEAR(share_of(with("Qwen/Qwen3-32B", "h100-sxm", 2, {{"mem_fraction_static", 0.7}}), "0.5.10"), 0.7, 1e-6);
}

// Two RTX 4090 with Qwen3.5-9B captured 0.26 GiB, all of it for decoding: models with an image encoder had their prompts captured later, a few of them.
TEST(SglangGraphs, PromptsAreCapturedOfTheModelsThatTheReleaseTrusts) {
  const auto captures = [](const char* model, const char* version) {
    Json params = with(model, "h100-sxm", 2);
    params["engine"]["version"] = version;
    return row_bytes(term_of(params, "cuda_graphs"), "prefill_graphs") > 0;
  };
  EXPECT_FALSE(captures("Qwen/Qwen3-32B", "0.5.3"));
  EXPECT_TRUE(captures("Qwen/Qwen3-32B", "0.5.10"));
  EXPECT_FALSE(captures("Qwen/Qwen3.5-9B", "0.5.10"));
  EXPECT_TRUE(captures("Qwen/Qwen3.5-9B", "0.5.18"));
  EXPECT_FALSE(captures("Qwen/Qwen3-VL-30B-A3B-Instruct", "0.5.18"));
}

// sgl-project/sglang#28053: TensorRT-LLM's attention, the default on 10.x, reads prompts of DeepSeek-V3's class slower in a graph. The share is as if
// there were graphs.
TEST(SglangGraphs, PromptsOfDeepSeekV3AreNotCapturedOnBlackwellServers) {
  const auto captures = [](const char* model, const char* device, const char* version) {
    Json params = with(model, device, 8);
    params["engine"]["version"] = version;
    return row_bytes(term_of(params, "cuda_graphs"), "prefill_graphs") > 0;
  };
  EXPECT_FALSE(captures("deepseek-ai/DeepSeek-R1", "b200-sxm", "0.5.18"));
  EXPECT_FALSE(captures("moonshotai/Kimi-K2-Instruct", "b200-sxm", "0.5.18"));
  EXPECT_TRUE(captures("deepseek-ai/DeepSeek-R1", "b200-sxm", "0.5.10"));
  EXPECT_TRUE(captures("deepseek-ai/DeepSeek-R1", "h200-sxm", "0.5.18"));
  const double reserved = 512 + 1.5 * 16384 + 1024 + 2 * 512 + 1536;
  EXPECT_NEAR(share_of(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8), "0.5.18"), 1 - reserved / 183'359, 6e-4);
}

// Four B200 with DeepSeek-R1 in NVFP4 had 102.1 GiB of weights (zufayu/ClaudeSkillsE2EPerf): each block scale is there twice, which is a byte for
// 16 values of 58 x 256 x 3 x 7,168 x 2,048 in experts, and a little more.
TEST(SglangWeights, BlockScalesOfNvfp4AreThereTwice) {
  const Json term = term_of(with("nvidia/DeepSeek-R1-0528-NVFP4-v2", "b200-sxm", 4), "weights");
  EXPECT_NEAR(term["bytes"].get<double>() / testing::kGiBytes, 102.1, 0.6);
  const std::int64_t experts = 58LL * 256 * 3 * 7168 * 2048 / 16 / 4;
  EXPECT_GE(row_bytes(term, "swizzled_scales"), experts);
  EXPECT_LE(row_bytes(term, "swizzled_scales"), experts * 103 / 100);
  EXPECT_EQ(row_bytes(term_of(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8), "weights"), "swizzled_scales"), 0);
}

TEST(SglangWeights, TheAbsorbedProjectionIsAlwaysACopy) {
  for (const char* format : {"checkpoint", "bf16"}) {
    Json params = with("deepseek-ai/DeepSeek-R1", "b200-sxm", 16);
    params["weights"]["format"] = format;
    EXPECT_EQ(row_bytes(term_of(params, "weights"), "absorbed_kv_b"), 61LL * 32768 * 512 * 2 / 16) << format;
  }
}

// Logs of DeepSeek-R1 with attention split over 1, 2, 4 and 8 ranks: 12.6 to 13 GiB between the ends.
TEST(SglangWeights, AttentionOfEachGroupIsACopy) {
  const Json split = with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8);
  const Json copied = with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"enable_dp_attention", true}, {"dp_size", 8}});
  EXPECT_NEAR(gib_of(copied, "weights") - gib_of(split, "weights"), 12.8, 1.2);
  // Each group serves one of the eight requests, and holds its whole cache.
  EXPECT_EQ(row_bytes(term_of(copied, "kv_cache"), "token_pool"), 70'272LL * (4096 + 1));
}

TEST(SglangWeights, WholeExpertsAreDealtOutOrSplitAlike) {
  const Json split = with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8);
  const Json whole = with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"ep_size", 8}});
  EXPECT_EQ(row_bytes(term_of(split, "weights"), "routed_experts"), row_bytes(term_of(whole, "weights"), "routed_experts"));
}

TEST(SglangLayout, StagesHoldTheirLayers) {
  Json params = with("Qwen/Qwen3-32B", "h100-sxm", 4);
  params["parallel"] = {{"tensor", 2}, {"pipeline", 2}};
  const Json result = testing::estimate(params);
  ASSERT_EQ(result["devices"].size(), 4U);
  const auto cache = [&](std::size_t device) {
    for (const Json& term : result["devices"][device]["terms"])
      if (term["id"] == "kv_cache") return term["bytes"].get<std::int64_t>();
    return std::int64_t{0};
  };
  EXPECT_EQ(cache(0), 32LL * 4 * 256 * 2 * (8 * 4096 + 1));  // 32 of 64 layers, 4 of 8 heads
  EXPECT_EQ(cache(0), cache(2));
}

TEST(SglangLayout, RefusesWhatCannotBeSplit) {
  const auto reason = [](const Json& params) {
    const Json verdict = testing::estimate(params)["verdict"];
    EXPECT_EQ(verdict["class"], "impossible");
    return verdict["reason"]["values"]["key"].get<std::string>();
  };
  EXPECT_EQ(reason(with("Qwen/Qwen3-32B", "h100-sxm", 3)), "num_attention_heads");
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"enable_dp_attention", true}, {"dp_size", 3}})), "dp_size");
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"ep_size", 3}})), "ep_size");
  EXPECT_EQ(reason(with("Qwen/Qwen3-32B", "h100-sxm", 8, {{"ep_size", 8}})), "num_experts");
  Json fp8 = with("Qwen/Qwen3-8B", "t4", 1);
  fp8["weights"]["format"] = "fp8";
  EXPECT_EQ(reason(fp8), "fp8");
}

TEST(SglangBudget, TheShareIsOfWhatIsFreeBesideTheContext) {
  const Json result = testing::estimate(with("Qwen/Qwen3-8B", "h100-sxm", 1, {{"mem_fraction_static", 0.8}}));
  const auto context = testing::term(result, "overhead")["bytes"].get<double>();
  const auto weights = testing::term(result, "weights")["bytes"].get<double>();
  const auto capacity = result["devices"][0]["capacity_bytes"].get<double>();
  EXPECT_NEAR(result["engine"]["kv_cache_pool_bytes"].get<double>(), 0.8 * (capacity - context) - weights, 2);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"].get<std::int64_t>(), result["engine"]["kv_cache_pool_bytes"].get<std::int64_t>() / 147'456);
}

TEST(SglangBudget, HoldsUpToItsLimitsAndNoFurther) {
  Json params = with("Qwen/Qwen3-32B", "h100-sxm", 2);
  const auto most = testing::estimate(params)["max_sequences"].get<std::int64_t>();
  params["workload"]["sequences"] = most;
  EXPECT_GE(testing::estimate(params)["devices"][0]["free_bytes"].get<std::int64_t>(), 0);
  params["workload"]["sequences"] = most + 1;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "fits");
}

// Weights beyond the share: the engine says which share it would take.
TEST(SglangBudget, OffersAShareThatWorks) {
  Json params = with("Qwen/Qwen3-32B", "h100-sxm", 1, {{"mem_fraction_static", 0.7}});
  const Json verdict = testing::estimate(params)["verdict"];
  ASSERT_EQ(verdict["class"], "no");
  const auto share = verdict["nearest"]["mem_fraction_static"].get<double>();
  EXPECT_GT(share, 0.7);
  params["engine"]["options"]["mem_fraction_static"] = share;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "no");
}

// What predicts further tokens lies in the budget since 0.5.18, and beside it before.
TEST(SglangSpeculation, TheDraftMovedIntoTheBudget) {
  Json params = with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"speculative_algorithm", "NEXTN"}});
  const Json now = term_of(params, "speculation");
  EXPECT_EQ(now["inside_limit"], true);
  EXPECT_EQ(row_bytes(term_of(params, "kv_cache"), "draft_cache"), 70'272LL / 61 * (8 * 4096 + 1));
  params["engine"]["version"] = "0.5.9";
  const Json before = term_of(params, "speculation");
  EXPECT_EQ(before["inside_limit"], false);
  EXPECT_EQ(before["bytes"].get<std::int64_t>() - now["bytes"].get<std::int64_t>(), 70'272LL / 61 * 8 * 4096);
}

// A draft model has an embedding and a head of its own until the pool is sized, 248,320 x 5,120 each in 16 bits. Qwen3.8-27B in 4 bits: 2.57 GiB on
// each of two GPUs (sgl-project/sglang#32468); in 16 bits 5.53 GiB, of which 0.80 stay (#38147). DeepSeek-R1's are in its checkpoint.
TEST(SglangSpeculation, TheDraftHasAnEmbeddingAndAHeadOfItsOwn) {
  const auto draft = [](const char* device, std::int64_t count, const char* format) {
    Json params = with("Qwen/Qwen3.8-27B", device, static_cast<int>(count), {{"speculative_algorithm", "NEXTN"}});
    params["weights"]["format"] = format;
    const Json term = term_of(params, "speculation");
    EXPECT_EQ(row_bytes(term, "draft_embeddings"), 2LL * 248'320 * 5120 * 2 / count);
    return term["bytes"].get<double>() / testing::kGiBytes;
  };
  EXPECT_NEAR(draft("rtx-3090", 2, "int4"), 2.57, 0.02);
  EXPECT_NEAR(draft("h100-sxm", 1, "bf16"), 5.53, 0.02);
  const Json stored = term_of(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"speculative_algorithm", "NEXTN"}}), "speculation");
  EXPECT_EQ(testing::find_row(stored, "draft_embeddings"), nullptr);
  // A tied head is the embedding.
  const Json tied = term_of(with("Qwen/Qwen3.5-4B", "h100-sxm", 1, {{"speculative_algorithm", "NEXTN"}}), "speculation");
  EXPECT_EQ(row_bytes(tied, "draft_embeddings"), 248'320LL * 2560 * 2);
}

TEST(SglangSpeculation, ThePoolIsSizedBesideThem) {
  Json params = with("Qwen/Qwen3.8-27B", "rtx-5090", 1, {{"speculative_algorithm", "NEXTN"}});
  params["weights"]["format"] = "int4";
  params["workload"] = {{"context_tokens", 8192}, {"sequences", 1}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "no");
  params["engine"]["options"].erase("speculative_algorithm");
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
}

// Its prediction layer is numbered behind the model's 92 and has their eight heads of keys.
TEST(SglangSpeculation, APredictionLayerIsSharedLikeTheLast) {
  const auto draft = [](std::int64_t ranks) {
    return term_of(with("zai-org/GLM-4.5", "h200-sxm", ranks, {{"speculative_algorithm", "NEXTN"}}), "speculation")["bytes"].get<std::int64_t>();
  };
  EXPECT_GT(draft(4), draft(8));
  EXPECT_LT(draft(4), 2 * draft(8));  // the router and the projection are whole on each rank
}

}  // namespace
}  // namespace weighbridge::sglang_test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::tensorrt_llm_test {
namespace {

using testing::Json;

Json with(const char* model, const char* device, int count, const Json& options = Json::object()) {
  return testing::serving_request("tensorrt-llm", model, device, count, options);
}

Json term_of(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }

// 32 layers x 8 heads x 128 x 2 (K and V) x 2 bytes: 131,072 a token were logged on one H200 (faradawn/bench3).
TEST(TensorRtLlmCache, ALlama8BTokenTakes131072Bytes) {
  const Json params = with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h200-sxm", 1);
  EXPECT_EQ(term_of(params, "kv_cache")["bytes"], 131'072LL * 4096 * 8);
  EXPECT_EQ(term_of(with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h200-sxm", 4), "kv_cache")["bytes"], 131'072LL / 4 * 4096 * 8);
}

// 65,536 values a token in half a byte each, and a scale for 16 of them.
TEST(TensorRtLlmCache, FourBitsHaveScales) {
  Json params = with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "b200-sxm", 1);
  params["weights"]["format"] = "fp8";  // the only ones beside which it keeps them
  params["kv_cache"] = {{"k", "nvfp4"}, {"v", "nvfp4"}};
  EXPECT_EQ(term_of(params, "kv_cache")["bytes"], (65'536LL / 2 + 65'536 / 16) * 4096 * 8);
}

// 61 layers x 576 values: 35,136 bytes a token in FP8, on every rank; blocks hold 32 tokens.
TEST(TensorRtLlmCache, LatentsAreCopiedAndBlocksRoundUp) {
  Json params = with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8, {{"kv_cache_dtype", "fp8"}});
  params["workload"] = {{"context_tokens", 33}, {"sequences", 1}};
  EXPECT_EQ(term_of(params, "kv_cache")["bytes"], 35'136LL * 64);
}

// Llama 3 8B on one H200 had 15.06 GiB of weights; DeepSeek-R1 on eight B200 81.86 (zufayu/ClaudeSkillsE2EPerf).
TEST(TensorRtLlmWeights, BandsHoldWhatWasLogged) {
  const auto holds = [](const Json& term, double gib) {
    return term["low_bytes"].get<double>() <= gib * testing::kGiBytes && gib * testing::kGiBytes <= term["high_bytes"].get<double>();
  };
  EXPECT_TRUE(holds(term_of(with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h200-sxm", 1), "weights"), 15.06));
  EXPECT_TRUE(holds(term_of(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8), "weights"), 81.86));
}

// fused_moe_deepgemm.py get_workspace: for 8,192 tokens at each of 256 experts 7,168 values of a byte and as many of two, and 56 bytes of scales.
// 81.86 GiB with TensorRT-LLM's kernels were 124.76 with DeepGEMM's, and 111.66 with attention of its own (zufayu/ClaudeSkillsE2EPerf).
TEST(TensorRtLlmWeights, DeepGemmKeepsPlacesForEveryTokenAtEveryExpert) {
  const auto weights = [](Json options) {
    options["max_num_tokens"] = 8192;
    return term_of(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8, options), "weights");
  };
  const Json deep = weights({{"moe_backend", "DEEPGEMM"}});
  EXPECT_EQ(testing::row_bytes(deep, "expert_workspace"), 256LL * 8192 * (3 * 7168 + 56));
  EXPECT_EQ(testing::row_bytes(deep, "packed_scales"), 58LL * 256 * (512 * 56 + 7168 * 4));
  EXPECT_NEAR((deep["bytes"].get<double>() - weights(Json::object())["bytes"].get<double>()) / testing::kGiBytes, 124.76 - 81.86, 0.03);
  const Json own = weights(
      {{"moe_backend", "DEEPGEMM"}, {"enable_attention_dp", true}, {"moe_expert_parallel_size", 8}, {"num_nextn_predict_layers", 1}});
  EXPECT_EQ(testing::row_bytes(own, "expert_workspace"), 32LL * 18688 * (3 * 7168 + 56));
  EXPECT_NEAR(own["bytes"].get<double>() / testing::kGiBytes, 111.66, 111.66 * 0.01);
}

// Each rank has the whole embedding of a model with latent attention, 129,280 x 7,168 in 16 bit, and of others its share.
TEST(TensorRtLlmWeights, OfLatentAttentionTheEmbeddingIsCopied) {
  const auto embedding = [](const char* model, int count) {
    return testing::row_bytes(term_of(with(model, "b200-sxm", count), "weights"), "embeddings");
  };
  EXPECT_EQ(embedding("deepseek-ai/DeepSeek-R1", 8), 129'280LL * 7'168 * 2);
  EXPECT_EQ(embedding("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8), embedding("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 1) / 8);
}

// (total - peak) x fraction is the pool: 90 % of what is left.
TEST(TensorRtLlmBudget, TheShareIsOfWhatThePeakLeaves) {
  const Json result = testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h200-sxm", 1, {{"free_gpu_memory_fraction", 0.8}}));
  double peak = 0;
  for (const Json& term : result["devices"][0]["terms"])
    if (term["id"] != "kv_cache") peak += term["bytes"].get<double>();
  const auto capacity = result["devices"][0]["capacity_bytes"].get<double>();
  EXPECT_NEAR(result["engine"]["kv_cache_pool_bytes"].get<double>(), 0.8 * (capacity - peak), 2);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"].get<std::int64_t>(), result["engine"]["kv_cache_pool_bytes"].get<std::int64_t>() / 131'072);
}

TEST(TensorRtLlmLayout, EachRankHasAllOfAttentionWhereAskedTo) {
  const auto weights = [](const Json& options) { return term_of(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8, options), "weights")["bytes"]; };
  EXPECT_GT(weights({{"enable_attention_dp", true}}), weights(Json::object()));
}

TEST(TensorRtLlmLayout, RefusesWhatCannotRun) {
  const auto reason = [](const Json& params) {
    const Json verdict = testing::estimate(params)["verdict"];
    EXPECT_EQ(verdict["class"], "impossible");
    return verdict["reason"]["values"]["key"].get<std::string>();
  };
  EXPECT_EQ(reason(with("Qwen/Qwen3-32B", "h100-sxm", 3)), "num_attention_heads");
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-R1", "h200-sxm", 8, {{"moe_expert_parallel_size", 3}})), "num_experts");
  EXPECT_EQ(reason(with("Qwen/Qwen3-8B", "mi300x", 1)), "backend");
  EXPECT_EQ(reason(with("Qwen/Qwen3-8B", "h100-sxm", 1, {{"moe_backend", "DEEPGEMM"}})), "moe_backend");
  EXPECT_EQ(reason(with("deepseek-ai/DeepSeek-R1", "b200-sxm", 8, {{"moe_backend", "nothing"}})), "moe_backend");
  Json fp4 = with("Qwen/Qwen3-8B", "h100-sxm", 1);
  fp4["weights"]["format"] = "nvfp4";
  EXPECT_EQ(reason(fp4), "nvfp4");
  Json cache = with("Qwen/Qwen3-8B", "h100-sxm", 1);
  cache["kv_cache"] = {{"k", "nvfp4"}, {"v", "nvfp4"}};
  EXPECT_EQ(reason(cache), "kv_cache");
}

}  // namespace
}  // namespace weighbridge::tensorrt_llm_test

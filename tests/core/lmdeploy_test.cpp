// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::lmdeploy_test {
namespace {

using testing::Json;

Json lmdeploy_request(const char* model, const char* device, int count, const Json& options = Json::object()) {
  return testing::serving_request("lmdeploy", model, device, count, options);
}

Json lmdeploy_term(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }

// src/turbomind/kernels/attention/block.h: values, and behind quantized ones a scale and a zero point of 16 bits for each head and token.
TEST(LmDeployCache, BlocksHold64TokensAndQuantizedHeadsTwoParameters) {
  Json params = lmdeploy_request("Qwen/Qwen3-8B", "a100-sxm4-80gb", 1);
  params["workload"] = {{"context_tokens", 100}, {"sequences", 3}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 3 * 128 * 36 * 8 * 2 * 128 * 2);
  params["engine"]["options"] = {{"quant_policy", 8}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 3 * 128 * 36 * 8 * 2 * (128 + 4));
  params["engine"]["options"] = {{"quant_policy", 4}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 3 * 128 * 36 * 8 * 2 * (64 + 4));
  params["engine"]["options"] = Json::object();
  params["kv_cache"] = {{"k", "int4"}, {"v", "int4"}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 3 * 128 * 36 * 8 * 2 * (64 + 4));
}

// `--enable-prefix-caching`: blocks that are full of what all requests begin with are there once; one request may be of full length.
TEST(LmDeployCache, PrefixesAreSharedIfAskedForAndOneRequestMayBeFull) {
  Json params = lmdeploy_request("Qwen/Qwen3-8B", "a100-sxm4-80gb", 1);
  params["workload"] = {{"context_tokens", 4096}, {"sequences", 4}, {"average_tokens", 2048}, {"shared_prefix_tokens", 1000}};
  constexpr std::int64_t token = 36 * 8 * 2 * 128 * 2;
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 4 * 2048 * token);
  params["engine"]["options"] = {{"enable_prefix_caching", true}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], (960 + 4 * (2048 - 960)) * token);
  params["workload"]["average_tokens"] = 256;
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], 4096 * token);
}

// GLM-4.7-Flash: 47 layers of one latent of 576 values, which is key and value; gpt-oss-20b keeps all tokens behind its windows, too.
TEST(LmDeployCache, ALatentIsKeptOnceAndWindowsForgetNothing) {
  EXPECT_EQ(lmdeploy_term(lmdeploy_request("zai-org/GLM-4.7-Flash", "h100-sxm", 1), "kv_cache")["bytes"], 8LL * 4096 * 47 * 576 * 2);
  EXPECT_EQ(lmdeploy_term(lmdeploy_request("openai/gpt-oss-20b", "h100-sxm", 1), "kv_cache")["bytes"], 8LL * 4096 * 24 * 8 * 2 * 64 * 2);
}

// turbomind.cc CreateEngine: 80 % of what the weights, the context and the workspaces leave.
TEST(LmDeployBudget, TheShareIsOfWhatTheWeightsLeaveAndAStepHasTheRest) {
  const Json result = testing::estimate(lmdeploy_request("Qwen/Qwen3-8B", "a100-sxm4-80gb", 1, {{"cache_max_entry_count", 0.6}}));
  const Json& device = result["devices"][0];
  const double before = testing::term(result, "weights")["bytes"].get<double>() + testing::term(result, "overhead")["bytes"].get<double>();
  const auto capacity = device["capacity_bytes"].get<double>();
  EXPECT_NEAR(result["engine"]["kv_cache_pool_bytes"].get<double>(), 0.6 * (capacity - before), 2);
  EXPECT_NEAR(device["limit_bytes"].get<double>(), before + 0.6 * (capacity - before), 2);
  EXPECT_EQ(testing::term(result, "compute")["inside_limit"], false);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"].get<std::int64_t>() % 64, 0);
}

// 4,096 rows of partial results in f32 with two numbers beside, a prompt's cache of one layer in one piece, and the widest tensors of 8,192 tokens.
TEST(LmDeployCompute, HasWorkspacesThatGrowWithTheContext) {
  Json params = lmdeploy_request("Qwen/Qwen3-8B", "a100-sxm4-80gb", 1);
  params["workload"] = {{"context_tokens", 32768}, {"sequences", 4}};
  const Json compute = lmdeploy_term(params, "compute");
  EXPECT_EQ(testing::row_bytes(compute, "attention_workspace"), 4096LL * 32 * (128 + 2) * 4);
  EXPECT_EQ(testing::row_bytes(compute, "flattened_cache"), 32768LL * 8 * 2 * 128 * 2);
  EXPECT_EQ(testing::row_bytes(compute, "dense_ffn"), 8192LL * (3 * 12288 + 4 * 4096) * 2);
}

TEST(LmDeployWeights, AwqScalesAndZeroPointsTakeTwoBytesEach) {
  const Json awq = lmdeploy_term(lmdeploy_request("Qwen/Qwen3-8B-AWQ", "a100-sxm4-80gb", 1), "weights");
  EXPECT_EQ(testing::row_bytes(awq, "unpacked_zero_points"), 36LL * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 12288 * 4096) / 128 * 2);
}

TEST(LmDeployLayout, RefusesWhatCannotRun) {
  const auto reason = [](const Json& params) { return testing::estimate(params)["verdict"]["reason"]["values"]["key"]; };
  EXPECT_EQ(reason(lmdeploy_request("Qwen/Qwen3-8B", "mi300x", 1)), "backend");
  EXPECT_EQ(reason(lmdeploy_request("google/gemma-2-9b-it", "h100-sxm", 1, {{"backend", "nothing"}})), "backend");
  EXPECT_EQ(reason(lmdeploy_request("tiiuae/falcon-mamba-7b-instruct", "h100-sxm", 1)), "model_type");
  EXPECT_EQ(reason(lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 1, {{"quant_policy", 42}})), "quant_policy");
  EXPECT_EQ(reason(lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 1, {{"cache_max_entry_count", 1}})), "cache_max_entry_count");
  Json fp8 = lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 1);
  fp8["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  EXPECT_EQ(reason(fp8), "kv_cache");
  fp8["engine"]["options"] = {{"backend", "pytorch"}};
  EXPECT_TRUE(testing::estimate(fp8)["verdict"]["reason"].is_null());
  EXPECT_EQ(reason(lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 3)), "num_attention_heads");
  EXPECT_EQ(reason(lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 1, {{"quant_policy", 5}})), "quant_policy");
  Json nf4 = lmdeploy_request("Qwen/Qwen3-8B", "h100-sxm", 1);
  nf4["weights"]["format"] = "nf4";
  EXPECT_EQ(reason(nf4), "weights.format");
}

// lmdeploy/pytorch: a rank has the embeddings and the head whole; what TurboMind cannot load runs here, and the answer says so.
TEST(LmDeployPyTorch, TakesOverWhatTurboMindHasNoCodeForAndSplitsNoEmbeddings) {
  const Json response = testing::call("estimate", lmdeploy_request("google/gemma-3-27b-it", "h200-sxm", 1));
  EXPECT_NE(response.dump().find("lmdeploy_pytorch"), std::string::npos);
  EXPECT_EQ(testing::row_bytes(testing::term(response["result"], "weights"), "embeddings"), 262208LL * 5376 * 2);
  const Json one = lmdeploy_term(lmdeploy_request("Qwen/Qwen3-8B", "h200-sxm", 1, {{"backend", "pytorch"}}), "weights");
  const Json two = lmdeploy_term(lmdeploy_request("Qwen/Qwen3-8B", "h200-sxm", 2, {{"backend", "pytorch"}}), "weights");
  for (const char* whole : {"embeddings", "output_head"}) EXPECT_EQ(testing::row_bytes(two, whole), 151936LL * 4096 * 2) << whole;
  EXPECT_EQ(testing::row_bytes(two, "dense_ffn") * 2, testing::row_bytes(one, "dense_ffn"));
}

// messages.py QuantPolicy: FP8 keeps one byte a value, 42 four bits of keys and two of values, with two norms and one (cache_engine.py). Of the blocks
// one is reserved, and the longest session leaves another (config_builder.py, engine.py _get_max_session_len).
TEST(LmDeployPyTorch, HasCachesThatTurboMindHasNot) {
  Json params = lmdeploy_request("Qwen/Qwen3-8B", "h200-sxm", 1, {{"backend", "pytorch"}, {"quant_policy", 16}});
  params["workload"] = {{"context_tokens", 128}, {"sequences", 2}};
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], (2 * 128 + 2 * 64) * 36 * 8 * 2 * 128);
  params["engine"]["options"]["quant_policy"] = 42;
  EXPECT_EQ(lmdeploy_term(params, "kv_cache")["bytes"], (2 * 128 + 2 * 64) * 36 * 8 * (64 + 4 + 32 + 2));
}

}  // namespace
}  // namespace weighbridge::lmdeploy_test

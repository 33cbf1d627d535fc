// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::vllm_test {
namespace {

using testing::Json;
using testing::row_bytes;

Json with(const char* model, const char* device, int count, const Json& options = Json::object()) {
  return testing::serving_request("vllm", model, device, count, options);
}

// 61 layers x (512 + 64) values x 2 bytes.
TEST(VllmCache, DeepSeekR1Takes70272BytesATokenOnEveryRank) {
  for (const int ranks : {1, 2, 8, 16}) {
    Json params = testing::usual_request();
    params["hardware"][0]["count"] = ranks;
    EXPECT_EQ(row_bytes(testing::term(testing::estimate(params), "kv_cache"), "full_sequences"), 70'272LL * 32768 * 16) << ranks;
  }
}

TEST(VllmCache, Fp8HalvesIt) {
  Json params = testing::usual_request();
  params["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  EXPECT_EQ(row_bytes(testing::term(testing::estimate(params), "kv_cache"), "full_sequences"), 35'136LL * 32768 * 16);
}

TEST(VllmCache, ContextIsRoundedUpToWholeBlocks) {
  Json params = testing::usual_request();
  params["workload"] = {{"context_tokens", 65}, {"sequences", 1}};
  EXPECT_EQ(row_bytes(testing::term(testing::estimate(params), "kv_cache"), "full_sequences"), 70'272LL * 128);
}

// Llama 8B: 32 layers x 8 heads x 128 x 2 (K and V) x 2 bytes = 131,072 a token; ranks beyond the heads repeat them.
TEST(VllmCache, KeyValueHeadsAreSplitAndThenCopied) {
  const auto bytes = [](int ranks) {
    return row_bytes(testing::term(testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h100-sxm", ranks)), "kv_cache"),
                     "full_sequences");
  };
  const std::int64_t whole = 131'072LL * 4096 * 8;
  EXPECT_EQ(bytes(1), whole);
  EXPECT_EQ(bytes(8), whole / 8);
  EXPECT_EQ(bytes(16), whole / 8);
}

// The log of an NVIDIA L20 with Qwen3-8B, vLLM 0.14: 62,608 tokens came from 8.60 GiB at 147,456 bytes a token.
TEST(VllmCache, AQwen3EightBillionTokenTakes147456Bytes) {
  const Json result = testing::estimate(with("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", "h100-sxm", 1));
  EXPECT_EQ(row_bytes(testing::term(result, "kv_cache"), "full_sequences"), 147'456LL * 4096 * 8);
  const auto pool = result["engine"]["kv_cache_pool_bytes"].get<std::int64_t>();
  EXPECT_EQ(result["engine"]["kv_cache_tokens"].get<std::int64_t>(), pool / (147'456LL * 16) * 16);
}

// 14.9889 GiB were logged for Llama 3.1 8B on one GPU (vllm-project/vllm#17122).
TEST(VllmWeights, Llama8BMatchesTheLoggedSize) {
  const auto bytes =
      testing::term(testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h100-sxm", 1)), "weights")["bytes"].get<double>();
  EXPECT_NEAR(bytes / 1073741824.0, 14.9889, 0.0005);
}

TEST(VllmWeights, TheMtpLayerIsNotLoaded) {
  const Json weights = testing::term(testing::estimate(testing::usual_request()), "weights");
  // 1 byte for each of the routed experts' elements of 58 layers, over 8 ranks.
  EXPECT_EQ(row_bytes(weights, "routed_experts"), 58LL * 256 * 3 * 2048 * 7168 / 8);
}

TEST(VllmWeights, AQuantizedLatentUpProjectionIsKeptTwice) {
  const Json fp8 = testing::term(testing::estimate(testing::usual_request()), "weights");
  EXPECT_EQ(row_bytes(fp8, "absorbed_kv_b"), 61LL * 32768 * 512 * 2 / 8);
  Json params = testing::usual_request();
  params["weights"]["format"] = "bf16";
  EXPECT_EQ(row_bytes(testing::term(testing::estimate(params), "weights"), "absorbed_kv_b"), 0);
}

TEST(VllmWeights, SplittingConservesWhatIsNotCopied) {
  for (const int ranks : {2, 4, 8}) {
    const auto one = testing::term(testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "h200-sxm", 1)), "weights");
    const auto part = testing::term(testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "h200-sxm", ranks)), "weights");
    for (const char* label : {"dense_ffn", "attention", "embeddings", "output_head"})
      EXPECT_EQ(row_bytes(part, label) * ranks, row_bytes(one, label)) << label;
    for (const char* label : {"norms", "rope_cache"}) EXPECT_EQ(row_bytes(part, label), row_bytes(one, label)) << label;
  }
}

TEST(VllmCompute, TheSamplerDecidesWithManySequences) {
  Json params = with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h100-sxm", 1);
  params["workload"] = {{"context_tokens", 16}, {"sequences", 1024}};
  const Json compute = testing::term(testing::estimate(params), "compute");
  for (const Json& row : compute["formula"]["rows"]) EXPECT_EQ(row["chosen"], row["label"] == "sampler");
}

TEST(VllmGraphs, EagerHasNone) {
  Json params = testing::usual_request();
  EXPECT_GT(testing::term(testing::estimate(params), "cuda_graphs")["bytes"], 0);
  params["engine"]["options"]["enforce_eager"] = true;
  EXPECT_EQ(testing::term(testing::estimate(params), "cuda_graphs")["bytes"], 0);
}

// Log of 256 sequences and 8192 batch tokens: 51 piecewise and 35 full graphs.
TEST(VllmGraphs, TheDefaultCaptureHas86Graphs) {
  Json params = with("deepseek-ai/DeepSeek-R1-0528-Qwen3-8B", "h100-sxm", 1);
  params["workload"]["sequences"] = 256;
  EXPECT_EQ(testing::term(testing::estimate(params), "cuda_graphs")["formula"]["rows"][0]["factors"][0]["value"], 86);
}

TEST(VllmVersions, GraphsMoveInsideTheBudgetAt020) {
  Json params = testing::usual_request();
  params["engine"]["version"] = "0.11";
  const Json before = testing::estimate(params);
  EXPECT_EQ(testing::term(before, "cuda_graphs")["inside_limit"], false);
  EXPECT_EQ(before["engine"]["version"], "0.11");
  params["engine"]["version"] = "0.20";
  EXPECT_EQ(testing::term(testing::estimate(params), "cuda_graphs")["inside_limit"], true);
}

TEST(VllmVersions, AVersionWeHaveNotReadIsCountedByTheNearestAndSaid) {
  Json params = testing::usual_request();
  params["engine"]["version"] = "v0.31.0";
  const Json response = testing::call("estimate", params);
  EXPECT_EQ(response["result"]["engine"]["version"], "0.28");
  ASSERT_EQ(response["warnings"].size(), 1U);
  EXPECT_EQ(response["warnings"][0]["code"], "unknown_version");
}

TEST(VllmSplit, HeadsThatDoNotDivideNameTheNearestSplit) {
  const Json result = testing::estimate(with("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "rtx-3090", 3));
  EXPECT_EQ(result["verdict"]["class"], "impossible");
  EXPECT_EQ(result["verdict"]["reason"]["code"], "not_divisible");
  EXPECT_EQ(result["verdict"]["reason"]["values"]["key"], "num_attention_heads");
  EXPECT_EQ(result["verdict"]["nearest"]["parallel"]["tensor"], 2);
}

TEST(VllmSplit, BlocksOfFp8ScalesAreNotCut) {
  Json params = testing::usual_request();
  params["hardware"][0]["count"] = 32;  // 2048 / 32 = 64, half a block
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["nearest"]["parallel"]["tensor"], 16);
}

TEST(VllmRefuses, UnlikeGpus) {
  Json params = testing::usual_request();
  params["hardware"].push_back({{"device", "h100-sxm"}, {"count", 8}});
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "unlike_devices");
}

TEST(VllmRefuses, AParallelLayoutThatDoesNotMatchTheDevices) {
  Json params = testing::usual_request();
  params["parallel"] = {{"tensor", 4}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "parallel_mismatch");
}

// vllm/platforms/cuda.py refuses an explicit bfloat16 below 8.0; with `auto` a bf16 checkpoint runs in float16.
TEST(VllmRefuses, Bf16OnTuringUnlessTheCheckpointDecides) {
  Json params = with("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "t4", 1);
  EXPECT_EQ(testing::call("estimate", params)["warnings"][0]["code"], "runs_as_fp16");
  params["weights"]["format"] = "bf16";
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "needs_capability");
  params["weights"]["format"] = "fp16";
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
}

TEST(VllmRefuses, AStepWithoutRoomForEverySequence) {
  Json params = testing::usual_request();
  params["engine"]["options"]["max_num_batched_tokens"] = 8;
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "out_of_range");
}

TEST(VllmWarns, OfFp8WithoutUnitsForIt) {
  Json params = testing::usual_request();
  params["hardware"][0] = {{"device", "a100-sxm4-80gb"}, {"count", 16}};
  EXPECT_EQ(testing::call("estimate", params)["warnings"][0]["code"], "no_fp8_units");
}

TEST(VllmVersions, EarlyV1CountsOtherProcessesAgainstItsBudget) {
  Json params = with("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "h100-sxm", 1);
  params["engine"]["version"] = "0.9";
  const auto free = testing::estimate(params)["devices"][0]["limit_bytes"].get<std::int64_t>();
  params["hardware"][0]["used_bytes"] = 1'000'000'000;
  EXPECT_EQ(testing::estimate(params)["devices"][0]["limit_bytes"].get<std::int64_t>(), free - 1'000'000'000);
}

// vllm-project/vllm#25359 moved NCCL before the snapshot; it was merged before 0.11.
TEST(VllmVersions, NcclCountsInTheBudgetOf010Only) {
  Json params = testing::usual_request();
  const auto nccl_in = [&](const char* version) {
    params["engine"]["version"] = version;
    return row_bytes(testing::term(testing::estimate(params), "non_torch"), "nccl") > 0;
  };
  EXPECT_FALSE(nccl_in("0.9"));
  EXPECT_TRUE(nccl_in("0.10"));
  EXPECT_FALSE(nccl_in("0.11"));
}

TEST(VllmRefuses, ALlamaCppCacheType) {
  Json params = testing::usual_request();
  params["kv_cache"] = {{"k", "q8_0"}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "impossible");
}

// vllm/engine/arg_utils.py get_batch_defaults: 16,384 tokens a step from 70 GiB on and 8,192 below for the class LLM, 8,192 and 2,048 for the server.
TEST(VllmDefaults, OfflineInferenceTakesLargerSteps) {
  const auto tokens = [](const char* device, bool offline) {
    const Json compute = testing::term(testing::estimate(with("Qwen/Qwen3-32B", device, 8, {{"offline_inference", offline}})), "compute");
    const Json* row = testing::find_row(compute, "dense_ffn");
    if (row == nullptr) return std::int64_t{0};
    for (const Json& factor : (*row)["factors"])
      if (factor["name"] == "batch_tokens") return factor["value"].get<std::int64_t>();
    return std::int64_t{0};
  };
  EXPECT_EQ(tokens("h100-sxm", true), 16384);
  EXPECT_EQ(tokens("h100-sxm", false), 8192);
  EXPECT_EQ(tokens("a100-sxm4-80gb", true), 8192);
  EXPECT_EQ(tokens("a100-sxm4-80gb", false), 2048);
}

}  // namespace
}  // namespace weighbridge::vllm_test

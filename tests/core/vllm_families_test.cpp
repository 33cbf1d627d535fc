// SPDX-License-Identifier: Apache-2.0
// vLLM with windows, packed experts, image encoders, and devices that are not CUDA.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::vllm_families_test {
namespace {

using testing::find_row;
using testing::Json;
using testing::row_bytes;

constexpr double kGib = 1073741824.0;

Json request(const char* model, const char* device, int count, std::int64_t context, std::int64_t sequences, const char* version = "0.11") {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", "vllm"}, {"version", version}, {"options", {{"max_num_batched_tokens", 8192}}}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

double weights_gib(const Json& params) { return testing::term(testing::estimate(params), "weights")["bytes"].get<double>() / kGib; }

// vllm-project/vllm#23278: "Model loading took 65.9651 GiB" on one H100, Marlin; the checkpoint has 60.77.
TEST(VllmExperts, GptOss120BIsPaddedToTheLoggedSize) {
  EXPECT_NEAR(weights_gib(request("openai/gpt-oss-120b", "h100-sxm", 1, 4096, 1)), 65.9651, 0.05);
  EXPECT_EQ(testing::estimate(request("openai/gpt-oss-120b", "h100-sxm", 1, 4096, 1))["model"]["checkpoint_bytes"], 65'248'815'744);
}

// Each of 8 ranks takes 12 of 90 blocks of 32, 384 columns, a multiple of 128 already.
TEST(VllmExperts, EachRankTakesWholeBlocks) {
  const Json weights = testing::term(testing::estimate(request("openai/gpt-oss-120b", "h100-sxm", 8, 4096, 1)), "weights");
  EXPECT_EQ(row_bytes(weights, "scales"), 36LL * 128 * 3 * 384 * 3072 / 32);
}

// The kernels for compute capability 10 want multiples of 256: 2880 becomes 3072 on both sides.
TEST(VllmExperts, BlackwellPadsTheExpertsWider) {
  const Json weights = testing::term(testing::estimate(request("openai/gpt-oss-120b", "b200-sxm", 1, 4096, 1)), "weights");
  EXPECT_EQ(row_bytes(weights, "scales"), 36LL * 128 * 3 * 3072 * 3072 / 32);
}

TEST(VllmExperts, WithoutPaddingTheLowBoundHolds) {
  const Json weights = testing::term(testing::estimate(request("openai/gpt-oss-120b", "h100-sxm", 1, 4096, 1)), "weights");
  EXPECT_LT(weights["low_bytes"].get<double>() / kGib, 60.8);
  EXPECT_GT(weights["high_bytes"].get<double>() / kGib, 65.9651);
}

TEST(VllmExperts, Mxfp4NeedsComputeCapability8) {
  const Json verdict = testing::estimate(request("openai/gpt-oss-20b", "t4", 1, 4096, 1))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["reason"]["message"], "mxfp4 needs compute capability 8.0 or newer, got 7.5.");
}

// 1,408 rows of gate and up on each of two ranks are no whole tiles of 128 (vllm-project/vllm#57125, #46879): whole experts are.
TEST(VllmExperts, Nvfp4ExpertsFillWholeTilesOfEachRank) {
  const auto verdict_on = [](const char* device, int count, const char* version, bool expert = false) {
    Json params = request("nvidia/Gemma-4-26B-A4B-NVFP4", device, count, 4096, 1, version);
    params["parallel"] = {{"tensor", count}, {"expert", expert}};
    return testing::estimate(params)["verdict"];
  };
  EXPECT_NE(verdict_on("rtx-pro-6000", 1, "0.28")["class"], "impossible");
  const Json refused = verdict_on("rtx-pro-6000", 2, "0.28");
  EXPECT_EQ(refused["class"], "impossible");
  EXPECT_EQ(refused["reason"]["message"],
            "`moe_intermediate_size` = 704 cannot be split this way: expected a multiple of tensor parallel 2 in whole blocks of 64.");
  EXPECT_EQ(refused["nearest"]["parallel"]["expert"], true);
  EXPECT_NE(verdict_on("rtx-pro-6000", 2, "0.28", true)["class"], "impossible");
  EXPECT_EQ(verdict_on("b200-sxm", 4, "0.23")["class"], "impossible");
  EXPECT_NE(verdict_on("b200-sxm", 4, "0.28")["class"], "impossible");
  EXPECT_NE(verdict_on("h100-sxm", 4, "0.28")["class"], "impossible");  // Marlin
}

TEST(VllmCache, ACheckpointMayAskForFp8) {
  const auto cache = [](const char* version, const char* type) {
    Json params = request("nvidia/Llama-3.1-70B-Instruct-FP8", "h100-sxm", 4, 4096, 1, version);
    params["kv_cache"] = {{"k", type}, {"v", type}};
    return testing::term(testing::estimate(params), "kv_cache")["bytes"].get<std::int64_t>();
  };
  EXPECT_EQ(cache("0.14", "auto"), cache("0.14", "fp8"));
  EXPECT_EQ(cache("0.11", "auto"), 2 * cache("0.11", "fp8"));  // before vllm-project/vllm#29980
  EXPECT_EQ(cache("0.14", "bf16"), 2 * cache("0.14", "fp8"));
}

TEST(SglangCache, ACheckpointMayAskForFp8) {
  const auto cache = [](const char* type) {
    Json params = request("nvidia/Llama-3.1-70B-Instruct-FP8", "h100-sxm", 4, 4096, 1, "0.5.10");
    params["engine"] = {{"name", "sglang"}};
    params["kv_cache"] = {{"k", type}, {"v", type}};
    return testing::term(testing::estimate(params), "kv_cache")["bytes"].get<std::int64_t>();
  };
  EXPECT_EQ(cache("auto"), cache("fp8_e4m3"));
  EXPECT_EQ(cache("bf16"), 2 * cache("fp8_e4m3"));
}

// 5,000 tokens are 313 blocks of 16, and the pool has a whole number of those.
TEST(VllmCache, TokensFollowFromTheConcurrency) {
  const Json engine = testing::estimate(request("Qwen/Qwen3-8B", "h100-sxm", 1, 5001, 1, "0.28"))["engine"];
  EXPECT_EQ(engine["kv_cache_tokens"], static_cast<std::int64_t>(engine["max_concurrency"].get<double>() * 5001));
}

// A state for each block of a prompt, until two were enough: vllm-project/vllm#50991.
TEST(VllmCache, MambaCachedAStateOfEachBlock) {
  const auto concurrency = [](const char* version) {
    Json params = request("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "h100-sxm", 1, 65536, 1, version);
    params["engine"]["options"]["enable_prefix_caching"] = true;
    return testing::estimate(params)["engine"]["max_concurrency"].get<double>();
  };
  EXPECT_NEAR(concurrency("0.23"), concurrency("0.28") / 4, 0.5);
  EXPECT_LT(concurrency("0.14"), 8);
}

TEST(VllmExperts, APublishedMxfp4CheckpointIsOffered) {
  const Json formats = testing::estimate(request("openai/gpt-oss-20b", "h100-sxm", 1, 4096, 1))["weights_formats"];
  EXPECT_EQ(formats[0]["resolved"], "mxfp4");
  EXPECT_EQ(formats[0]["supported"], true);
  for (std::size_t i = 1; i < formats.size(); ++i) EXPECT_NE(formats[i]["format"], "mxfp4");
}

// vllm-project/vllm#33333: 9.8291 GiB on each of two. A rank's 928 rows of each expert are 1,024 there; those of Hopper's kernel stay.
TEST(VllmExperts, Nvfp4IsPaddedToTheTilesOfFp4Units) {
  const char* model = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4";
  const double padded = weights_gib(request(model, "rtx-5080", 2, 4096, 1, "0.14"));
  EXPECT_NEAR(padded, 9.8291, 0.04);
  const double filled = 23.0 * 128 * 2 * (1024 - 928) * 2688 * (0.5 + 1.0 / 16);  // layers, experts, matrices, rows, columns, bytes a value
  EXPECT_NEAR(padded - weights_gib(request(model, "rtx-4090", 2, 4096, 1, "0.14")), filled / kGib, 0.001);
}

// A log of vLLM 0.20.2 on an RTX 5090: 17.89 GiB. Five layers have no values of their own, and a table of 512 for their heads.
TEST(VllmWeights, Gemma4CopiesKeysIntoTheValuesThatItLacks) {
  const Json params = request("nvidia/Gemma-4-26B-A4B-NVFP4", "rtx-5090", 1, 4096, 1, "0.20");
  EXPECT_NEAR(weights_gib(params), 17.89, 0.02);
  const Json weights = testing::term(testing::estimate(params), "weights");
  EXPECT_EQ(row_bytes(weights, "rope_cache"), 2LL * 262144 * (256 + 512));
}

// Logs of vLLM 0.10.2 (one H100), 0.12 (two GPUs) and 0.8.5 (four): 56.9342, 28.4571 and 14.2474 GiB.
TEST(VllmWeights, Qwen3MoeMatchesTheLoggedSizes) {
  EXPECT_NEAR(weights_gib(request("Qwen/Qwen3-30B-A3B-Instruct-2507", "h100-sxm", 1, 4096, 1)), 56.9342,
              0.04);  // its rope cache is for 262,144 tokens
  EXPECT_NEAR(weights_gib(request("Qwen/Qwen3-30B-A3B", "h100-sxm", 2, 4096, 1)), 28.4571, 0.001);
  EXPECT_NEAR(weights_gib(request("Qwen/Qwen3-30B-A3B", "h100-sxm", 4, 4096, 1)), 14.2474, 0.003);
}

TEST(VllmWeights, AStoredCopyOfATiedHeadIsNotLoaded) {
  const Json result = testing::estimate(request("Qwen/Qwen3-0.6B", "h100-sxm", 1, 4096, 1));
  const Json weights = testing::term(result, "weights");
  EXPECT_EQ(row_bytes(weights, "output_head"), 0);
  EXPECT_EQ(weights["bytes"].get<std::int64_t>(), 2LL * 596'049'920 + 2LL * 40960 * 128);
  EXPECT_EQ(result["model"]["checkpoint_bytes"], 2LL * 751'632'384);
}

TEST(VllmWeights, Gemma3HasARopeCacheForEachBase) {
  EXPECT_EQ(row_bytes(testing::term(testing::estimate(request("google/gemma-3-27b-it", "h100-sxm", 1, 4096, 1)), "weights"), "rope_cache"),
            2LL * 131072 * 128 * 2);
}

// Gemma 3 27B: 10 layers see everything, 52 a window of 1,024: groups of 10 layers, one and six of them, the last with 8 layers of padding.
TEST(VllmWindows, GroupsOfEqualSizeShareOnePool) {
  const Json cache = testing::term(testing::estimate(request("google/gemma-3-27b-it", "h200-sxm", 1, 65536, 1)), "kv_cache");
  const std::int64_t page = 16LL * 16 * 256 * 2;  // block x heads x (k and v of 128) x 2 bytes
  EXPECT_EQ(row_bytes(cache, "full_sequences"), 10 * page * (65536 / 16));
  EXPECT_EQ(row_bytes(cache, "sliding_sequences"), 60 * page * ((1023 + 2 * 8192 + 15) / 16 + 1));
  EXPECT_EQ(row_bytes(cache, "null_block"), 10 * page);
}

// Beyond the window and the batches in flight a further token costs the full layers only.
TEST(VllmWindows, SlidingLayersStopGrowing) {
  const auto sliding = [](std::int64_t context) {
    return row_bytes(testing::term(testing::estimate(request("openai/gpt-oss-120b", "h100-sxm", 8, context, 4)), "kv_cache"), "sliding_sequences");
  };
  EXPECT_LT(sliding(4096), sliding(8192));
  EXPECT_EQ(sliding(32768), sliding(131072));
}

// Many sequences share the tokens of one batch: each keeps its window, 127 / 16 rounded up and a block at both ends.
TEST(VllmWindows, OnlyOneBatchIsInFlight) {
  const Json cache = testing::term(testing::estimate(request("openai/gpt-oss-120b", "h100-sxm", 8, 32768, 100)), "kv_cache");
  EXPECT_EQ((*find_row(cache, "sliding_sequences"))["factors"][3]["value"], 100 * (8 + 2) + 2 * 8192 / 16);
}

TEST(VllmWindows, ABoundIsNotCalledExact) {
  EXPECT_EQ(testing::term(testing::estimate(request("openai/gpt-oss-20b", "h100-sxm", 1, 4096, 1)), "kv_cache")["basis"], "modelled");
  EXPECT_EQ(testing::term(testing::estimate(request("Qwen/Qwen3-8B", "h100-sxm", 1, 4096, 1)), "kv_cache")["basis"], "exact");
}

TEST(VllmWindows, BeforeTheHybridManagerEveryLayerKeepsEveryTokenAndThatIsSaid) {
  const Json response = testing::call("estimate", request("google/gemma-2-9b-it", "h100-sxm", 1, 8192, 1, "0.9"));
  const Json cache = testing::term(response["result"], "kv_cache");
  EXPECT_EQ(row_bytes(cache, "full_sequences"), 42LL * 8 * 512 * 2 * 8192);
  EXPECT_EQ(row_bytes(cache, "sliding_sequences"), 0);
  EXPECT_EQ(response["warnings"][0]["code"], "sliding_counted_full");
}

// max_concurrency = blocks over the blocks of one request in all groups; the size in tokens moved from blocks over groups to that.
TEST(VllmWindows, ThePoolIsReportedAsTheVersionDoes) {
  for (const char* version : {"0.11", "0.27"}) {
    Json params = request("openai/gpt-oss-120b", "h200-sxm", 1, 131072, 1, version);
    const Json engine = testing::estimate(params)["engine"];
    const std::int64_t blocks = engine["kv_cache_pool_bytes"].get<std::int64_t>() / (18LL * 16 * 8 * 128 * 2);
    const std::int64_t in_flight = 8192 * (std::string_view(version) == "0.11" ? 1 : 2);  // asynchronous scheduling holds two steps
    const std::int64_t each = 131072 / 16 + (127 + in_flight + 15) / 16 + 1;
    const double concurrency = static_cast<double>(blocks) / static_cast<double>(each);
    EXPECT_DOUBLE_EQ(engine["max_concurrency"].get<double>(), concurrency);
    const std::int64_t tokens = std::string_view(version) == "0.11" ? blocks / 2 * 16 : static_cast<std::int64_t>(concurrency * 131072);
    EXPECT_EQ(engine["kv_cache_tokens"].get<std::int64_t>(), tokens) << version;
  }
}

// A log of vLLM 0.26.0: 182.37 GiB held 217,116 tokens in requests of 16,384 (13.25 of them). With one batch in flight it would be half as many more.
TEST(VllmWindows, TwoBatchesAreInFlightSince026) {
  Json params = request("google/gemma-4-31B-it", "b300-sxm", 1, 16384, 1, "0.26");
  params["engine"]["options"]["kv_cache_memory_bytes"] = static_cast<std::int64_t>(182.37 * kGib);
  EXPECT_NEAR(testing::estimate(params)["engine"]["kv_cache_tokens"].get<double>(), 217'116, 30);
  params["engine"]["version"] = "0.25";
  EXPECT_GT(testing::estimate(params)["engine"]["kv_cache_tokens"].get<double>(), 217'116 * 1.5);
}

TEST(VllmWindows, OneWindowForAllLayersIsOneGroup) {
  Json params = request("Qwen/Qwen3-8B", "h100-sxm", 1, 32768, 1);
  params["model"] = {{"config", testing::parse(R"({"model_type":"mistral","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,
    "num_key_value_heads":8,"num_hidden_layers":32,"vocab_size":32000,"max_position_embeddings":32768,"sliding_window":4096,"torch_dtype":"bfloat16"})")}};
  const Json cache = testing::term(testing::estimate(params), "kv_cache");
  EXPECT_EQ(row_bytes(cache, "sliding_sequences"), 131'072LL * 16 * ((4095 + 2 * 8192 + 15) / 16 + 1));
  EXPECT_EQ(row_bytes(cache, "full_sequences"), 0);
}

TEST(VllmVision, TheEncoderIsLoadedAndItsLargestBatchCounted) {
  const Json response = testing::call("estimate", request("google/gemma-3-4b-it", "h100-sxm", 1, 4096, 1));
  EXPECT_EQ(row_bytes(testing::term(response["result"], "weights"), "vision"), 2LL * 419'816'304);
  // 8192 / 256 = 32 images of 4096 patches: fc1 and its activation, four hidden states; and 32 x 256 outputs.
  EXPECT_EQ(row_bytes(testing::term(response["result"], "compute"), "vision_encoder"),
            (2LL * 4304 + 4LL * 1152) * 4096 * 32 * 2 + 32LL * 256 * 2560 * 2);
  EXPECT_EQ(response["warnings"][0]["code"], "vision_counted");
}

TEST(VllmBackends, MetalAndVulkanHaveNoRules) {
  for (const char* backend : {"metal", "vulkan"}) {
    Json params = request("Qwen/Qwen3-8B", "h100-sxm", 1, 4096, 1);
    params["hardware"] = Json::array({{{"memory_bytes", 64'000'000'000}, {"backend", backend}}});
    const Json verdict = testing::estimate(params)["verdict"];
    EXPECT_EQ(verdict["class"], "impossible");
    EXPECT_NE(verdict["reason"]["message"].get<std::string>().find(backend), std::string::npos);
  }
}

TEST(VllmBackends, AMacIsImpossibleWithASentence) {
  const Json verdict = testing::estimate(request("Qwen/Qwen3-8B", "apple-m4-max-64gb", 1, 4096, 1))["verdict"];
  EXPECT_EQ(verdict["reason"]["message"], "We have no rules for vLLM on metal devices: expected a CUDA or ROCm device.");
}

TEST(VllmBackends, RocmIsCountedWithANoteAndItsExpertColumns) {
  Json params = request("Qwen/Qwen3-30B-A3B", "h100-sxm", 1, 4096, 1);
  const std::int64_t cuda = row_bytes(testing::term(testing::estimate(params), "weights"), "routed_experts");
  params["hardware"] = Json::array({{{"memory_bytes", 206'000'000'000}, {"backend", "rocm"}}});
  const Json response = testing::call("estimate", params);
  // gate and up: 2048 columns, down: 768; all are whole 512 bytes and get 128 columns more.
  EXPECT_EQ(row_bytes(testing::term(response["result"], "weights"), "routed_experts"), cuda + 48LL * 128 * (2 * 768 + 2048) * 128 * 2);
  EXPECT_EQ(response["warnings"][0]["code"], "rocm_by_cuda_rules");
}

// A log of 0.27.1 on a Radeon Pro W7900 with Qwen3.8-27B-FP8: 29.38 GiB, 0.93 of which are 256 bytes at each row of whole 512.
TEST(VllmBackends, RocmPadsRowsOfFp8) {
  const auto weights = [](const char* device, const char* format) {
    Json params = request("Qwen/Qwen3.8-27B", device, 1, 4096, 1, "0.27");
    params["weights"]["format"] = format;
    return weights_gib(params);
  };
  EXPECT_NEAR(weights("radeon-pro-w7900", "fp8-block"), 29.38, 0.03);
  EXPECT_NEAR(weights("radeon-pro-w7900", "fp8-block") - weights("h100-sxm", "fp8-block"), 0.93, 0.01);
  EXPECT_EQ(weights("radeon-pro-w7900", "fp8"), weights("h100-sxm", "fp8"));  // scales per channel
}

TEST(VllmBackends, AnUnknownBackendIsNamed) {
  Json params = request("Qwen/Qwen3-8B", "h100-sxm", 1, 4096, 1);
  params["hardware"] = Json::array({{{"memory_bytes", 64'000'000'000}, {"backend", "opencl"}}});
  EXPECT_EQ(testing::call("estimate", params)["error"]["code"], "unknown_backend");
}

TEST(Article, ItHasNoRuleForMxfp4) {
  Json params = request("openai/gpt-oss-20b", "h100-sxm", 1, 4096, 1);
  params["engine"] = {{"name", "article"}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "impossible");
  params["weights"] = {{"format", "bf16"}};
  EXPECT_EQ(row_bytes(testing::term(testing::estimate(params), "weights"), "parameters"), 2LL * 20'914'757'184);
}

}  // namespace
}  // namespace weighbridge::vllm_families_test

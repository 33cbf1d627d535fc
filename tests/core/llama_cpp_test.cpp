// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::llama_cpp_test {
namespace {

using testing::bytes_of;
using testing::Json;
using testing::kGiBytes;
using testing::llama_cpp_request;
using testing::memory;
using testing::sum_of;

constexpr const char* kLlama70B = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B";
constexpr const char* kLlama8B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B";

Json cards(const char* device, int count) { return Json::array({{{"device", device}, {"count", count}}}); }

// 80 layers x 2 x 8 heads x 128 x 2 bytes x 8,192 tokens.
// GGML_CUDA_MAX_DEVICES: 17 GPUs stop it, and none of its answers needs more.
TEST(LlamaCpp, TakesSixteenDevicesAtMost) {
  const auto on = [](int count) {
    return testing::llama_cpp_request("deepseek-ai/DeepSeek-R1", Json::array({{{"device", "rtx-3090"}, {"count", count}}}));
  };
  for (const char* engine : {"llama.cpp", "ollama", "lm-studio"}) {
    Json request = on(17);
    request["engine"]["name"] = engine;
    const Json verdict = testing::estimate(request)["verdict"];
    EXPECT_EQ(verdict["class"], "impossible") << engine;
    EXPECT_EQ(verdict["reason"]["where"], "params.hardware") << engine;
  }
  const Json most = testing::estimate(on(16));
  EXPECT_EQ(most["verdict"]["class"], "no");
  EXPECT_TRUE(most["fewest_devices"].is_null());
}

TEST(LlamaCppCache, SeventyBillionAt8192TokensTakes2684354560Bytes) {
  const Json result = testing::estimate(llama_cpp_request(kLlama70B, cards("rtx-3090", 2)));
  EXPECT_EQ(sum_of(result, "kv_cache"), 2'684'354'560);
  EXPECT_EQ(result["engine"]["kv_cache_pool_bytes"], 2'684'354'560);
  EXPECT_EQ(result["devices"].size(), 2U);
}

TEST(LlamaCppCache, EightBitTakes34BytesFor32Values) {
  Json params = llama_cpp_request(kLlama70B, memory(96));
  params["kv_cache"] = {{"k", "q8_0"}, {"v", "q8_0"}};
  EXPECT_EQ(sum_of(testing::estimate(params), "kv_cache"), 2'684'354'560 / 64 * 34);
}

TEST(LlamaCppCache, ContextIsRoundedUpTo256) {
  Json params = llama_cpp_request(kLlama8B, memory(96));
  params["workload"]["context_tokens"] = 257;
  EXPECT_EQ(testing::estimate(params)["engine"]["kv_cache_tokens"], 512);
}

TEST(LlamaCpp, AnArchitectureWithoutAKnownFileIsModelled) {
  const Json response = testing::call("estimate", llama_cpp_request("moonshotai/Kimi-K3", memory(96)));
  ASSERT_EQ(response["ok"], true) << response;
  for (const char* id : {"weights", "kv_cache"}) {
    const Json term = testing::term(response["result"], id);
    EXPECT_EQ(term["basis"], "modelled");
    EXPECT_GT(term["high_bytes"].get<std::int64_t>(), term["bytes"].get<std::int64_t>());
  }
  EXPECT_EQ(response["warnings"][0]["code"], "no_gguf_of_architecture");
  EXPECT_EQ(testing::term(testing::estimate(llama_cpp_request(kLlama8B, memory(96))), "weights")["basis"], "exact");
}

// 258.50 MiB: planned by the engine itself, and logged for a real card (33 of 33 layers, "CUDA0 compute buffer size =   258.50 MiB").
TEST(LlamaCppCompute, EightBillionPlans258MiB) {
  const Json options{{"n_ctx", 4096}, {"n_ubatch", 512}, {"flash_attn", "on"}};
  EXPECT_EQ(testing::term(testing::estimate(llama_cpp_request(kLlama8B, memory(24), options)), "compute")["bytes"], 271'056'896);
}

TEST(LlamaCppCompute, TermsAddUpToTheTotal) {
  const Json result = testing::estimate(llama_cpp_request(kLlama70B, cards("rtx-3090", 2)));
  for (const Json& place : {result["devices"][0], result["devices"][1], result["host"]}) {
    std::int64_t sum = 0;
    for (const Json& term : place["terms"]) {
      sum += term["bytes"].get<std::int64_t>();
      EXPECT_LE(term["low_bytes"], term["bytes"]);
      EXPECT_GE(term["high_bytes"], term["bytes"]);
    }
    EXPECT_EQ(place["total_bytes"], sum);
  }
}

TEST(LlamaCppCompute, NeverShrinksWithContextOrSequences) {
  std::int64_t last = 0;
  for (const int tokens : {1, 255, 1024, 8000, 32768, 131072}) {
    Json params = llama_cpp_request(kLlama8B, memory(512));
    params["workload"] = {{"context_tokens", tokens}, {"sequences", 2}};
    const auto total = testing::estimate(params)["devices"][0]["total_bytes"].get<std::int64_t>();
    EXPECT_GE(total, last) << tokens;
    last = total;
  }
}

TEST(LlamaCppPlacement, SplittingConservesWeights) {
  const std::int64_t whole = sum_of(testing::estimate(llama_cpp_request(kLlama70B, memory(96))), "weights");
  for (const int count : {2, 3, 5}) EXPECT_EQ(sum_of(testing::estimate(llama_cpp_request(kLlama70B, memory(96, count))), "weights"), whole) << count;
}

TEST(LlamaCppPlacement, LayersGoToTheDevicesLastOnesFirst) {
  const Json none = testing::estimate(llama_cpp_request(kLlama8B, memory(24), {{"n_gpu_layers", 0}}));
  EXPECT_EQ(bytes_of(none["devices"][0], "weights"), 0);
  std::int64_t last = 0;
  for (const int layers : {1, 2, 16, 32, 33}) {
    const auto bytes = bytes_of(testing::estimate(llama_cpp_request(kLlama8B, memory(24), {{"n_gpu_layers", layers}}))["devices"][0], "weights");
    EXPECT_GT(bytes, last) << layers;
    last = bytes;
  }
}

TEST(LlamaCppPlacement, UnlikeDevicesTakeSharesOfTheirFreeMemory) {
  const Json hardware = Json::array({{{"memory_bytes", 48 * kGiBytes}, {"count", 1}}, {{"memory_bytes", 24 * kGiBytes}, {"count", 1}}});
  const Json result = testing::estimate(llama_cpp_request(kLlama70B, hardware));
  const auto large = static_cast<double>(bytes_of(result["devices"][0], "weights"));
  const auto small = static_cast<double>(bytes_of(result["devices"][1], "weights"));
  EXPECT_NEAR(large / small, 2.0, 0.15);
}

TEST(LlamaCppPlacement, SharesCanBeGiven) {
  const Json result = testing::estimate(llama_cpp_request(kLlama70B, memory(96, 2), {{"tensor_split", {3, 1}}}));
  EXPECT_NEAR(static_cast<double>(bytes_of(result["devices"][0], "kv_cache")) / static_cast<double>(bytes_of(result["devices"][1], "kv_cache")), 3.0,
              0.25);
}

TEST(LlamaCppRefusals, EachIsOneSentence) {
  const auto reason = [](const Json& params) { return testing::estimate(params)["verdict"]["reason"]; };
  const Json shares = reason(llama_cpp_request(kLlama70B, memory(96, 2), {{"tensor_split", std::vector<int>(16, 1)}}));
  EXPECT_EQ(shares["where"], "params.engine.options.tensor_split");
  EXPECT_NE(shares["message"].get<std::string>().find("got 16 input configs, but system only has 16 devices"), std::string::npos);
  Json quantized = llama_cpp_request(kLlama8B, memory(24), {{"flash_attn", "off"}});
  quantized["kv_cache"] = {{"k", "q8_0"}, {"v", "q8_0"}};
  EXPECT_EQ(reason(quantized)["where"], "params.kv_cache");
  EXPECT_EQ(reason(llama_cpp_request(kLlama8B, memory(24), {{"split_mode", "row"}}))["code"], "unsupported");
}

TEST(LlamaCppRefusals, AnFp8CheckpointIsOfferedAsQ8) {
  Json params = llama_cpp_request("deepseek-ai/DeepSeek-R1", memory(512, 2));
  params["weights"]["format"] = "checkpoint";
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["nearest"]["weights"]["format"], "gguf:Q8_0");
}

TEST(LlamaCppRefusals, MoreLayersThanThereAreMeansAll) {
  const Json response = testing::call("estimate", llama_cpp_request(kLlama8B, memory(24), {{"n_gpu_layers", 99}}));
  EXPECT_EQ(response["result"]["engine"]["gpu_layers"], 33);
  EXPECT_EQ(response["warnings"][0]["code"], "gpu_layers_capped");
}

TEST(LlamaCppCheckpoint, SixteenBitWeightsStaySixteenBit) {
  Json params = llama_cpp_request(kLlama8B, memory(24));
  const auto bytes = [&](const char* format) {
    params["weights"]["format"] = format;
    return sum_of(testing::estimate(params), "weights");
  };
  EXPECT_EQ(bytes("checkpoint"), bytes("gguf:BF16"));
}

TEST(LlamaCppHost, WhatDoesNotFitMayRunWithLayersInItsMemory) {
  Json params = llama_cpp_request(kLlama70B, cards("rtx-3090", 1));
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "no");
  params["host"] = {{"memory_bytes", 128 * kGiBytes}};
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "offload");
  const auto layers = verdict["nearest"]["gpu_layers"].get<int>();
  const auto surely_fits = [&](int n) {
    params["offload"] = {{"gpu_layers", n}};
    const Json result = testing::estimate(params);
    const Json& device = result["devices"][0];
    return device["high_bytes"].get<std::int64_t>() <= device["capacity_bytes"].get<std::int64_t>();
  };
  EXPECT_TRUE(surely_fits(layers));
  EXPECT_FALSE(surely_fits(layers + 1));
}

TEST(LlamaCppHost, OfUnknownSizeWithLayersOnItIsUnknown) {
  Json params = llama_cpp_request(kLlama70B, cards("rtx-3090", 1));
  params["offload"] = {{"gpu_layers", 0}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "unknown");
}

TEST(LlamaCppHost, SharedWithTheDeviceItIsCountedOnce) {
  Json params = llama_cpp_request(kLlama70B, cards("apple-m4-max-64gb", 1));
  params["weights"]["format"] = "gguf:Q8_0";
  params["host"] = {{"memory_bytes", 64 * kGiBytes}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "no");
}

TEST(LlamaCppSettings, MoreSequencesThanTheEngineTakesAreRefused) {
  Json params = llama_cpp_request(kLlama8B, memory(80));
  params["workload"] = {{"context_tokens", 256}, {"sequences", 257}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "out_of_range");
  params["workload"]["sequences"] = 256;
  EXPECT_EQ(testing::estimate(params)["max_sequences"], 256);
}

TEST(LlamaCppHost, TooLittleOfItIsNo) {
  Json params = llama_cpp_request(kLlama70B, cards("rtx-3090", 1));
  params["host"] = {{"memory_bytes", 8 * kGiBytes}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "no");
}

TEST(LlamaCppHost, AloneItDecides) {
  Json params = llama_cpp_request(kLlama8B, Json::array());
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "unknown");
  params["host"] = {{"memory_bytes", 64 * kGiBytes}};
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["verdict"]["class"], "fits");
  EXPECT_EQ(result["verdict"]["limit"], "host");
  EXPECT_TRUE(result["devices"].empty());
}

TEST(LlamaCppSolvers, TheLongestContextHoldsAndOneMoreDoesNot) {
  Json params = llama_cpp_request(kLlama70B, cards("rtx-3090", 2));
  const auto most = testing::estimate(params)["max_context_tokens"].get<std::int64_t>();
  const auto holds = [&](std::int64_t tokens) {
    params["workload"]["context_tokens"] = tokens;
    const Json result = testing::estimate(params);
    bool all = true;
    for (const Json& device : result["devices"])
      all = all && device["total_bytes"].get<std::int64_t>() <= device["capacity_bytes"].get<std::int64_t>();
    return all;
  };
  EXPECT_TRUE(holds(most));
  EXPECT_FALSE(holds(most + 1));
}

TEST(LlamaCppShare, LinksWriteTheFormatInSmallLettersWithoutItsPrefix) {
  const char* link = "v=1&m=deepseek-r1-distill-llama-70b&w=q5_k_m&ctx=8k&n=2&g=2xrtx-3090&e=llama.cpp&kv=q8_0&ngl=40&ub=1024&fa=on";
  const Json decoded = testing::call("share.decode", {{"hash", link}})["result"];
  EXPECT_TRUE(decoded["notices"].empty()) << decoded["notices"].dump();
  EXPECT_EQ(decoded["request"]["weights"]["format"], "gguf:Q5_K_M");
  EXPECT_EQ(decoded["request"]["offload"]["gpu_layers"], 40);
  EXPECT_EQ(testing::call("share.encode", {{"request", decoded["request"]}})["result"]["hash"], link);
}

TEST(LlamaCpp, SaysOfHowManyLayersExpertsStayInSystemMemory) {
  Json params = testing::serving_request("lm-studio", "Qwen/Qwen3-30B-A3B", "rtx-3060-12gb", 1);
  params["weights"] = {{"format", "gguf:Q4_K_M"}};
  params["workload"] = {{"context_tokens", 8192}, {"sequences", 1}};
  params["host"] = {{"memory_bytes", std::int64_t{64} << 30}};
  const Json fitted = testing::estimate(params)["engine"];
  EXPECT_EQ(fitted["gpu_layers"], fitted["all_gpu_layers"]);
  EXPECT_EQ(fitted["host_expert_layers"], fitted["fit"]["override_tensor"].size() - 1);  // the last rule is of the output layer
  params["engine"] = {{"name", "llama.cpp"}};
  params["offload"] = {{"cpu_moe_layers", 20}};
  EXPECT_EQ(testing::estimate(params)["engine"]["host_expert_layers"], 20);
  params["offload"] = {{"cpu_moe_layers", 20}, {"gpu_layers", 10}};  // the first layers lie there whole
  EXPECT_FALSE(testing::estimate(params)["engine"].contains("host_expert_layers"));
}

}  // namespace
}  // namespace weighbridge::llama_cpp_test

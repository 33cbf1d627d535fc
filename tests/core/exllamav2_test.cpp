// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::exllamav2_test {
namespace {

using testing::Json;

constexpr std::int64_t kMib = 1 << 20;

Json exl2_request(const char* model, const char* format, int context, int sequences, const Json& options = Json::object(),
                  const char* device = "rtx-4090", int count = 1) {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", format}}},
          {"engine", {{"name", "exllamav2"}, {"options", options}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

Json exl2_term(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }
std::int64_t exl2_bytes(const Json& params, const char* id) { return exl2_term(params, id)["bytes"].get<std::int64_t>(); }

// Qwen3-8B: the bits of a weight are an average with its scales (conversion/qparams.py total_bits), those of the head six.
TEST(ExLlamaV2Weights, AverageBitsHoldForAllMatricesAndTheEmbeddingsStayOnTheHost) {
  constexpr std::int64_t layer = 2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 12288;
  const Json result = testing::estimate(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 4096, 1));
  EXPECT_EQ(testing::term(result, "weights")["bytes"], 36 * (layer / 2 + 2 * (2 * 4096 + 2 * 128)) + 4096LL * 151936 * 6 / 8 + 2 * 4096);
  EXPECT_EQ(result["host"]["terms"][0]["bytes"], 151936LL * 4096 * 2);
}

TEST(ExLlamaV2Weights, ATiedHeadIsQuantizedApartOrCopied) {
  EXPECT_EQ(testing::row_bytes(exl2_term(exl2_request("Qwen/Qwen3-4B", "exl2-4bpw", 4096, 1), "weights"), "output_head"), 151936LL * 2560 / 8 * 6);
  EXPECT_EQ(testing::row_bytes(exl2_term(exl2_request("Qwen/Qwen3-4B", "bf16", 4096, 1), "weights"), "output_head"), 151936LL * 2560 * 2);
}

// cache.py: Q8 has 8 bits, Q6 keys of 8 and values of 4, Q4 has 4, each 32 with a scale of 16; one layer is unpacked to 16 bits. Pages hold 256.
TEST(ExLlamaV2Cache, IsQuantizedByNameAndUnpackedALayerAtATime) {
  constexpr std::int64_t layer = 8 * 128;  // of keys, and as many of values
  const auto cache = [](const char* type, int context, int sequences) {
    Json params = exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", context, sequences);
    params["kv_cache"] = {{"k", type}};
    return exl2_bytes(params, "kv_cache");
  };
  EXPECT_EQ(cache("f16", 300, 3), 3 * 512 * 36 * 2 * layer * 2);
  constexpr std::int64_t unpacked = 4096 * 2 * layer * 2;
  EXPECT_EQ(cache("q8", 4096, 1), 4096 * 36 * 2 * layer / 32 * (32 + 2) + unpacked);
  EXPECT_EQ(cache("q6", 4096, 1), 4096 * 36 * layer / 32 * ((32 + 2) + (16 + 2)) + unpacked);
  EXPECT_EQ(cache("q4", 4096, 1), 4096 * 36 * 2 * layer / 32 * (16 + 2) + unpacked);
}

// gemma-3-27b: 52 of its 62 layers look back 1,024 tokens; all of them keep every token.
TEST(ExLlamaV2Cache, LayersWithAWindowKeepAll) {
  EXPECT_EQ(exl2_bytes(exl2_request("google/gemma-3-27b-it", "exl2-4bpw", 8192, 1), "kv_cache"), 62LL * 8192 * 2 * 16 * 128 * 2);
}

// The head of Qwen3-8B has 622 million values, of which 512 Mi are unpacked at once; loading asks for the logits of 2,048 tokens.
TEST(ExLlamaV2Compute, TheLargestMatrixIsUnpackedIntoABufferThatStays) {
  const Json compute = exl2_term(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 4096, 1), "compute");
  EXPECT_EQ(testing::row_bytes(compute, "exllama_buffer"), 1024 * kMib);
  EXPECT_EQ(testing::row_bytes(compute, "logits"), 2048LL * 151936 * 2);
  EXPECT_EQ(compute["low_bytes"].get<std::int64_t>(), 1024 * kMib + 1024LL * 151936 * 2);
  const Json lean = exl2_term(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 4096, 1, {{"last_id_only", true}}), "compute");
  EXPECT_EQ(testing::row_bytes(lean, "attention_step"), 2048LL * (2 * (32 + 8) * 128 * 2 + 4 * 4096 + 4 * 32));
  // mixtral: two experts' states and one expert's matrix, 4,096 x 14,336, are more than the head's 4,096 x 32,000.
  const Json experts = exl2_term(exl2_request("mistralai/Mixtral-8x7B-Instruct-v0.1", "exl2-3bpw", 4096, 1), "compute");
  EXPECT_EQ(testing::row_bytes(experts, "exllama_buffer"), 2048LL * 2 * (2 * 4096 + 2 * 14336 + 8) + 2LL * 4096 * 14336);
}

TEST(ExLlamaV2Compute, WeightsOf16BitsHaveNoBuffer) {
  const Json rows = exl2_term(exl2_request("Qwen/Qwen3-4B", "fp16", 4096, 1), "compute")["formula"]["rows"];
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0]["label"], "logits");
}

// model.py load_autosplit_gen: 256 MiB while loading, and 192 MiB of the first GPU, 64 MiB of the others.
TEST(ExLlamaV2Layout, LayersGoToTheFirstCardThatHoldsThem) {
  const auto kept = [](const Json& device) {
    return (device["capacity_bytes"].get<std::int64_t>() - device["limit_bytes"].get<std::int64_t>()) / kMib;
  };
  const Json result = testing::estimate(exl2_request("meta-llama/Llama-3.3-70B-Instruct", "exl2-4bpw", 8192, 1, Json::object(), "rtx-3090", 2));
  EXPECT_EQ(result["verdict"]["class"], "fits");
  EXPECT_EQ(kept(result["devices"][0]), 256 + 192);
  EXPECT_EQ(kept(result["devices"][1]), 256 + 64);
  EXPECT_EQ(testing::sum_of(result, "kv_cache"), 80LL * 8192 * 2 * 8 * 128 * 2);
  EXPECT_GT(testing::bytes_of(result["devices"][0], "weights"), testing::bytes_of(result["devices"][1], "weights"));
  const Json own = testing::estimate(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 8192, 1, {{"reserve_vram", 1024 * kMib}}));
  EXPECT_EQ(kept(own["devices"][0]), 256 + 1024);
}

// tensor_p.py define_split over two equal GPUs: half of the heads, of 28,672 / 128 parts, of 8,192 / 32 rows and of the vocabulary; norms are copied.
TEST(ExLlamaV2Layout, TensorParallelSplitsEveryMatrix) {
  Json params = exl2_request("meta-llama/Llama-3.3-70B-Instruct", "exl2-4bpw", 8192, 1, {{"tensor_parallel", true}}, "rtx-3090", 2);
  params["kv_cache"] = {{"k", "q4"}};
  const Json result = testing::estimate(params);
  ASSERT_EQ(result["devices"].size(), 2U);
  constexpr std::int64_t layer = 2 * 8192 * 8192 + 2 * 8192 * 1024 + 3LL * 8192 * 28672;
  EXPECT_EQ(testing::bytes_of(result["devices"][1], "weights"), 80 * (layer / 4 + 2 * 2 * 8192) + 8192LL * 128256 / 2 * 6 / 8 + 2 * 8192);
  EXPECT_EQ(testing::bytes_of(result["devices"][0], "kv_cache"), 80LL * 8192 * 4 * 128 * 2 / 32 * (16 + 2) + 8192LL * 2 * 4 * 128 * 2);
  // Half of the head's columns, two bytes each.
  EXPECT_EQ(testing::row_bytes(testing::term(result, "compute"), "exllama_buffer"), 8192LL * 128256 / 2 * 2);
}

TEST(ExLlamaV2Layout, RefusesWhatCannotRun) {
  const auto verdict = [](const Json& params) { return testing::estimate(params)["verdict"]; };
  EXPECT_EQ(verdict(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 4096, 1, Json::object(), "t4"))["reason"]["code"], "needs_capability");
  EXPECT_EQ(verdict(exl2_request("deepseek-ai/DeepSeek-R1", "exl2-4bpw", 4096, 1))["reason"]["values"]["key"], "model_type");
  EXPECT_EQ(verdict(exl2_request("Qwen/Qwen3-8B", "exl2-4bpw", 8192, 2, {{"cache_size", 8192}}))["reason"]["values"]["key"], "cache_size");
  EXPECT_EQ(verdict(exl2_request("Qwen/Qwen3-8B-AWQ", "checkpoint", 4096, 1))["nearest"]["weights"]["format"], "exl2-4bpw");
  EXPECT_EQ(verdict(exl2_request("Qwen/Qwen3-30B-A3B", "exl2-4bpw", 4096, 1, {{"tensor_parallel", true}}))["reason"]["values"]["key"],
            "tensor_parallel");
  EXPECT_EQ(verdict(exl2_request("Qwen/Qwen3-8B", "fp16", 4096, 1, {{"tensor_parallel", true}}, "rtx-4090", 2))["reason"]["values"]["value"], "fp16");
}

}  // namespace
}  // namespace weighbridge::exllamav2_test

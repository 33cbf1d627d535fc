// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::mlc_test {
namespace {

using testing::Json;

Json mlc_request(const char* engine, const char* model, const char* format, int context, int sequences, const Json& options = Json::object(),
                 const char* device = "rtx-4090", int count = 1) {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", format}}},
          {"engine", {{"name", engine}, {"options", options}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

std::int64_t mlc_bytes(const Json& params, const char* id) { return testing::term(testing::estimate(params), id)["bytes"].get<std::int64_t>(); }

/// Groups of `group` values in four words, with a scale (group_quantization.py).
constexpr std::int64_t groups(std::int64_t rows, std::int64_t cols, std::int64_t group, std::int64_t scale) {
  return rows * ((cols + group - 1) / group) * (16 + scale);
}

constexpr std::int64_t qwen3_8b(std::int64_t group, std::int64_t scale) {
  const std::int64_t layer = 2 * groups(4096, 4096, group, scale) + 2 * groups(1024, 4096, group, scale) + 2 * groups(12288, 4096, group, scale) +
                             groups(4096, 12288, group, scale) + scale * (2 * 4096 + 2 * 128);
  return 36 * layer + 2 * groups(151936, 4096, group, scale) + scale * 4096;
}

TEST(MlcWeights, EveryLinearAndEmbeddingIsInGroupsWithAScale) {
  EXPECT_EQ(mlc_bytes(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 1), "weights"), qwen3_8b(32, 2));
  EXPECT_EQ(mlc_bytes(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q3f16_1", 4096, 1), "weights"), qwen3_8b(40, 2));
  EXPECT_EQ(mlc_bytes(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f32_1", 4096, 1), "weights"), qwen3_8b(32, 4));
}

// cpp/serve/config.cc with max_num_sequence 2, prefill_chunk_size 2048, 32 query and 8 key heads of 128; a step is counted twice.
TEST(MlcBudget, WorkspacesAreThoseOfItsOwnEstimate) {
  const Json result = testing::estimate(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 2));
  constexpr std::int64_t step = 2 * 2 * 2048LL * (3 * 12288 + 4 * 4096);
  constexpr std::int64_t cache = 3 * 88 + 2048 * 33 * 8 + 2048 * 128 * 40 * 4 + 48 * 1024 * 1024 + 8192 * 5 / 4;
  constexpr std::int64_t model = (2048 * 2 + 2) * 4096 * 2;
  constexpr std::int64_t logits = 2 * 151936 * 129 / 8;
  EXPECT_EQ(testing::term(result, "compute")["bytes"], step + cache + model + logits);
  EXPECT_EQ(testing::term(result, "kv_cache")["bytes"], (8192 + 16) * 36 * 2 * 8 * 128 * 2);
  const Json& device = result["devices"][0];
  EXPECT_NEAR(device["limit_bytes"].get<double>(), 0.85 * device["capacity_bytes"].get<double>(), 1);
}

// 27 layers of 512 and 64 values; kv_b_proj is there twice, quantized and as two halves of 16 bits (deepseek_v2_model.py).
TEST(MlcCache, LatentsAreCachedAndTheirUpProjectionIsHeldTwice) {
  const Json result = testing::estimate(mlc_request("mlc-llm", "deepseek-ai/DeepSeek-V2-Lite", "q4f16_1", 1024, 1));
  EXPECT_EQ(testing::term(result, "kv_cache")["bytes"], (1024 + 16) * 27 * 576 * 2);
  EXPECT_EQ(testing::row_bytes(testing::term(result, "weights"), "absorbed_kv_b"), 27LL * 16 * 256 * 512 * 2);
}

TEST(MlcLimits, WindowsAndModesBoundTheContext) {
  const auto verdict = [](const Json& params) { return testing::estimate(params)["verdict"]; };
  const Json window = verdict(mlc_request("mlc-llm", "google/gemma-3-4b-it", "q4f16_1", 16384, 1));
  EXPECT_EQ(window["class"], "impossible");
  EXPECT_EQ(window["nearest"]["context_tokens"], 8192);
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "google/gemma-3-4b-it", "q4f16_1", 8192, 1))["class"], "fits");
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f16_1", 2048, 5, {{"mode", "local"}}))["reason"]["values"]["key"], "max_num_sequence");
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 3, {{"mode", "local"}}))["reason"]["values"]["key"],
            "max_total_seq_length");
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 1, {{"mode", "fast"}}))["reason"]["values"]["key"], "mode");
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "openai/gpt-oss-20b", "q4f16_1", 4096, 1))["reason"]["values"]["key"], "model_type");
  EXPECT_EQ(verdict(mlc_request("mlc-llm", "Qwen/Qwen3-8B-FP8", "checkpoint", 4096, 1))["nearest"]["weights"]["format"], "q4f16_1");
}

// mlc-ai/web-llm src/config.ts vram_required_MB at a context of 4,096, of some unit between 10^6 and 2^20 bytes.
TEST(MlcLimits, AFitHasRoomForTheHighBound) {
  Json request = testing::serving_request("mlc-llm", "Qwen/Qwen3-8B", "rtx-3060-12gb", 4);
  request["weights"] = {{"format", "q4f16_1"}};
  request["workload"] = {{"context_tokens", 40000}, {"sequences", 5}};
  const Json answer = testing::estimate(request);
  const Json& device = answer["devices"][0];
  ASSERT_GT(device["high_bytes"], device["capacity_bytes"]);
  EXPECT_EQ(answer["verdict"]["class"], "tight");
}

TEST(MlcLimits, AcceleratorsThatItHasNoCodeForAreRefused) {
  for (const char* device :
       {"tpu-v6e", "ascend-910b3", "trainium2", "inferentia2", "tenstorrent-n300", "gaudi3", "mtt-s4000", "mlu370-x8", "hygon-k100-ai"})
    for (const char* engine : {"mlc-llm", "web-llm"}) {
      const Json verdict = testing::estimate(mlc_request(engine, "Qwen/Qwen3-0.6B", "q4f16_1", 1024, 1, Json::object(), device))["verdict"];
      EXPECT_EQ(verdict["class"], "impossible") << engine << device;
      EXPECT_EQ(verdict["reason"]["code"], "no_rules_for_backend") << engine << device;
    }
  for (const char* device : {"rtx-4090", "mi300x", "m4-max-64gb", "arc-b580"})
    EXPECT_EQ(testing::estimate(mlc_request("mlc-llm", "Qwen/Qwen3-0.6B", "q4f16_1", 1024, 1, Json::object(), device))["verdict"]["class"], "fits")
        << device;
}

TEST(WebLlm, PublishedNeedsLieWithinTheBand) {
  struct Row {
    const char* model;
    const char* format;
    double megabytes;
  };
  const Row rows[] = {{"meta-llama/Llama-3.2-1B-Instruct", "q4f16_1", 879.04},  {"meta-llama/Llama-3.2-3B-Instruct", "q4f16_1", 2263.69},
                      {"meta-llama/Llama-3.1-8B-Instruct", "q4f16_1", 5001.0},  {"meta-llama/Llama-3.2-1B-Instruct", "q4f32_1", 1128.82},
                      {"meta-llama/Llama-3.2-3B-Instruct", "q4f32_1", 2951.51}, {"meta-llama/Llama-3.1-8B-Instruct", "q4f32_1", 6101.01}};
  for (const Row& row : rows) {
    const Json device = testing::estimate(mlc_request("web-llm", row.model, row.format, 4096, 1))["devices"][0];
    EXPECT_LE(device["low_bytes"].get<double>(), row.megabytes * (1 << 20)) << row.model << row.format;
    EXPECT_GE(device["high_bytes"].get<double>(), row.megabytes * 1e6) << row.model << row.format;
    EXPECT_NEAR(device["total_bytes"].get<double>(), row.megabytes * 1.024e6, row.megabytes * 1e6 / 12) << row.model << row.format;
  }
}

TEST(WebLlm, ABrowserHasOneGpuAndBuffersOfAGibibyte) {
  const auto reason = [](const Json& params) { return testing::estimate(params)["verdict"]["reason"]["values"]["key"]; };
  EXPECT_EQ(reason(mlc_request("web-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 1, Json::object(), "rtx-4090", 2)), "hardware");
  EXPECT_EQ(reason(mlc_request("web-llm", "Qwen/Qwen3-8B", "q4f16_1", 4096, 2)), "sequences");
  EXPECT_EQ(reason(mlc_request("web-llm", "Qwen/Qwen3-8B", "fp16", 4096, 1)), "maxStorageBufferBindingSize");  // an embedding of 1.16 GiB
}

}  // namespace
}  // namespace weighbridge::mlc_test

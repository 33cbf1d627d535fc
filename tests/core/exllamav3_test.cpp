// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::exllamav3_test {
namespace {

using testing::Json;

Json exl_request(const char* model, const char* format, int context, int sequences, const Json& options = Json::object(),
                 const char* device = "rtx-4090", int count = 1) {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", format}}},
          {"engine", {{"name", "exllamav3"}, {"options", options}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

Json exl_term(const Json& params, const char* id) { return testing::term(testing::estimate(params), id); }
std::int64_t exl_bytes(const Json& params, const char* id) { return exl_term(params, id)["bytes"].get<std::int64_t>(); }

// A matrix of whole bits, with 16 bits for each input and output and a mark of its codebook (modules/quant/exl3.py get_tensors).
constexpr std::int64_t matrix(std::int64_t in, std::int64_t out, std::int64_t bits) { return in * out / 8 * bits + 2 * (in + out) + 4; }

TEST(ExLlamaV3Weights, EveryMatrixOfADenseModelIsCountedAndTheEmbeddingsStayOnTheHost) {
  const std::int64_t layer = 2 * matrix(4096, 4096, 4) + 2 * matrix(4096, 1024, 4) + 3 * matrix(4096, 12288, 4) + 2 * (2 * 4096 + 2 * 128);
  const Json result = testing::estimate(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1));
  EXPECT_EQ(testing::term(result, "weights")["bytes"], 36 * layer + matrix(4096, 151936, 6) + 2 * 4096);
  EXPECT_EQ(result["host"]["terms"][0]["bytes"], 151936LL * 4096 * 2);
}

// modules/mla_attn.py: kv_b_proj is never quantized; the padding of 576 outputs to 640 and the signs are counted with the scales.
TEST(ExLlamaV3Weights, OfLatentAttentionTheUpProjectionKeeps16Bits) {
  const Json weights = exl_term(exl_request("deepseek-ai/DeepSeek-R1", "exl3-2bpw", 4096, 1, Json::object(), "b300-sxm"), "weights");
  constexpr std::int64_t values = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 128 * 128 * 7168;
  std::int64_t counted = 0;
  for (const Json& row : weights["formula"]["rows"])
    if (row["label"] == "attention") counted += row["bytes"].get<std::int64_t>();
  EXPECT_EQ(counted, 61 * (values / 4 + 2 * 512 * 128 * 256));
}

TEST(ExLlamaV3Weights, ATiedHeadIsQuantizedApart) {
  const Json weights = exl_term(exl_request("Qwen/Qwen3-4B", "exl3-4bpw", 4096, 1), "weights");
  EXPECT_EQ(testing::row_bytes(weights, "output_head"), 151936LL * 2560 / 8 * 6);
}

TEST(ExLlamaV3Cache, PagesHold256TokensAndAQuantizedValueASharedScale) {
  constexpr std::int64_t values = 36 * 8 * 128;  // of keys, and as many of values
  EXPECT_EQ(exl_bytes(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 300, 3), "kv_cache"), 3 * 512 * 2 * values * 2);
  Json quantized = exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1);
  quantized["kv_cache"] = {{"k", "q4"}, {"v", "q4"}};
  EXPECT_EQ(exl_bytes(quantized, "kv_cache"), 4096 * 2 * values / 32 * (4 * 4 + 2));
  EXPECT_EQ(exl_bytes(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1, {{"k_bits", 8}, {"v_bits", 4}}), "kv_cache"),
            4096 * values / 32 * (4 * 8 + 2 + 4 * 4 + 2));
  EXPECT_EQ(exl_bytes(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1, {{"cache_size", 8192}}), "kv_cache"), 8192 * 2 * values * 2);
}

// cache/mla.py: 1,152 bytes a token and layer, 672 at 8 bits, 416 at 4; the rotated key is never quantized.
TEST(ExLlamaV3Cache, LatentsAreQuantizedAndTheirRotatedKeysAreNot) {
  Json params = exl_request("deepseek-ai/DeepSeek-R1", "exl3-2bpw", 1024, 1, Json::object(), "b300-sxm");
  EXPECT_EQ(exl_bytes(params, "kv_cache"), 61 * 1024 * 1152);
  params["kv_cache"] = {{"k", "q8"}, {"v", "q8"}};
  EXPECT_EQ(exl_bytes(params, "kv_cache"), 61 * 1024 * 672);
  params["kv_cache"] = {{"k", "q4"}, {"v", "q4"}};
  EXPECT_EQ(exl_bytes(params, "kv_cache"), 61 * 1024 * 416);
}

// gpt-oss-20b: every other of 24 layers looks back 128 tokens, in rings of 768 (128 and 512, in whole pages).
TEST(ExLlamaV3Cache, LayersWithAWindowKeepARingWhereTheirClassHasOne) {
  const Json rings = exl_request("openai/gpt-oss-20b", "exl3-4bpw", 8192, 4);
  EXPECT_EQ(exl_bytes(rings, "kv_cache"), 12LL * 4 * (8192 + 768) * 2 * 8 * 64 * 2);
  const Json whole = exl_request("openai/gpt-oss-20b", "exl3-4bpw", 8192, 4, {{"swa_full", true}});
  EXPECT_EQ(exl_bytes(whole, "kv_cache"), 24LL * 4 * 8192 * 2 * 8 * 64 * 2);
  EXPECT_EQ(exl_bytes(exl_request("google/gemma-3-27b-it", "exl3-4bpw", 8192, 1), "kv_cache"), 62LL * 8192 * 2 * 16 * 128 * 2);
}

// 2,048 tokens: gate and up in 16 bits, the residual, its norm and the output, and a matrix unpacked to 16 bits.
TEST(ExLlamaV3Compute, AChunkUnpacksOneMatrixAtATime) {
  EXPECT_EQ(exl_bytes(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1), "compute"), 2048 * (4 * 12288 + 10 * 4096) + 2 * 4096 * 12288);
  EXPECT_EQ(exl_bytes(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1, {{"max_chunk_size", 512}}), "compute"),
            512 * (4 * 12288 + 10 * 4096) + 2 * 4096 * 12288);
}

TEST(ExLlamaV3Layout, LayersGoToTheFirstCardThatHoldsThem) {
  const Json result = testing::estimate(exl_request("meta-llama/Llama-3.3-70B-Instruct", "exl3-4bpw", 8192, 1, Json::object(), "rtx-3090", 3));
  const Json& devices = result["devices"];
  ASSERT_EQ(devices.size(), 3U);
  EXPECT_EQ(result["verdict"]["class"], "fits");
  for (const Json& device : devices) {
    EXPECT_LE(device["total_bytes"].get<std::int64_t>(), device["limit_bytes"].get<std::int64_t>());
    EXPECT_EQ(device["capacity_bytes"].get<std::int64_t>() - device["limit_bytes"].get<std::int64_t>(), testing::kGiBytes / 2);
  }
  EXPECT_EQ(testing::sum_of(result, "kv_cache"), 80LL * 8192 * 2 * 8 * 128 * 2);
  EXPECT_GT(testing::bytes_of(devices[0], "weights"), testing::bytes_of(devices[2], "weights"));
}

TEST(ExLlamaV3Layout, RefusesWhatCannotRun) {
  const auto verdict = [](const Json& params) { return testing::estimate(params)["verdict"]; };
  EXPECT_EQ(verdict(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1, Json::object(), "mi300x"))["reason"]["values"]["key"], "backend");
  EXPECT_EQ(verdict(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 4096, 1, Json::object(), "t4"))["reason"]["code"], "needs_capability");
  EXPECT_EQ(verdict(exl_request("google/gemma-3n-E2B-it", "exl3-4bpw", 4096, 1))["reason"]["values"]["key"], "model_type");
  EXPECT_EQ(verdict(exl_request("Qwen/Qwen3-8B", "exl3-4bpw", 8192, 2, {{"cache_size", 8192}}))["reason"]["values"]["key"], "cache_size");
  EXPECT_EQ(verdict(exl_request("Qwen/Qwen3-8B-AWQ", "checkpoint", 4096, 1))["nearest"]["weights"]["format"], "exl3-4bpw");
}

}  // namespace
}  // namespace weighbridge::exllamav3_test

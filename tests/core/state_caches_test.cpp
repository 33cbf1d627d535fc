// SPDX-License-Identifier: Apache-2.0
// Caches that are no keys and values for every token: recurrent states, indexer keys, compressed entries.
#include <gtest/gtest.h>

#include <set>

#include "api_fixture.hpp"

namespace weighbridge {
namespace {

using testing::Json;

Json vllm_request(const char* model, std::int64_t context, std::int64_t sequences, int count = 1) {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", "vllm"}, {"options", {{"max_num_batched_tokens", 8192}}}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", "h200-sxm"}, {"count", count}}})}};
}

Json mamba2_request(std::int64_t context, bool flash, Json options) {
  options["flash_attn"] = flash ? "on" : "off";
  options["n_ctx"] = context;
  return {{"model",
           {{"config",
             {{"model_type", "mamba2"},
              {"hidden_size", 2560},
              {"expand", 2},
              {"head_dim", 64},
              {"num_heads", 80},
              {"n_groups", 1},
              {"state_size", 128},
              {"conv_kernel", 4},
              {"num_hidden_layers", 64},
              {"vocab_size", 50288},
              {"tie_word_embeddings", true},
              {"torch_dtype", "float16"}}}}},
          {"weights", {{"format", "gguf:Q4_K_M"}}},
          {"engine", {{"name", "llama.cpp"}, {"options", options}}},
          {"hardware", Json::array({{{"memory_bytes", std::int64_t{1} << 40}, {"count", 1}}})}};
}

Json host_compute(const Json& request) {
  const Json estimate = testing::estimate(request);
  for (const Json& term : estimate["host"]["terms"])
    if (term["id"] == "compute") return term;
  return {};
}

// Start-up log of Qwen3.5-35B-A3B: a state of 2,146,304 bytes, blocks of 1056 tokens, 0.76 % of padding; 30 of its 40 layers are recurrent.
TEST(VllmStates, BlocksGrowUntilAPageHoldsAState) {
  const Json estimate = testing::estimate(vllm_request("Qwen/Qwen3.5-35B-A3B", 4096, 1));
  const Json state = testing::term(estimate, "recurrent_state");
  const std::int64_t page = 1056 * 2 * (256 + 256) * 2;
  EXPECT_NEAR(static_cast<double>(page) / 2146304, 1.0076, 0.0001);
  // Two states a request: prefixes are cached.
  EXPECT_EQ(state["formula"]["rows"][0]["bytes"], 2 * 30 * 2146304);
  EXPECT_EQ(state["bytes"], 2 * 30 * page);
  // 4096 tokens are four such blocks, and one more is never handed out; ten layers attend.
  EXPECT_EQ(testing::term(estimate, "kv_cache")["bytes"], 10 * (4 + 1) * page);
}

TEST(VllmStates, RanksShareAState) {
  const Json one = testing::term(testing::estimate(vllm_request("Qwen/Qwen3.5-35B-A3B", 4096, 1)), "recurrent_state");
  const Json two = testing::term(testing::estimate(vllm_request("Qwen/Qwen3.5-35B-A3B", 4096, 1, 2)), "recurrent_state");
  EXPECT_EQ(two["formula"]["rows"][0]["bytes"].get<std::int64_t>() * 2, one["formula"]["rows"][0]["bytes"].get<std::int64_t>());
}

// A pool of GLM-5 in fp8 held one token in 61,463 bytes: 78 layers of 656 bytes of latent and 132 of the indexer.
TEST(VllmStates, AnIndexersKeyIsFp8WithAScale) {
  Json request = vllm_request("zai-org/GLM-5", 4096, 1, 8);
  request["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  EXPECT_EQ(testing::term(testing::estimate(request), "kv_cache")["bytes"], 78LL * (656 + 132) * (4096 + 64));
  request["kv_cache"] = {{"k", "auto"}, {"v", "auto"}};
  EXPECT_EQ(testing::term(testing::estimate(request), "kv_cache")["bytes"], 78LL * (1152 + 132) * (4096 + 64));
}

// Pages as the sources state them: 64 x 584 bytes, 2 x 584, 64 x 132, and 32,768 of a compressor, each rounded up to a multiple of 576.
TEST(VllmStates, DeepSeekV4KeepsPagesOfFiveKinds) {
  const Json cache = testing::term(testing::estimate(vllm_request("deepseek-ai/DeepSeek-V4-Flash", 131072, 1, 8)), "kv_cache");
  std::set<std::int64_t> pages;
  for (const Json& row : cache["formula"]["rows"]) pages.insert(row["factors"][1]["value"].get<std::int64_t>());
  EXPECT_EQ(pages, (std::set<std::int64_t>{1728, 8640, 32832, 37440}));
  EXPECT_LT(cache["low_bytes"], cache["bytes"]);
  EXPECT_GT(cache["high_bytes"], cache["bytes"]);
  // What it was taken for before: 512 values of two bytes for every token and layer.
  EXPECT_LT(cache["low_bytes"].get<std::int64_t>(), 43LL * 512 * 2 * 131072 / 4);
}

TEST(LlamaCppStates, WithoutAttentionTheContextCostsNoMask) {
  for (const bool flash : {true, false})
    EXPECT_EQ(host_compute(mamba2_request(4096, flash, Json::object()))["bytes"],
              host_compute(mamba2_request(32768, flash, Json::object()))["bytes"]);
  // Embedded tokens and the input for embeddings: 512 tokens of 2560 floats each. Then a number and an output's place for each token, and the
  // place of the state, which takes an allocation's 32 bytes.
  EXPECT_EQ(host_compute(mamba2_request(32768, true, Json::object()))["bytes"], 2 * 512 * 2560 * 4 + 2 * 512 * 4 + 32);
}

// The engine planned 51,505,184 bytes.
TEST(LlamaCppStates, StatesOfTheHostAreWrittenThere) {
  const Json compute = host_compute(mamba2_request(32768, true, {{"n_gpu_layers", 32}}));
  EXPECT_LE(compute["low_bytes"], 51505184);
  EXPECT_GE(compute["high_bytes"], 51505184);
  EXPECT_GT(compute["bytes"], 45'000'000);
}

// 16 MiB of entries for every fourth token are less than what every token would take.
TEST(LlamaCppStates, DeepSeekV4KeepsWindowsEntriesAndStates) {
  Json request = {{"model",
                   {{"config",
                     {{"model_type", "deepseek_v4"},
                      {"hidden_size", 512},
                      {"moe_intermediate_size", 256},
                      {"num_attention_heads", 8},
                      {"num_hidden_layers", 3},
                      {"head_dim", 512},
                      {"q_lora_rank", 256},
                      {"o_lora_rank", 256},
                      {"o_groups", 2},
                      {"n_routed_experts", 8},
                      {"num_experts_per_tok", 2},
                      {"num_hash_layers", 1},
                      {"vocab_size", 1024},
                      {"max_position_embeddings", 65536},
                      {"sliding_window", 128},
                      {"compress_ratios", {0, 4, 128}},
                      {"torch_dtype", "bfloat16"}}}}},
                  {"weights", {{"format", "gguf:BF16"}}},
                  {"engine", {{"name", "llama.cpp"}, {"options", {{"n_ctx", 65536}}}}},
                  {"hardware", Json::array({{{"memory_bytes", std::int64_t{1} << 40}, {"count", 1}}})}};
  const std::int64_t windows = 3 * 512 * 2 * (128 + 512 + 128);  // up to a multiple of 256
  const std::int64_t entries = 65536 / 4 * (512 + 128) * 2 + 65536 / 128 * 512 * 2;
  const std::int64_t states = 2 * 4 * (8 * 2 * (512 + 128) + 128 * 512);
  EXPECT_EQ(testing::term(testing::estimate(request), "kv_cache")["bytes"], windows + entries + states);
}

}  // namespace
}  // namespace weighbridge

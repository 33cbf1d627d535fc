// SPDX-License-Identifier: Apache-2.0
// Caches that are no keys and values for every token: recurrent states, indexer keys, compressed entries.
#include <gtest/gtest.h>

#include <set>

#include "api_fixture.hpp"

namespace weighbridge::state_caches_test {
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

Json compressed_request(const char* model, const char* version, std::int64_t context, Json options) {
  return {{"model", {{"id", model}}},
          {"kv_cache", {{"k", "fp8"}, {"v", "fp8"}}},
          {"engine", {{"name", "vllm"}, {"version", version}, {"options", std::move(options)}}},
          {"workload", {{"context_tokens", context}, {"sequences", 1}}},
          {"hardware", Json::array({{{"device", "gh200-96gb"}, {"count", 2}}})},
          {"parallel", {{"tensor", 2}, {"expert", true}}}};
}

std::set<std::int64_t> block_sizes(const Json& request) {
  std::set<std::int64_t> sizes;
  const Json cache = testing::term(testing::estimate(request), "kv_cache");
  for (const Json& row : cache["formula"]["rows"]) sizes.insert(row["factors"][1]["value"].get<std::int64_t>());
  return sizes;
}

// All groups of DeepSeek-V4-Flash take pages of one size (vllm-project/vllm#54703), and a window keeps the tokens of a whole step beside its own.
TEST(VllmStates, DeepSeekV4HasOnePageForAllGroups) {
  const Json request = vllm_request("deepseek-ai/DeepSeek-V4-Flash", 131072, 1, 8);
  EXPECT_EQ(block_sizes(request), (std::set<std::int64_t>{1'002'240}));
  const Json cache = testing::term(testing::estimate(request), "kv_cache");
  EXPECT_GT(cache["bytes"].get<std::int64_t>(), 2 * 128 * 1'002'240LL);
  // What it was taken for before: 512 values of two bytes for every token and layer, eight times as much at this length.
  EXPECT_LT(cache["bytes"].get<std::int64_t>(), 43LL * 512 * 2 * 131072 * 2);
}

// vllm-project/vllm#44376: with 5.44 GiB, 6.66 GiB were asked for at 30,000 tokens, and 13,528 were the most.
TEST(VllmStates, DeepSeekV4AsksForWhatVllm022Said) {
  const auto pool = static_cast<std::int64_t>(5.44 * testing::kGiBytes);
  const Json result = testing::estimate(
      compressed_request("deepseek-ai/DeepSeek-V4-Flash", "0.22", 30000, {{"max_num_batched_tokens", 16384}, {"kv_cache_memory_bytes", pool}}));
  EXPECT_NE(result["verdict"]["reason"]["message"].get<std::string>().find("6.66 GiB KV cache is needed"), std::string::npos);
  EXPECT_NEAR(result["verdict"]["nearest"]["context_tokens"].get<double>(), 13'528, 8);
}

// vllm-project/vllm#51041: 7.71 GiB held 150,992 tokens in requests of 121,344, with drafts and two batches of 8,192 tokens in
// flight.
TEST(VllmStates, DeepSeekV4HoldsAsManyTokensAsLogged) {
  const auto pool = static_cast<std::int64_t>(7.71 * testing::kGiBytes);
  Json request = compressed_request("deepseek-ai/DeepSeek-V4-Flash", "0.26.0", 121344,
                                    {{"speculative_method", "mtp"}, {"max_num_batched_tokens", 8192}, {"kv_cache_memory_bytes", pool}});
  EXPECT_NEAR(testing::estimate(request)["engine"]["kv_cache_tokens"].get<double>(), 150'992, 150'992 * 0.001);
}

// sparse_attn_indexer.py: 512 MiB of scores in a step, beside what the attention gathers.
TEST(VllmStates, AnIndexerScoresInHalfAGibibyte) {
  for (const char* model : {"deepseek-ai/DeepSeek-V3.2", "deepseek-ai/DeepSeek-V4-Flash"}) {
    const Json compute = testing::term(testing::estimate(vllm_request(model, 8192, 4, 8)), "compute");
    EXPECT_GT(testing::row_bytes(compute, "indexer_logits"), 512LL << 20) << model;
    EXPECT_GE(compute["bytes"].get<std::int64_t>(), testing::row_bytes(compute, "indexer_logits")) << model;
  }
  EXPECT_EQ(testing::row_bytes(testing::term(testing::estimate(vllm_request("deepseek-ai/DeepSeek-R1", 8192, 4, 8)), "compute"), "indexer_logits"),
            0);
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
}  // namespace weighbridge::state_caches_test

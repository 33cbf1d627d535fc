// SPDX-License-Identifier: Apache-2.0
// vLLM's pools as it logged them, and models spread over stages, engines and experts.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::vllm_layout_test {
namespace {

using testing::Json;
using testing::row_bytes;

constexpr double kGib = 1073741824.0;

Json request(const char* model, const char* device, int count, const char* version, Json options) {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", "vllm"}, {"version", version}, {"options", std::move(options)}}},
          {"workload", {{"context_tokens", 4096}, {"sequences", 1}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

/// Tokens and concurrency of a pool of so many GiB for requests of `max_model_len`.
std::pair<std::int64_t, double> pool(Json params, double gib, std::int64_t max_model_len) {
  params["engine"]["options"]["kv_cache_memory_bytes"] = static_cast<std::int64_t>(gib * kGib);
  params["engine"]["options"]["max_model_len"] = max_model_len;
  params["workload"]["context_tokens"] = max_model_len;
  const Json engine = testing::estimate(params)["engine"];
  return {engine["kv_cache_tokens"].get<std::int64_t>(), engine["max_concurrency"].get<double>()};
}

// phivan3008/meeting-translator, vLLM 0.27.1: 784 tokens a block, one group of 16 attention layers and three of recurrent ones, two states a
// request where prefixes are cached.
TEST(VllmPool, RecurrentLayersShareItWithAttention) {
  const auto [tokens, concurrency] = pool(request("Qwen/Qwen3.6-27B", "h100-sxm", 1, "0.27", {{"enable_prefix_caching", true}}), 41.03, 4096);
  EXPECT_NEAR(static_cast<double>(tokens), 292'522, 2);
  EXPECT_NEAR(concurrency, 71.42, 0.005);
}

// Two R9700 under 0.19.0: 7.53 GiB held 61,152 tokens, and 52.33 requests of 2,048: three blocks each, and three states. Prefixes of recurrent
// models are cached unless told otherwise since 0.28 (vllm-project/vllm#50991), with a second state.
TEST(VllmPool, StatesOfPrefixesAreKeptUnaskedSince028) {
  const auto held = [](const char* version) {
    Json params = request("Qwen/Qwen3.6-27B", "radeon-ai-pro-r9700", 2, version, Json::object());
    params["weights"]["format"] = "fp8-block";
    return pool(params, 7.53, 2048);
  };
  EXPECT_EQ(held("0.19").first, 61'152);
  EXPECT_NEAR(held("0.19").second, 52.33, 0.005);
  EXPECT_NEAR(held("0.27").second, 52.33, 0.005);
  EXPECT_NEAR(held("0.28").second, 52.33 * 6 / 9, 0.005);
}

// sostrowsk/dgx-spark-local-llm, vLLM 0.25.1: three drafted tokens lengthen the convolution's state (1600 tokens a block) and keep a state each;
// the drafting layer is a 17th of attention, which pads the recurrent groups by three layers.
TEST(VllmPool, DraftedTokensKeepStatesOfTheirOwn) {
  Json params = request("Qwen/Qwen3.8-27B", "gb10-dgx-spark", 1, "0.25",
                        {{"enable_prefix_caching", false}, {"speculative_method", "mtp"}, {"num_speculative_tokens", 3}, {"max_num_seqs", 32}});
  params["kv_cache"] = {{"k", "fp8"}};
  const auto [tokens, concurrency] = pool(params, 76.4, 262'144);
  EXPECT_NEAR(static_cast<double>(tokens), 2'192'477, 2);
  EXPECT_NEAR(concurrency, 8.36, 0.005);
}

// moonshotai/Kimi-K2-Thinking on 8 x H200: 715,072 tokens, and 5,721,088 where all eight ranks share the latents of one cache.
TEST(VllmPool, DecodeContextParallelMultipliesTheTokens) {
  const auto one = pool(request("moonshotai/Kimi-K2-Thinking", "h200-sxm", 8, "0.11", Json::object()), 46.8, 4096);
  const auto eight = pool(request("moonshotai/Kimi-K2-Thinking", "h200-sxm", 8, "0.11", {{"decode_context_parallel_size", 8}}), 46.8, 4096);
  EXPECT_NEAR(static_cast<double>(one.first), 715'072, 715'072 * 0.001);
  EXPECT_EQ(eight.first, 8 * one.first);
}

TEST(VllmStages, HoldAllLayersOnceAndEmbeddingsAndHeadAtTheEnds) {
  Json params = request("meta-llama/Llama-3.1-70B-Instruct", "h100-sxm", 4, "0.27", Json::object());
  params["parallel"] = {{"tensor", 1}, {"pipeline", 4}};
  const Json whole = testing::estimate(request("meta-llama/Llama-3.1-70B-Instruct", "h100-sxm", 1, "0.27", Json::object()));
  const Json result = testing::estimate(params);
  ASSERT_EQ(result["groups"].size(), 4U);
  std::map<std::string, std::int64_t> rows;
  for (const Json& device : result["devices"]) {
    const Json weights = testing::term(Json{{"devices", Json::array({device})}}, "weights");
    for (const Json& row : weights["formula"]["rows"]) rows[row["label"].get<std::string>()] += row["bytes"].get<std::int64_t>();
  }
  rows.erase("rope_cache");  // every stage has one
  for (const auto& [label, bytes] : rows) EXPECT_EQ(bytes, row_bytes(testing::term(whole, "weights"), label)) << label;
}

TEST(VllmExpertsOverRanks, WholeOrCutTheyWeighTheSame) {
  Json params = request("Qwen/Qwen3-30B-A3B", "h100-sxm", 4, "0.27", Json::object());
  const auto experts = [&](const Json& parallel) {
    params["parallel"] = parallel;
    return row_bytes(testing::term(testing::estimate(params), "weights"), "routed_experts");
  };
  const std::int64_t quarter = experts({{"tensor", 4}});
  EXPECT_EQ(experts({{"tensor", 4}, {"expert", true}}), quarter);
  EXPECT_EQ(experts({{"tensor", 1}, {"data", 4}, {"expert", true}}), quarter);
  EXPECT_EQ(experts({{"tensor", 1}, {"data", 4}}), quarter);
}

// Attention is whole in every engine, and each has the cache of its own requests.
TEST(VllmEngines, HaveAWholeAttentionAndTheirOwnRequests) {
  Json params = request("Qwen/Qwen3-30B-A3B", "h100-sxm", 4, "0.27", Json::object());
  params["workload"]["sequences"] = 16;
  params["parallel"] = {{"tensor", 1}, {"data", 4}};
  const Json four = testing::estimate(params);
  Json alone = request("Qwen/Qwen3-30B-A3B", "h100-sxm", 1, "0.27", Json::object());
  alone["workload"]["sequences"] = 4;
  EXPECT_EQ(testing::term(four, "kv_cache")["bytes"], testing::term(testing::estimate(alone), "kv_cache")["bytes"]);
}

TEST(VllmRefuses, ExpertsThatDoNotDivideWithALayoutThatDoes) {
  Json params = request("Qwen/Qwen3-30B-A3B", "h100-sxm", 6, "0.27", Json::object());
  params["parallel"] = {{"tensor", 1}, {"data", 6}, {"expert", true}};
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["reason"]["values"]["key"], "num_experts");
  EXPECT_EQ(verdict["nearest"]["parallel"]["pipeline"].get<int>() * verdict["nearest"]["parallel"]["data"].get<int>() *
                verdict["nearest"]["parallel"]["tensor"].get<int>(),
            6);
}

TEST(VllmRefuses, ARequestThatThePoolCannotHold) {
  Json params = request("Qwen/Qwen3-4B-Instruct-2507", "rtx-4090", 1, "0.27", Json::object());
  params["workload"]["context_tokens"] = 262'144;
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["verdict"]["class"], "impossible");
  const auto most = result["verdict"]["nearest"]["context_tokens"].get<std::int64_t>();
  params["workload"]["context_tokens"] = most;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
  params["workload"]["context_tokens"] = most + 4096;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "fits");
}

TEST(VllmRefuses, AShareAboveOneAndNamesTheLargestThatStarts) {
  const Json verdict = testing::estimate(request("Qwen/Qwen3-8B", "rtx-4090", 1, "0.27", {{"gpu_memory_utilization", 1.2}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_GT(verdict["nearest"]["gpu_memory_utilization"], 0.9);
  EXPECT_LT(verdict["nearest"]["gpu_memory_utilization"], 1.0);
}

// trietnguyeminh/Submission---EXACT--IJCNN: Qwen3-8B on two T4 took 7.70 GiB of each with one slot of rank 16.
TEST(VllmAdapters, TakeTheirSlotsWithTheWeights) {
  Json params = request("Qwen/Qwen3-8B", "t4", 2, "0.22", {{"enable_lora", true}});
  EXPECT_NEAR(testing::term(testing::estimate(params), "weights")["bytes"].get<double>() / kGib, 7.70, 0.01);
}

TEST(VllmWorkload, AverageLengthsAndASharedBeginningTakeLess) {
  Json params = request("Qwen/Qwen3-8B", "h100-sxm", 1, "0.27", Json::object());
  params["workload"] = {{"context_tokens", 32'768}, {"sequences", 64}};
  const auto bytes = [&] { return testing::term(testing::estimate(params), "kv_cache")["bytes"].get<std::int64_t>(); };
  const std::int64_t full = bytes();
  params["workload"]["average_tokens"] = 4096;
  const std::int64_t block = 147'456LL * 16;
  EXPECT_EQ(bytes(), block * (64 * 256 + 1));
  EXPECT_LT(bytes(), full);
  params["workload"]["shared_prefix_tokens"] = 2048;
  EXPECT_EQ(bytes(), block * (64 * 128 + 128 + 1));
  // Requests that are all alike still have a last block each.
  params["workload"] = {{"context_tokens", 4096}, {"sequences", 64}, {"shared_prefix_tokens", 8192}};
  EXPECT_EQ(bytes(), block * (64 * 1 + 255 + 1));
}

// `--speculative-config` with a model of its own, vllm/v1/spec_decode/draft_model.py: its weights are loaded whole beside the model's, and its 28 layers
// of 8 heads cache every token in blocks that the 36 of the model share.
TEST(VllmDrafting, AnotherModelLoadsItsWeightsAndCachesItsLayers) {
  Json params = testing::serving_request("vllm", "Qwen/Qwen3-8B", "h100-sxm", 1);
  const Json alone = testing::estimate(params);
  const Json draft = testing::estimate(testing::serving_request("vllm", "Qwen/Qwen3-0.6B", "h100-sxm", 1));
  params["engine"]["options"] = {{"draft_model", "qwen3-0.6b"}, {"num_speculative_tokens", 3}};
  const Json both = testing::estimate(params);
  EXPECT_EQ(testing::row_bytes(testing::term(both, "weights"), "draft_model"), testing::term(draft, "weights")["bytes"]);
  EXPECT_EQ(testing::term(both, "kv_cache")["bytes"].get<std::int64_t>(),
            testing::term(alone, "kv_cache")["bytes"].get<std::int64_t>() + testing::term(draft, "kv_cache")["bytes"].get<std::int64_t>());
  EXPECT_EQ(testing::row_bytes(testing::term(both, "kv_cache"), "full_sequences"), 8LL * 4096 * (36 + 28) * 8 * 2 * 128 * 2);
  EXPECT_EQ(testing::term(both, "weights")["records"], 0);
  EXPECT_TRUE(testing::call("estimate", params)["warnings"].empty());
}

// vllm/model_executor/models/llama_eagle3.py: one layer more, with a cache of its own in the blocks of the others.
TEST(VllmDrafting, TheLayerOfEagleCachesEveryToken) {
  const auto cache = [](const char* model, int gpus, const Json& options) {
    return testing::term(testing::estimate(testing::serving_request("vllm", model, "h200-sxm", gpus, options)), "kv_cache")["bytes"]
        .get<std::int64_t>();
  };
  for (const char* method : {"eagle", "eagle3"}) {
    const Json options{{"speculative_method", method}};
    EXPECT_EQ(cache("meta-llama/Llama-3.1-8B-Instruct", 1, options) * 32, cache("meta-llama/Llama-3.1-8B-Instruct", 1, Json::object()) * 33);
    EXPECT_EQ(cache("deepseek-ai/DeepSeek-R1", 8, options) * 61, cache("deepseek-ai/DeepSeek-R1", 8, Json::object()) * 62);
    EXPECT_GT(cache("openai/gpt-oss-20b", 1, options), cache("openai/gpt-oss-20b", 1, Json::object()));
  }
  EXPECT_EQ(cache("Qwen/Qwen3-8B", 1, {{"speculative_method", "ngram"}}), cache("Qwen/Qwen3-8B", 1, Json::object()));
}

// The last stage drafts; vllm/config/speculative.py verify_equal_vocab_size_if_draft_model.
TEST(VllmDrafting, AnotherModelRunsOnTheLastStageAndHasTheSameVocabulary) {
  Json params = testing::serving_request("vllm", "Qwen/Qwen3-8B", "h100-sxm", 2, {{"draft_model", "qwen3-0.6b"}});
  params["parallel"] = {{"tensor", 1}, {"pipeline", 2}};
  const Json stages = testing::estimate(params)["devices"];
  EXPECT_EQ(testing::row_bytes(stages[0]["terms"][0], "draft_model"), 0);
  EXPECT_GT(testing::row_bytes(stages[1]["terms"][0], "draft_model"), 0);
  params["engine"]["options"]["draft_model"] = "meta-llama/Llama-3.2-1B";
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["values"]["key"], "vocab_size");
}

}  // namespace
}  // namespace weighbridge::vllm_layout_test

// SPDX-License-Identifier: Apache-2.0
// Contexts that decode no text, or draft it, and tensors that lie elsewhere than their neighbours: as llama.cpp v0.5.0 itself planned them
// (tests/truth/llama_cpp_plans.jsonl).
#include <gtest/gtest.h>

#include <vector>

#include "api_fixture.hpp"

namespace weighbridge::llama_cpp_contexts_test {
namespace {

using testing::bytes_of;
using testing::Json;
using testing::llama_cpp_request;
using testing::memory;

Json on_one(const char* model, const Json& options) {
  Json params = llama_cpp_request(model, memory(1024), options);
  params["workload"]["context_tokens"] = 512;  // the most of some encoders; `n_ctx` wins
  return testing::estimate(params);
}

std::int64_t drafting(const Json& place, const char* part) {
  for (const Json& term : place["terms"])
    if (term["id"] == "speculation")
      for (const Json& row : term["formula"]["rows"])
        if (row["label"] == part) return row["bytes"].get<std::int64_t>();
  return 0;
}

TEST(LlamaCppEncoders, PositionsAndTokenTypesLieOnTheHostWithTheTokens) {
  const Json result = on_one("BAAI/bge-large-en-v1.5", {{"n_ctx", 4096}});
  EXPECT_EQ(bytes_of(result["devices"][0], "weights"), 187'375'616);
  EXPECT_EQ(bytes_of(result["host"], "weights"), 27'743'840);
}

TEST(LlamaCppEncoders, GemmasHeadIsLoadedAlthoughNothingUsesIt) {
  const Json result = on_one("google/embeddinggemma-300m", {{"n_ctx", 4096}});
  EXPECT_EQ(bytes_of(result["devices"][0], "weights"), 229'854'976);
  EXPECT_EQ(bytes_of(result["host"], "weights"), 165'150'720);
}

TEST(LlamaCppEncoders, PooledVectorsHaveRoomInTheGraph) {
  const Json mean = on_one("BAAI/bge-large-en-v1.5", {{"embeddings", true}, {"n_ctx", 4096}, {"n_ubatch", 2048}});
  EXPECT_EQ(bytes_of(mean["devices"][0], "compute"), 58'740'736);
  EXPECT_EQ(bytes_of(mean["host"], "compute"), 33'587'200);
  const Json none = on_one("BAAI/bge-large-en-v1.5", {{"embeddings", true}, {"pooling_type", "none"}, {"n_ctx", 4096}, {"n_ubatch", 2048}});
  EXPECT_LT(bytes_of(none["host"], "compute"), 33'587'200);
}

TEST(LlamaCppHeads, BitNetReadsTheEmbeddingOnTheHost) {
  const Json result = on_one("microsoft/bitnet-b1.58-2B-4T-bf16", {{"flash_attn", "on"}, {"n_ctx", 4096}});
  EXPECT_EQ(bytes_of(result["devices"][0], "weights"), 1'243'824'640);
  EXPECT_EQ(bytes_of(result["devices"][0], "compute"), 557'184'000);
}

TEST(LlamaCppOverrides, ARuleForTheEmbeddingFindsTheHeadThatIsItsCopy) {
  const Json result = on_one("google/gemma-2-2b-it", {{"n_ctx", 16384}, {"override_tensor", "token_embd=CPU"}});
  EXPECT_EQ(bytes_of(result["devices"][0], "weights"), 1'218'729'472);
  EXPECT_EQ(bytes_of(result["host"], "weights"), 483'840'000);
}

TEST(LlamaCppOverrides, ABiasIsNotCalledAWeight) {
  const auto host = [](const char* rule) { return bytes_of(on_one("openai/gpt-oss-20b", {{"override_tensor", rule}})["host"], "weights"); };
  EXPECT_EQ(host(R"(attn_output\.bias=CPU)") - host("nothing=CPU"), 24 * 2880 * 4);
  EXPECT_EQ(host(R"(attn_output=CPU)") - host(R"(attn_output\.weight=CPU)"), 24 * 2880 * 4);
}

TEST(LlamaCppDrafts, HaveAContextOfTheirOwn) {
  const Json result = on_one("deepseek-ai/DeepSeek-R1", {{"mtp", true}, {"flash_attn", "on"}, {"n_ctx", 8192}});
  EXPECT_EQ(drafting(result["devices"][0], "cache"), 9'437'184);
  EXPECT_EQ(drafting(result["devices"][0], "graph"), 393'226'240);
  EXPECT_EQ(drafting(result["host"], "graph"), 23'078'912);
}

TEST(LlamaCppDrafts, LoadTheirLayersWithTheModels) {
  const auto answer = [](const char* model, bool drafts) { return on_one(model, {{"mtp", drafts}}); };
  const auto layers = [&](const char* model, bool drafts) { return answer(model, drafts)["engine"]["gpu_layers"].get<int>(); };
  for (const char* model : {"zai-org/GLM-4.5-Air", "deepseek-ai/DeepSeek-R1"}) {
    EXPECT_GT(bytes_of(answer(model, true)["devices"][0], "weights"), bytes_of(answer(model, false)["devices"][0], "weights") + 1'000'000'000);
    EXPECT_EQ(layers(model, true), layers(model, false) + 1);
  }
}

std::vector<std::int64_t> weights_on(const char* model, int n_devices, const char* figure = "bytes") {
  const Json result = testing::estimate(llama_cpp_request(model, memory(1024, n_devices), {{"n_ctx", 8192}, {"flash_attn", "on"}}));
  std::vector<std::int64_t> weights;
  for (const Json& device : result["devices"])
    for (const Json& term : device["terms"])
      if (term["id"] == "weights") weights.push_back(term[figure].get<std::int64_t>());
  return weights;
}

/// What each device holds of a file with the layers of multi-token prediction, as the engine planned it.
void expect_held(const char* model, const std::vector<std::int64_t>& with_predictions) {
  const std::vector<std::int64_t> high = weights_on(model, static_cast<int>(with_predictions.size()), "high_bytes");
  ASSERT_EQ(high.size(), with_predictions.size());
  for (std::size_t device = 0; device < high.size(); ++device) EXPECT_GE(high[device], with_predictions[device]) << model << " " << device;
}

TEST(LlamaCppPredictions, OfAFileThatMayHaveThemLieWithinTheBounds) {
  const char* glm = "zai-org/GLM-4.6";
  expect_held(glm, {23'174'030'976, 27'911'425'536, 27'911'425'536, 25'694'734'208, 27'911'425'536, 27'911'425'536, 28'239'207'936, 23'536'802'432});
  EXPECT_LT(weights_on(glm, 8)[2], weights_on(glm, 8, "high_bytes")[2]);
  expect_held("Qwen/Qwen3.5-122B-A10B", {20'135'784'448, 17'855'056'896, 19'272'466'432, 16'509'334'528});
}

TEST(LlamaCppPredictions, SomeAreLoadedInPartThoughNothingDrafts) {
  EXPECT_EQ(weights_on("stepfun-ai/Step-3.5-Flash", 4), (std::vector<std::int64_t>{28'572'120'320, 32'988'470'784, 32'988'470'784, 24'500'326'400}));
  EXPECT_EQ(weights_on("tencent/Hy3", 4), (std::vector<std::int64_t>{45'813'141'504, 44'092'836'864, 46'187'533'056, 44'559'499'520}));
}

/// The lower bound of each device's graph buffer.
std::vector<std::int64_t> least_graphs(const char* model, int n_devices, const Json& options) {
  const Json result = testing::estimate(llama_cpp_request(model, memory(1024, n_devices), options));
  std::vector<std::int64_t> least;
  for (const Json& device : result["devices"])
    for (const Json& term : device["terms"])
      if (term["id"] == "compute") least.push_back(term["low_bytes"].get<std::int64_t>());
  return least;
}

// What the engine took as it ran over the empty driver (tests/oracle, "real"). A plan is larger on all GPUs but the first.
TEST(LlamaCppPipelines, TakeLessThanTheirPlans) {
  EXPECT_EQ(least_graphs("Qwen/Qwen3-0.6B", 2, {{"flash_attn", "on"}, {"n_ctx", 8192}, {"n_outputs", 1}})[1], 67'150'336);
  EXPECT_EQ(least_graphs("deepseek-ai/DeepSeek-V2-Lite", 2, {{"flash_attn", "on"}, {"n_ctx", 16384}}),
            (std::vector<std::int64_t>{159'539'200, 356'954'112}));
  const std::vector<std::int64_t> gemma = least_graphs("google/gemma-4-E2B-it", 4, {{"flash_attn", "on"}, {"n_ctx", 8192}});
  EXPECT_EQ((std::vector<std::int64_t>{gemma.begin() + 1, gemma.end()}), (std::vector<std::int64_t>{155'262'976, 322'969'600, 769'671'168}));
}

TEST(LlamaCppCache, LayersWithoutAttentionHaveValuesIfThoseAreTransposed) {
  const Json result = on_one("nvidia/Llama-3_3-Nemotron-Super-49B-v1", {{"flash_attn", "off"}, {"n_ctx", 4096}});
  EXPECT_EQ(bytes_of(result["devices"][0], "kv_cache"), 1'082'130'432);
}

}  // namespace
}  // namespace weighbridge::llama_cpp_contexts_test

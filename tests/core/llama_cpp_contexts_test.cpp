// SPDX-License-Identifier: Apache-2.0
// Contexts that decode no text, or draft it, and tensors that lie elsewhere than their neighbours: as llama.cpp v0.5.0 itself planned them
// (tests/truth/llama_cpp_plans.jsonl).
#include <gtest/gtest.h>

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
  const Json without = on_one("zai-org/GLM-4.5-Air", Json::object());
  const Json with = on_one("zai-org/GLM-4.5-Air", {{"mtp", true}});
  EXPECT_GT(bytes_of(with["devices"][0], "weights"), bytes_of(without["devices"][0], "weights") + 1'000'000'000);
  EXPECT_EQ(with["engine"]["gpu_layers"], without["engine"]["gpu_layers"].get<int>() + 1);
}

TEST(LlamaCppCache, LayersWithoutAttentionHaveValuesIfThoseAreTransposed) {
  const Json result = on_one("nvidia/Llama-3_3-Nemotron-Super-49B-v1", {{"flash_attn", "off"}, {"n_ctx", 4096}});
  EXPECT_EQ(bytes_of(result["devices"][0], "kv_cache"), 1'082'130'432);
}

}  // namespace
}  // namespace weighbridge::llama_cpp_contexts_test

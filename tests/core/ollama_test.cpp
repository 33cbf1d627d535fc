// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"

namespace weighbridge::ollama_test {
namespace {

using testing::Json;

constexpr std::int64_t kGiBytes = 1073741824;

Json with(const char* model, const Json& hardware, const Json& options = Json::object()) {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", "gguf:Q4_K_M"}}},
          {"engine", {{"name", "ollama"}, {"options", options}}},
          {"host", {{"memory_bytes", 64 * kGiBytes}}},
          {"hardware", hardware}};
}

Json cards(const char* device, int count) { return Json::array({{{"device", device}, {"count", count}}}); }
Json memory(double gib, const char* backend = "cuda") {
  return Json::array({{{"memory_bytes", static_cast<std::int64_t>(gib * static_cast<double>(kGiBytes))}, {"backend", backend}}});
}

Json warning(const Json& params, std::string_view code) {
  const Json response = testing::call("estimate", params);
  for (const Json& warning : response["warnings"])
    if (warning["code"] == code) return warning;
  return {};
}

Json term_in(const Json& place, std::string_view id) {
  for (const Json& term : place["terms"])
    if (term["id"] == id) return term;
  return {{"bytes", 0}};
}

std::int64_t context_of(const Json& params) { return testing::estimate(params)["request"]["workload"]["context_tokens"].get<std::int64_t>(); }

// ollama/ollama server/routes.go: 47 GiB, "slightly lower thresholds (47/23 GiB vs. 48/24 GiB)". Two cards of 24 GB are 2 x 24,125 MiB = 47.1 GiB.
TEST(OllamaContext, TwoCardsOf24GbLandInTheTierOf262144TokensAndItSaysSo) {
  const Json params = with("Qwen/Qwen3.6-27B", cards("rtx-3090", 2));
  EXPECT_EQ(context_of(params), 262144);
  const Json notice = warning(params, "ollama_context_tier");
  EXPECT_EQ(notice["values"]["value"], "47.1 GiB");
  EXPECT_NE(notice["message"].get<std::string>().find("262,144"), std::string::npos);
  // 16 of 64 layers attend: 2 x 4 heads x 256 values x 2 bytes x 262,144 tokens x 16 = 16 GiB (a published report of this model there).
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["engine"]["kv_cache_pool_bytes"], 16 * kGiBytes);
  EXPECT_EQ(result["engine"]["default_context_tokens"], 262144);
}

TEST(OllamaContext, HasThreeTiersWithTheirThresholdsAndTheModelsLengthAsCap) {
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(22.9))), 4096);
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(23))), 32768);
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(46.9))), 32768);
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(47))), 262144);
  EXPECT_EQ(context_of(with("Qwen/Qwen3-8B", memory(47))), 40960);
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(47), {{"gpu_overhead", kGiBytes}})), 32768);
  EXPECT_EQ(context_of(with("Qwen/Qwen3.6-27B", memory(47), {{"num_ctx", 8192}})), 8192);
}

// server/sched.go, automaticGenerationBatch: 512 up to 4,096 tokens, 1,024 up to 32,768, then 2,048, unless too little memory is left.
// The runner allocates what it is told to, however short the requests: server/sched.go passes NumCtx and OLLAMA_NUM_PARALLEL on as they are.
TEST(OllamaContext, ItsOwnSettingsWinOverTheWorkload) {
  Json params = with("Qwen/Qwen3-8B", cards("rtx-3090", 1), {{"num_ctx", 16384}, {"num_parallel", 2}});
  const Json asked = testing::estimate(params);
  params["workload"] = {{"context_tokens", 8192}, {"sequences", 1}};
  EXPECT_EQ(testing::estimate(params)["devices"], asked["devices"]);
  params["engine"]["options"] = Json::object();
  EXPECT_LT(term_in(testing::estimate(params)["devices"][0], "kv_cache")["bytes"], term_in(asked["devices"][0], "kv_cache")["bytes"]);
}

TEST(OllamaBatch, GrowsWithTheContextWhereThereIsRoom) {
  const auto mask = [](int context, double gib) {
    Json params = with("Qwen/Qwen3-8B", memory(gib), {{"num_ctx", context}});
    // Two hidden states of 4,096 floats a token, and the mask: a 16-bit value for each cell.
    const Json compute = term_in(testing::estimate(params)["host"], "compute");
    return compute["bytes"].get<std::int64_t>() / (2 * 4 * 4096 + 2 * context);
  };
  EXPECT_EQ(mask(4096, 40), 512);
  EXPECT_EQ(mask(8192, 40), 1024);
  EXPECT_EQ(mask(40960, 40), 2048);
  EXPECT_EQ(mask(40960, 16), 1024);  // 4.7 GiB of file and 5.6 GiB of predicted cache: 64 % of 16 GiB
  EXPECT_EQ(mask(40960, 12), 512);
}

// server/sched.go, bestSingleGPUFit: a model that leaves a fifth of one GPU free goes there, unless OLLAMA_SCHED_SPREAD is set.
TEST(OllamaPlacement, TakesOneGpuIfTheModelFitsThere) {
  EXPECT_EQ(testing::estimate(with("Qwen/Qwen3-8B", cards("rtx-3090", 2)))["devices"].size(), 1U);
  EXPECT_EQ(testing::estimate(with("Qwen/Qwen3-8B", cards("rtx-3090", 2), {{"sched_spread", true}}))["devices"].size(), 2U);
}

TEST(OllamaPlacement, SaysWhyLayersRunOnTheProcessor) {
  const Json params = with("Qwen/Qwen3-32B", memory(23.6));
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["verdict"]["class"], "offload");
  EXPECT_LT(result["engine"]["gpu_layers"], 65);
  const Json notice = warning(params, "ollama_partial");
  EXPECT_NE(notice["message"].get<std::string>().find("23.6 GiB"), std::string::npos);
  // And from which context on it would not: there everything lies on the GPU.
  Json shorter = params;
  shorter["engine"]["options"]["num_ctx"] = 4096;
  EXPECT_EQ(testing::estimate(shorter)["engine"]["gpu_layers"], 65);
  EXPECT_TRUE(warning(shorter, "ollama_partial").is_null());
}

TEST(OllamaPlacement, KeepsAGigabyteFree) {
  const Json result = testing::estimate(with("Qwen/Qwen3-32B", memory(23.6)));
  const Json& device = result["devices"][0];
  std::int64_t planned = 0;
  for (const Json& term : device["terms"])
    if (term["id"] == "weights" || term["id"] == "kv_cache" || term["id"] == "compute" || term["id"] == "overhead")
      planned += term["bytes"].get<std::int64_t>();
  EXPECT_GE(device["capacity_bytes"].get<std::int64_t>() - planned, kGiBytes);
}

// server/sched.go, load: the list of architectures "not safe with num_parallel > 1".
TEST(OllamaParallel, RunsHybridsOneAtATime) {
  Json params = with("Qwen/Qwen3.6-27B", memory(80));
  params["workload"] = {{"context_tokens", 8192}, {"sequences", 4}};
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"], 8192);
  EXPECT_EQ(result["max_sequences"], 1);
  EXPECT_FALSE(warning(params, "ollama_one_at_a_time").is_null());
  params["model"]["id"] = "Qwen/Qwen3-8B";
  EXPECT_EQ(testing::estimate(params)["engine"]["kv_cache_tokens"], 32768);
}

TEST(OllamaRefusals, QuantizedCacheWithoutFlashAttention) {
  const Json verdict = testing::estimate(with("Qwen/Qwen3-8B", memory(24), {{"kv_cache_type", "q8_0"}, {"flash_attention", false}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("flash attention"), std::string::npos);
}

// ollama/ollama#17482, a log of Ollama 0.30 on an RTX 3090 (24,124 MiB, 23,860 free) at 4,096 tokens; host weights of 682 MiB tell the model:
// "23860 + (15946 = 15364 + 411 + 170)", "mmproj worst-case 1136.09 MiB", "MTP context 581.77 MiB". The 15,364 hold the prediction layer.
TEST(OllamaRecords, QwenOnARtx3090) {
  Json params = with("Qwen/Qwen3.6-27B", cards("rtx-3090", 1), {{"num_ctx", 4096}, {"mtp", true}});
  params["engine"]["version"] = "0.30";
  const Json result = testing::estimate(params);
  const auto mib = [&](std::string_view id) { return term_in(result["devices"][0], id)["bytes"].get<double>() / 1048576.0; };
  EXPECT_EQ(term_in(result["host"], "weights")["bytes"].get<std::int64_t>() >> 20, 682);
  EXPECT_NEAR(mib("kv_cache") + mib("recurrent_state"), 411, 8);
  EXPECT_NEAR(mib("compute"), 170, 50);  // an older llama-server than the one whose graph is replayed
  EXPECT_NEAR(mib("projector") + mib("projector_compute"), 1136, 5);
  EXPECT_NEAR(mib("weights"), 15364, 60);
  const Json drafts = term_in(result["devices"][0], "speculation");
  EXPECT_LE(drafts["low_bytes"].get<double>() / 1048576.0, 582);
  EXPECT_NEAR(drafts["high_bytes"].get<double>() / 1048576.0, 582, 10);  // the older one's graph was larger
}

TEST(OllamaRefusals, SeveralBackends) {
  Json hardware = memory(24);
  hardware.push_back(memory(24, "rocm")[0]);
  const Json verdict = testing::estimate(with("Qwen/Qwen3-8B", hardware))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
}

TEST(LmStudio, LoadsWhatItsDocumentationShows) {
  Json params = with("google/gemma-3-27b-it", cards("rtx-4090", 1));
  params["engine"] = {{"name", "lm-studio"}};
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["request"]["workload"]["context_tokens"], 4096);
  EXPECT_EQ(result["engine"]["kv_cache_tokens"], 4096);  // one cache for its four predictions
  EXPECT_EQ(term_in(result["host"], "output")["bytes"], 4 * 4 * 262208);
  EXPECT_FALSE(warning(params, "lm_studio_not_verified").is_null());
}

// lmstudio-ai/docs 0_app/5_advanced/parallel-requests.md came with 0.4; npm's @lmstudio/sdk 1.0 to 1.5, flashAttention: false.
TEST(LmStudio, AnsweredOneRequestAtATimeWithoutFlashAttentionBefore04) {
  Json params = with("Qwen/Qwen3-8B", memory(24));
  params["engine"] = {{"name", "lm-studio"}, {"version", "0.3.31"}};
  params["workload"] = {{"context_tokens", 4096}, {"sequences", 4}};
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["engine"]["version"], "0.3");
  EXPECT_EQ(result["engine"]["kv_cache_tokens"], 4096);
  EXPECT_EQ(result["max_sequences"], 1);
  EXPECT_FALSE(warning(params, "lm_studio_queues").is_null());
  // Without it a graph holds the scores of 32 heads for 512 tokens.
  EXPECT_GT(term_in(result["devices"][0], "compute")["bytes"], 32LL * 512 * 4096 * 4);
  params["engine"]["version"] = "0.4.21";
  EXPECT_EQ(testing::estimate(params)["engine"]["version"], "0.4");
  EXPECT_TRUE(warning(params, "unknown_version").is_null());
  EXPECT_TRUE(warning(params, "lm_studio_queues").is_null());
  params["engine"]["version"] = "0.2.9";
  EXPECT_FALSE(warning(params, "unknown_version").is_null());
}

TEST(LmStudio, KeepsTheStateOfFourSequences) {
  Json params = with("Qwen/Qwen3.6-27B", memory(80));
  params["engine"] = {{"name", "lm-studio"}};
  const auto four = term_in(testing::estimate(params)["devices"][0], "recurrent_state")["bytes"].get<std::int64_t>();
  params["engine"]["options"] = {{"parallel", 1}};
  EXPECT_EQ(four, 4 * term_in(testing::estimate(params)["devices"][0], "recurrent_state")["bytes"].get<std::int64_t>());
}

// Metal lets the GPU take a part of the memory (recommendedMaxWorkingSetSize); `sudo sysctl iogpu.wired_limit_mb` raises it.
TEST(UnifiedMemory, SaysThatARaisedLimitWouldHoldIt) {
  const Json params = with("meta-llama/Llama-3.3-70B-Instruct", cards("apple-m4-max-64gb", 1), {{"num_ctx", 32768}});
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_NE(verdict["class"], "fits");
  EXPECT_EQ(verdict["raise"]["class"], "fits");
  EXPECT_NE(verdict["raise"]["command"].get<std::string>().find("iogpu.wired_limit_mb"), std::string::npos);
}

}  // namespace
}  // namespace weighbridge::ollama_test

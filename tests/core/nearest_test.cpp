// SPDX-License-Identifier: Apache-2.0
// What an engine refuses, and the nearest that it runs.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "api_fixture.hpp"

namespace weighbridge::nearest_test {
namespace {

using testing::Json;
using testing::nearest;

constexpr const char* kDense = "Qwen/Qwen3-8B";
constexpr const char* kExperts = "deepseek-ai/DeepSeek-V3";

Json request(const char* engine, const char* model, int count, const Json& options = Json::object()) {
  return testing::serving_request(engine, model, "h200-sxm", count, options);
}

TEST(Nearest, LayoutsOverTheSameDevices) {
  Json params = request("vllm", kDense, 8);
  params["parallel"] = {{"tensor", 7}};
  EXPECT_EQ(nearest(params)["parallel"]["tensor"], 8);
  params["parallel"] = {{"tensor", 8}, {"expert", true}};
  for (const char* engine : {"vllm", "sglang", "tensorrt-llm"}) {
    params["engine"]["name"] = engine;
    EXPECT_EQ(nearest(params)["parallel"]["expert"], false) << engine;
  }
  params["parallel"] = {{"tensor", 4}, {"pipeline", 2}};
  for (const char* engine : {"lmdeploy", "tgi", "mlc-llm"}) {
    params["engine"]["name"] = engine;
    EXPECT_EQ(nearest(params)["parallel"]["tensor"], 8) << engine;
  }
}

TEST(Nearest, OfUnlikeGpusTheKindWithTheMostMemory) {
  Json params = request("vllm", kDense, 1);
  const Json rows = {{{"device", "rtx-3090"}, {"count", 3}, {"used_bytes", 1 << 30}}, {{"device", "l40s"}, {"count", 1}}};
  for (const char* engine : {"vllm", "sglang", "tensorrt-llm", "lmdeploy", "tgi", "mlc-llm"}) {
    params["engine"]["name"] = engine;
    params["hardware"] = rows;
    if (std::string(engine) == "mlc-llm") params["weights"] = {{"format", "q4f16_1"}};
    // Heads do not divide by three; what other programs use of the cards stays.
    EXPECT_EQ(nearest(params)["hardware"], (Json{{{"device", "rtx-3090"}, {"count", 2}, {"used_bytes", 1 << 30}}})) << engine;
    params["hardware"][0]["count"] = 1;
    EXPECT_EQ(nearest(params)["hardware"][0]["device"], "l40s") << engine;
  }
  params = request("exllamav2", kDense, 1);
  params["weights"] = {{"format", "exl2-4bpw"}};
  params["hardware"] = {{{"device", "apple-m2-ultra-64gb"}, {"count", 1}}, {{"device", "rtx-3090"}, {"count", 2}}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "impossible");
}

TEST(Nearest, OneDeviceWhereAnEngineTakesNoMore) {
  Json params = testing::serving_request("mlx", kDense, "apple-m2-ultra-64gb", 2);
  EXPECT_EQ(nearest(params)["hardware"][0]["count"], 1);
}

TEST(Nearest, AReleaseThatRunsTheFormatOrTheDraft) {
  Json params = request("vllm", "openai/gpt-oss-20b", 1);
  params["engine"]["version"] = "0.9";
  EXPECT_EQ(nearest(params)["engine"]["version"], "0.10");
  params = request("vllm", kDense, 1, {{"draft_model", "Qwen/Qwen3-0.6B"}});
  for (const char* older : {"0.11", "v0.14.1"}) {
    params["engine"]["version"] = older;
    EXPECT_EQ(nearest(params)["engine"]["version"], "0.17") << older;
  }
  params["engine"]["version"] = "0.15";
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
}

TEST(Nearest, AsManyRequestsAsAnEngineRuns) {
  Json params = testing::serving_request("web-llm", kDense, "rtx-4090", 1);
  params["weights"] = {{"format", "q4f16_1"}};
  EXPECT_EQ(nearest(params)["sequences"], 1);
  params = testing::serving_request("mlc-llm", kDense, "rtx-4090", 1, {{"mode", "local"}});
  params["weights"] = {{"format", "q4f16_1"}};
  params["workload"] = {{"context_tokens", 1024}, {"sequences", 64}};
  EXPECT_EQ(nearest(params)["sequences"], 4);
}

TEST(Nearest, SizesThatAreLargeEnough) {
  Json params = request("vllm", kDense, 1, {{"max_num_batched_tokens", 64}, {"max_num_seqs", 256}});
  EXPECT_EQ(nearest(params)["max_num_batched_tokens"], 256);
  params = request("exllamav3", kDense, 1, {{"cache_size", 1024}});
  params["weights"] = {{"format", "exl3-4bpw"}};
  params["workload"] = {{"context_tokens", 8192}, {"sequences", 2}};
  EXPECT_EQ(nearest(params)["cache_size"], 16384);
}

TEST(Nearest, OneSliceOfAGpuForEachCopy) {
  Json params = testing::serving_request("vllm", kDense, "h100-mig-3g-40gb", 2);
  for (const char* engine : {"vllm", "sglang"}) {
    params["engine"]["name"] = engine;
    EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], "mig_slices") << engine;
    const Json parallel = nearest(params)["parallel"];
    EXPECT_EQ(parallel["tensor"], 1) << engine;
    EXPECT_EQ(parallel["data"], 2) << engine;
  }
  params["weights"] = {{"format", "gguf:Q4_K_M"}};
  params.erase("parallel");
  for (const char* engine : {"llama.cpp", "ollama"}) {
    params["engine"] = {{"name", engine}};
    const Json result = testing::estimate(params);
    EXPECT_EQ(result["verdict"]["reason"]["code"], "mig_slices") << engine;
    EXPECT_EQ(nearest(params)["parallel"]["tensor"], 1) << engine;
  }
  params["hardware"][0]["device"] = "l40s-24q-vgpu";  // to its guest a whole device
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
}

TEST(Nearest, FewerMachinesInALayoutThatTheEngineHas) {
  Json params = request("tgi", kDense, 16);
  params["parallel"] = {{"tensor", 4}, {"pipeline", 4}, {"nodes", 2}};
  const Json choice = nearest(params)["parallel"];
  EXPECT_EQ(choice["pipeline"], 1);
  EXPECT_FALSE(choice.contains("nodes"));
}

TEST(Nearest, FewerDevicesWhereNoLayoutOverAllWorks) {
  Json params = request("lmdeploy", kExperts, 6);
  params["parallel"] = {{"tensor", 6}, {"expert", true}};
  EXPECT_EQ(nearest(params)["parallel"]["tensor"], 4);
  params = request("lmdeploy", kExperts, 16);
  params["parallel"] = {{"tensor", 8}, {"pipeline", 2}, {"nodes", 2}};
  EXPECT_TRUE(nearest(params).is_object());
}

TEST(Nearest, RanksThatAreOptions) {
  EXPECT_EQ(nearest(request("sglang", kExperts, 8, {{"ep_size", 3}}))["ep_size"], 2);
  EXPECT_EQ(nearest(request("sglang", kExperts, 8, {{"dp_size", 3}, {"enable_dp_attention", true}}))["dp_size"], 2);
  EXPECT_EQ(nearest(request("tensorrt-llm", kExperts, 8, {{"moe_expert_parallel_size", 3}}))["moe_expert_parallel_size"], 2);
  EXPECT_EQ(nearest(request("vllm", kExperts, 8, {{"decode_context_parallel_size", 3}}))["decode_context_parallel_size"], 2);
  // However many are asked for, the choice comes at once.
  EXPECT_LE(nearest(request("vllm", kExperts, 8, {{"decode_context_parallel_size", std::int64_t{1} << 52}}))["decode_context_parallel_size"], 8);
}

TEST(Nearest, FormatsThatTheCardRuns) {
  Json params = testing::serving_request("vllm", kDense, "v100-sxm2-32gb", 1);
  params["weights"] = {{"format", "awq-int4"}};
  EXPECT_EQ(nearest(params)["weights"]["format"], "gptq-int4");
  params = testing::serving_request("tensorrt-llm", kDense, "rtx-3090", 1);
  params["weights"] = {{"format", "fp8"}};
  EXPECT_EQ(nearest(params)["weights"]["format"], "int8");
  // Of eight bits, but not the integers that kernels begin to take with Turing.
  params = testing::serving_request("vllm", "mlx-community/Llama-3.1-Nemotron-70B-Instruct-HF-8bit", "v100-pcie-16gb", 8);
  EXPECT_EQ(nearest(params)["weights"]["format"], "bnb-int8");
  params = request("sglang", kDense, 1);
  params["weights"] = {{"format", "gguf:Q8_0"}};
  EXPECT_TRUE(nearest(params)["weights"].is_object());
}

struct Pooled {
  const char* engine;
  Json options;
  const char* code;   ///< of what it does with a request that its pool cannot hold
  const char* limit;  ///< its name for the longest sequence
};

std::vector<Pooled> pooled_engines() {
  return {
      {"sglang", Json::object(), "overlong_request", "context_length"}, {"tensorrt-llm", Json::object(), "overlong_request", "max_seq_len"},
      {"lmdeploy", Json::object(), "overlong_end", "session_len"},      {"lmdeploy", {{"backend", "pytorch"}}, "overlong_request", "session_len"},
      {"tgi", Json::object(), "overlong_start", "max_total_tokens"},    {"mlc-llm", {{"mode", "server"}}, "overlong_request", "context_window_size"}};
}

// 131,072 tokens of Llama 3.1 8B take 16 GiB, of which a card of 24 GiB has no more than about six beside the weights.
Json overlong_request(const Pooled& pooled) {
  Json params = testing::serving_request(pooled.engine, "meta-llama/Llama-3.1-8B-Instruct", "rtx-3090", 1, pooled.options);
  params["workload"] = {{"context_tokens", 131072}, {"sequences", 1}};
  return params;
}

TEST(Nearest, TheLongestRequestOfAPool) {
  for (const Pooled& pooled : pooled_engines()) {
    Json params = overlong_request(pooled);
    EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], pooled.code) << params.dump();
    const Json longest = nearest(params)["context_tokens"];
    ASSERT_TRUE(longest.is_number()) << params.dump();
    // It is the engine's own limit: the next block has no room in it.
    params["workload"]["context_tokens"] = longest;
    const Json fits = testing::estimate(params)["devices"][0];
    EXPECT_GE(fits["limit_bytes"], fits["need_inside_bytes"]) << params.dump();
    params["workload"]["context_tokens"] = longest.get<std::int64_t>() + 1;
    const Json more = testing::estimate(params)["devices"][0];
    EXPECT_LT(more["limit_bytes"], more["need_inside_bytes"]) << params.dump();
  }
}

TEST(Nearest, ALimitThatIsSetIsWhatChanges) {
  std::vector<Pooled> engines = pooled_engines();
  engines.push_back({"vllm", Json::object(), "out_of_range", "max_model_len"});
  for (const Pooled& pooled : engines) {
    Json params = overlong_request(pooled);
    params["engine"]["options"][pooled.limit] = 131072;
    EXPECT_TRUE(nearest(params)[pooled.limit].is_number()) << params.dump();
  }
}

// Short requests leave room, but the engine would not take one that is as long as it says.
TEST(Nearest, AContextThatNoRequestFitsIsRefusedHoweverShortTheyAre) {
  for (const Pooled& pooled : pooled_engines()) {
    Json params = overlong_request(pooled);
    params["workload"]["average_tokens"] = 512;
    EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["code"], pooled.code) << params.dump();
  }
}

// A cache of as many tokens as are asked for is taken or not, and what has no pool grows until the card is full.
TEST(Nearest, WithoutAPoolAContextThatDoesNotFitIsNoRefusal) {
  for (const char* engine : {"mlc-llm", "exllamav3", "transformers"})
    EXPECT_EQ(testing::estimate(overlong_request({engine, Json::object(), "", ""}))["verdict"]["class"], "no") << engine;
}

TEST(Nearest, RanksThatShareALatentCacheDoNotShareAnFp8One) {
  Json params = request("vllm", kExperts, 8, {{"decode_context_parallel_size", 8}});
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
  params["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");  // since vllm-project/vllm#44044
  params["engine"]["version"] = "0.20";
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["message"], "DCP not support fp8 kvcache now.");
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "auto");
  // What the checkpoint asks for is no way out of itself.
  params.erase("kv_cache");
  params["model"]["id"] = "nvidia/DeepSeek-V3.1-NVFP4";
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "bf16");
}

TEST(Nearest, FewerRanksAreThoseWhoseTilesAreWhole) {
  Json params = request("vllm", "nvidia/Gemma-4-26B-A4B-NVFP4", 3, Json::object());
  params["hardware"] = Json::array({{{"device", "rtx-pro-6000"}, {"count", 3}}});
  const Json offered = nearest(params)["parallel"];
  ASSERT_TRUE(offered.is_object());
  params["parallel"] = offered;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible") << offered.dump();
}

TEST(Nearest, NothingIsDraftedWithoutWhatDrafts) {
  EXPECT_EQ(nearest(request("tensorrt-llm", kDense, 1, {{"num_nextn_predict_layers", 3}}))["num_nextn_predict_layers"], 0);
  const Json verdict = testing::estimate(request("vllm", kDense, 1, {{"num_speculative_tokens", 3}}))["verdict"];
  EXPECT_EQ(verdict["reason"]["message"], "num_speculative_tokens was provided but without speculative model.");
  for (const Json& drafted : {Json{{"num_speculative_tokens", 3}, {"speculative_method", "ngram"}}, Json{{"enforce_eager", true}}})
    EXPECT_EQ(testing::estimate(request("vllm", kDense, 1, drafted))["verdict"]["class"], "fits") << drafted.dump();
}

// Where the pool is given in bytes, the engine does not ask for a share of the card (vllm/config/cache.py kv_cache_memory_bytes).
TEST(Nearest, NoShareWhereThePoolIsGiven) {
  Json params = request("vllm", kDense, 1, {{"kv_cache_memory_bytes", std::int64_t{1} << 43}});
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "no");
  EXPECT_TRUE(testing::estimate(params)["verdict"]["nearest"].is_null());
}

TEST(Nearest, RanksDoNotShareAWindowOrAState) {
  const Json shared{{"decode_context_parallel_size", 2}};
  for (const char* model : {"google/gemma-3-4b-it", "Qwen/Qwen3-Next-80B-A3B-Instruct", "deepseek-ai/DeepSeek-V4-Flash"})
    EXPECT_EQ(nearest(request("vllm", model, 8, shared))["decode_context_parallel_size"], 1) << model;
  const Json without{{"decode_context_parallel_size", 2}, {"enable_prefix_caching", false}};
  EXPECT_NE(testing::estimate(request("vllm", "Qwen/Qwen3-Next-80B-A3B-Instruct", 8, without))["verdict"]["class"], "impossible");
  // Advice does not propose what is refused.
  Json params = request("vllm", "Qwen/Qwen3-Next-80B-A3B-Instruct", 8);
  params["workload"] = {{"context_tokens", 262144}, {"sequences", 64}};
  EXPECT_EQ(testing::call("advise", params).dump().find("decode_context_parallel_size"), std::string::npos);
}

TEST(Nearest, CacheTypesByAnotherName) {
  const auto choice = [](const char* engine, const char* type) {
    Json params = request(engine, kDense, 1);
    params["kv_cache"] = {{"k", type}, {"v", type}};
    return nearest(params)["kv_cache"]["k"];
  };
  EXPECT_EQ(choice("sglang", "fp8"), "fp8_e4m3");
  EXPECT_EQ(choice("tgi", "fp8"), "fp8_e4m3fn");
  EXPECT_EQ(choice("vllm", "q4_0"), "auto");
  EXPECT_EQ(choice("lmdeploy", "fp8"), "auto");
}

// Every engine with a share of memory says so in one way, with what the job needs beside.
TEST(Nearest, SharesAboveTheWholeMemory) {
  const std::pair<const char*, const char*> shares[] = {
      {"vllm", "gpu_memory_utilization"},    {"sglang", "mem_fraction_static"}, {"tensorrt-llm", "free_gpu_memory_fraction"},
      {"lmdeploy", "cache_max_entry_count"}, {"tgi", "cuda_memory_fraction"},   {"mlc-llm", "gpu_memory_utilization"}};
  for (const auto& [engine, option] : shares) {
    const Json params = request(engine, kDense, 1, {{option, 1.2}});
    EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["values"]["value"], "1.2") << engine;
    const Json choice = nearest(params);
    EXPECT_GT(choice[option], 0.5) << engine;
    EXPECT_LE(choice[option], 1.0) << engine;
    EXPECT_NE(testing::call("solve", {{"find", "weights"}, {"request", params}})["result"]["verdict"]["class"], "fits") << engine;
  }
  // An engine that has no such share goes on.
  Json params{{"model", {{"id", kDense}}},
              {"engine", {{"name", "llama.cpp"}, {"options", {{"gpu_memory_utilization", 1.5}}}}},
              {"hardware", Json::array()}};
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible");
}

TEST(Nearest, DraftsAreRefusedByNameOrSaidToBeLeftOut) {
  const auto code = [](const Json& params) {
    const Json reason = testing::estimate(params)["verdict"]["reason"];
    return reason.is_null() ? Json() : reason["values"]["key"];
  };
  EXPECT_EQ(code(request("vllm", kDense, 1, {{"speculative_method", "mtp"}})), "speculative_method");
  EXPECT_EQ(code(request("vllm", kDense, 1, {{"speculative_method", "guess"}})), "speculative_method");
  EXPECT_EQ(code(request("sglang", kDense, 1, {{"speculative_algorithm", "GUESS"}})), "speculative_algorithm");
  EXPECT_TRUE(code(request("vllm", kExperts, 8, {{"speculative_method", "deepseek_mtp"}})).is_null());
  const auto leaves_out = [](const Json& params) {
    return testing::call("estimate", params)["warnings"].dump().find("draft_not_counted") != std::string::npos;
  };
  EXPECT_TRUE(leaves_out(request("vllm", kDense, 1, {{"speculative_method", "draft_model"}})));
  EXPECT_FALSE(leaves_out(request("vllm", kDense, 1, {{"speculative_method", "ngram"}})));
  EXPECT_TRUE(leaves_out(request("sglang", kDense, 1, {{"speculative_algorithm", "EAGLE3"}})));
  EXPECT_FALSE(leaves_out(request("sglang", kExperts, 8, {{"speculative_algorithm", "EAGLE"}})));
}

}  // namespace
}  // namespace weighbridge::nearest_test

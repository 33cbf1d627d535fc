// SPDX-License-Identifier: Apache-2.0
// What an engine refuses, and the nearest that it runs.
#include <gtest/gtest.h>

#include <string>

#include "api_fixture.hpp"

namespace weighbridge::nearest_test {
namespace {

using testing::Json;

constexpr const char* kDense = "Qwen/Qwen3-8B";
constexpr const char* kExperts = "deepseek-ai/DeepSeek-V3";

Json request(const char* engine, const char* model, int count, const Json& options = Json::object()) {
  return testing::serving_request(engine, model, "h200-sxm", count, options);
}

/// The verdict, which must refuse, and whose choice must run when it is taken.
Json nearest(Json params) {
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "impossible") << params.dump();
  Json choice = verdict["nearest"];
  if (!choice.is_object()) return choice;
  for (const auto& [key, value] : choice.items())
    if (key == "parallel" || key == "weights" || key == "kv_cache")
      params[key] = value;
    else
      params["engine"]["options"][key] = value;
  EXPECT_NE(testing::estimate(params)["verdict"]["class"], "impossible") << params.dump();
  return choice;
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
  params = request("sglang", kDense, 1);
  params["weights"] = {{"format", "gguf:Q8_0"}};
  EXPECT_TRUE(nearest(params)["weights"].is_object());
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

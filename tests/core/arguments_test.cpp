// SPDX-License-Identifier: Apache-2.0
// What an engine's own arguments refuse, by release, and the nearest that it takes.
#include <gtest/gtest.h>

#include <string>

#include "api_fixture.hpp"

namespace weighbridge::arguments_test {
namespace {

using testing::Json;
using testing::nearest;

constexpr const char* kDense = "Qwen/Qwen3-8B";
constexpr const char* kExperts = "deepseek-ai/DeepSeek-V3";

Json request(const char* engine, const char* model, int count, const Json& options = Json::object()) {
  return testing::serving_request(engine, model, "h200-sxm", count, options);
}

TEST(Arguments, RanksOfAdaptersThatTheEngineHas) {
  for (const auto& [asked, nearest_rank] : {std::pair{17, 32}, {9, 16}, {1000, 512}})
    EXPECT_EQ(nearest(request("vllm", kDense, 1, {{"enable_lora", true}, {"max_lora_rank", asked}}))["max_lora_rank"], nearest_rank);
  EXPECT_EQ(testing::estimate(request("vllm", kDense, 1, {{"enable_lora", true}, {"max_lora_rank", 64}}))["verdict"]["class"], "fits");
}

/// The choice for an option that is refused, and that it is the option which is refused.
Json nearest_of(const char* engine, const char* model, const char* option, const Json& value, const Json& changes = Json::object()) {
  Json params = request(engine, model, 1, {{option, value}});
  params.merge_patch(changes);
  EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["where"], std::string("params.engine.options.") + option) << engine << " " << value;
  return nearest(params)[option];
}

TEST(Arguments, BlocksThatTheReleaseOfVllmTakes) {
  const auto block = [](const char* version, int size) {
    return nearest_of("vllm", kDense, "block_size", size, {{"engine", {{"version", version}}}});
  };
  EXPECT_EQ(block("0.9", 48), 64);
  EXPECT_EQ(block("0.10", 256), 128);
  EXPECT_EQ(block("0.11", 512), 256);
  EXPECT_EQ(block("0.14", 8), 16);
  EXPECT_EQ(block("0.27", 20), 32);
  Json params = request("vllm", kDense, 1, {{"block_size", 48}});
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
  params = request("vllm", kExperts, 8, {{"block_size", 1}});  // a latent cache has kernels for any
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
}

TEST(Arguments, TypesOfStatesThatTheReleaseOfVllmTakes) {
  const auto type = [](const char* version, const char* asked) {
    return nearest_of("vllm", "Qwen/Qwen3-4B", "mamba_ssm_cache_dtype", asked, {{"engine", {{"version", version}}}});
  };
  EXPECT_EQ(type("0.9", "float32"), "auto");
  EXPECT_EQ(type("0.11", "float16"), "float32");
  EXPECT_EQ(type("0.17", "bfloat16"), "float16");
  EXPECT_EQ(type("0.27", "bf16"), "bfloat16");
  EXPECT_EQ(type("0.27", "flaot32"), "float32");
}

TEST(Arguments, ACacheThatGoesWithTheWeights) {
  Json params = request("vllm", kExperts, 8);  // published in FP8
  params["kv_cache"] = {{"k", "fp8_e5m2"}};
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "fp8");
  params = request("tgi", kDense, 1, {{"attention", "flashdecoding"}});
  params["kv_cache"] = {{"k", "fp8_e5m2"}};
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "auto");
  params = testing::serving_request("tensorrt-llm", kDense, "rtx-5090", 1);
  params["kv_cache"] = {{"k", "nvfp4"}};
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "auto");
  params["hardware"][0]["device"] = "b200";
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "auto");  // beside FP8 weights only
  params["weights"] = {{"format", "fp8"}};
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
  // Options that say it are left out then: they win over what the request says of its cache.
  EXPECT_EQ(nearest(request("vllm", kDense, 1, {{"kv_cache_dtype", "fp8_e4m4"}}))["kv_cache"]["k"], "fp8");
  params = request("llama.cpp", kDense, 1, {{"type_k", "q5"}, {"type_v", "q5"}});
  params["weights"] = {{"format", "gguf:Q4_K_M"}};
  EXPECT_EQ(nearest(params)["kv_cache"]["k"], "q5_0");
}

TEST(Arguments, WordsByTheirSpelling) {
  EXPECT_EQ(nearest_of("vllm", kDense, "speculative_method", "egale3"), "eagle3");
  EXPECT_EQ(nearest(request("vllm", kDense, 1, {{"num_speculative_tokens", 3}}))["speculative_method"], "ngram");
  EXPECT_EQ(nearest_of("sglang", kDense, "speculative_algorithm", "eagle"), "EAGLE");
  EXPECT_EQ(nearest_of("sglang", kDense, "moe_runner_backend", "Marlin"), "marlin");
  EXPECT_EQ(nearest_of("tensorrt-llm", kDense, "moe_backend", "CUTLAS"), "CUTLASS");
  EXPECT_EQ(nearest_of("tensorrt-llm", kDense, "moe_backend", "DEEPGEMM"), "AUTO");
  EXPECT_EQ(nearest_of("lmdeploy", kDense, "backend", "torch"), "pytorch");
  EXPECT_EQ(nearest_of("tgi", kDense, "attention", "flash-infer"), "flashinfer");
  EXPECT_EQ(nearest_of("mlc-llm", kDense, "mode", "serve", {{"weights", {{"format", "q4f16_1"}}}}), "server");
  EXPECT_EQ(nearest_of("transformers", kDense, "attn_implementation", "flash_attention_3"), "flash_attention_2");
  EXPECT_EQ(nearest_of("transformers", kDense, "device_map", "balance"), "balanced");
}

TEST(Arguments, AFlagThatIsNotForTheModel) {
  Json params = testing::serving_request("exllamav2", kDense, "rtx-3090", 2, {{"tensor_parallel", true}});
  params["weights"] = {{"format", "gptq-int4"}};
  EXPECT_EQ(nearest(params)["tensor_parallel"], false);
}

TEST(Arguments, SizesThatKernelsTake) {
  EXPECT_EQ(nearest_of("sglang", kDense, "chunked_prefill_size", 1000, {{"engine", {{"options", {{"page_size", 64}}}}}}), 1024);
  EXPECT_EQ(nearest_of("sglang", kDense, "page_size", 48), 64);
  EXPECT_EQ(nearest_of("tensorrt-llm", kDense, "tokens_per_block", 48), 64);
  EXPECT_EQ(nearest_of("lmdeploy", kDense, "cache_block_seq_len", 48), 64);
  EXPECT_EQ(nearest_of("lmdeploy", kDense, "cache_block_seq_len", 96, {{"engine", {{"options", {{"backend", "pytorch"}}}}}}), 128);
  EXPECT_EQ(nearest_of("lmdeploy", kDense, "quant_policy", 5), 8);
  const Json packed{{"weights", {{"format", "exl3-4bpw"}}}, {"workload", {{"context_tokens", 4096}, {"sequences", 1}}}};
  EXPECT_EQ(nearest_of("exllamav3", kDense, "cache_size", 8000, packed), 8192);
  EXPECT_EQ(nearest_of("exllamav3", kDense, "k_bits", 12, packed), nullptr);  // while values are not packed
  EXPECT_EQ(nearest_of("exllamav3", kDense, "k_bits", 8, packed), 16);
  Json bits = packed;
  bits["engine"] = {{"options", {{"v_bits", 4}}}};
  EXPECT_EQ(nearest_of("exllamav3", kDense, "k_bits", 12, bits), 8);
  Json params = testing::serving_request("mlx", kDense, "apple-m2-ultra-64gb", 1, {{"kv_group_size", 48}});
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");  // a plain cache has no groups
  params["kv_cache"] = {{"k", "q8"}};
  EXPECT_EQ(nearest(params)["kv_group_size"], 64);
}

TEST(Arguments, AReleaseThatHasAClassForTheModel) {
  const auto release = [](const char* model, const char* version, const char* engine = "vllm") {
    Json params = request(engine, model, 4);
    params["engine"]["version"] = version;
    EXPECT_EQ(testing::estimate(params)["verdict"]["reason"]["where"], "params.engine.version") << model << " " << version;
    return nearest(params)["engine"]["version"];
  };
  EXPECT_EQ(release("Qwen/Qwen3-Next-80B-A3B-Instruct", "0.9"), "0.10");
  EXPECT_EQ(release("deepseek-ai/DeepSeek-V3.2", "0.10"), "0.11");
  EXPECT_EQ(release("MiniMaxAI/MiniMax-M2", "0.10"), "0.11");
  EXPECT_EQ(release("Qwen/Qwen3-VL-30B-A3B-Instruct", "0.10"), "0.11");
  EXPECT_EQ(release("LGAI-EXAONE/K-EXAONE-236B-A23B", "0.11"), "0.14");
  EXPECT_EQ(release("google/gemma-4-26B-A4B-it", "0.17"), "0.20");
  EXPECT_EQ(release("Qwen/Qwen3.5-35B-A3B", "0.14"), "0.17");
  EXPECT_EQ(release("deepseek-ai/DeepSeek-V4-Flash", "0.17"), "0.20");
  EXPECT_EQ(release("MiniMaxAI/MiniMax-M3", "0.23"), "0.26");
  EXPECT_EQ(release("Qwen/Qwen3.5-35B-A3B", "0.5.3", "sglang"), "0.5.10");
  EXPECT_EQ(release("deepseek-ai/DeepSeek-V4-Flash", "0.5.10", "sglang"), "0.5.18");
  Json params = request("vllm", kDense, 8);
  params["engine"]["version"] = "0.9";
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
}

TEST(Arguments, AReleaseWithDecodeContextParallelForTheCache) {
  Json params = request("vllm", kExperts, 8, {{"decode_context_parallel_size", 8}});
  params["engine"]["version"] = "0.9";
  EXPECT_EQ(nearest(params)["engine"]["version"], "0.10");
  params = request("vllm", "Qwen/Qwen3-32B", 16, {{"decode_context_parallel_size", 2}});
  params["engine"]["version"] = "0.10";
  EXPECT_EQ(nearest(params)["engine"]["version"], "0.11");
}

}  // namespace
}  // namespace weighbridge::arguments_test

// SPDX-License-Identifier: Apache-2.0
// Lines that start an engine: what was counted is what they set, and what is the engine's default is left to it.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "options/command_line.hpp"

namespace weighbridge::launch_test {
namespace {

using testing::Json;

Json launch(const Json& request) {
  const Json response = testing::call("launch", request);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response["result"];
}

Json serving(const char* engine, const char* model, const char* device, int count, Json options = Json::object()) {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", engine}, {"options", std::move(options)}}},
          {"workload", {{"context_tokens", 8192}, {"sequences", 4}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

TEST(Launch, SetsTheLengthAndTheRequestsThatWereCounted) {
  EXPECT_EQ(launch(serving("vllm", "Qwen/Qwen3-8B", "rtx-3090", 2))["command"],
            "vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2 --max-model-len 8192 --max-num-seqs 4");
  EXPECT_EQ(launch(serving("sglang", "Qwen/Qwen3-8B", "rtx-4090", 1))["command"],
            "python3 -m sglang.launch_server --model-path Qwen/Qwen3-8B --context-length 8192 --max-running-requests 4");
  EXPECT_EQ(launch(serving("tensorrt-llm", "Qwen/Qwen3-8B", "rtx-4090", 1))["command"],
            "trtllm-serve Qwen/Qwen3-8B --max_seq_len 8192 --max_batch_size 4");
}

TEST(Launch, KnowsTheServersThatAreNotOfTheFirstThree) {
  Json experts = serving("lmdeploy", "deepseek-ai/DeepSeek-R1", "h200", 8, {{"backend", "pytorch"}});
  experts["parallel"] = {{"tensor", 8}, {"expert", true}};
  EXPECT_EQ(launch(experts)["command"],
            "lmdeploy serve api_server deepseek-ai/DeepSeek-R1 --tp 8 --ep 8 --session-len 8192 --max-batch-size 4 --backend pytorch");
  EXPECT_EQ(launch(serving("lmdeploy", "Qwen/Qwen3-8B", "rtx-3090", 2, {{"cache_max_entry_count", 0.5}, {"quant_policy", 8}}))["command"],
            "lmdeploy serve api_server Qwen/Qwen3-8B --tp 2 --session-len 8192 --max-batch-size 4 --quant-policy 8 --cache-max-entry-count 0.5");
  Json quantized = serving("lmdeploy", "Qwen/Qwen3-8B", "rtx-3090", 2);
  quantized["kv_cache"] = {{"k", "int8"}, {"v", "int8"}};
  EXPECT_EQ(launch(quantized)["command"], "lmdeploy serve api_server Qwen/Qwen3-8B --tp 2 --session-len 8192 --max-batch-size 4 --quant-policy 8");
  EXPECT_EQ(launch(serving("tgi", "Qwen/Qwen3-8B", "rtx-3090", 2, {{"cuda_graphs", 4}}))["command"],
            "text-generation-launcher --model-id Qwen/Qwen3-8B --num-shard 2 --max-total-tokens 8192 --cuda-graphs 1,2,4");
  Json request = serving("mlc-llm", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"mode", "server"}});
  request["weights"] = {{"format", "q4f16_1"}};
  EXPECT_EQ(launch(request)["command"], "mlc_llm serve path/to/Qwen3-8B-q4f16_1 --mode server --overrides 'context_window_size=8192'");
  request["engine"]["options"] = Json::object();
  EXPECT_EQ(launch(request)["command"],
            "mlc_llm serve path/to/Qwen3-8B-q4f16_1 --overrides 'context_window_size=8192;max_num_sequence=4;max_total_seq_length=32768'");
}

TEST(Launch, OfMlxIsItsServerOrWhatTakesTheSettings) {
  Json request = serving("mlx", "Qwen/Qwen3-8B", "m4-max-36gb", 1, {{"prefill_step_size", 512}});
  request["weights"] = {{"format", "mlx-4bit"}};
  EXPECT_EQ(
      launch(request)["command"],
      "mlx_lm.server --model path/to/Qwen3-8B-mlx-4bit --decode-concurrency 4 --prompt-concurrency 4 --prefill-step-size 512 --prompt-cache-size 0");
  request["kv_cache"] = {{"k", "q8"}, {"v", "q8"}};
  EXPECT_EQ(launch(request)["command"],
            "mlx_lm.generate --model path/to/Qwen3-8B-mlx-4bit --kv-bits 8 --kv-group-size 64 --quantized-kv-start 0 --prompt -");
}

TEST(Launch, NamesTheModelThatDrafts) {
  EXPECT_EQ(launch(serving("vllm", "Qwen/Qwen3-8B", "h200", 1, {{"draft_model", "qwen3-0.6b"}, {"num_speculative_tokens", 5}}))["command"],
            "vllm serve Qwen/Qwen3-8B --max-model-len 8192 --max-num-seqs 4 "
            "--speculative-config '{\"method\":\"draft_model\",\"num_speculative_tokens\":5,\"model\":\"Qwen/Qwen3-0.6B\"}'");
}

TEST(Launch, NamesWhatWasChanged) {
  Json request = serving(
      "vllm", "deepseek-ai/DeepSeek-R1", "h200", 8,
      {{"gpu_memory_utilization", 0.88}, {"enforce_eager", true}, {"enable_prefix_caching", false}, {"num_speculative_tokens", 1}});
  request["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  request["parallel"] = {{"tensor", 4}, {"data", 2}, {"expert", true}};
  EXPECT_EQ(launch(request)["command"],
            "vllm serve deepseek-ai/DeepSeek-R1 --tensor-parallel-size 4 --data-parallel-size 2 --enable-expert-parallel "
            "--gpu-memory-utilization 0.88 --max-model-len 8192 --max-num-seqs 2 --enforce-eager --no-enable-prefix-caching "
            "--kv-cache-dtype fp8 --speculative-config '{\"method\":\"mtp\",\"num_speculative_tokens\":1}'");
}

TEST(Launch, MakesAFormatAsItLoadsOrNamesACopy) {
  Json request = serving("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1);
  request["weights"] = {{"format", "fp8"}};
  EXPECT_EQ(launch(request)["command"], "vllm serve Qwen/Qwen3-8B --quantization fp8 --max-model-len 8192 --max-num-seqs 4");
  request["weights"] = {{"format", "awq-int4"}};
  EXPECT_EQ(launch(request)["command"], "vllm serve path/to/Qwen3-8B-awq-int4 --max-model-len 8192 --max-num-seqs 4");
}

/// The command for a format of Qwen3 8B, and the codes of what is said beside the figures.
std::pair<std::string, std::string> made(const char* engine, const char* version, const char* format, const char* device = "l40s") {
  Json request = serving(engine, "Qwen/Qwen3-8B", device, 1);
  request["weights"] = {{"format", format}};
  request["engine"]["version"] = version;
  request["workload"]["sequences"] = 1;
  std::string codes;
  const Json reply = testing::call("estimate", request);
  for (const Json& warning : reply["warnings"]) codes += warning["code"].get<std::string>() + " ";
  return {launch(request)["command"], codes};
}

// vllm-project/vllm#32773: 0.13 and 0.14 need more than the 16-bit model takes, releases before as much; sgl-project/sglang#2895.
TEST(Launch, NamesACopyWhereAnEngineLoadsTheWholeModelBeforeItQuantizes) {
  const std::string copy = "path/to/Qwen3-8B-fp8";
  for (const auto& [engine, version] : {std::pair{"sglang", ""}, {"vllm", "0.11"}, {"vllm", "0.14"}}) {
    const auto [command, codes] = made(engine, version, "fp8");
    EXPECT_NE(command.find(copy), std::string::npos) << command;
    EXPECT_EQ(codes, "plain_weights_first ") << engine << version;
  }
  const auto [command, codes] = made("vllm", "0.17", "fp8");
  EXPECT_EQ(command.find(copy), std::string::npos) << command;
  EXPECT_EQ(codes, "");
}

// launcher/src/main.rs of text-generation-inference; neither mlx_lm nor mlc_llm serve has a --dtype.
TEST(Launch, QuantizesByTheEnginesOwnFlag) {
  EXPECT_NE(made("tgi", "", "fp8").first.find(" --quantize fp8 "), std::string::npos);
  EXPECT_NE(made("tgi", "", "nf4").first.find(" --quantize bitsandbytes-nf4 "), std::string::npos);
  EXPECT_NE(made("tgi", "", "bnb-int8").first.find(" --quantize bitsandbytes "), std::string::npos);
  EXPECT_NE(made("mlc-llm", "", "fp16").first.find("path/to/Qwen3-8B-fp16"), std::string::npos);
  EXPECT_NE(made("mlx", "", "fp16", "apple-m2-ultra-64gb").first.find("path/to/Qwen3-8B-fp16"), std::string::npos);
}

TEST(Launch, PutsIntoAFileWhatTheLineDoesNotTake) {
  Json request = serving("tensorrt-llm", "deepseek-ai/DeepSeek-R1", "h200", 8,
                         {{"enable_attention_dp", true}, {"free_gpu_memory_fraction", 0.8}, {"moe_backend", "DEEPGEMM"}});
  request["kv_cache"] = {{"k", "fp8"}, {"v", "fp8"}};
  EXPECT_EQ(launch(request)["command"],
            "cat > options.yaml <<'END'\nkv_cache_config:\n  dtype: fp8\nenable_attention_dp: true\nmoe_config:\n  backend: DEEPGEMM\nEND\n"
            "trtllm-serve deepseek-ai/DeepSeek-R1 --tp_size 8 --max_seq_len 8192 --max_batch_size 4 --kv_cache_free_gpu_memory_fraction 0.8 "
            "--extra_llm_api_options options.yaml");
}

TEST(Launch, QuotesWhatALinkMayHaveBrought) {
  CommandLine line("vllm serve");
  line.add("--model", "a'b; `id` $(c)");
  EXPECT_EQ(line.text(), "vllm serve --model 'a'\\''b; `id` $(c)'");
  Json request = serving("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"speculative_method", "ngram"}});
  EXPECT_EQ(launch(request)["command"],
            "vllm serve Qwen/Qwen3-8B --max-model-len 8192 --max-num-seqs 4 "
            "--speculative-config '{\"method\":\"ngram\",\"num_speculative_tokens\":1}'");
  // What the engine has no such name for has no line at all.
  EXPECT_TRUE(launch(serving("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"mamba_ssm_cache_dtype", "a'b $(c)"}}))["command"].is_null());
  EXPECT_TRUE(launch(serving("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"speculative_method", "a'b $(c)"}}))["command"].is_null());
  EXPECT_TRUE(launch(serving("sglang", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"speculative_algorithm", "`id`"}}))["command"].is_null());
  request = serving("sglang", "Qwen/Qwen3-8B", "rtx-4090", 1, {{"speculative_algorithm", "NGRAM"}, {"kv_cache_dtype", "fp8_e5m2"}});
  EXPECT_EQ(launch(request)["command"],
            "python3 -m sglang.launch_server --model-path Qwen/Qwen3-8B --context-length 8192 --max-running-requests 4 "
            "--speculative-algorithm NGRAM --kv-cache-dtype fp8_e5m2");
  request = serving("sglang", "Qwen/Qwen3-8B", "b200-sxm", 1, {{"kv_cache_dtype", "fp4_e2m1"}});
  EXPECT_NE(launch(request)["command"].get<std::string>().find("--kv-cache-dtype fp4_e2m1"), std::string::npos);
}

// Where it does not fit, and the engine's own fit does not move what was set by hand, or would keep other layers than the answer names.
TEST(Launch, OfLlamaCppHasTheLayersThatTheAnswerNames) {
  const auto request = [](const char* model, const char* device, int count, Json options, Json offload) {
    Json params = serving("llama.cpp", model, device, count, std::move(options));
    params["weights"] = {{"format", "gguf:Q4_K_M"}};
    params["workload"]["sequences"] = 1;
    params["host"] = {{"memory_bytes", std::int64_t{64} << 30}};
    if (!offload.empty()) params["offload"] = std::move(offload);
    return params;
  };
  constexpr const char* dense = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B";
  for (Json params : {request(dense, "rtx-3090", 1, Json::object(), {}), request(dense, "rtx-3090", 2, {{"tensor_split", "60,40"}}, {}),
                      request("Qwen/Qwen3-30B-A3B", "rtx-3060-12gb", 1, Json::object(), {{"cpu_moe_layers", 20}})}) {
    const Json result = testing::estimate(params);
    const Json layers = result["verdict"]["nearest"]["gpu_layers"];
    ASSERT_TRUE(layers.is_number()) << result["verdict"].dump();
    const std::string command = result["engine"]["command"].get<std::string>() + " ";
    EXPECT_NE(command.find(" -ngl " + layers.dump() + " "), std::string::npos) << command;
    params["offload"]["gpu_layers"] = layers;
    EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "offload");
    EXPECT_EQ(launch(params)["command"], result["engine"]["command"]);
  }
}

// llama.cpp's own fit leaves a GiB free on each device, and would take layers back.
TEST(Launch, OfLlamaCppHasAllLayersWhereAllWereCounted) {
  Json params = serving("llama.cpp", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "rtx-3090", 2);
  params["weights"] = {{"format", "gguf:Q4_K_M"}};
  params["workload"] = {{"context_tokens", 16'384}, {"sequences", 1}};
  const Json result = testing::estimate(params);
  ASSERT_EQ(result["verdict"]["class"], "fits");
  ASSERT_EQ(result["engine"]["fit"]["changed"], true) << result["engine"].dump();
  const std::string command = result["engine"]["command"].get<std::string>() + " ";
  EXPECT_NE(command.find(" -ngl 81 "), std::string::npos) << command;
  EXPECT_EQ(command.find(" -ts "), std::string::npos) << command;
}

TEST(Launch, SixteenBitsAreSaidToACheckpointThatAsksForLess) {
  for (const char* engine : {"vllm", "sglang"}) {
    Json params = serving(engine, "nvidia/Llama-3.1-70B-Instruct-FP8", "h100-sxm", 4);
    EXPECT_EQ(launch(params)["command"].get<std::string>().find("--kv-cache-dtype"), std::string::npos);
    params["kv_cache"] = {{"k", "bf16"}, {"v", "bf16"}};
    EXPECT_NE(launch(params)["command"].get<std::string>().find(" --kv-cache-dtype bfloat16"), std::string::npos);
    params["model"]["id"] = "Qwen/Qwen3-8B";
    EXPECT_EQ(launch(params)["command"].get<std::string>().find("--kv-cache-dtype"), std::string::npos);
  }
}

TEST(Launch, HasNoLineForWhatCannotRunOrHasNoServer) {
  EXPECT_TRUE(launch(serving("vllm", "deepseek-ai/DeepSeek-R1", "h200", 6))["command"].is_null());
  EXPECT_TRUE(launch(serving("transformers", "Qwen/Qwen3-8B", "rtx-4090", 1))["command"].is_null());
  EXPECT_EQ(launch(serving("llama.cpp", "Qwen/Qwen3-8B", "rtx-4090", 1))["command"].get<std::string>().rfind("llama-server -m Qwen3-8B", 0), 0U);
}

}  // namespace
}  // namespace weighbridge::launch_test

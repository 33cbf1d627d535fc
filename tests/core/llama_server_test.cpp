// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::llama_server_test {
namespace {

using testing::bytes_of;
using testing::Json;
using testing::kGiBytes;
using testing::llama_cpp_request;
using testing::memory;
using testing::sum_of;

constexpr const char* kLlama70B = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B";
constexpr const char* kQwenMoe = "Qwen/Qwen3-30B-A3B";
constexpr const char* kLlama8B = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B";

// The names are of the file; a pattern is searched, not matched (std::regex_search).
TEST(LlamaCppOverrides, ExpertsOfChosenLayersGoToTheHost) {
  const Json all = testing::estimate(llama_cpp_request(kQwenMoe, memory(96)));
  const Json some = testing::estimate(llama_cpp_request(kQwenMoe, memory(96), {{"override_tensor", R"(blk\.(0|1)\.ffn_.*_exps=CPU)"}}));
  Json counted = llama_cpp_request(kQwenMoe, memory(96));
  counted["offload"] = {{"cpu_moe_layers", 2}};
  EXPECT_EQ(bytes_of(some["host"], "weights"), bytes_of(testing::estimate(counted)["host"], "weights"));
  EXPECT_NEAR(static_cast<double>(sum_of(some, "weights")), static_cast<double>(sum_of(all, "weights")), 1024);  // rows up to 128 or 32 bytes
  EXPECT_GT(bytes_of(some["host"], "weights"), bytes_of(all["host"], "weights"));
}

TEST(LlamaCppOverrides, TheFirstRuleThatMatchesCounts) {
  const auto host_of = [](const char* rules) {
    return bytes_of(testing::estimate(llama_cpp_request(kQwenMoe, memory(96), {{"override_tensor", rules}}))["host"], "weights");
  };
  EXPECT_EQ(host_of("exps=CPU,exps=CUDA0"), host_of("exps=CPU"));
  EXPECT_EQ(host_of("exps=CUDA0,exps=CPU"), host_of("nothing=CPU"));
}

TEST(LlamaCppOverrides, MovesBetweenDevices) {
  const Json result = testing::estimate(llama_cpp_request(kLlama8B, memory(96, 2), {{"override_tensor", "ffn=CUDA1"}, {"tensor_split", "1,1"}}));
  EXPECT_GT(bytes_of(result["devices"][1], "weights"), 4 * bytes_of(result["devices"][0], "weights"));
}

TEST(LlamaCppOverrides, AnUnknownBufferIsNamed) {
  const Json verdict = testing::estimate(llama_cpp_request(kLlama8B, memory(96), {{"override_tensor", "ffn=CUDA7"}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("CUDA0"), std::string::npos);
}

// Called with 15,488 MiB free: common/fit.cpp over the engine's own plan (tests/truth/llama_cpp_fits.jsonl has more of them).
TEST(LlamaCppFit, NamesTheSettingsInTheEnginesFlags) {
  const Json hardware = Json::array({{{"memory_bytes", (15488 + 236) * std::int64_t{1048576}}, {"count", 1}}});
  Json params = llama_cpp_request(kLlama70B, hardware, {{"n_ctx", 8192}});
  const Json fit = testing::estimate(params)["engine"]["fit"];
  EXPECT_EQ(fit["flags"], "-c 8192 -ngl 26");
  EXPECT_EQ(fit["changed"], true);
  EXPECT_EQ(testing::estimate(params)["engine"]["gpu_layers"], 81);  // said, and done only when asked for
  params["engine"]["options"]["fit"] = true;
  EXPECT_EQ(testing::estimate(params)["engine"]["gpu_layers"], 26);
}

// common/fit.cpp goes by graphs as they are planned; by closed forms one more layer seemed to have room here.
TEST(LlamaCppFit, KeepsItsMarginByTheGraphsThatAreReplayed) {
  const Json hardware = Json::array({{{"device", "rtx-3090"}, {"count", 2}}});
  const Json result = testing::estimate(llama_cpp_request("CohereForAI/c4ai-command-r-plus", hardware, {{"n_ctx", 8192}, {"fit", true}}));
  for (const Json& device : result["devices"]) {
    std::int64_t planned = 0;
    for (const char* term : {"weights", "kv_cache", "compute", "overhead"}) planned += bytes_of(device, term);
    EXPECT_LE(planned, device["capacity_bytes"].get<std::int64_t>() - (1024LL << 20));
  }
}

TEST(LlamaCppFit, TakesAShorterContextOnlyIfNobodyAskedForOne) {
  const Json hardware = Json::array({{{"memory_bytes", (15488 + 236) * std::int64_t{1048576}}, {"count", 1}}});
  const Json options{{"n_ctx", -1}, {"n_seq_max", -1}, {"n_outputs", 4}, {"fit", true}};
  EXPECT_EQ(testing::estimate(llama_cpp_request(kLlama8B, hardware, options))["engine"]["kv_cache_tokens"], 78848);
  Json whole = options;
  whole["n_ctx"] = 0;
  EXPECT_EQ(testing::estimate(llama_cpp_request(kLlama8B, hardware, whole))["engine"]["fit"]["n_ctx"], 4 * 131072);
}

// tools/server/server.cpp: "n_parallel is set to auto, using n_parallel = 4 and kv_unified = true".
TEST(LlamaServer, HasFourSlotsWithOneCache) {
  const Json result = testing::estimate(llama_cpp_request("Qwen/Qwen3.6-27B", memory(96), {{"n_seq_max", -1}, {"n_ctx", 8192}}));
  EXPECT_EQ(result["engine"]["kv_cache_tokens"], 8192);
  const Json one = testing::estimate(llama_cpp_request("Qwen/Qwen3.6-27B", memory(96), {{"n_ctx", 8192}}));
  EXPECT_EQ(sum_of(result, "recurrent_state"), 4 * sum_of(one, "recurrent_state"));
  // Four slots of this model keep 449 MiB more of states (3 x 149.6 MiB), as reported.
  EXPECT_NEAR(static_cast<double>(sum_of(result, "recurrent_state") - sum_of(one, "recurrent_state")) / 1048576.0, 449, 1);
}

TEST(LlamaServer, ThePromptCacheHasItsCap) {
  const auto high_of = [](const Json& options) {
    const Json result = testing::estimate(llama_cpp_request(kLlama8B, memory(96), options));
    for (const Json& term : result["host"]["terms"])
      if (term["id"] == "prompt_cache") return term["high_bytes"].get<std::int64_t>();
    return std::int64_t{-1};
  };
  EXPECT_EQ(high_of(Json::object()), 8192 * std::int64_t{1048576});
  EXPECT_EQ(high_of({{"cache_ram", 0}}), 0);
  EXPECT_EQ(high_of({{"cache_ram", -1}}), 8192 * std::int64_t{131072});  // as many tokens as the context: 128 KiB each
}

TEST(LlamaServer, CheckPointsAreKeptForLayersThatForget) {
  const auto term_of = [](const char* model, const Json& options) {
    const Json result = testing::estimate(llama_cpp_request(model, memory(96), options));
    for (const Json& term : result["host"]["terms"])
      if (term["id"] == "checkpoints") return term;
    return Json();
  };
  EXPECT_TRUE(term_of(kLlama8B, Json::object()).is_null());
  EXPECT_TRUE(term_of("google/gemma-3-27b-it", {{"swa_full", true}}).is_null());
  EXPECT_TRUE(term_of("google/gemma-3-27b-it", {{"ctx_checkpoints", 0}}).is_null());
  const Json term = term_of("Qwen/Qwen3.6-27B", Json::object());
  EXPECT_EQ(term["high_bytes"].get<std::int64_t>(), 16 * term["bytes"].get<std::int64_t>());  // 32 at most, two as a rule
  EXPECT_EQ(term["records"], 0);
}

TEST(LlamaServer, TheEncoderLiesOnTheFirstDeviceOrTheHost) {
  const Json device = testing::estimate(llama_cpp_request("google/gemma-3-27b-it", memory(48, 2), {{"mmproj", true}}));
  EXPECT_GT(bytes_of(device["devices"][0], "projector"), 800'000'000);
  EXPECT_EQ(bytes_of(device["devices"][1], "projector"), 0);
  const Json host = testing::estimate(llama_cpp_request("google/gemma-3-27b-it", memory(48, 2), {{"mmproj", true}, {"mmproj_offload", false}}));
  EXPECT_EQ(bytes_of(host["devices"][0], "projector"), 0);
  EXPECT_EQ(bytes_of(host["host"], "projector"), bytes_of(device["devices"][0], "projector"));
}

TEST(LlamaServer, WithoutMmapTheLoadHoldsATensorMore) {
  const Json mapped = testing::estimate(llama_cpp_request(kLlama8B, memory(96)))["host"];
  EXPECT_EQ(mapped["load_peak_bytes"], bytes_of(mapped, "weights"));
  EXPECT_GT(mapped["mapped_bytes"].get<std::int64_t>(), 4'900'000'000);
  const Json read = testing::estimate(llama_cpp_request(kLlama8B, memory(96), {{"mmap", false}}))["host"];
  EXPECT_EQ(read["mapped_bytes"], 0);
  // The head of 128,256 x 4,096 in q6_K, 210 bytes for 256 values.
  EXPECT_EQ(read["load_peak_bytes"].get<std::int64_t>() - bytes_of(read, "weights"), std::int64_t{128256} * 4096 / 256 * 210);
}

TEST(LlamaServer, AdaptersGoWithTheirLayers) {
  const Json result = testing::estimate(llama_cpp_request(kLlama8B, memory(96, 2), {{"lora_bytes", 400'000'000}}));
  EXPECT_NEAR(static_cast<double>(sum_of(result, "adapters")), 4e8, 4e6);
  EXPECT_GT(bytes_of(result["devices"][1], "adapters"), 150'000'000);
}

TEST(LlamaServer, DraftsWithTheModelsOwnLayersTakeTheirCacheToo) {
  const Json result = testing::estimate(llama_cpp_request("zai-org/GLM-4.5-Air", memory(96), {{"mtp", true}}));
  EXPECT_GT(bytes_of(result["devices"][0], "speculation"), 0);
  EXPECT_EQ(testing::estimate(llama_cpp_request(kLlama8B, memory(96), {{"mtp", true}}))["verdict"]["class"], "impossible");
}

// common/common.h, need_n_rs_seq: a server that drafts keeps three states of every sequence to go back to, beside the newest.
TEST(LlamaServer, DraftsAreTakenBackToStatesThatAreKept) {
  const auto state = [](const char* model, const Json& options) {
    return bytes_of(testing::estimate(llama_cpp_request(model, memory(96), options))["devices"][0], "recurrent_state");
  };
  const std::int64_t one = state("Qwen/Qwen3.6-27B", Json::object());
  EXPECT_GT(one, 0);
  EXPECT_EQ(state("Qwen/Qwen3.6-27B", {{"mtp", true}}), 4 * one);
  EXPECT_EQ(state("Qwen/Qwen3.6-27B", {{"mtp", true}, {"n_rs_seq", 7}}), 8 * one);
  // src/llama-arch.cpp, llm_arch_supports_rs_rollback: not Qwen3-Next.
  EXPECT_EQ(state("Qwen/Qwen3-Next-80B-A3B-Instruct", {{"mtp", true}}), state("Qwen/Qwen3-Next-80B-A3B-Instruct", Json::object()));
}

// common/speculative.cpp: the second model is loaded whole, with a context as long and for as many sequences, its cache in f16.
TEST(LlamaServer, ADraftModelTakesWhatItWouldTakeAlone) {
  const Json options{{"type_k", "q8_0"}, {"type_v", "q8_0"}, {"n_seq_max", 2}, {"n_ctx", 16384}};
  Json drafting = options;
  drafting["draft_model"] = "qwen3-0.6b";
  const Json with = testing::estimate(llama_cpp_request("Qwen/Qwen3-32B", memory(96), drafting));
  const Json alone = testing::estimate(llama_cpp_request("Qwen/Qwen3-0.6B", memory(96), {{"n_seq_max", 2}, {"n_ctx", 16384}, {"n_outputs", 2}}));
  std::int64_t sum = 0;
  for (const char* id : {"weights", "kv_cache", "compute", "runtime_pool"}) sum += bytes_of(alone["devices"][0], id);
  EXPECT_EQ(bytes_of(with["devices"][0], "draft_model"), sum);
  EXPECT_GT(bytes_of(with["host"], "draft_model"), bytes_of(alone["host"], "weights"));
  const Json without = testing::estimate(llama_cpp_request("Qwen/Qwen3-32B", memory(96), options));
  EXPECT_EQ(with["devices"][0]["total_bytes"].get<std::int64_t>(), without["devices"][0]["total_bytes"].get<std::int64_t>() + sum);
}

TEST(LlamaServer, ADraftModelMayStayOnTheHostAndBeOfAnotherType) {
  const Json host = testing::estimate(
      llama_cpp_request("Qwen/Qwen3-32B", memory(96), {{"draft_model", "Qwen/Qwen3-0.6B"}, {"n_gpu_layers_draft", 0}}));
  const auto on_device = [](const char* type) {
    const Json options{{"draft_model", "Qwen/Qwen3-0.6B"}, {"draft_weights", type}};
    return bytes_of(testing::estimate(llama_cpp_request("Qwen/Qwen3-32B", memory(96), options))["devices"][0], "draft_model");
  };
  EXPECT_GT(on_device("q8_0"), on_device("gguf:Q4_K_M"));
  EXPECT_LT(4 * bytes_of(host["devices"][0], "draft_model"), on_device("gguf:Q4_K_M"));  // the device still works for the host's layers
}

// The fit leaves the room that the draft model was measured to need.
TEST(LlamaServer, TheFitLeavesRoomForADraftModel) {
  const auto layers = [](const Json& more) {
    Json options = more;
    options["fit"] = true;
    return testing::estimate(llama_cpp_request("Qwen/Qwen3-32B", memory(16), options))["engine"]["gpu_layers"].get<int>();
  };
  EXPECT_LT(layers({{"draft_model", "Qwen/Qwen3-1.7B"}}), layers(Json::object()));
}

TEST(LlamaCppRefusals, ADraftModelOfAnotherFamilyOrOneThatNobodyKnows) {
  const Json verdict = testing::estimate(llama_cpp_request("Qwen/Qwen3-32B", memory(96), {{"draft_model", kLlama8B}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("a smaller model of the same family"), std::string::npos);
  const Json reply = testing::call("estimate", llama_cpp_request("Qwen/Qwen3-32B", memory(96), {{"draft_model", "no-such-model"}}));
  EXPECT_EQ(reply["error"]["where"], "params.engine.options.draft_model");
}

TEST(LlamaServer, TheSettingsAreALineForAShell) {
  const auto command = [](const std::string& model, const Json& hardware, const Json& options) {
    return testing::estimate(llama_cpp_request(model.c_str(), hardware, options))["engine"]["command"].get<std::string>();
  };
  EXPECT_EQ(command("Qwen/Qwen3-32B", memory(96), {{"n_ctx", 8192}}), "llama-server -m Qwen3-32B-Q4_K_M.gguf -c 8192 -np 1 -ngl 65");
  // What does not fit has the layers that the answer names: the automatic fit keeps 1 GiB free, which is one less.
  const Json small = Json::array({{{"memory_bytes", (15488 + 236) * std::int64_t{1048576}}, {"count", 1}}});
  EXPECT_EQ(command(kLlama70B, small, {{"n_ctx", 8192}}), "llama-server -m DeepSeek-R1-Distill-Llama-70B-Q4_K_M.gguf -c 8192 -np 1 -ngl 27");
  const Json options{{"n_ctx", 8192},
                     {"n_seq_max", 4},
                     {"kv_unified", true},
                     {"type_k", "q8_0"},
                     {"type_v", "q8_0"},
                     {"tensor_split", "3,1"},
                     {"draft_model", "Qwen/Qwen3-0.6B"},
                     {"draft_weights", "q8_0"},
                     {"mmap", false},
                     {"offload_kqv", false}};
  EXPECT_EQ(command("Qwen/Qwen3-32B", memory(48, 2), options),
            "llama-server -m Qwen3-32B-Q4_K_M.gguf -c 8192 -np 4 --kv-unified -ctk q8_0 -ctv q8_0 -ngl 65 -ts 3,1 --no-kv-offload "
            "-md Qwen3-0.6B-Q8_0.gguf --no-mmap");
}

TEST(LlamaCppPlacement, OneDeviceOfSeveralCanBeChosen) {
  Json hardware = Json::array({memory(24)[0], memory(48)[0]});
  const Json result = testing::estimate(llama_cpp_request(kLlama8B, hardware, {{"split_mode", "none"}, {"main_gpu", 1}}));
  ASSERT_EQ(result["devices"].size(), 1U);
  EXPECT_EQ(result["devices"][0]["capacity_bytes"], 48 * kGiBytes);
  EXPECT_EQ(testing::estimate(llama_cpp_request(kLlama8B, hardware, {{"main_gpu", 2}}))["verdict"]["class"], "impossible");
}

// "device CUDA0 does not support split buffers": the CUDA backend of v0.5.0 has none.
TEST(LlamaCppRefusals, RowsAreSplitByNoBackend) {
  const Json verdict = testing::estimate(llama_cpp_request(kLlama8B, memory(24, 2), {{"split_mode", "row"}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("device CUDA0 does not support split buffers"), std::string::npos);
}

TEST(LlamaCppRefusals, ExperimentalSplittingOfTensorsSaysWhatToChoose) {
  const Json verdict = testing::estimate(llama_cpp_request(kLlama8B, memory(24, 2), {{"split_mode", "tensor"}}))["verdict"];
  EXPECT_EQ(verdict["class"], "impossible");
  EXPECT_EQ(verdict["reason"]["where"], "params.engine.options.split_mode");
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("experimental"), std::string::npos);
  EXPECT_NE(verdict["reason"]["message"].get<std::string>().find("expected split_mode layer, or none for one device"), std::string::npos);
}

TEST(LlamaCppWarnings, AShortSplitAndALongContext) {
  const auto codes = [](const Json& params) {
    std::string text;
    const Json response = testing::call("estimate", params);
    for (const Json& warning : response["warnings"]) text += warning["code"].get<std::string>() + " ";
    return text;
  };
  EXPECT_EQ(codes(llama_cpp_request(kLlama8B, memory(24, 2), {{"tensor_split", "1"}})), "tensor_split_short ");
  EXPECT_EQ(codes(llama_cpp_request(kLlama8B, memory(96), {{"n_ctx", 262144}})), "context_beyond_training ");
  EXPECT_EQ(codes(llama_cpp_request(kLlama8B, memory(96), {{"n_ctx", 262144}, {"n_seq_max", 2}})), "");
}

// common/arg.cpp and src/llama-model.cpp, load_tensors: shares of devices that are not there are not read.
TEST(LlamaCppWarnings, ALongSplitIsReadAsFarAsThereAreDevices) {
  const auto response = [](const char* split) {
    return testing::call("estimate", llama_cpp_request(kLlama8B, memory(24, 2), {{"tensor_split", split}}));
  };
  const Json given = response("3,1,5");
  ASSERT_EQ(given["warnings"].size(), 1U);
  EXPECT_EQ(given["warnings"][0]["code"], "tensor_split_long");
  EXPECT_EQ(given["result"]["devices"], response("3,1")["result"]["devices"]);
  EXPECT_EQ(bytes_of(response("0,0,5")["result"]["devices"][0], "weights"), bytes_of(response("1,1")["result"]["devices"][0], "weights"));
}

// What the engine takes without a word.
TEST(LlamaCppWarnings, OptionsThatNothingComesOfAreNamed) {
  const auto told = [](const char* model, const Json& options, std::int64_t experts = 0) {
    Json params = llama_cpp_request(model, memory(48, 2), options);
    params["offload"] = {{"cpu_moe_layers", experts}};
    const Json response = testing::call("estimate", params);
    for (const Json& warning : response["warnings"])
      if (warning["code"] == "no_effect" || warning["code"] == "cpu_moe_layers_capped") return warning["where"].get<std::string>();
    return std::string();
  };
  EXPECT_EQ(told(kLlama8B, Json::object(), 10), "params.offload.cpu_moe_layers");
  EXPECT_EQ(told("Qwen/Qwen3-30B-A3B", Json::object(), 49), "params.offload.cpu_moe_layers");
  EXPECT_EQ(told("Qwen/Qwen3-30B-A3B", Json::object(), 48), "");
  EXPECT_EQ(told(kLlama8B, {{"mmproj", true}}), "params.engine.options.mmproj");
  EXPECT_EQ(told("google/gemma-3-27b-it", {{"mmproj", true}}), "");
  EXPECT_EQ(told(kLlama8B, {{"override_tensor", "nothing_of_this_name=CPU"}}), "params.engine.options.override_tensor");
  EXPECT_EQ(told(kLlama8B, {{"override_tensor", "ffn_up=CPU"}}), "");
}

// src/llama-context.cpp: has_tensor_overrides ends the pipeline, whether a rule matches or not.
TEST(LlamaCppPlacement, ARuleThatMatchesNothingEndsThePipeline) {
  const auto graph = [](const Json& options) {
    return bytes_of(testing::estimate(llama_cpp_request(kLlama8B, memory(48, 2), options))["host"], "compute");
  };
  EXPECT_LT(graph({{"override_tensor", "nothing_of_this_name=CPU"}}), graph(Json::object()));
}

// The engine's own sentences, asked of it: src/llama-context.cpp, llama_init_from_model.
TEST(LlamaCppRefusals, CachesAreRefusedInTheEnginesWords) {
  const auto reason = [](const char* model, const Json& options) {
    Json params = llama_cpp_request(model, memory(24), options);
    params["workload"]["context_tokens"] = 2048;
    const Json verdict = testing::estimate(params)["verdict"];
    return verdict["class"] == "impossible" ? verdict["reason"]["message"].get<std::string>() : std::string();
  };
  const auto says = [&](const char* model, const Json& options, const char* words) {
    EXPECT_NE(reason(model, options).find(words), std::string::npos) << reason(model, options);
  };
  says("microsoft/phi-2", {{"type_k", "q8_0"}}, "K cache type q8_0 with block size 32 does not divide n_embd_head_k=80");
  says("microsoft/phi-2", {{"type_v", "q8_0"}}, "V cache type q8_0 with block size 32 does not divide n_embd_head_v=80");
  says("microsoft/phi-2", {{"type_k", "q8_0"}, {"flash_attn", "off"}}, "begin inside of q8_0 blocks of 32");
  says(kLlama8B, {{"type_v", "q8_0"}, {"flash_attn", "off"}}, "quantized V cache requires flash_attn to be enabled");
  says("deepseek-ai/DeepSeek-V2-Lite", {{"type_v", "q8_0"}}, "model does not support different K (f16) and V (q8_0) cache types");
  says(kLlama8B, {{"mtp", true}}, "context type MTP requested but model doesn't contain MTP layers");
  EXPECT_EQ(reason(kLlama8B, {{"type_k", "iq4_nl"}, {"type_v", "iq4_nl"}}), "");  // turns flash attention on, on the processor
}

}  // namespace
}  // namespace weighbridge::llama_server_test

// SPDX-License-Identifier: Apache-2.0
// Releases of Ollama before the newest: what they chose, held against their sources and against logs that people published.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::ollama_versions_test {
namespace {

using testing::Json;

constexpr double kGiBytes = 1073741824;

struct Asked {
  const char* version;
  const char* model;
  const char* format = "gguf:Q4_K_M";
  double gib = 24;
  int count = 1;
  Json options = Json::object();
};

Json params_of(const Asked& asked) {
  return {{"model", {{"id", asked.model}}},
          {"weights", {{"format", asked.format}}},
          {"engine", {{"name", "ollama"}, {"version", asked.version}, {"options", asked.options}}},
          {"host", {{"memory_bytes", static_cast<std::int64_t>(256 * kGiBytes)}}},
          {"hardware", {{{"memory_bytes", static_cast<std::int64_t>(asked.gib * kGiBytes)}, {"count", asked.count}, {"backend", "cuda"}}}}};
}

Json answer(const Asked& asked) { return testing::estimate(params_of(asked)); }

Json warning(const Asked& asked, std::string_view code) {
  const Json response = testing::call("estimate", params_of(asked));
  for (const Json& warning : response["warnings"])
    if (warning["code"] == code) return warning;
  return {};
}

std::string text_of(const Asked& asked, std::string_view code) {
  const Json found = warning(asked, code);
  return found.is_null() ? std::string() : found["message"].get<std::string>();
}

Json term_in(const Json& place, std::string_view id) {
  for (const Json& term : place["terms"])
    if (term["id"] == id) return term;
  return {{"bytes", 0}};
}

std::int64_t layers_of(const Asked& asked) { return answer(asked)["engine"]["gpu_layers"].get<std::int64_t>(); }
std::int64_t context_of(const Asked& asked) { return answer(asked)["request"]["workload"]["context_tokens"].get<std::int64_t>(); }
std::string used_version(const char* version) { return answer({version, "Qwen/Qwen3-8B"})["engine"]["version"].get<std::string>(); }

TEST(OllamaVersions, EveryReleaseIsCountedByTheLastChangeBeforeIt) {
  EXPECT_EQ(used_version("0.6.5"), "0.6.3");
  EXPECT_EQ(used_version("0.7.0"), "0.7");
  EXPECT_EQ(used_version("v0.9.6"), "0.7.1");
  EXPECT_EQ(used_version("0.11.10"), "0.11.5");
  EXPECT_EQ(used_version("0.12.10"), "0.11.11");
  EXPECT_EQ(used_version("0.24.0"), "0.15.5");
  EXPECT_EQ(used_version("0.32.15"), "0.31.2");
  EXPECT_EQ(used_version("0.33.2"), "0.33");
  for (const char* read : {"0.6.3", "0.9", "0.33.2"}) EXPECT_TRUE(warning({read, "Qwen/Qwen3-8B"}, "unknown_version").is_null()) << read;
  EXPECT_NE(text_of({"0.5.7", "Qwen/Qwen3-8B"}, "unknown_version").find("rules of 0.6.3"), std::string::npos);
  EXPECT_NE(text_of({"0.34.0", "Qwen/Qwen3-8B"}, "unknown_version").find("rules of 0.33"), std::string::npos);
  EXPECT_NE(text_of({"newest", "Qwen/Qwen3-8B"}, "unknown_version").find("rules of 0.33"), std::string::npos);
}

// api/types.go: 2,048; envconfig/config.go of 0.6.7: 4,096; server/routes.go of 0.15.5: by memory.
TEST(OllamaVersions, DefaultContextGrewThreeTimes) {
  EXPECT_EQ(context_of({"0.6.6", "Qwen/Qwen3-8B"}), 2048);
  EXPECT_EQ(context_of({"0.6.7", "Qwen/Qwen3-8B"}), 4096);
  EXPECT_EQ(context_of({"0.15.4", "Qwen/Qwen3-8B"}), 4096);
  EXPECT_EQ(context_of({"0.15.5", "Qwen/Qwen3-8B"}), 32768);
  EXPECT_FALSE(warning({"0.15.5", "Qwen/Qwen3-8B"}, "ollama_context_tier").is_null());
  EXPECT_TRUE(warning({"0.15.4", "Qwen/Qwen3-8B"}, "ollama_context_tier").is_null());
}

// server/sched.go, defaultParallel: 4, 2 from 0.6.7, 1 from 0.10; less if it does not fit, and what OLLAMA_NUM_PARALLEL says.
TEST(OllamaVersions, MadeRoomForSeveralSequences) {
  const auto tokens = [](const Asked& asked) { return answer(asked)["engine"]["kv_cache_tokens"].get<std::int64_t>(); };
  EXPECT_EQ(tokens({"0.6.3", "Qwen/Qwen3-8B"}), 4 * 2048);
  EXPECT_EQ(tokens({"0.6.7", "Qwen/Qwen3-8B"}), 2 * 4096);
  EXPECT_EQ(tokens({"0.10", "Qwen/Qwen3-8B"}), 4096);
  EXPECT_EQ(tokens({"0.6.3", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 6}), 2048);
  EXPECT_EQ(tokens({"0.6.3", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 24, 1, {{"num_parallel", 1}}}), 2048);
  Json without_gpu = params_of({"0.6.3", "Qwen/Qwen3-8B"});
  without_gpu["hardware"] = Json::array();
  EXPECT_EQ(testing::estimate(without_gpu)["engine"]["kv_cache_tokens"], 4 * 2048);
  EXPECT_NE(text_of({"0.6.3", "Qwen/Qwen3-8B"}, "ollama_parallel").find("4 sequences"), std::string::npos);
}

// ollama/ollama#9181, Ollama 0.5 on four GPUs with 22.0 GiB: layers.model=81 layers.offload=44 layers.split=11,11,11,11,
// memory.required.full="127.4 GiB", memory.graph.full and partial "8.2 GiB" at 64,000 tokens; the sizes are those of a 70B model in Q8_0.
TEST(OllamaEstimate, LeavesHalfOfAModelToTheProcessorForGraphsThatItNeverBuilds) {
  const Asked asked{"0.6.3",     "meta-llama/Llama-3.3-70B-Instruct",
                    "gguf:Q8_0", 22,
                    4,           {{"num_ctx", 64000}, {"num_parallel", 1}, {"flash_attention", true}}};
  const Json result = answer(asked);
  EXPECT_EQ(result["engine"]["gpu_layers"], 44);
  EXPECT_EQ(result["devices"].size(), 4U);
  const std::string reason = text_of(asked, "ollama_books");
  EXPECT_NE(reason.find("37 of 81 layers"), std::string::npos);
  EXPECT_NE(reason.find("127.4 GiB, 8.2 GiB of each GPU"), std::string::npos) << reason;
  // The graph that llama.cpp builds is a tenth of that.
  EXPECT_LT(term_in(result["devices"][1], "compute")["high_bytes"].get<double>(), kGiBytes);
}

// ollama/ollama#10740: 0.6.8 and Qwen3-32B in Q6_K at 32,768 tokens on three RTX 3090 "report a total required memory of 67.3 GiB" and still
// fit; "just a tiny bit" more context, and layers go to the processor. The file is another Q6_K, and our figure is cut, not rounded.
TEST(OllamaEstimate, FillsThreeCardsWithGraphs) {
  Asked asked{"0.6.8", "Qwen/Qwen3-32B", "gguf:Q6_K", 23.2, 3, {{"num_ctx", 32768}, {"num_parallel", 1}}};
  EXPECT_EQ(layers_of(asked), 65);
  asked.options["num_ctx"] = 36000;
  EXPECT_LT(layers_of(asked), 65);
  asked.options["num_ctx"] = 32768;
  asked.gib = 20;
  EXPECT_NE(text_of(asked, "ollama_books").find("would need 67.2 GiB"), std::string::npos) << text_of(asked, "ollama_books");
}

// ollama/ollama#11819 and pull request 12000, gemma3:12b-it-q4_K_M in 0.11: layers.model=49 layers.offload=48 both times, with 10.9 GiB at
// 2,048 tokens memory.required.full="11.0 GiB", with 11.1 GiB at 8,192 tokens "11.4 GiB", projector.graph="1.0 GiB" in both.
TEST(OllamaEstimate, CountsAnImageEncodersGraphWithTheOutput) {
  const Asked small{"0.11.4", "google/gemma-3-12b-it", "gguf:Q4_K_M", 10.9, 1, {{"num_ctx", 2048}}};
  const Asked large{"0.11.4", "google/gemma-3-12b-it", "gguf:Q4_K_M", 11.1, 1, {{"num_ctx", 8192}}};
  EXPECT_EQ(layers_of(small), 48);
  EXPECT_EQ(layers_of(large), 48);
  EXPECT_NE(text_of(small, "ollama_books").find("11.0 GiB"), std::string::npos) << text_of(small, "ollama_books");
  EXPECT_NE(text_of(large, "ollama_books").find("11.4 GiB"), std::string::npos) << text_of(large, "ollama_books");
}

// ollama/ollama#13372: qwen3:32b in 0.13 at 16,384 tokens, "enabling flash attention": required.InputWeights=437575680, 67108864 bytes of cache
// a layer. "total memory" 23.1 GiB, less all layers, the output, the cache and 10 MiB on the CPU, leaves 235 to 335 MiB for the graph.
TEST(OllamaOwnEngine, TakesWhatItsLogSays) {
  const Asked asked{"0.13.2", "Qwen/Qwen3-32B", "gguf:Q4_K_M", 44, 1, {{"num_ctx", 16384}}};
  const Json result = answer(asked);
  EXPECT_EQ(result["engine"]["gpu_layers"], 65);
  EXPECT_EQ(term_in(result["host"], "weights")["bytes"], 437575680);
  EXPECT_EQ(term_in(result["devices"][0], "kv_cache")["bytes"], 64 * 67108864LL);
  const Json graph = term_in(result["devices"][0], "compute");
  EXPECT_LT(graph["low_bytes"], 235 << 20);
  EXPECT_GT(graph["high_bytes"], 335 << 20);
  EXPECT_NE(text_of(asked, "ollama_other_graphs").find("an engine of its own"), std::string::npos);
}

// ollama/ollama#13343: qwen3:8b in 0.13 on the processor at 4,096 tokens: required.InputWeights=350060544, 16777216 bytes of cache a layer,
// required.CPU.Graph=301989888, which is the scores of 32 heads and a mask.
TEST(OllamaOwnEngine, TakesWhatItsLogSaysOnTheProcessor) {
  Json params = params_of({"0.13.2", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 1, 1, {{"num_ctx", 4096}, {"flash_attention", false}}});
  params["hardware"] = Json::array();
  const Json host = testing::estimate(params)["host"];
  EXPECT_EQ(term_in(host, "kv_cache")["bytes"], 36 * 16777216);
  EXPECT_NEAR(term_in(host, "compute")["bytes"].get<double>(), 301989888, 21 << 20);
}

// ollama/ollama#13552, 0.13 and its llama.cpp, Phi 4 at 4,096 tokens without flash attention: CUDA0 KV buffer size = 800.00 MiB, compute buffer
// size = 353.01 MiB.
TEST(OllamaVersions, VendoredLlamaCppTakesWhatItsLogSays) {
  const Json result = answer({"0.13.3", "microsoft/phi-4", "gguf:Q4_K_M", 24, 1, {{"num_ctx", 4096}, {"flash_attention", false}}});
  EXPECT_EQ(term_in(result["devices"][0], "kv_cache")["bytes"], 800 << 20);
  EXPECT_NEAR(term_in(result["devices"][0], "compute")["bytes"].get<double>() / (1 << 20), 353.01, 0.5);
}

// ollama/ollama#11711, gpt-oss:20b in 0.11 with 15.6 GiB at 8,192 tokens: memory.graph.partial="4.0 GiB". server/routes.go: where there are
// 20 GiB, it has 8,192 tokens however few are asked for, until 0.15.5.
TEST(OllamaEstimate, FollowsGptOss) {
  const auto asked = [](const char* version, double gib, int tokens) {
    return Asked{version, "openai/gpt-oss-20b", "gguf:MXFP4_MOE", gib, 1, {{"num_ctx", tokens}}};
  };
  EXPECT_NE(text_of(asked("0.11.2", 15.6, 8192), "ollama_books").find("4.0 GiB of each GPU for a graph"), std::string::npos);
  const auto cells = [&](const Asked& question) { return answer(question)["engine"]["kv_cache_tokens"].get<std::int64_t>(); };
  EXPECT_EQ(cells(asked("0.12.4", 24, 4096)), 8192);
  EXPECT_EQ(cells(asked("0.12.4", 16, 4096)), 4096);
  EXPECT_EQ(cells(asked("0.11.2", 16, 4096)), 8192);
  EXPECT_EQ(cells(asked("0.15.5", 24, 4096)), 4096);
}

// fs/ggml/ggml.go, OllamaEngineRequired and FlashAttention, by release.
TEST(OllamaOwnEngine, RunsMoreModelsWithEveryRelease) {
  const auto itself = [](const char* version, const char* model) {
    return text_of({version, model}, "ollama_other_graphs").find("of its own") != std::string::npos;
  };
  EXPECT_FALSE(itself("0.11.11", "Qwen/Qwen3-8B"));
  EXPECT_TRUE(itself("0.12.0", "Qwen/Qwen3-8B"));
  EXPECT_FALSE(itself("0.12.5", "Qwen/Qwen3-8B"));  // taken back for one release
  EXPECT_TRUE(itself("0.12.6", "Qwen/Qwen3-8B"));
  EXPECT_FALSE(itself("0.24", "meta-llama/Llama-3.1-8B-Instruct"));
  EXPECT_FALSE(itself("0.30", "Qwen/Qwen3-8B"));
}

// Its cache keeps 4,096 tokens of a window of 128 (model/models/gptoss/model.go): 4,096 and a batch of 512, in 12 of 24 layers.
TEST(OllamaOwnEngine, KeepsLongerWindowsThanLlamaCpp) {
  const Json result = answer({"0.12.4", "openai/gpt-oss-20b", "gguf:MXFP4_MOE", 24, 1, {{"num_ctx", 16384}}});
  const std::int64_t token = 2 * 8 * 64 * 2;  // keys and values of 8 heads of 64 in 16 bits
  EXPECT_EQ(term_in(result["devices"][0], "kv_cache")["bytes"], 12 * token * (16384 + 4096 + 512));
}

// kvcache/recurrent_checkpoints.go: 24 states of every sequence beside the one in use, all set aside at the start.
TEST(OllamaOwnEngine, SetsTwentyFourStatesAside) {
  const Json device = answer({"0.17.1", "Qwen/Qwen3.6-27B", "gguf:Q4_K_M", 80, 1, {{"num_ctx", 8192}}})["devices"][0];
  const auto state = term_in(device, "recurrent_state")["bytes"].get<std::int64_t>();
  EXPECT_GT(state, 0);
  EXPECT_EQ(term_in(device, "checkpoints")["bytes"], 24 * state);
}

// llm/server.go, assignLayers: layers come before the output, and 457 MiB of each GPU stay free besides the graph.
TEST(OllamaLayout, PutsLayersBeforeTheOutput) {
  const Asked asked{"0.15.5", "Qwen/Qwen3-32B", "gguf:Q4_K_M", 16, 1, {{"num_ctx", 8192}}};
  const Json result = answer(asked);
  const auto on = result["engine"]["gpu_layers"].get<std::int64_t>();
  EXPECT_LT(on, 65);
  // The embedding, the output of 638,151,680 bytes, and the layers that are left.
  EXPECT_GT(term_in(result["host"], "weights")["bytes"].get<std::int64_t>(), 437575680 + 638151680);
  std::int64_t planned = 0;
  for (const Json& term : result["devices"][0]["terms"])
    if (term["id"] == "weights" || term["id"] == "kv_cache" || term["id"] == "compute") planned += term["bytes"].get<std::int64_t>();
  EXPECT_LE(planned, static_cast<std::int64_t>(16 * kGiBytes) - (457LL << 20));
  // Not one more of about 300 MiB with 32 MiB of cache would have fitted.
  EXPECT_GT(planned, static_cast<std::int64_t>(16 * kGiBytes) - (457LL << 20) - (340LL << 20));
}

// findBestFit: the cards that are needed share the layers evenly; a model that one card holds goes there.
TEST(OllamaLayout, BalancesTheCardsThatItNeeds) {
  EXPECT_EQ(answer({"0.15.5", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 22, 2, {{"num_ctx", 8192}}})["devices"].size(), 1U);
  const Json devices = answer({"0.15.5", "Qwen/Qwen3-32B", "gguf:Q4_K_M", 16, 3, {{"num_ctx", 8192}}})["devices"];
  ASSERT_EQ(devices.size(), 2U);
  const auto first = term_in(devices[0], "weights")["bytes"].get<double>();
  const auto second = term_in(devices[1], "weights")["bytes"].get<double>();
  EXPECT_NEAR(first / second, 1, 0.1);
}

// llm/server.go of 0.13.4: "OLLAMA_FLASH_ATTENTION must be enabled to use a quantized OLLAMA_KV_CACHE_TYPE".
TEST(OllamaVersions, IgnoresAQuantizedCacheWithoutFlashAttention) {
  const auto cache = [](const char* version, Json options) {
    options["num_parallel"] = 1;
    options["num_ctx"] = 4096;
    return term_in(answer({version, "meta-llama/Llama-3.1-8B-Instruct", "gguf:Q4_K_M", 24, 1, options})["devices"][0], "kv_cache")["bytes"]
        .get<std::int64_t>();
  };
  const std::int64_t f16 = 4096LL * 2 * 8 * 128 * 2 * 32;
  for (const char* version : {"0.6.3", "0.10", "0.13.4", "0.15.5"}) {
    EXPECT_EQ(cache(version, {{"kv_cache_type", "q8_0"}}), f16) << version;
    EXPECT_EQ(cache(version, {{"kv_cache_type", "q8_0"}, {"flash_attention", true}}), f16 / 2 * 34 / 32) << version;
  }
  EXPECT_FALSE(warning({"0.10", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 24, 1, {{"kv_cache_type", "q8_0"}}}, "ollama_cache_type").is_null());
}

// llm/llama_server.go: until 0.30.11 a card of 10 GiB or less left the image encoder on the host; until 0.31.2 llama-server was not told to keep
// its room clear.
TEST(OllamaVersions, ImageEncoderGoesToTheGpuByRelease) {
  const auto encoder = [](const char* version, double gib) {
    return term_in(answer({version, "google/gemma-3-4b-it", "gguf:Q4_K_M", gib, 1, {{"num_ctx", 4096}}})["devices"][0], "projector")["bytes"]
        .get<std::int64_t>();
  };
  EXPECT_EQ(encoder("0.30.4", 9.5), 0);
  EXPECT_GT(encoder("0.30.4", 12), 0);
  EXPECT_GT(encoder("0.30.11", 9.5), 0);
  const auto layers = [](const char* version) { return layers_of({version, "google/gemma-3-27b-it", "gguf:Q4_K_M", 17, 1, {{"num_ctx", 4096}}}); };
  EXPECT_GT(layers("0.30.11"), layers("0.31.2"));
}

// DeepSeek-V2-Lite has 27 layers with 16 heads of 192 and 128, a latent of 512 and 64 rotated values. Before ggml-org/llama.cpp#12801 every head was
// cached, before #19067 (and by Ollama's own engine) the latent twice, as keys and as values.
TEST(OllamaVersions, CachesOfMlaGrewSmaller) {
  const auto cache = [](const char* version) {
    const Asked asked{version, "deepseek-ai/DeepSeek-V2-Lite", "gguf:Q4_K_M", 48, 1, {{"num_ctx", 8192}, {"num_parallel", 1}}};
    return term_in(answer(asked)["devices"][0], "kv_cache")["bytes"].get<std::int64_t>();
  };
  constexpr std::int64_t cells = 27LL * 8192 * 2;
  EXPECT_EQ(cache("0.6.3"), cells * 16 * (192 + 128));
  EXPECT_EQ(cache("0.6.6"), cells * 16 * (192 + 128));
  for (const char* version : {"0.6.7", "0.12.11", "0.13.4", "0.24"}) EXPECT_EQ(cache(version), cells * (512 + 64 + 512)) << version;
  EXPECT_EQ(cache("0.30"), cells * (512 + 64));
}

// Who asks for fewer layers knows why.
TEST(OllamaVersions, GivesNoReasonForWhatWasAskedFor) {
  for (const char* version : {"0.9", "0.15.5", "0.33"}) {
    const Asked asked{version, "meta-llama/Llama-3.1-8B-Instruct", "gguf:Q4_K_M", 24, 1, {{"num_gpu", 10}}};
    EXPECT_EQ(layers_of(asked), 10) << version;
    EXPECT_TRUE(warning(asked, "ollama_books").is_null()) << version;
    EXPECT_TRUE(warning(asked, "ollama_partial").is_null()) << version;
  }
}

// Unlike cards keep their places in the answer, and those that hold nothing are not in it.
TEST(OllamaVersions, FillsTheLargestCardFirst) {
  Json params = params_of({"0.15.5", "Qwen/Qwen3-8B", "gguf:Q4_K_M", 12, 1, {{"num_ctx", 8192}}});
  params["hardware"].push_back({{"device", "rtx-3090"}, {"count", 1}});
  const Json result = testing::estimate(params);
  ASSERT_EQ(result["devices"].size(), 1U);
  EXPECT_EQ(result["devices"][0]["device"], "rtx-3090");
}

// Files of its own converters had no layers that predict further tokens, of which llama.cpp loads some although nothing drafts.
TEST(OllamaVersions, FilesWithoutPredictions) {
  for (const char* version : {"0.6.3", "0.15.5"}) {
    const Json result = answer({version, "stepfun-ai/Step-3.5-Flash", "gguf:Q4_K_M", 80, 2});
    EXPECT_EQ(result["engine"]["all_gpu_layers"], 46) << version;
  }
  EXPECT_EQ(answer({"0.33.2", "stepfun-ai/Step-3.5-Flash", "gguf:Q4_K_M", 80, 2})["engine"]["all_gpu_layers"], 49);
}

}  // namespace
}  // namespace weighbridge::ollama_versions_test

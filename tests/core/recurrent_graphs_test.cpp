// SPDX-License-Identifier: Apache-2.0
// Compute buffers of recurrent and hybrid models as llama.cpp v0.5.0 plans them itself for Q4_K_M files of these shapes, at a micro-batch of 512.
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::recurrent_graphs_test {
namespace {

using testing::Json;

/// Bytes by device, and on the host.
struct Plan {
  Json model;
  int devices;
  Json options;
  std::vector<std::int64_t> on_devices;
  std::int64_t on_host;
};

std::int64_t compute_of(const Json& place) {
  for (const Json& term : place["terms"])
    if (term["id"] == "compute") return term["bytes"].get<std::int64_t>();
  return 0;
}

void expect_planned(const std::vector<Plan>& plans) {
  for (const Plan& plan : plans) {
    Json hardware = Json::array();
    if (plan.devices > 0) hardware.push_back({{"memory_bytes", std::int64_t{1} << 46}, {"count", plan.devices}});
    const Json result = testing::estimate({{"model", plan.model.is_string() ? Json{{"id", plan.model}} : Json{{"config", plan.model}}},
                                           {"weights", {{"format", "gguf:Q4_K_M"}}},
                                           {"engine", {{"name", "llama.cpp"}, {"options", plan.options}}},
                                           {"hardware", hardware}});
    std::vector<std::int64_t> on_devices;
    for (const Json& device : result["devices"]) on_devices.push_back(compute_of(device));
    EXPECT_EQ(on_devices, plan.on_devices) << plan.model << " " << plan.options;
    EXPECT_EQ(compute_of(result["host"]), plan.on_host) << plan.model << " " << plan.options;
  }
}

Json context(std::int64_t tokens, const char* flash_attention = "on") { return {{"n_ctx", tokens}, {"flash_attn", flash_attention}}; }
Json layers_of(std::int64_t count) { return {{"n_ctx", 8192}, {"flash_attn", "on"}, {"n_gpu_layers", count}}; }

TEST(RecurrentGraphs, Mamba) {
  const char* model = "tiiuae/falcon-mamba-7b-instruct";
  expect_planned({{model, 0, context(4096), {}, 158'339'104},
                  {model, 1, context(4096), {149'948'544}, 16'781'344},
                  {model, 2, context(8192), {202'048'000, 351'248'896}, 16'793'632},
                  // The norms of step, in and out have no weights: they are where the file says "ssm.dt_b_c_rms".
                  {model, 1, layers_of(32), {225'771'648}, 59'314'208}});
}

TEST(RecurrentGraphs, Mamba2) {
  const Json model = testing::parse(
      R"({"model_type":"mamba2","hidden_size":2560,"num_hidden_layers":64,"num_heads":80,"head_dim":64,"n_groups":1,"state_size":128,"conv_kernel":4,
          "vocab_size":50288,"tie_word_embeddings":true,"torch_dtype":"bfloat16"})");
  expect_planned({{model, 0, context(4096), {}, 118'722'592},
                  {model, 1, context(4096), {113'477'760}, 10'489'888},
                  {model, 2, context(4096), {135'559'680, 242'043'392}, 10'502'176}});
}

TEST(RecurrentGraphs, Rwkv7) {
  const Json model = testing::parse(
      R"({"model_type":"rwkv7","hidden_size":2560,"num_hidden_layers":32,"intermediate_size":10240,"head_dim":64,"decay_low_rank_dim":96,
          "a_low_rank_dim":96,"v_low_rank_dim":64,"gate_low_rank_dim":320,"vocab_size":65536,"tie_word_embeddings":false,"torch_dtype":"bfloat16"})");
  expect_planned({{model, 1, context(4096), {144'703'488}, 10'489'888}, {model, 2, context(4096), {137'843'200, 249'569'792}, 10'502'176}});
}

TEST(RecurrentGraphs, MambaWithAttentionAndExperts) {
  const char* model = "ai21labs/Jamba-v0.1";
  expect_planned({{model, 0, context(4096, "off"), {}, 314'581'024},
                  {model, 1, context(4096), {197'245'056}, 20'983'840},
                  {model, 1, layers_of(16), {863'047'680}, 67'711'008},
                  {model, 2, context(8192), {327'291'392, 427'831'808}, 50'380'832}});
}

TEST(RecurrentGraphs, Mamba2BesideAttention) {
  const char* model = "tiiuae/Falcon-H1-7B-Instruct";
  expect_planned({{model, 0, context(4096), {}, 289'423'392},
                  {model, 1, context(32768), {278'923'264}, 46'151'712},
                  {model, 1, layers_of(22), {272'631'808}, 53'463'072},
                  {model, 2, context(4096, "off"), {182'477'312, 367'036'928}, 50'372'640}});
}

TEST(RecurrentGraphs, Mamba2BetweenAttention) {
  expect_planned({{"nvidia/NVIDIA-Nemotron-Nano-9B-v2", 0, context(4096), {}, 300'167'200},
                  {"nvidia/NVIDIA-Nemotron-Nano-9B-v2", 1, layers_of(28), {295'184'384}, 119'451'680},
                  {"nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 1, context(4096, "off"), {297'277'568}, 20'455'456},
                  {"nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 2, context(8192), {158'368'256, 363'676'160}, 44'613'664}});
}

// Of files that say, as the converter does, that these models are not rotated ("rope.scaling.finetuned" false).
TEST(RecurrentGraphs, GraniteDoesNotRotate) {
  const char* model = "ibm-granite/granite-4.0-h-small";
  expect_planned({{model, 0, context(4096), {}, 243'281'952},
                  {model, 0, context(4096, "off"), {}, 314'581'024},
                  {model, 1, context(4096), {357'574'784}, 20'983'840},
                  {model, 1, context(4096, "off"), {357'570'688}, 29'368'352},
                  {model, 1, layers_of(20), {362'919'040}, 89'860'128},
                  {model, 2, context(8192), {299'926'016, 340'828'672}, 50'380'832}});
}

TEST(RecurrentGraphs, GatedDeltaNet) {
  const char* model = "Qwen/Qwen3-Next-80B-A3B-Instruct";
  expect_planned({{model, 0, context(4096, "off"), {}, 330'049'568},
                  {model, 1, context(4096), {326'946'944}, 12'597'280},
                  {model, 1, layers_of(24), {551'596'032}, 29'470'752},
                  {model, 2, context(8192), {181'490'176, 394'097'152}, 42'000'416},
                  {"Qwen/Qwen3.5-35B-A3B", 1, context(4096), {522'754'176}, 12'603'424},
                  {"Qwen/Qwen3.5-9B", 1, context(4096), {529'549'440}, 20'992'032}});
}

TEST(RecurrentGraphs, DeltaAttentionBetweenLatentAttention) {
  const char* model = "moonshotai/Kimi-Linear-48B-A3B-Instruct";
  expect_planned({{model, 0, context(4096), {}, 358'621'216},
                  {model, 1, context(4096, "off"), {402'188'416}, 17'834'016},
                  {model, 1, layers_of(14), {612'384'640}, 21'698'592},
                  {model, 2, context(8192), {177'803'776, 460'927'488}, 43'024'416}});
}

TEST(RecurrentGraphs, ShortConvolution) {
  const char* model = "LiquidAI/LFM2-8B-A1B";
  expect_planned({{"LiquidAI/LFM2-1.2B", 0, context(4096), {}, 151'009'312},
                  {"LiquidAI/LFM2-1.2B", 2, context(4096, "off"), {343'974'400, 360'743'424}, 50'372'640},
                  {model, 1, context(4096), {142'606'464}, 12'597'280},
                  {model, 1, layers_of(12), {155'320'576}, 16'807'968}});
}

// Every sequence has a state of its own, and the batch its share of tokens for each.
TEST(RecurrentGraphs, SeveralSequences) {
  const Json options{{"n_ctx", 16384}, {"n_seq_max", 4}, {"flash_attn", "on"}};
  expect_planned({{"Qwen/Qwen3-Next-80B-A3B-Instruct", 0, options, {}, 327'956'512},
                  {"Qwen/Qwen3-Next-80B-A3B-Instruct", 1, options, {326'946'944}, 12'597'280},
                  {"LiquidAI/LFM2-1.2B", 0, options, {}, 151'009'312},
                  {"ai21labs/Jamba-v0.1", 1, options, {197'245'056}, 20'983'840}});
}

}  // namespace
}  // namespace weighbridge::recurrent_graphs_test

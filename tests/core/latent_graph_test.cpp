// SPDX-License-Identifier: Apache-2.0
// Compute buffers of latent attention against what llama.cpp v0.5.0 itself planned for files of these sizes (its own allocator, CUDA and CPU backends).
#include <gtest/gtest.h>

#include <vector>

#include "api_fixture.hpp"

namespace weighbridge::latent_graph_test {
namespace {

using testing::Json;

/// Bytes of the graph's buffer on each device and on the host.
struct Plan {
  Json options;
  std::vector<std::int64_t> devices;
  std::int64_t host = 0;
};

std::int64_t compute_bytes(const Json& place) {
  for (const Json& term : place["terms"])
    if (term["id"] == "compute") return term["bytes"].get<std::int64_t>();
  return 0;
}

void expect_plans(const Json& model, const std::vector<Plan>& plans) {
  for (const Plan& plan : plans) {
    Json hardware = Json::array();
    for (std::size_t i = 0; i < plan.devices.size(); ++i) hardware.push_back({{"memory_bytes", std::int64_t{1} << 46}});
    const Json result = testing::estimate({{"model", model},
                                           {"weights", {{"format", "gguf:Q4_K_M"}}},
                                           {"engine", {{"name", "llama.cpp"}, {"options", plan.options}}},
                                           {"hardware", hardware}});
    ASSERT_EQ(result["devices"].size(), plan.devices.size()) << plan.options;
    for (std::size_t i = 0; i < plan.devices.size(); ++i) EXPECT_EQ(compute_bytes(result["devices"][i]), plan.devices[i]) << plan.options;
    EXPECT_EQ(compute_bytes(result["host"]), plan.host) << plan.options;
  }
}

Json options(int context, int batch, const char* flash_attention, Json more = Json::object()) {
  more.update({{"n_ctx", context}, {"n_ubatch", batch}, {"flash_attn", flash_attention}});
  return more;
}

/// DeepSeek-R1 without its groups of experts, and with `more`.
Json deepseek_r1(const Json& more = Json::object()) {
  Json config = Json::parse(R"({"model_type":"deepseek_v3","hidden_size":7168,"num_hidden_layers":61,"num_attention_heads":128,"vocab_size":129280,
      "max_position_embeddings":163840,"tie_word_embeddings":false,"torch_dtype":"bfloat16","intermediate_size":18432,"q_lora_rank":1536,
      "kv_lora_rank":512,"qk_rope_head_dim":64,"qk_nope_head_dim":128,"v_head_dim":128,"n_routed_experts":256,"n_shared_experts":1,
      "num_experts_per_tok":8,"moe_intermediate_size":2048,"first_k_dense_replace":3})");
  config.update(more);
  return {{"config", config}};
}

TEST(LatentGraph, DeepSeekR1) {
  expect_plans(deepseek_r1(), {{options(4096, 512, "on"), {402'661'376}, 33'564'672},
                               {options(4096, 512, "off"), {1'469'116'416}, 37'758'976},
                               {options(4096, 512, "on"), {}, 432'023'552},
                               {options(4096, 512, "off"), {}, 1'509'959'680},
                               {options(4096, 512, "on"), {488'660'992, 521'228'288}, 46'178'304},
                               {options(4096, 512, "on", {{"n_gpu_layers", 30}}), {3'383'232'896}, 33'564'672},
                               {options(32768, 512, "on", {{"offload_kqv", false}}), {519'047'168}, 62'924'800}});
}

// Choosing the best four of eight groups takes room of its own, and cannot be fused.
TEST(LatentGraph, GroupsOfExperts) {
  const Json model = deepseek_r1({{"n_group", 8}, {"topk_group", 4}});
  expect_plans(model, {{options(4096, 512, "on"), {488'660'992, 530'647'040}, 46'178'304},
                       {options(512, 2048, "off"), {397'453'312}, 30'418'944},
                       {options(4096, 512, "on"), {}, 432'023'552}});
}

// Queries without a low rank, softmax instead of sigmoid.
TEST(LatentGraph, DeepSeekV2Lite) {
  const Json model{{"id", "deepseek-ai/DeepSeek-V2-Lite"}};
  expect_plans(model, {{options(16384, 64, "on"), {34'129'408}, 3'147'008},
                       {options(65536, 512, "off"), {2'412'138'496}, 142'616'576},
                       {options(16384, 512, "on", {{"n_gpu_layers", 14}, {"op_offload", false}}), {273'035'264}, 110'110'720}});
}

TEST(LatentGraph, IndexerChoosesTokens) {
  const Json v32{{"id", "deepseek-ai/DeepSeek-V3.2"}};
  const Json quantized{{"type_k", "iq4_nl"}, {"type_v", "iq4_nl"}};  // for which CUDA has no indexer
  expect_plans(v32, {{options(32768, 512, "on"), {822'161'408}, 96'548'864},
                     {options(4096, 2048, "off"), {6'908'133'376}, 167'895'040},
                     {options(16384, 512, "on", quantized), {656'484'352}, 350'304'256},
                     {options(32768, 512, "on"), {956'604'416, 1'011'138'560}, 298'115'072},
                     {options(4096, 512, "off"), {}, 1'770'076'160}});
  expect_plans({{"id", "zai-org/GLM-5"}}, {{options(32768, 512, "on"), {687'943'680}, 92'354'560},
                                           {options(4096, 128, "off"), {275'844'096}, 9'506'304},
                                           {options(4096, 512, "on", {{"n_gpu_layers", 0}}), {3'150'252'544}, 33'634'304}});
}

// Every head has keys and values of its own, in sizes for which CUDA has no flash attention.
TEST(LatentGraph, MiniCpm3) {
  expect_plans({{"id", "openbmb/MiniCPM3-4B"}}, {{options(4096, 512, "on"), {160'907'264}, 74'987'520},
                                                 {options(4096, 512, "off"), {382'214'144}, 29'370'368},
                                                 {options(8192, 128, "on"), {}, 44'948'992},
                                                 {options(4096, 512, "off"), {459'825'152, 480'804'864}, 86'024'192}});
}

// The experts' last products run on the host's processor.
TEST(LatentGraph, MistralSmall4) {
  expect_plans({{"id", "mistralai/Mistral-Small-4-119B-2603"}},
               {{options(4096, 512, "on"), {361'517'056}, 943'728'640}, {options(4096, 512, "on"), {}, 339'748'864}});
}

// Pooled tokens, residual streams, experts that are looked up by token.
TEST(LatentGraph, DeepSeekV4) {
  const Json quantized{{"type_k", "q4_0"}, {"type_v", "q4_0"}, {"n_seq_max", 3}, {"kv_unified", true}};
  expect_plans({{"id", "deepseek-ai/DeepSeek-V4-Flash"}}, {{options(4096, 512, "on"), {306'716'672}, 20'020'128},
                                                           {options(16384, 512, "off"), {892'436'480}, 31'554'464},
                                                           {options(4096, 512, "on"), {}, 281'552'896},
                                                           {options(8192, 512, "on", quantized), {306'716'672}, 25'309'664},
                                                           {options(4096, 512, "on"), {295'075'840, 554'557'440}, 29'748'864},
                                                           {options(8192, 512, "off", {{"n_gpu_layers", 5}}), {1'985'011'968}, 25'263'008}});
}

}  // namespace
}  // namespace weighbridge::latent_graph_test

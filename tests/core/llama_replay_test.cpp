// SPDX-License-Identifier: Apache-2.0
// That leaving out layers, points and placements changes no figure, and how much work is left. Counts, since time depends on the machine.
#include <gtest/gtest.h>

#include <string>

#include "api_fixture.hpp"
#include "engine/engine.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "fit_trial.hpp"
#include "llama_graph/simulate.hpp"
#include "request.hpp"
#include "scenarios.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge::llama_replay_test {
namespace {

using testing::Json;

Json dense(int layers) {
  return {{"model_type", "llama"},     {"hidden_size", 4096},         {"intermediate_size", 14336}, {"num_attention_heads", 32},
          {"num_key_value_heads", 8},  {"num_hidden_layers", layers}, {"vocab_size", 128256},       {"max_position_embeddings", 131072},
          {"torch_dtype", "bfloat16"}, {"tie_word_embeddings", false}};
}

Json experts(int layers) {
  return {{"model_type", "qwen3_moe"}, {"hidden_size", 2048},         {"intermediate_size", 6144},   {"num_attention_heads", 32},
          {"num_key_value_heads", 4},  {"num_hidden_layers", layers}, {"vocab_size", 151936},        {"max_position_embeddings", 40960},
          {"head_dim", 128},           {"num_experts", 128},          {"num_experts_per_tok", 8},    {"moe_intermediate_size", 768},
          {"torch_dtype", "bfloat16"}, {"norm_topk_prob", true},      {"tie_word_embeddings", false}};
}

/// Every sixth layer attends to everything, the others to a window.
Json windowed(int layers) {
  return {{"model_type", "gemma3_text"},
          {"hidden_size", 2560},
          {"intermediate_size", 10240},
          {"num_attention_heads", 8},
          {"num_key_value_heads", 4},
          {"num_hidden_layers", layers},
          {"vocab_size", 262208},
          {"max_position_embeddings", 131072},
          {"head_dim", 256},
          {"sliding_window", 1024},
          {"sliding_window_pattern", 6},
          {"torch_dtype", "bfloat16"}};
}

Request request_of(const Json& config, int gib, int count, const Json& options = Json::object()) {
  Json hardware = Json::array();
  if (count > 0) hardware.push_back({{"memory_bytes", gib * testing::kGiBytes}, {"count", count}, {"backend", "cuda"}});
  const Json params{{"model", {{"config", config}}},
                    {"weights", {{"format", "gguf:Q4_K_M"}}},
                    {"engine", {{"name", "llama.cpp"}, {"options", options}}},
                    {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
                    {"hardware", hardware}};
  static const Catalogue empty(read_config);
  Notices warnings;
  Result<Request> request = read_request(params, empty, warnings);
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  return request ? std::move(*request) : Request();
}

std::vector<Bytes> sizes_of(const llama_graph::Buffers& buffers) {
  std::vector<Bytes> sizes;
  for (const llama_graph::Buffer& device : buffers.devices) sizes.push_back(device.bytes);
  sizes.push_back(buffers.host.bytes);
  return sizes;
}

void expect_same_buffers(const Request& request, std::int64_t cpu_moe_layers) {
  Prepared prepared(request.model(), loaded_format(request.model(), request.scenario));
  Scenario scenario = request.scenario;
  scenario.cpu_moe_layers = cpu_moe_layers;
  const Job job{prepared.model(), prepared.tensors(), scenario, false, nullptr};
  const llama_cpp::Settings settings = llama_cpp::settle(job);
  const llama_cpp::Placement placement = llama_cpp::place(job, settings);
  for (const auto purpose : {llama_graph::Purpose::plan, llama_graph::Purpose::run}) {
    const auto all = llama_graph::Simulation(job, settings, placement).buffers(purpose, llama_graph::Detail::all_layers);
    for (const auto least : {llama_graph::Detail::few_periods, llama_graph::Detail::four_periods, llama_graph::Detail::some_periods,
                             llama_graph::Detail::more_periods}) {
      const auto some = llama_graph::Simulation(job, settings, placement).buffers(purpose, least);
      ASSERT_TRUE(all && some);
      EXPECT_EQ(sizes_of(*some), sizes_of(*all)) << request.model().architecture << ", gpu layers " << settings.gpu_layers;
    }
  }
}

TEST(LlamaReplay, LayersThatAreLeftOutChangeNoBuffer) {
  for (const Json& config : {dense(40), experts(48), windowed(34)}) {
    expect_same_buffers(request_of(config, 80, 0), 0);
    expect_same_buffers(request_of(config, 80, 1), 0);
    expect_same_buffers(request_of(config, 80, 2), 0);
    expect_same_buffers(request_of(config, 80, 1, {{"n_gpu_layers", 17}}), 0);
    expect_same_buffers(request_of(config, 80, 2, {{"offload_kqv", false}, {"flash_attn", "off"}}), 0);
    expect_same_buffers(request_of(config, 80, 1), 9);
  }
}

TEST(LlamaReplay, APlanThatPutsNodesWhereTheyArePinnedIsAsItRuns) {
  testing::Scenarios random;
  int alike = 0;
  int others = 0;
  for (int i = 0; i < testing::scenarios(150); ++i) {
    Json params = random.next_params("llama.cpp");
    params["weights"] = {{"format", "gguf:Q4_K_M"}};
    params["hardware"][0]["count"] = 1 + random.number(3);
    if (random.number(2) == 0) params["engine"]["options"]["n_gpu_layers"] = random.number(60);
    if (random.number(3) == 0) params["engine"]["options"].update({{"offload_kqv", false}, {"flash_attn", "off"}});
    const Result<Request> request = random.read(params);
    if (!request || request->model().layers.empty()) continue;
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    const Job job{prepared.model(), prepared.tensors(), request->scenario, false, nullptr};
    const llama_cpp::Settings settings = llama_cpp::settle(job);
    if (llama_cpp::refusal(job, settings)) continue;
    const llama_cpp::Placement placement = llama_cpp::place(job, settings);
    const auto planned = llama_graph::Simulation(job, settings, placement).buffers(llama_graph::Purpose::plan);
    const auto run = llama_graph::Simulation(job, settings, placement).buffers(llama_graph::Purpose::run);
    if (!planned) continue;
    ++(planned->is_as_run ? alike : others);
    if (planned->is_as_run) {
      EXPECT_EQ(sizes_of(*planned), sizes_of(*run)) << params.dump();
    }
  }
  EXPECT_GT(alike, 0);
  EXPECT_GT(others, 0);
}

TEST(LlamaReplay, TheMostThatGraphsCanTakeIsNeverLessThanTheyDo) {
  testing::Scenarios random;
  int compared = 0;
  for (int i = 0; i < testing::scenarios(150); ++i) {
    Json params = random.next_params("llama.cpp");
    params["weights"] = {{"format", "gguf:Q4_K_M"}};
    if (random.number(3) == 0) params["engine"]["options"]["n_gpu_layers"] = random.number(60);
    const Result<Request> request = random.read(params);
    if (!request) continue;
    const Scenario scenario = without_fit(request->scenario);
    Prepared prepared(request->model(), loaded_format(request->model(), scenario));
    prepared.memo().is_shown = true;
    const Result<Estimate> exact = evaluate(prepared, scenario);
    const Result<Estimate> most = evaluate_most(prepared, scenario);
    ASSERT_TRUE(exact && most);
    for (std::size_t device = 0; device < exact->devices.size(); ++device, ++compared)
      EXPECT_GE(most->devices[device].high(), exact->devices[device].high()) << params.dump();
  }
  EXPECT_GT(compared, 0);
}

Memo::Work work_of(const Request& request) {
  Prepared prepared(request.model(), loaded_format(request.model(), request.scenario));
  EXPECT_TRUE(estimate(prepared, request.scenario));
  return prepared.memo().work;
}

TEST(LlamaReplay, AnEstimateReplaysFewAndShortGraphs) {
  // A graph of all 80 layers has some 2,700 nodes.
  const Memo::Work one = work_of(request_of(dense(80), 80, 1));
  EXPECT_LE(one.replayed, 6);
  EXPECT_LE(one.nodes, 6 * 300);
  const Memo::Work none = work_of(request_of(dense(80), 80, 0));
  EXPECT_LE(none.replayed, 1);
}

TEST(LlamaReplay, ASweepCountsEndsAndKnotsInFullAndModelsTheRest) {
  Json values = Json::array();
  for (int i = 1; i <= 100; ++i) values.push_back(1024 * i);
  const Json request{{"model", {{"config", dense(40)}}},
                     {"weights", {{"format", "gguf:Q4_K_M"}}},
                     {"engine", {{"name", "llama.cpp"}}},
                     {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
                     {"hardware", testing::memory(24)}};
  const Json points = testing::call("sweep", {{"request", request}, {"axis", "context_tokens"}, {"values", values}})["result"]["points"];
  ASSERT_EQ(points.size(), 100U);
  std::size_t in_full = 0;
  for (const Json& point : points) {
    if (!point.contains("basis")) {
      ++in_full;
      continue;
    }
    EXPECT_EQ(point["basis"], "modelled");
    // Close to what a full count gives.
    if (point["value"].get<int>() % (1024 * 25) != 0) continue;
    Json exact = request;
    exact["workload"]["context_tokens"] = point["value"];
    const double need = testing::estimate(exact)["devices"][0]["total_bytes"].get<double>();
    EXPECT_NEAR(point["need_bytes"].get<double>(), need, 0.002 * need);
  }
  EXPECT_FALSE(points[7].contains("basis")) << "the request's own context";
  EXPECT_FALSE(points[0].contains("basis") || points[99].contains("basis"));
  EXPECT_LE(in_full, 18U);
}

// Up to the tokens of one graph its buffer grows with the context; a line across that bend would be too low.
TEST(LlamaReplay, ASweepHasAKnotWhereAGraphIsFull) {
  Json values = Json::array();
  for (int i = 1; i <= 100; ++i) values.push_back(128 * i);
  Json request{{"model", {{"config", dense(40)}}},
               {"weights", {{"format", "gguf:Q4_K_M"}}},
               {"engine", {{"name", "llama.cpp"}, {"options", {{"n_ubatch", 2048}}}}},
               {"workload", {{"context_tokens", 128}, {"sequences", 1}}},
               {"hardware", testing::memory(24)}};
  const Json points = testing::call("sweep", {{"request", request}, {"axis", "context_tokens"}, {"values", values}})["result"]["points"];
  EXPECT_FALSE(points[14].contains("basis"));  // 1,920 tokens, which are padded to 2,048
  for (const Json& point : points) {
    request["workload"]["context_tokens"] = point["value"];
    const double need = testing::estimate(request)["devices"][0]["total_bytes"].get<double>();
    EXPECT_GE(point["need_bytes"].get<double>(), 0.99 * need) << point["value"];
  }
}

}  // namespace
}  // namespace weighbridge::llama_replay_test

// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/best_weights.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "scenarios.hpp"
#include "solve/kept_searches.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::best_weights_test {
namespace {

using testing::Json;

Json solve(const Json& request, const char* smallest = "gguf:Q2_K") {
  const Json response = testing::call("solve", {{"find", "weights"}, {"request", request}, {"smallest", smallest}});
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response["result"];
}

Json home(const char* model, const char* device, int count = 1, std::int64_t host_gib = 0) {
  Json params{{"model", {{"id", model}}},
              {"engine", {{"name", "llama.cpp"}}},
              {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
              {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
  if (host_gib > 0) params["host"] = {{"memory_bytes", host_gib * testing::kGiBytes}};
  return params;
}

TEST(BestWeights, AreTheCheckpointWhereItHolds) {
  const Json best = solve(home("Qwen/Qwen3-8B", "rtx-4090"));
  EXPECT_EQ(best["weights"]["format"], "checkpoint");
  EXPECT_EQ(best["weights"]["loaded"], "gguf:BF16");
  EXPECT_EQ(best["verdict"]["class"], "fits");
  EXPECT_TRUE(best["gpu_layers"].is_null());
}

TEST(BestWeights, BeginWithWhatTheEngineNamesInsteadOfACheckpointThatItCannotLoad) {
  EXPECT_EQ(solve(home("openai/gpt-oss-20b", "rtx-4090"))["weights"]["format"], "gguf:MXFP4_MOE");
  EXPECT_EQ(solve(home("Qwen/Qwen3-8B-FP8", "rtx-4090"))["weights"]["format"], "gguf:Q8_0");
  EXPECT_EQ(solve(home("Qwen/Qwen3-8B-AWQ", "rtx-4090"))["weights"]["format"], "gguf:Q4_K_M");
}

TEST(BestWeights, ShareWithTheHostOnceItsMemoryIsKnownAndNoWiderThanFourBits) {
  const Json params = home("meta-llama/Llama-3.3-70B-Instruct", "rtx-4090");
  EXPECT_EQ(solve(params)["verdict"]["class"], "no");
  const Json best = solve(home("meta-llama/Llama-3.3-70B-Instruct", "rtx-4090", 1, 256));
  EXPECT_EQ(best["verdict"]["class"], "offload");
  EXPECT_EQ(best["weights"]["format"], "gguf:Q4_K_M");
  Json whole = home("meta-llama/Llama-3.3-70B-Instruct", "rtx-4090", 1, 256);
  whole["weights"] = {{"format", "gguf:Q4_K_M"}};
  EXPECT_EQ(testing::estimate(whole)["verdict"]["nearest"]["gpu_layers"], best["gpu_layers"]);
}

TEST(BestWeights, TakeAShareOfTheMemoryThatSurelyStarts) {
  Json request = home("Qwen/Qwen3-8B", "rtx-3090", 2);
  request["engine"]["name"] = "vllm";
  // What NCCL and the driver may take of each card beside a pool of 92 % is more than there is.
  EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "tight");
  const Json share = testing::estimate(request)["verdict"]["nearest"]["gpu_memory_utilization"];
  const Json best = solve(request);
  EXPECT_EQ(best["weights"]["format"], "checkpoint");
  EXPECT_EQ(best["verdict"]["class"], "fits");
  EXPECT_EQ(best["options"], Json({{"gpu_memory_utilization", share}}));
  request["engine"]["options"] = best["options"];
  EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "fits");
  request["engine"]["options"]["gpu_memory_utilization"] = share.get<double>() + 0.01;
  EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "tight");
}

TEST(BestWeights, EndAtTheSmallestThatWasAllowed) {
  const Json params = home("mistralai/Mistral-Small-3.1-24B-Instruct-2503", "rtx-3060-12gb");
  const Json best = solve(params, "gguf:Q4_K_M");
  EXPECT_EQ(best["verdict"]["class"], "no");
  EXPECT_EQ(best["weights"]["format"], "gguf:Q4_K_M");
  EXPECT_GT(best["verdict"]["shortfall_bytes"], 0);
  EXPECT_EQ(solve(params, "gguf:Q3_K_M")["weights"]["format"], "gguf:Q3_K_M");
}

TEST(BestWeights, SayWhyNoFormatRuns) {
  Json params = home("article/7b", "rtx-4090");
  params["workload"]["context_tokens"] = 2048;
  const Json best = solve(params);
  EXPECT_EQ(best["verdict"]["class"], "impossible");
  EXPECT_TRUE(best["verdict"]["reason"]["message"].is_string());
}

TEST(BestWeights, MethodRefusesWhatItDoesNotFind) {
  const Json request = home("Qwen/Qwen3-8B", "rtx-4090");
  EXPECT_EQ(testing::call("solve", {{"find", "weights"}})["error"]["where"], "params.request");
  EXPECT_EQ(testing::call("solve", {{"find", "gold"}, {"request", request}})["error"]["where"], "params.find");
  EXPECT_EQ(testing::call("solve", {{"find", "weights"}, {"request", request}, {"smallest", "q9"}})["error"]["where"], "params.smallest");
}

/// Room by the high bounds from the answer's own figures; what llama-server keeps of earlier prompts counts as it begins.
bool surely_holds(const Result<Estimate>& answer) {
  if (!answer || (answer->verdict.kind == VerdictClass::impossible)) return false;
  for (const DevicePlan& device : answer->devices) {
    Bytes inside;
    Bytes on_card = device.reserved;
    for (const Term& term : device.terms) {
      if (term.inside_limit) inside += term.high;
      if (!term.inside_limit) on_card = on_card - term.bytes + term.high;
    }
    if (inside > device.limit || on_card > device.capacity) return false;
  }
  if (!answer->host || !answer->host->capacity) return true;
  Bytes need;
  for (const Term& term : answer->host->terms) need += term.id == "prompt_cache" || term.id == "checkpoints" ? term.bytes : term.high;
  return need <= *answer->host->capacity;
}

Bytes weights_in(const Model& model, const Scenario& scenario) {
  Bytes bytes;
  for (const Tensor& tensor : tensors_in(model, loaded_format(model, scenario)))
    if (tensor.part == ModelPart::text && !tensor.is_copy) bytes += tensor.bytes();
  return bytes;
}

Result<Estimate> evaluate_in(const Model& model, Scenario scenario, std::string_view format) {
  scenario.weights_format = format;
  Prepared prepared(model, loaded_format(model, scenario));
  Result<Estimate> answer = evaluate(prepared, scenario);
  if (!answer || !answer->verdict.nearest_share) return answer;
  scenario.options.gpu_memory_utilization = answer->verdict.nearest_share;
  return evaluate(prepared, scenario);
}

/// Of formats that lose less, and are no wider than the model as it can be loaded, none fits.
void expect_no_wider(const Model& model, const BestWeights& best) {
  Scenario trial = best.scenario;
  trial.options.llama_cpp.n_gpu_layers.reset();
  trial.options.gpu_memory_utilization.reset();
  std::string_view widest = "checkpoint";
  if (const Result<Estimate> published = evaluate_in(model, trial, widest); published && published->verdict.kind == VerdictClass::impossible)
    widest = published->verdict.nearest_weights_format.value_or(widest);
  trial.weights_format = widest;
  const Bytes most = weights_in(model, trial);
  std::vector<std::string_view> formats = loss_order();
  formats.insert(formats.begin(), widest);
  for (const std::string_view format : formats) {
    if (format == best.format) return;
    trial.weights_format = format;
    if (format != widest && weights_in(model, trial) >= most) continue;
    const Result<Estimate> answer = evaluate_in(model, trial, format);
    EXPECT_FALSE(answer && answer->verdict.kind == VerdictClass::fits && surely_holds(answer)) << format;
  }
}

void expect_exact(const Request& request, const BestWeights& best) {
  const Model& model = request.model();
  Prepared prepared(model, best.loaded);
  Scenario trial = best.scenario;
  const VerdictClass kind = best.answer.verdict.kind;
  const bool holds = kind == VerdictClass::fits || kind == VerdictClass::offload;
  if (holds) {
    EXPECT_TRUE(surely_holds(evaluate(prepared, trial)));
    EXPECT_GE(best.context_tokens, trial.context_tokens);
  }
  if (best.context_tokens > 0) {
    trial.context_tokens = best.context_tokens;
    EXPECT_TRUE(surely_holds(evaluate(prepared, trial))) << best.context_tokens;
  }
  if (best.context_tokens < model.max_context_tokens) {
    trial.context_tokens = best.context_tokens + 1;
    EXPECT_FALSE(surely_holds(evaluate(prepared, trial))) << best.context_tokens + 1;
  }
  if (std::optional<std::int64_t>& layers = trial.options.llama_cpp.n_gpu_layers) {
    trial.context_tokens = best.scenario.context_tokens;
    ++*layers;
    const Result<Estimate> more = evaluate(prepared, trial);
    ASSERT_TRUE(more);
    EXPECT_TRUE(std::any_of(more->devices.begin(), more->devices.end(), [](const DevicePlan& device) { return device.high() > device.capacity; }));
  }
  expect_no_wider(model, best);
}

void expect_exact_in(const char* engine, int count) {
  testing::Scenarios random;
  int holding = 0;
  for (int i = 0; i < count; ++i) {
    const Result<Request> request = random.next(engine);
    ASSERT_TRUE(request) << request.error().message;
    const Scenario& s = request->scenario;
    SCOPED_TRACE(request->model().id + ", " + std::to_string(s.device_count()) + " x " + s.hardware[0].device.id + ", " +
                 std::to_string(s.context_tokens) + " x " + std::to_string(s.sequences));
    const Result<BestWeights> best = solve_best_weights(request->model(), s, "");
    ASSERT_TRUE(best) << best.error().message;
    if (best->answer.verdict.kind == VerdictClass::impossible) continue;
    expect_exact(*request, *best);
    if (best->context_tokens > 0) ++holding;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(holding, count / 4);
}

void expect_same(const BestWeights& kept, const BestWeights& fresh) {
  EXPECT_EQ(kept.format, fresh.format);
  EXPECT_EQ(kept.loaded, fresh.loaded);
  EXPECT_EQ(kept.weights, fresh.weights);
  EXPECT_EQ(kept.scenario, fresh.scenario);
  EXPECT_EQ(kept.context_tokens, fresh.context_tokens);
  EXPECT_EQ(kept.answer.verdict.kind, fresh.answer.verdict.kind);
  ASSERT_EQ(kept.answer.devices.size(), fresh.answer.devices.size());
  for (std::size_t i = 0; i < fresh.answer.devices.size(); ++i) {
    EXPECT_EQ(kept.answer.devices[i].total(), fresh.answer.devices[i].total());
    EXPECT_EQ(kept.answer.devices[i].high(), fresh.answer.devices[i].high());
  }
}

TEST(BestWeights, AreTheSameAfterOtherContextsAndOtherScenarios) {
  testing::Scenarios random;
  KeptSearches kept;
  for (int i = 0; i < testing::scenarios(150); ++i) {
    const Result<Request> request = random.next(i % 3 == 0 ? "ollama" : "llama.cpp");
    ASSERT_TRUE(request) << request.error().message;
    for (int step = 0; step < 5; ++step) {
      Scenario scenario = request->scenario;
      scenario.context_tokens = std::min(std::int64_t{2048} << random.number(6), request->model().max_context_tokens);
      if (step == 3) scenario.sequences += 1;
      if (step == 4) scenario.hardware[0].used = kGiB;
      SCOPED_TRACE(request->model().id + ", " + std::to_string(scenario.device_count()) + " x " + scenario.hardware[0].device.id + ", " +
                   std::to_string(scenario.context_tokens));
      const Result<BestWeights> quick = solve_best_weights(request->model(), scenario, "", &kept);
      const Result<BestWeights> fresh = solve_best_weights(request->model(), scenario, "");
      ASSERT_EQ(quick.has_value(), fresh.has_value());
      if (fresh) expect_same(*quick, *fresh);
      if (::testing::Test::HasFailure()) return;
    }
  }
}

TEST(BestWeights, AreKeptOfOneScenarioAndItsFirstModels) {
  testing::Scenarios random;
  const Result<Request> request = random.next("llama.cpp");
  ASSERT_TRUE(request) << request.error().message;
  Scenario scenario = request->scenario;
  KeptSearches kept;
  const std::vector<CatalogueModel>& models = random.catalogue().models();
  KeptSearch* first = kept.find(*models[0].model, scenario);
  ASSERT_NE(first, nullptr);
  first->rungs["checkpoint"];
  scenario.context_tokens += 1;
  EXPECT_EQ(kept.find(*models[0].model, scenario)->rungs.size(), 1U);
  std::size_t n_kept = 1;
  while (kept.find(*models[n_kept].model, scenario) != nullptr) ++n_kept;
  EXPECT_EQ(n_kept, 64U);
  EXPECT_EQ(kept.find(*models[0].model, scenario)->rungs.size(), 1U);
  scenario.options.llama_cpp.flash_attn = false;
  EXPECT_TRUE(kept.find(*models[0].model, scenario)->rungs.empty());
}

TEST(BestWeights, WeighNothingBetweenTheCheckpointAndTheLastWhereThatHasNoRoom) {
  testing::Scenarios random;
  Notices warnings;
  const Result<Request> request = read_request(home("deepseek-ai/DeepSeek-V3.1", "rtx-4090", 1, 64), random.catalogue(), warnings);
  ASSERT_TRUE(request) << request.error().message;
  KeptSearches kept;
  const Result<BestWeights> best = solve_best_weights(request->model(), request->scenario, "gguf:Q3_K_M", &kept);
  ASSERT_TRUE(best) << best.error().message;
  EXPECT_EQ(best->format, "gguf:Q3_K_M");
  EXPECT_GT(best->weights, kGiB * 88);
  const auto& rungs = kept.find(request->model(), request->scenario)->rungs;
  EXPECT_EQ(rungs.count("gguf:Q4_K_M"), 0U);
  EXPECT_LE(rungs.size(), 3U);
}

/// A catalogue may be loaded anew, with another model by the same name.
TEST(BestWeights, AreOfTheModelsThatAreLoaded) {
  Api api(reading());
  const auto load = [&](int layers) {
    const Json config{{"model_type", "llama"},     {"hidden_size", 4096},         {"intermediate_size", 14336}, {"num_attention_heads", 32},
                      {"num_key_value_heads", 8},  {"num_hidden_layers", layers}, {"vocab_size", 128256},       {"max_position_embeddings", 131072},
                      {"torch_dtype", "bfloat16"}, {"tie_word_embeddings", false}};
    const Json models{{"models", Json::array({{{"id", "a/b"}, {"slug", "b"}, {"name", "B"}, {"config", config}}})}};
    const Json params{{"models", models}, {"devices", testing::parse(embedded("gpus.json"))}};
    EXPECT_EQ(testing::parse(api.call(Json{{"method", "catalogue.load"}, {"params", params}}.dump()))["ok"], true);
  };
  const auto bytes = [&] {
    const Json params{{"find", "weights"}, {"request", home("a/b", "rtx-4090")}};
    return testing::parse(api.call(Json{{"method", "solve"}, {"params", params}}.dump()))["result"]["weights"]["bytes"].get<std::int64_t>();
  };
  load(32);
  const std::int64_t of_32 = bytes();
  EXPECT_EQ(bytes(), of_32);
  load(16);
  EXPECT_LT(bytes(), of_32);
}

TEST(BestWeights, AreExactAtEveryBoundaryOfRandomScenariosOfLlamaCpp) { expect_exact_in("llama.cpp", testing::scenarios(250)); }
TEST(BestWeights, AreExactAtEveryBoundaryOfRandomScenariosOfVllm) { expect_exact_in("vllm", testing::scenarios(9750)); }

}  // namespace
}  // namespace weighbridge::best_weights_test

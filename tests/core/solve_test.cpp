// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/solve.hpp"

#include <gtest/gtest.h>

#include <cstdio>

#include "engine/engine.hpp"
#include "fit_trial.hpp"
#include "scenarios.hpp"
#include "verdict.hpp"

namespace weighbridge::solve_test {
namespace {

using testing::Json;

Json solve(const Json& request, const char* find, Json more = Json::object()) {
  more["find"] = find;
  more["request"] = request;
  const Json response = testing::call("solve", more);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response.value("result", Json::object());
}

Json patched(Json request, const Json& patch) {
  request.merge_patch(patch);
  return request;
}

/// What a solver answers is what the patched request comes to.
void expect_told(const Json& request, const Json& answer) {
  EXPECT_EQ(testing::estimate(patched(request, answer["patch"]))["verdict"], answer["verdict"]) << answer.dump();
}

Json dense_on_two_h100() { return testing::serving_request("vllm", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "h100-sxm", 2); }

TEST(Solve, FindsTheLongestContextAndTheMostRequestsThatSurelyHold) {
  const Json request = dense_on_two_h100();
  const Json whole = testing::estimate(request);
  const Json context = solve(request, "context");
  EXPECT_EQ(context["value"], whole["safe_context_tokens"]);
  EXPECT_EQ(context["next"]["value"], context["value"].get<int>() + 1);
  EXPECT_EQ(context["next"]["verdict"]["class"], "tight");
  expect_told(request, context);
  const Json sequences = solve(request, "sequences");
  EXPECT_EQ(sequences["value"], whole["safe_sequences"]);
  expect_told(request, sequences);
}

// One layer more on the second card leaves the first with less than it keeps for loading, and the next request pushes that layer onwards: what fits
// has gaps, and the most is beyond them.
TEST(Solve, FindsTheMostBeyondAGapWhereLayersAreDealtOutInTurn) {
  const auto request = [](int sequences, int context) {
    return Json{{"model", {{"id", "Qwen/Qwen3-32B"}}},
                {"weights", {{"format", "exl2-4bpw"}}},
                {"engine", {{"name", "exllamav2"}}},
                {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
                {"hardware", Json::array({{{"device", "rtx-4090"}}, {{"device", "rtx-3060-12gb"}}})}};
  };
  const auto fits = [&](int sequences, int context) { return testing::estimate(request(sequences, context))["verdict"]["class"] == "fits"; };
  const int most = solve(request(1, 4096), "sequences")["value"].get<int>();
  EXPECT_EQ(testing::estimate(request(1, 4096))["safe_sequences"], most);
  EXPECT_FALSE(fits(6, 4096));
  EXPECT_GT(most, 6);
  EXPECT_TRUE(fits(most, 4096));
  for (int more = most + 1; more < most + 20; ++more) EXPECT_FALSE(fits(more, 4096)) << more;
  const int longest = solve(request(10, 4096), "context")["value"].get<int>();
  EXPECT_TRUE(fits(10, longest));
  for (int longer = longest + 1; longer < 2 * longest; longer += 64) EXPECT_FALSE(fits(10, longer)) << longer;
}

TEST(Solve, GivesTheWidestCacheThatFits) {
  // 80 layers of 8 heads keep 160 KiB of a token on each of two cards in 16 bits: 28,672 tokens are 4.7 GB, and half of that in 8 bits.
  Json request = dense_on_two_h100();
  request["workload"] = {{"context_tokens", 7168}, {"sequences", 4}};
  const Json answer = solve(request, "cache_type");
  EXPECT_EQ(answer["value"], "fp8");
  EXPECT_EQ(answer["next"]["value"], "auto");
  EXPECT_EQ(answer["next"]["verdict"]["class"], "tight");
  expect_told(request, answer);
  request["workload"]["sequences"] = 1;
  EXPECT_EQ(solve(request, "cache_type")["value"], "auto");
  // An option that says the type would win over the request's own place for it.
  request["workload"]["sequences"] = 4;
  request["engine"]["options"] = {{"kv_cache_dtype", "auto"}};
  expect_told(request, solve(request, "cache_type"));
}

TEST(Solve, FindsTheFewestDevicesInALayoutThatTheEngineHas) {
  const Json answer = solve(dense_on_two_h100(), "devices");
  // Two cards of 85.0 GB are 156.4 at 92 %, and 141.1 of weights leave too little beside buffers for 8 x 4,096 tokens of 320 KiB; 64 heads cannot
  // be dealt out to three.
  EXPECT_EQ(answer["value"], 4);
  EXPECT_EQ(answer["verdict"]["class"], "fits");
  EXPECT_EQ(answer["next"]["value"], 3);
  EXPECT_EQ(answer["next"]["verdict"]["class"], "impossible");
  expect_told(dense_on_two_h100(), answer);
  // Where one group of ranks would be too many, groups stand in a pipeline: the 18,432 rows of a dense layer are 144 blocks of 128, which 16 ranks can
  // share and 32 cannot.
  const Json many = solve(testing::serving_request("vllm", "deepseek-ai/DeepSeek-R1", "rtx-4090", 1), "devices");
  EXPECT_EQ(many["patch"]["parallel"], Json({{"tensor", 16}, {"pipeline", 4}, {"data", 1}, {"expert", false}})) << many.dump();
}

TEST(Solve, FindsWhatOfAModelTheDevicesHold) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-235B-A22B", Json::array({{{"device", "rtx-4090"}, {"count", 2}}}));
  request["host"] = {{"memory_bytes", 256 * testing::kGiBytes}};
  const Json layers = solve(request, "gpu_layers");
  EXPECT_EQ(layers["value"], testing::estimate(request)["verdict"]["nearest"]["gpu_layers"]);
  EXPECT_EQ(layers["verdict"]["class"], "offload");
  expect_told(request, layers);
  const Json experts = solve(request, "cpu_moe_layers");
  EXPECT_GT(experts["value"], 0);
  EXPECT_LT(experts["value"], 94);
  EXPECT_EQ(experts["next"]["value"], experts["value"].get<int>() - 1);
  expect_told(request, experts);
  // A small model lies on the devices whole.
  const Json small = testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"device", "rtx-4090"}}}));
  EXPECT_EQ(solve(small, "gpu_layers")["value"], 37);  // 36 and the output
  EXPECT_TRUE(solve(small, "gpu_layers")["next"].is_null());
}

TEST(Solve, SaysThatNothingHoldsWithTheVerdictOfTheRequest) {
  const Json request = testing::serving_request("vllm", "deepseek-ai/DeepSeek-R1", "rtx-4090", 1);
  for (const char* find : {"context", "sequences", "cache_type"}) {
    const Json answer = solve(request, find);
    EXPECT_TRUE(answer["value"].is_null() && answer["patch"].is_null() && answer["next"].is_null()) << answer.dump();
    EXPECT_EQ(answer["verdict"], testing::estimate(request)["verdict"]) << find;
  }
}

TEST(Solve, RefusesASettingThatIsNotThere) {
  const Json request = dense_on_two_h100();
  for (const char* find : {"gpu_layers", "cpu_moe_layers"}) {
    const Json response = testing::call("solve", {{"find", find}, {"request", request}});
    EXPECT_EQ(response["error"]["code"], "unsupported") << find;
    EXPECT_EQ(response["error"]["where"], "params.find");
  }
}

TEST(Solve, FindsTheCheapestMachineAndTheOneBeforeItDoesNotHold) {
  const Json machines = testing::parse(embedded("machines.json"))["machines"];
  const Json request = dense_on_two_h100();
  const Json answer = solve(request, "machine", {{"machines", machines}});
  EXPECT_EQ(answer["verdict"]["class"], "fits");
  EXPECT_EQ(answer["machine"]["machine"], answer["value"]);
  EXPECT_FALSE(answer["machine"]["date"].get<std::string>().empty());
  expect_told(request, answer);
  // Every cheaper one alone.
  const Json all = testing::call("compare_devices", {{"by", "machines"}, {"request", request}, {"machines", machines}})["result"];
  EXPECT_EQ(all["total"], machines.size());
  int cheaper = 0;
  for (const Json& row : all["rows"]) {
    const Json& machine = row["machine"];
    if (machine["currency"] != "USD" || machine["per_hour"] >= answer["machine"]["per_hour"]) continue;
    ++cheaper;
    EXPECT_NE(row["verdict"]["class"], "fits") << machine.dump();
  }
  EXPECT_GT(cheaper, 20);
  // The first row that is hired is the same one.
  EXPECT_EQ(all["rows"][0]["machine"]["machine"], answer["value"]);
  const Json elsewhere = solve(request, "machine", {{"machines", machines}, {"provider", "AWS"}});
  EXPECT_EQ(elsewhere["machine"]["provider"], "AWS");
  EXPECT_GE(elsewhere["machine"]["per_hour"], answer["machine"]["per_hour"]);
  EXPECT_EQ(testing::call("solve", {{"find", "machine"}, {"request", request}})["error"]["where"], "params.machines");
}

bool surely_holds(const MovedJob& job, bool with_host) {
  if (job.answer.verdict.kind == VerdictClass::impossible) return false;
  for (const DevicePlan& device : job.answer.devices) {
    Bytes inside;
    Bytes on_card = device.reserved;
    for (const Term& term : device.terms) {
      if (term.inside_limit) inside += term.high;
      if (!term.inside_limit) on_card = on_card - term.bytes + term.high;
    }
    if (inside > device.limit || on_card > device.capacity) return false;
  }
  if (!with_host || !job.answer.host || !job.answer.host->capacity) return true;
  // What little stays on the host counts as it usually is; what holds the model or a part of it, at most.
  const HostPlan& host = *job.answer.host;
  return (host.holds_model ? host.high() : host.total()) <= *host.capacity;
}

/// The patched request, read and counted anew; `is_shown`: requests that would wait do not matter.
std::optional<MovedJob> again(const testing::Scenarios& random, const Json& params, const Json& patch, bool is_shown) {
  const Result<Request> request = random.read(patched(params, patch));
  if (!request) return std::nullopt;
  Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
  prepared.memo().is_shown = is_shown;
  Result<Estimate> answer = evaluate(prepared, request->scenario);
  if (!answer) return std::nullopt;
  return MovedJob{patch, request->scenario, std::move(*answer)};
}

/// Of what no scenario asks for: the engine itself left a part to the host.
bool leaves_some(const Estimate& answer) { return answer.host && answer.host->holds_model && !answer.devices.empty(); }

/// The answer holds, and one step further does not.
void expect_boundary(const testing::Scenarios& random, const Json& params, Unknown find, const Solution& solution) {
  const auto holds = [&](const Solved& solved) {
    const bool is_by_verdict = find == Unknown::cache_type || find == Unknown::devices;
    const std::optional<MovedJob> job = again(random, params, solved.job.patch, is_by_verdict);
    if (!job) return false;
    if (is_by_verdict) return job->answer.verdict.kind == VerdictClass::fits;
    const bool is_layers = find == Unknown::gpu_layers || find == Unknown::cpu_moe_layers;
    if (find == Unknown::gpu_layers && job->answer.engine.gpu_layers.value_or(0) < solved.value.get<std::int64_t>()) return false;
    return surely_holds(*job, !is_layers) && (is_layers || !leaves_some(job->answer));
  };
  if (solution.best) {
    EXPECT_TRUE(holds(*solution.best)) << solution.best->job.patch.dump();
  }
  if (solution.next) {
    EXPECT_FALSE(holds(*solution.next)) << solution.next->job.patch.dump();
  }
  if (find != Unknown::devices || !solution.best) return;
  for (std::int64_t count = 1; count < solution.best->value.get<std::int64_t>(); ++count) {
    Json fewer = solution.best->job.patch;
    fewer["hardware"][0]["count"] = count;
    if (fewer.contains("parallel")) fewer["parallel"] = nullptr;
    const std::optional<MovedJob> job = again(random, params, fewer, true);
    EXPECT_FALSE(job && job->answer.verdict.kind == VerdictClass::fits) << count;
  }
}

/// Any version of the engine.
Json next_params(testing::Scenarios& random, const char* engine) {
  Json params = random.next_params(engine);
  params["engine"]["version"] = random.pick(find_engine(engine)->versions);
  return params;
}

/// Each scenario asks one solver after the other. Prints how many boundaries there were.
void expect_exact_in(const char* engine, int count) {
  constexpr Unknown all[] = {Unknown::context, Unknown::sequences,  Unknown::cache_type,
                             Unknown::devices, Unknown::gpu_layers, Unknown::cpu_moe_layers};
  testing::Scenarios random;
  int held[std::size(all)] = {};
  int bounded = 0;
  for (int i = 0; i < count; ++i) {
    const Json params = next_params(random, engine);
    const Result<Request> request = random.read(params);
    ASSERT_TRUE(request) << request.error().message;
    const auto index = static_cast<std::size_t>(i) % std::size(all);
    SCOPED_TRACE(std::string(name_of(all[index])) + " of " + params.dump());
    const Result<Solution> solution = solve_setting(params, request->model(), random.catalogue(), all[index]);
    if (!solution) {
      ASSERT_EQ(solution.error().code, "unsupported") << solution.error().message;
      continue;
    }
    expect_boundary(random, params, all[index], *solution);
    held[index] += solution->best ? 1 : 0;
    bounded += solution->next ? 1 : 0;
    if (::testing::Test::HasFailure()) return;
  }
  std::printf("%d scenarios of %s, %d with a boundary; held:", count, engine, bounded);
  for (std::size_t i = 0; i < std::size(all); ++i) std::printf(" %s %d", std::string(name_of(all[i])).c_str(), held[i]);
  std::printf("\n");
  EXPECT_GT(bounded, count / 16);
}

TEST(Solve, IsExactAtEveryBoundaryOfRandomScenariosOfLlamaCpp) { expect_exact_in("llama.cpp", testing::scenarios(300)); }
TEST(Solve, IsExactAtEveryBoundaryOfRandomScenariosOfVllm) { expect_exact_in("vllm", testing::scenarios(1500)); }
TEST(Solve, IsExactAtEveryBoundaryOfRandomScenariosOfSglang) { expect_exact_in("sglang", testing::scenarios(600)); }
TEST(Solve, IsExactAtEveryBoundaryOfRandomScenariosOfOllama) { expect_exact_in("ollama", testing::scenarios(300)); }
TEST(Solve, IsExactAtEveryBoundaryOfRandomScenariosOfLmStudio) { expect_exact_in("lm-studio", testing::scenarios(100)); }

/// What a limit of the answer says holds: by the figure, with nothing on the host that the engine itself leaves there.
bool is_whole(const Result<Estimate>& answer, Figure figure) { return answer && !leaves_some(*answer) && holds(margin(*answer, figure)); }

/// Each limit that an answer shows, asked again: it holds as it says, and one more does not.
class Limits {
 public:
  Limits(const testing::Scenarios& random, const Json& params, const Estimate& answer) : random_(random), params_(params) {
    const Result<Request> request = random.read(params);
    const Json& workload = params["workload"];
    const auto limit = [&](const char* name, const std::optional<std::int64_t>& value, std::int64_t most, Figure figure) {
      if (!value) return;
      SCOPED_TRACE(std::string(name) + " " + std::to_string(*value));
      Json moved = workload;
      const auto holds_at = [&](std::int64_t number) {
        moved[name] = number;
        return is_whole(asked({{"workload", moved}}), figure);
      };
      EXPECT_TRUE(*value == 0 || holds_at(*value)) << static_cast<int>(figure);
      EXPECT_FALSE(*value < most && holds_at(*value + 1)) << static_cast<int>(figure);
      ++checked;
      bounded += *value > 0 && *value < most ? 1 : 0;
    };
    limit("context_tokens", answer.max_context_tokens, request->model().max_context_tokens, Figure::best);
    limit("context_tokens", answer.safe_context_tokens, answer.max_context_tokens.value_or(0), Figure::high);
    limit("sequences", answer.max_sequences, kMaxSequences, Figure::best);
    limit("sequences", answer.safe_sequences, answer.max_sequences.value_or(0), Figure::high);
    if (!answer.fewest_devices) return;
    EXPECT_TRUE(holds_on(*answer.fewest_devices)) << *answer.fewest_devices;
    EXPECT_FALSE(*answer.fewest_devices > 1 && holds_on(*answer.fewest_devices - 1)) << *answer.fewest_devices;
  }

  int checked = 0;
  int bounded = 0;

 private:
  [[nodiscard]] Result<Estimate> asked(const Json& patch) const {
    const Result<Request> request = random_.read(patched(params_, patch));
    if (!request) return fail(request.error());
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    return evaluate(prepared, request->scenario);
  }

  [[nodiscard]] bool holds_on(std::int64_t count) const {
    Json hardware = params_["hardware"];
    hardware[0]["count"] = count;
    for (const Parallel& p : layouts_of(count)) {
      const Result<Estimate> answer = asked({{"hardware", hardware}, {"parallel", {{"tensor", p.tensor}, {"pipeline", p.pipeline}}}});
      if (answer && answer->verdict.kind != VerdictClass::impossible && is_whole(answer, Figure::best)) return true;
    }
    return false;
  }

  const testing::Scenarios& random_;
  const Json& params_;
};

void expect_exact_limits(const char* engine, int count) {
  testing::Scenarios random;
  int checked = 0;
  int bounded = 0;
  for (int i = 0; i < count; ++i) {
    const Json params = next_params(random, engine);
    const Result<Request> request = random.read(params);
    ASSERT_TRUE(request) << request.error().message;
    SCOPED_TRACE(params.dump());
    const Result<Estimate> answer = estimate(request->model(), request->scenario);
    ASSERT_TRUE(answer) << answer.error().message;
    const Limits limits(random, params, *answer);
    checked += limits.checked;
    bounded += limits.bounded;
    if (::testing::Test::HasFailure()) return;
  }
  std::printf("%d scenarios of %s, %d limits, %d of them with a boundary\n", count, engine, checked, bounded);
  EXPECT_GT(bounded, count / 4);
}

TEST(Limits, AreExactInRandomScenariosOfLlamaCpp) { expect_exact_limits("llama.cpp", testing::scenarios(100)); }
TEST(Limits, AreExactInRandomScenariosOfOllama) { expect_exact_limits("ollama", testing::scenarios(100)); }
TEST(Limits, AreExactInRandomScenariosOfLmStudio) { expect_exact_limits("lm-studio", testing::scenarios(100)); }
TEST(Limits, AreExactInRandomScenariosOfTransformers) { expect_exact_limits("transformers", testing::scenarios(200)); }
TEST(Limits, AreExactInRandomScenariosOfTensorRtLlm) { expect_exact_limits("tensorrt-llm", testing::scenarios(200)); }

// Ollama leaves a layer to the processor where no GiB would stay free: what fits then is smaller than what llama.cpp holds.
TEST(Solve, TheBestFormatIsOneThatTheEngineItselfPlacesWhole) {
  for (const Json& engine : {Json{{"name", "ollama"}}, Json{{"name", "llama.cpp"}, {"options", {{"fit", true}}}}}) {
    Json request{{"model", {{"id", "Qwen/Qwen3-32B"}}},
                 {"engine", engine},
                 {"workload", {{"context_tokens", 16'384}, {"sequences", 1}}},
                 {"hardware", Json::array({{{"device", "rtx-4090"}, {"count", 1}}})}};
    const Json best = solve(request, "weights");
    request["weights"] = {{"format", best["weights"]["format"]}};
    EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "fits") << engine.dump();
    request["workload"]["context_tokens"] = best["safe_context_tokens"];
    EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "fits") << engine.dump();
  }
}

// It runs models that see images one at a time: a second request waits, and is no step beyond what fits.
TEST(Solve, RequestsThatWaitAreNoneAtTheSameTime) {
  const Json request{{"model", {{"id", "Qwen/Qwen3-VL-4B-Instruct"}}},
                     {"engine", {{"name", "ollama"}}},
                     {"weights", {{"format", "gguf:Q4_K_M"}}},
                     {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
                     {"hardware", Json::array({{{"device", "rtx-3090"}, {"count", 1}}})}};
  const Json found = solve(request, "sequences");
  EXPECT_EQ(found["value"], 1);
  EXPECT_TRUE(found["next"].is_null()) << found["next"].dump();
}

}  // namespace
}  // namespace weighbridge::solve_test

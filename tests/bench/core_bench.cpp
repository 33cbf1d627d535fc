// SPDX-License-Identifier: Apache-2.0
// The budgets of the design, as numbers: build/bench/tests/bench/weighbridge_bench
#include <benchmark/benchmark.h>

#include <nlohmann/json.hpp>

#include "embedded.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {
namespace {

using Json = nlohmann::ordered_json;

const Json& config() {
  static const Json json = Json::parse(embedded("deepseek-r1.config.json"), nullptr, false);
  return json;
}

Model read_model() {
  Notices warnings;
  return std::move(*read_config(config(), "config", warnings));
}

const Model& model() {
  static const Model read = read_model();
  return read;
}

/// The page's start: DeepSeek-R1 on 8 x H200, 32,768 tokens x 16.
const Scenario& scenario() {
  static const Scenario usual = [] {
    Scenario s;
    DeviceGroup group;
    group.device.id = group.device.slug = "h200-sxm";
    group.device.compute_capability = 90;
    group.device.runtime_bytes = group.device.driver_bytes = 143'155 * kMiB;
    group.count = 8;
    s.hardware.push_back(group);
    s.parallel.tensor = 8;
    return s;
  }();
  return usual;
}

void parse_config(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(read_model());
}
BENCHMARK(parse_config);

void quantize_inventory(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(tensors_in(model(), "int4"));
}
BENCHMARK(quantize_inventory);

void evaluate_prepared(benchmark::State& state) {
  Prepared prepared(model(), scenario().weights_format);
  for (auto _ : state) benchmark::DoNotOptimize(evaluate(prepared, scenario()));
}
BENCHMARK(evaluate_prepared);

void estimate_with_solvers(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(estimate(model(), scenario()));
}
BENCHMARK(estimate_with_solvers);

void call_json(benchmark::State& state, const std::string& params) {
  Api api(reading());
  benchmark::DoNotOptimize(api.call(R"({"method":"catalogue.load","params":{"models":)" + std::string(embedded("models.json")) + R"(,"devices":)" +
                                    std::string(embedded("gpus.json")) + "}}"));
  const std::string request = R"({"method":"estimate","params":)" + params + "}";
  for (auto _ : state) benchmark::DoNotOptimize(api.call(request));
}
BENCHMARK_CAPTURE(call_json, r1_on_8_h200, R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200","count":8}]})");
BENCHMARK_CAPTURE(call_json, qwen_on_1, R"({"model":{"id":"deepseek-r1-distill-qwen-7b"},"hardware":[{"device":"h200","count":1}]})");
BENCHMARK_CAPTURE(
    call_json, article_on_1024_devices,
    R"({"model":{"id":"article-30b"},"engine":{"name":"article"},"workload":{"context_tokens":2048},"hardware":[{"device":"h200","count":1024}]})");

}  // namespace
}  // namespace weighbridge

BENCHMARK_MAIN();

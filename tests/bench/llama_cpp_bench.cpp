// SPDX-License-Identifier: Apache-2.0
// One estimate of llama.cpp after the other, over models and machines of all kinds: how much processor time it takes and how many graphs it replays.
// A plan counts one way of running; an answer also searches the automatic fit, the most context and requests, and how many devices are enough.
// build/bench/tests/bench/weighbridge_llama_cpp_bench [--each]
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "embedded.hpp"
#include "engine/engine.hpp"
#include "method.hpp"
#include "request.hpp"
#include "weighbridge/api.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge {
namespace {

constexpr std::string_view kModels[] = {
    "qwen2.5-0.5b-instruct",
    "llama-3.1-8b-instruct",
    "qwen3-32b",
    "llama-3.3-70b-instruct",
    "gemma-3-27b-it",
    "gemma-4-26b-a4b-it",
    "gpt-oss-20b",
    "gpt-oss-120b",
    "mixtral-8x7b-instruct-v0.1",
    "qwen3-30b-a3b",
    "glm-4.5-air",
    "glm-4.5",
    "deepseek-v2-lite",
    "deepseek-r1",
    "qwen3-next-80b-a3b-instruct",
};

struct Machine {
  std::string_view device;
  int count;
};
constexpr Machine kMachines[] = {{"rtx-4090", 1}, {"rtx-3090", 2}, {"h100", 8}, {"m3-max-128gb", 1}, {"", 0}};
constexpr std::string_view kEngines[] = {"llama.cpp", "ollama"};

struct Timed {
  std::string name;
  double us = 0;
  double plan_us = 0;
  Memo::Work work;
  Memo::Work plan_work;
};

Json request_of(std::string_view model, const Machine& machine, std::string_view engine) {
  Json hardware = Json::array();
  if (machine.count > 0) hardware.push_back({{"device", machine.device}, {"count", machine.count}});
  return {{"model", {{"id", model}}},
          {"weights", {{"format", "gguf:Q4_K_M"}}},
          {"engine", {{"name", engine}}},
          {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
          {"hardware", hardware}};
}

/// The fastest of a few runs, each from the model on.
template <class Ask>
double fastest(const Model& model, const Scenario& scenario, Memo::Work& work, Ask ask) {
  constexpr int runs = 5;
  double best = 1e18;
  for (int run = 0; run < runs; ++run) {
    const std::clock_t start = std::clock();
    Prepared prepared(model, loaded_format(model, scenario));
    const Result<Estimate> result = ask(prepared, scenario);
    best = std::min(best, 1e6 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
    if (!result) std::printf("%s\n", result.error().message.c_str());
    work = prepared.memo().work;
  }
  return best;
}

Timed time_of(const Request& request, std::string name) {
  Timed timed{std::move(name), 0, 0, {}, {}};
  Scenario placed = request.scenario;
  placed.options.llama_cpp.fit = false;
  timed.plan_us = fastest(request.model(), placed, timed.plan_work, [](Prepared& p, const Scenario& scenario) { return evaluate(p, scenario); });
  timed.us = fastest(request.model(), request.scenario, timed.work, [](Prepared& p, const Scenario& scenario) { return estimate(p, scenario); });
  return timed;
}

void print(std::string_view engine, std::vector<Timed>& all) {
  std::vector<double> plans;
  for (const Timed& timed : all) plans.push_back(timed.plan_us);
  std::sort(plans.begin(), plans.end());
  std::printf("%.*s, %zu plans: average %.0f us, median %.0f us, p95 %.0f us, worst %.0f us\n", static_cast<int>(engine.size()), engine.data(),
              plans.size(), std::accumulate(plans.begin(), plans.end(), 0.0) / static_cast<double>(plans.size()), plans[plans.size() / 2],
              plans[plans.size() * 95 / 100], plans.back());
  double sum = 0;
  Memo::Work work;
  for (const Timed& timed : all) {
    sum += timed.us;
    work.nodes += timed.work.nodes;
    work.replayed += timed.work.replayed;
  }
  std::sort(all.begin(), all.end(), [](const Timed& a, const Timed& b) { return a.us < b.us; });
  const auto n = static_cast<double>(all.size());
  std::printf(
      "%.*s, %zu answers: average %.0f us, median %.0f us, p95 %.0f us, worst %.0f us (%s); graphs replayed for each: %.1f of %.0f nodes "
      "together\n",
      static_cast<int>(engine.size()), engine.data(), all.size(), sum / n, all[all.size() / 2].us, all[all.size() * 95 / 100].us, all.back().us,
      all.back().name.c_str(), work.replayed / n, work.nodes / n);
}

int run(bool each) {
  Catalogue catalogue(reading().read_config);
  if (!catalogue.load(Json::parse(embedded("models.json")), Json::parse(embedded("gpus.json")))) return 1;
  for (const std::string_view engine : kEngines) {
    std::vector<Timed> all;
    for (const std::string_view model : kModels)
      for (const Machine& machine : kMachines) {
        Notices warnings;
        const Result<Request> request = read_request(request_of(model, machine, engine), catalogue, warnings);
        if (!request) {
          std::printf("%s\n", request.error().message.c_str());
          return 1;
        }
        const std::string name = std::string(model) + ", " + std::to_string(machine.count) + " x " + std::string(machine.device);
        all.push_back(time_of(*request, name));
        if (each)
          std::printf("%-60s %6.0f us, %d graphs, %d nodes; answer %8.0f us, %d graphs, %d nodes\n", name.c_str(), all.back().plan_us,
                      all.back().plan_work.replayed, all.back().plan_work.nodes, all.back().us, all.back().work.replayed, all.back().work.nodes);
      }
    print(engine, all);
  }
  return 0;
}

}  // namespace
}  // namespace weighbridge

int main(int argc, char** argv) { return weighbridge::run(argc > 1 && std::string_view(argv[1]) == "--each"); }

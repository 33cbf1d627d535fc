// SPDX-License-Identifier: Apache-2.0
// The settings that the engine's automatic fit comes to (tools/fit-params), against ours.
#include <algorithm>
#include <cmath>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "request.hpp"
#include "truth.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

/// A record says what is free, in bytes; a card has its context's room more.
Json hardware_of(const Json& all_free) {
  Json rows = Json::array();
  for (const Json& bytes : all_free) {
    const Bytes free(bytes.get<std::uint64_t>());
    Device device;
    device.backend = "cuda";
    for (int i = 0; i < 2; ++i) device.runtime_bytes = free + llama_cpp::context_bytes(device);  // what the context takes depends on the card's size
    rows.push_back({{"memory_bytes", device.runtime_bytes.count()}, {"count", 1}});
  }
  return rows;
}

Json fit_request(const Json& record, const Configs& configs) {
  Json options = record["options"];
  options["fit"] = true;
  return {{"model", {{"config", configs.at(record["model"].get<std::string>())}}},
          {"weights", {{"format", record["format"]}}},
          {"engine", {{"name", kLlamaCpp}, {"options", std::move(options)}}},
          {"hardware", hardware_of(record["free"])}};
}

struct FitTally {
  std::size_t same = 0;
  std::size_t near = 0;
  std::size_t records = 0;
};

bool is_same(const Fitted& ours, const Json& fit, std::int64_t all) {
  const std::int64_t layers = fit["n_gpu_layers"] == -1 ? all : fit["n_gpu_layers"].get<std::int64_t>();
  Json first = Json::array();
  if (!ours.override_tensor.empty()) first.push_back(ours.override_tensor[0].pattern + "=" + ours.override_tensor[0].buffer);
  return ours.n_ctx == fit["n_ctx"] && ours.gpu_layers == layers && Json(ours.tensor_split) == fit["tensor_split"] &&
         first == fit["override_tensor"] && ours.override_tensor.size() == fit["rules"].get<std::size_t>();
}

/// One layer, two rules, 1 % of the context: what a graph that is a few MiB off may come to.
bool is_near(const Fitted& ours, const Json& fit, std::int64_t all) {
  const std::int64_t layers = fit["n_gpu_layers"] == -1 ? all : fit["n_gpu_layers"].get<std::int64_t>();
  const auto tokens = fit["n_ctx"].get<double>();
  return std::fabs(static_cast<double>(ours.n_ctx) - tokens) <= std::max(512.0, tokens / 100) && std::abs(ours.gpu_layers - layers) <= 1 &&
         std::abs(static_cast<int>(ours.override_tensor.size()) - fit["rules"].get<int>()) <= 2;
}

/// Records of both files in one form: what is free, and `fit` with the first rule and how many there are.
std::vector<Json> read_records(const std::string& folder) {
  std::vector<Json> records;
  for (Json& record : read_lines(folder + "/llama_cpp_fits.jsonl")) {
    for (const Json& mib : record["free_mib"]) record["free"].push_back(mib.get<std::uint64_t>() << 20);
    records.push_back(std::move(record));
  }
  for (Json& record : read_lines(folder + "/llama_cpp_fit.jsonl")) {
    if (record["fit"]["n_ctx_min"] != 4096) continue;
    record["free"] = record["fit"]["memory_bytes"];
    if (record["options"]["n_ctx"] == 0) record["options"]["n_ctx"] = -1;  // as without -c
    const Json& chosen = record["chosen"];
    const Json rules = chosen.value("overrides", Json::array());
    Json split = chosen.value("tensor_split", Json::array());
    const auto is_zero = [](const Json& layers) { return layers == 0; };
    if (record["gpus"] == 1 || std::all_of(split.begin(), split.end(), is_zero)) split = Json::array();
    Json first = Json::array();
    if (!rules.empty()) first.push_back(rules[0][0].get<std::string>() + "=" + rules[0][1].get<std::string>());
    record["fit"] = {{"n_ctx", chosen["n_ctx"]},
                     {"n_gpu_layers", chosen["n_gpu_layers"]},
                     {"tensor_split", split},
                     {"override_tensor", first},
                     {"rules", rules.size()}};
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace

bool check_fits(const std::string& folder, const std::string& catalogue_file) {
  const Configs configs = read_configs(folder, catalogue_file);
  std::map<std::string, FitTally> scores;
  FitTally sum;
  for (const Json& record : read_records(folder)) {
    if (!configs.contains(record["model"].get<std::string>())) continue;
    Notices warnings;
    const Catalogue catalogue(read_config);
    Result<Request> request = read_request(fit_request(record, configs), catalogue, warnings);
    if (!request) return false;
    if (record.contains("draft")) {
      Result<Model> draft = read_config(configs.at(record["draft"]["model"].get<std::string>()), "config", warnings);
      if (!draft) return false;
      request->scenario.draft = std::make_shared<const Model>(std::move(*draft));
    }
    Prepared prepared(request->model(), loaded_format(request->model(), request->scenario));
    const Result<Estimate> estimate = evaluate(prepared, request->scenario);
    if (!estimate || !estimate->engine.fitted) return false;
    const std::int64_t all = estimate->engine.all_gpu_layers.value_or(0);
    const bool same = is_same(*estimate->engine.fitted, record["fit"], all);
    const bool near = same || is_near(*estimate->engine.fitted, record["fit"], all);
    for (FitTally* score : {&scores[record["model"].get<std::string>()], &sum}) {
      ++score->records;
      score->same += same ? 1 : 0;
      score->near += near ? 1 : 0;
    }
  }
  std::printf("llama.cpp automatic fit  %5zu records, %zu the same in every setting, %zu within a layer\n", sum.records, sum.same, sum.near);
  for (const auto& [model, score] : scores)
    std::printf("  %-46s %5zu records, same %zu, near %zu\n", model.c_str(), score.records, score.same, score.near);
  return sum.records > 0 && sum.same * 100 >= sum.records * 98 && sum.near == sum.records;
}

}  // namespace weighbridge::truth

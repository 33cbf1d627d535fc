// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <fstream>

#include "truth.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::truth {

namespace {

[[noreturn]] void stop(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::exit(2);
}

}  // namespace

std::vector<Json> read_lines(const std::string& path) {
  std::ifstream file(path);
  if (!file) stop("cannot read " + path);
  std::vector<Json> records;
  for (std::string line; std::getline(file, line);) {
    Json record = Json::parse(line, nullptr, false);
    if (record.is_discarded()) stop(path + " line " + std::to_string(records.size() + 1) + " is no JSON");
    records.push_back(std::move(record));
  }
  return records;
}

Json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) stop("cannot read " + path);
  Json json = Json::parse(file, nullptr, false);
  if (json.is_discarded()) stop(path + " is no JSON");
  return json;
}

Models read_models(const std::string& folder) {
  Models models;
  for (const Json& row : read_lines(folder + "/models.jsonl")) {
    Notices warnings;
    Result<Model> model = read_config(row["config"], "config", warnings);
    if (!model) stop(row["name"].get<std::string>() + ": " + model.error().message);
    models.emplace(row["name"].get<std::string>(), std::move(*model));
  }
  return models;
}

Configs read_configs(const std::string& folder, const std::string& catalogue) {
  Configs configs;
  for (const Json& row : read_lines(folder + "/models.jsonl")) configs[row["name"].get<std::string>()] = row["config"];
  const Json known = read_json(catalogue);
  for (const Json& row : known["models"])
    if (row.contains("config")) configs[row["id"].get<std::string>()] = row["config"];
  return configs;
}

Json roomy_request(const Json& record, const Configs& configs, Json options) {
  constexpr std::int64_t memory = std::int64_t{1} << 46;
  Json request{{"model", {{"config", configs.at(record["model"].get<std::string>())}}},
               {"weights", {{"format", record["format"]}}},
               {"engine", {{"name", kLlamaCpp}, {"options", std::move(options)}}},
               {"hardware", Json::array()}};
  if (const auto gpus = record["gpus"].get<std::int64_t>(); gpus > 0) request["hardware"].push_back({{"memory_bytes", memory}, {"count", gpus}});
  return request;
}

}  // namespace weighbridge::truth

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

}  // namespace weighbridge::truth

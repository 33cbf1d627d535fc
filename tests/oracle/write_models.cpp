// SPDX-License-Identifier: Apache-2.0
// weighbridge_model_files CATALOGUE FOLDER FORMAT [ID...]: writes a GGUF file of each model, its data a hole, and prints one JSON line each.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "model_file.hpp"
#include "weighbridge/read.hpp"

namespace {

using Json = nlohmann::ordered_json;

/// Writes the header and leaves the data a hole.
std::string save(const weighbridge::testing::GgufWriter& file, const std::filesystem::path& path) {
  std::ofstream(path, std::ios::binary) << file.header();
  std::filesystem::resize_file(path, file.file_bytes());
  return path.string();
}

/// What became of a row of the catalogue: {"id", "slug", "architecture", "n_layers", "n_experts", "max_context_tokens", "file", "mtp_file"}, or why there is none.
Json write(const Json& row, const std::filesystem::path& folder, const std::string& format) {
  Json line{{"id", row["id"]}, {"slug", row["slug"]}};
  weighbridge::Notices warnings;
  auto model = weighbridge::read_config(row["config"], "config", warnings);
  if (!model || model->parameters_by_name > 0) {
    line["skipped"] = model ? "known by its size only" : model.error().message;
    return line;
  }
  const std::string slug = row["slug"];
  line["architecture"] = weighbridge::testing::file_architecture(*model);
  line["n_layers"] = model->n_layers();
  line["n_experts"] = weighbridge::first_moe(*model) != nullptr ? weighbridge::first_moe(*model)->n_experts : 0;
  line["max_context_tokens"] = model->max_context_tokens;
  line["file"] = save(weighbridge::testing::gguf_of(*model, format), folder / (slug + ".gguf"));
  if (!model->mtp_layers.empty()) line["mtp_file"] = save(weighbridge::testing::gguf_with_mtp(*model, format), folder / (slug + "+mtp.gguf"));
  return line;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: weighbridge_model_files CATALOGUE FOLDER FORMAT [ID...]\n");
    return 2;
  }
  const std::vector<std::string> wanted(argv + 4, argv + argc);
  std::ifstream input(argv[1]);
  const Json catalogue = Json::parse(input, nullptr, false);
  if (!catalogue.contains("models")) {
    std::fprintf(stderr, "%s is no catalogue\n", argv[1]);
    return 1;
  }
  std::filesystem::create_directories(argv[2]);
  for (const Json& row : catalogue["models"])
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), row["id"]) != wanted.end())
      std::printf("%s\n", write(row, argv[2], argv[3]).dump().c_str());
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "weighbridge/api.hpp"

namespace weighbridge {

namespace {

using Json = nlohmann::ordered_json;

std::string refusal(const char* code, const std::string& where, const std::string& file, const std::string& message) {
  const Json values{{"key", "file"}, {"value", file}, {"expected", "config.json, .gguf or .safetensors"}};
  return Json{{"ok", false}, {"error", {{"code", code}, {"where", where}, {"message", message}, {"values", values}}}, {"warnings", Json::array()}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The object that may name a file, and its path in the request; null if there is none.
Json* owner_of_file(Json& request, std::string& where) {
  const auto object_at = [](Json* json, const char* key) -> Json* {
    if (json == nullptr || !json->is_object()) return nullptr;
    const auto found = json->find(key);
    return found != json->end() && found->is_object() ? &*found : nullptr;
  };
  const auto names_file = [](const Json* json) { return json != nullptr && json->contains("file") && (*json)["file"].is_string(); };
  Json* params = object_at(&request, "params");
  where = "params";
  if (names_file(params)) return params;
  where = "params.model";
  if (Json* model = object_at(params, "model"); names_file(model)) return model;
  where = "params.request.model";
  if (Json* model = object_at(object_at(params, "request"), "model"); names_file(model)) return model;
  return nullptr;
}

namespace fs = std::filesystem;

std::string written(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

/// What belongs to a file or folder that a request names: a folder with all in it, and a part or an index with the files beside it.
std::vector<fs::path> files_of(const fs::path& named) {
  std::vector<fs::path> files;
  std::error_code problem;
  const std::string name = named.filename().string();
  const std::size_t part = name.find("-of-");
  const bool is_index = name.ends_with(".index.json");
  const fs::path folder = fs::is_directory(named, problem) ? named : named.parent_path().empty() ? fs::path(".") : named.parent_path();
  if (!fs::is_directory(named, problem) && part == std::string::npos && !is_index) return {named};
  // The parts of one file differ in the five digits before "-of-".
  const std::string stem = part == std::string::npos || part < 5 ? "" : name.substr(0, part - 5);
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, problem)) {
    const std::string other = entry.path().filename().string();
    const bool belongs = folder == named || is_index || (other.starts_with(stem) && other.find("-of-") == part);
    if (belongs && entry.is_regular_file(problem)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The piece that the session asks for, as far as the file has it.
std::string read_piece(const fs::path& path, std::uint64_t offset, std::uint64_t bytes) {
  std::ifstream stream(path, std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(offset));
  std::string piece(static_cast<std::size_t>(bytes), '\0');
  stream.read(piece.data(), static_cast<std::streamsize>(bytes));
  piece.resize(static_cast<std::size_t>(std::max<std::streamsize>(0, stream.gcount())));
  return piece;
}

/// Reads the model by the same session as the page; only headers and small files are read. Answers as the last push does.
Json read_model(Api& api, const std::vector<fs::path>& paths) {
  Json files = Json::array();
  std::error_code problem;
  for (const fs::path& path : paths) files.push_back({{"name", path.filename().string()}, {"size_bytes", fs::file_size(path, problem)}});
  Json answer = Json::parse(api.call(written({{"method", "read.open"}, {"params", {{"files", files}}}})), nullptr, false);
  if (answer["ok"] == false) return answer;
  const auto handle = answer["result"]["handle"].get<std::int64_t>();
  while (answer["ok"] == true && !answer["result"].contains("done")) {
    const Json need = answer["result"]["needs"][0];
    const auto name = need["file"].get<std::string>();
    const auto path = std::find_if(paths.begin(), paths.end(), [&](const fs::path& known) { return known.filename() == name; });
    const auto offset = need["offset"].get<std::int64_t>();
    const std::string piece = read_piece(*path, static_cast<std::uint64_t>(offset), need["bytes"].get<std::uint64_t>());
    const auto size = static_cast<std::int64_t>(fs::file_size(*path, problem));
    answer = Json::parse(api.push(handle, name, size, offset, piece), nullptr, false);
    if (piece.empty()) break;  // a file that cannot be read further
  }
  (void)api.call(written({{"method", "read.close"}, {"params", {{"handle", handle}}}}));
  return answer;
}

/// Counts the request with what was read in place of the file's name; the warnings of both.
std::string call_with_spec(Api& api, Json& request, Json& owner, const Json& read) {
  owner.erase("file");
  owner["spec"] = read["result"]["spec"];
  Json answer = Json::parse(api.call(written(request)), nullptr, false);
  Json warnings = read["warnings"];
  for (const Json& warning : answer["warnings"]) warnings.push_back(warning);
  answer["warnings"] = std::move(warnings);
  return written(answer);
}

}  // namespace

std::string call_with_files(Api& api, std::string_view text) {
  if (text.find("\"file\"") == std::string_view::npos) return api.call(text);
  Json request = Json::parse(text, nullptr, false);
  std::string where;
  Json* owner = request.is_discarded() ? nullptr : owner_of_file(request, where);
  if (owner == nullptr) return api.call(text);
  const auto file = (*owner)["file"].get<std::string>();
  std::error_code problem;
  if (!fs::exists(file, problem))
    return refusal("file_unreadable", where + ".file", file,
                   "`" + file + "` cannot be read: expected config.json, .gguf or .safetensors, or a folder of these.");
  Json read = read_model(api, files_of(file));
  if (read["ok"] != true || request["method"] == "read_config") {
    if (read["ok"] == true) read["result"].erase("done");
    return written(read);
  }
  if (!read["result"]["spec"].is_null()) return call_with_spec(api, request, *owner, read);
  const Json& warnings = read["warnings"];
  return refusal("unknown_layers", where + ".file", file,
                 warnings.empty() ? "`" + file + "` does not describe layers: expected a config.json with it."
                                  : warnings.back()["message"].get<std::string>());
}

}  // namespace weighbridge

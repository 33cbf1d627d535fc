// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "weighbridge/api.hpp"

namespace weighbridge {

namespace {

using Json = nlohmann::ordered_json;

std::string refusal(const char* code, const std::string& where, const std::string& file, const std::string& message) {
  const Json values{{"key", "file"}, {"value", file}, {"expected", "a config.json"}};
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

}  // namespace

std::string call_with_files(Api& api, std::string_view text) {
  Json request = Json::parse(text, nullptr, false);
  std::string where;
  Json* owner = request.is_discarded() ? nullptr : owner_of_file(request, where);
  if (owner == nullptr) return api.call(text);
  const auto file = (*owner)["file"].get<std::string>();
  if (!std::string_view(file).ends_with(".json"))
    return refusal("unsupported_file", where + ".file", file, "`" + file + "` is not a file we read here: expected a config.json.");
  std::ifstream stream(file, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) return refusal("file_unreadable", where + ".file", file, "`" + file + "` cannot be read: expected a config.json.");
  Json config = Json::parse(content, nullptr, false);
  // The core says where a text stops being JSON.
  if (config.is_discarded())
    return api.call(Json{{"method", "read_config"}, {"params", {{"text", content}}}}.dump(-1, ' ', false, Json::error_handler_t::replace));
  owner->erase("file");
  (*owner)["config"] = std::move(config);
  return api.call(request.dump());
}

}  // namespace weighbridge

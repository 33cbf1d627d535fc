// SPDX-License-Identifier: Apache-2.0
#include "api_fixture.hpp"

#include <gtest/gtest.h>

#include <string>

#include "embedded.hpp"

namespace weighbridge::testing {

Json parse(std::string_view text) { return Json::parse(text, nullptr, false); }

Api& api() {
  static Api instance = [] {
    Api loaded(reading());
    const Json request{{"method", "catalogue.load"},
                       {"params", {{"models", parse(embedded("models.json"))}, {"devices", parse(embedded("gpus.json"))}}}};
    EXPECT_EQ(parse(loaded.call(request.dump()))["ok"], true);
    return loaded;
  }();
  return instance;
}

Json call(std::string_view method, const Json& params) { return parse(api().call(Json{{"method", method}, {"params", params}}.dump())); }

Json usual_request() {
  return parse(R"({"model":{"id":"deepseek-ai/DeepSeek-R1"},"engine":{"name":"vllm"},"workload":{"context_tokens":32768,"sequences":16},
                   "hardware":[{"device":"h200-sxm","count":8}]})");
}

Json estimate(const Json& params) {
  const Json response = call("estimate", params);
  EXPECT_EQ(response["ok"], true) << response.dump(2);
  return response.value("result", Json::object());
}

Json term(const Json& estimate, std::string_view id) {
  for (const Json& candidate : estimate["devices"][0]["terms"])
    if (candidate["id"] == id) return candidate;
  ADD_FAILURE() << "no term " << id;
  return {};
}

const Json* find_row(const Json& term, std::string_view label) {
  for (const Json& row : term["formula"]["rows"])
    if (row["label"] == label) return &row;
  return nullptr;
}

std::int64_t row_bytes(const Json& term, std::string_view label) {
  const Json* row = find_row(term, label);
  return row != nullptr ? (*row)["bytes"].get<std::int64_t>() : 0;
}

std::int64_t bytes_of(const Json& place, std::string_view id) {
  for (const Json& term : place["terms"])
    if (term["id"] == id) return term["bytes"].get<std::int64_t>();
  return 0;
}

std::int64_t sum_of(const Json& estimate, std::string_view id) {
  std::int64_t sum = bytes_of(estimate["host"], id);
  for (const Json& device : estimate["devices"]) sum += bytes_of(device, id);
  return sum;
}

Json memory(std::int64_t gib, int count) { return Json::array({{{"memory_bytes", gib * kGiBytes}, {"count", count}}}); }

Json llama_cpp_request(const char* model, const Json& hardware, const Json& options) {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", "gguf:Q4_K_M"}}},
          {"engine", {{"name", "llama.cpp"}, {"options", options}}},
          {"workload", {{"context_tokens", 8192}, {"sequences", 1}}},
          {"hardware", hardware}};
}

Json serving_request(const char* engine, const char* model, const char* device, int count, const Json& options) {
  return {{"model", {{"id", model}}},
          {"engine", {{"name", engine}, {"options", options}}},
          {"workload", {{"context_tokens", 4096}, {"sequences", 8}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

Json nearest(Json params) {
  const Json verdict = estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "impossible") << params.dump();
  Json choice = verdict["nearest"];
  if (!choice.is_object()) return choice;
  for (const auto& [key, value] : choice.items())
    if (key == "parallel" && !value.contains("pipeline")) {
      params["hardware"][0]["count"] = value["tensor"];  // as the page takes it: other devices, split as by default
      params.erase("parallel");
    } else if (key == "parallel" || key == "weights" || key == "hardware")
      params[key] = value;
    else if (key == "kv_cache") {
      params[key] = value;
      if (params["engine"].contains("options"))
        for (const char* option : {"kv_cache_dtype", "kv_cache_type", "type_k", "type_v"}) params["engine"]["options"].erase(option);
    } else if (key == "context_tokens" || key == "sequences")
      params["workload"][key] = value;
    else if (key == "engine")
      params[key].update(value);
    else
      params["engine"]["options"][key] = value;
  EXPECT_NE(estimate(params)["verdict"]["class"], "impossible") << params.dump();
  return choice;
}

}  // namespace weighbridge::testing

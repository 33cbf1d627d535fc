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

}  // namespace weighbridge::testing

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge {
namespace {

using testing::Json;

Json catalogue() { return testing::parse(embedded("models.json")); }

Model model_of(const Json& config) {
  Notices warnings;
  Result<Model> model = read_config(config, "config", warnings);
  EXPECT_TRUE(model.has_value()) << config;
  return model ? *model : Model();
}

/// What a spec reads back as.
Result<Model> round_trip(const Model& model) {
  std::vector<std::string> names;
  const Json spec = testing::parse(write_spec(model, names).dump());
  const Result<NameTable> table = read_names(Json(names), "names");
  return read_spec(spec, "spec", *table);
}

TEST(Spec, EveryModelOfTheCatalogueReadsBackAsItself) {
  for (const Json& row : catalogue()["models"]) {
    const Model model = model_of(row["config"]);
    const Result<Model> back = round_trip(model);
    ASSERT_TRUE(back.has_value()) << row["id"] << ": " << back.error().message;
    EXPECT_TRUE(*back == model) << row["id"];
  }
}

TEST(Spec, AnswersAreThoseOfTheConfig) {
  Json request = testing::usual_request();
  const Json config = testing::parse(embedded("deepseek-r1.config.json"));
  request["model"] = {{"config", config}};
  const Json expected = testing::call("estimate", request)["result"];
  request["model"] = {{"spec", testing::call("read_config", {{"config", config}})["result"]["spec"]}};
  EXPECT_EQ(testing::call("estimate", request)["result"], expected);
}

TEST(Spec, APackedCatalogueAnswersWithoutAReaderOfConfigs) {
  const Json packed = testing::call("catalogue.pack", {{"models", catalogue()}})["result"];
  Api counting;
  const Json devices = testing::parse(embedded("gpus.json"));
  const Json load{{"method", "catalogue.load"}, {"params", {{"models", packed}, {"devices", devices}}}};
  ASSERT_EQ(testing::parse(counting.call(load.dump()))["ok"], true);
  const std::string request = Json{{"method", "estimate"}, {"params", testing::usual_request()}}.dump();
  EXPECT_EQ(counting.call(request), testing::api().call(request));
  EXPECT_EQ(counting.call(R"({"method":"catalogue","params":{}})"), testing::api().call(R"({"method":"catalogue","params":{}})"));
}

TEST(Spec, WithoutAReaderAConfigIsAskedForAsASpec) {
  Api counting;
  const Json answer = testing::parse(counting.call(R"({"method":"estimate","params":{"model":{"config":{"model_type":"llama"}}}})"));
  EXPECT_EQ(answer["error"]["code"], "missing_key");
  EXPECT_EQ(answer["error"]["where"], "params.model.spec");
}

/// Sets the value at `path` of a good spec to `value` and expects a refusal.
void expect_refused(const char* path, const Json& value) {
  Json request = testing::usual_request();
  Json spec = testing::call("read_config", {{"config", testing::parse(embedded("deepseek-r1.config.json"))}})["result"]["spec"];
  spec[Json::json_pointer(path)] = value;
  request["model"] = {{"spec", spec}};
  const Json answer = testing::call("estimate", request);
  EXPECT_EQ(answer["ok"], false) << path << " " << value;
  EXPECT_EQ(answer["error"]["code"], "wrong_type") << path << " " << value;
}

TEST(Spec, WhatNoReaderWritesIsRefused) {
  expect_refused("/of/0", -5);
  expect_refused("/of/0", "wide");
  expect_refused("/layers", Json::array());
  expect_refused("/layers/0", 99);
  expect_refused("/layers/1", 100000);
  expect_refused("/kinds/0/0/0", "telepathic");
  expect_refused("/kinds/0/0/1", 1.5);
  expect_refused("/kinds/0/0", {"full", 8, 0, 128, 128});
  expect_refused("/tensors/0/0", 4000);
  expect_refused("/tensors/1/3", 4000);
  expect_refused("/tensors/0/1", 9007199254740993);
  expect_refused("/recipes/0/2", 0);
  expect_refused("/names/0", 7);
  expect_refused("/architecture", Json());
}

}  // namespace
}  // namespace weighbridge

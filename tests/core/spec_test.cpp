// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::spec_test {
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
  const Json all = catalogue();
  for (const Json& row : all["models"]) {
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

/// A build without readers, with the packed catalogue.
Api counting_api(const Json& packed) {
  Api counting;
  const Json load{{"method", "catalogue.load"}, {"params", {{"models", packed["models"]}, {"devices", testing::parse(embedded("gpus.json"))}}}};
  EXPECT_EQ(testing::parse(counting.call(load.dump()))["ok"], true);
  return counting;
}

/// The spec of one model of the packed catalogue, ready for a request.
Json spec_of(const Json& packed, const std::string& id) {
  const Json& rows = packed["models"]["models"];
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Json& known) { return known["id"] == id; });
  Json spec = packed["specs"]["specs"][packed["specs"]["of"][static_cast<std::size_t>(row - rows.begin())].get<std::size_t>()];
  spec["names"] = packed["specs"]["names"];
  return spec;
}

TEST(Spec, APackedCatalogueListsModelsWithoutAReaderOfConfigs) {
  Api counting = counting_api(testing::call("catalogue.pack", {{"models", catalogue()}})["result"]);
  Json counted = testing::parse(counting.call(R"({"method":"catalogue","params":{}})"));
  Json read = testing::call("catalogue", Json::object());
  EXPECT_EQ(counted["result"]["architectures"], Json::array());  // only a build that reads configs knows any
  EXPECT_GT(read["result"]["architectures"].size(), 200U);
  for (Json* answer : {&counted, &read}) (*answer)["result"].erase("architectures");
  EXPECT_EQ(counted, read);
}

TEST(Spec, AListedModelIsCountedByTheSpecThatARequestBrings) {
  const Json packed = testing::call("catalogue.pack", {{"models", catalogue()}})["result"];
  Api counting = counting_api(packed);
  Json request = testing::usual_request();
  const std::string expected = testing::api().call(Json{{"method", "estimate"}, {"params", request}}.dump());
  EXPECT_EQ(testing::parse(counting.call(Json{{"method", "estimate"}, {"params", request}}.dump()))["error"]["where"], "params.model.spec");
  request["model"]["spec"] = spec_of(packed, "deepseek-ai/DeepSeek-R1");
  EXPECT_EQ(counting.call(Json{{"method", "estimate"}, {"params", request}}.dump()), expected);
}

TEST(Spec, AListedModelTakesItsSpecOnce) {
  const Json packed = testing::call("catalogue.pack", {{"models", catalogue()}})["result"];
  Api counting = counting_api(packed);
  const auto call = [&](const char* method, const Json& params) { return counting.call(Json{{"method", method}, {"params", params}}.dump()); };
  const Json request = testing::usual_request();
  const std::string expected = testing::api().call(Json{{"method", "estimate"}, {"params", request}}.dump());
  const std::string id = "deepseek-ai/DeepSeek-R1";
  EXPECT_EQ(testing::parse(call("catalogue.spec", {{"id", id}, {"spec", spec_of(packed, id)}}))["result"]["id"], id);
  EXPECT_EQ(call("estimate", request), expected);
  EXPECT_EQ(call("estimate", request), expected) << "what is kept between calls changes no answer";

  EXPECT_EQ(testing::parse(call("catalogue.spec", {{"id", id}, {"spec", {{"of", 1}}}}))["error"]["where"], "params.spec.names");
  EXPECT_EQ(testing::parse(call("catalogue.spec", {{"id", "no/model"}, {"spec", spec_of(packed, id)}}))["error"]["code"], "unknown_model");
  EXPECT_EQ(testing::parse(call("catalogue.spec", {{"spec", spec_of(packed, id)}}))["error"]["where"], "params.id");
  EXPECT_EQ(call("estimate", request), expected) << "what was refused changed nothing";
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
}  // namespace weighbridge::spec_test

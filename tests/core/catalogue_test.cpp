// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "api_fixture.hpp"
#include "embedded.hpp"

namespace weighbridge {
namespace {

using testing::Json;

Json models() { return testing::parse(embedded("models.json"))["models"]; }
Json devices() { return testing::parse(embedded("gpus.json"))["devices"]; }

TEST(CatalogueData, NamesAreUnique) {
  for (const Json& rows : {models(), devices()}) {
    std::set<std::string> names;
    for (const Json& row : rows) {
      EXPECT_TRUE(names.insert(row["id"].get<std::string>()).second) << row["id"];
      if (row["slug"] != row["id"]) {
        EXPECT_TRUE(names.insert(row["slug"].get<std::string>()).second) << row["slug"];
      }
      for (const Json& alias : row["aliases"]) EXPECT_TRUE(names.insert(alias.get<std::string>()).second) << alias;
    }
  }
}

TEST(CatalogueData, EveryRowNamesItsSources) {
  for (const Json& model : models()) EXPECT_FALSE(model["sources"].empty()) << model["id"];
  for (const Json& device : devices()) {
    EXPECT_FALSE(device["memory"]["runtime_source"].get<std::string>().empty()) << device["id"];
    EXPECT_FALSE(device["memory"]["driver_source"].get<std::string>().empty()) << device["id"];
    EXPECT_FALSE(device["bandwidth_source"].get<std::string>().empty()) << device["id"];
  }
}

TEST(CatalogueData, TheRuntimeNeverSeesMoreThanTheDriverReports) {
  for (const Json& device : devices()) EXPECT_LE(device["memory"]["runtime_mib"].get<double>(), device["memory"]["driver_mib"].get<double>()) << device["id"];
}

TEST(CatalogueData, PublishedParameterCountsComeOut) {
  int checked = 0;
  for (const Json& model : models()) {
    const Json published = model.value("published", Json());
    if (!published.is_object() || !published.contains("parameters")) continue;
    const Json answer = testing::call("read_config", {{"config", model["config"]}})["result"]["model"];
    EXPECT_EQ(answer["parameters"]["stored"], published["parameters"]) << model["id"];
    ++checked;
  }
  EXPECT_GE(checked, 4);
}

TEST(CatalogueData, TheFirstModelsAndDevicesAreThere) {
  for (const char* id : {"deepseek-r1", "deepseek-r1-0528", "deepseek-v3", "deepseek-r1-distill-qwen-1.5b", "deepseek-r1-distill-qwen-7b", "deepseek-r1-distill-qwen-14b",
                         "deepseek-r1-distill-qwen-32b", "deepseek-r1-distill-llama-8b", "deepseek-r1-distill-llama-70b", "deepseek-r1-0528-qwen3-8b",
                         "article-7b", "article-13b", "article-30b"}) {
    Json params = testing::usual_request();
    params["model"]["id"] = id;
    params["workload"]["context_tokens"] = 1024;
    EXPECT_EQ(testing::call("estimate", params)["ok"], true) << id;
  }
  EXPECT_GE(devices().size(), 15U);
}

TEST(Catalogue, NamesAreFoundWithoutRegardToCase) {
  Json params = testing::usual_request();
  params["model"]["id"] = "DEEPSEEK-R1";
  params["hardware"][0]["device"] = "H200";
  EXPECT_EQ(testing::estimate(params)["model"]["id"], "deepseek-ai/DeepSeek-R1");
}

TEST(Catalogue, ABadFileChangesNothing) {
  const Json bad = testing::call("catalogue.load", {{"models", {{"models", Json::array({Json::object()})}}}, {"devices", {{"devices", Json::array()}}}});
  EXPECT_EQ(bad["ok"], false);
  EXPECT_EQ(testing::call("estimate", testing::usual_request())["ok"], true);
}

}  // namespace
}  // namespace weighbridge

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
    if (published.contains("checkpoint_bytes")) {
      EXPECT_EQ(answer["checkpoint_bytes"], published["checkpoint_bytes"]) << model["id"];
    }
    ++checked;
  }
  EXPECT_GE(checked, 34);
}

// Ids and slugs stand in links: none may ever change or go.
TEST(CatalogueData, WellKnownModelsAreThere) {
  for (const char* id :
       {"meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct", "meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.1-405B-Instruct",
        "meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.2-3B-Instruct", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-14B-Instruct",
        "Qwen/Qwen2.5-32B-Instruct", "Qwen/Qwen2.5-72B-Instruct", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "Qwen/Qwen3-4B", "Qwen/Qwen3-8B", "Qwen/Qwen3-14B",
        "Qwen/Qwen3-32B", "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-Instruct-2507",
        "Qwen/Qwen3-Coder-30B-A3B-Instruct", "Qwen/Qwen3-Coder-480B-A35B-Instruct", "mistralai/Mistral-7B-Instruct-v0.3",
        "mistralai/Mistral-Small-24B-Instruct-2501", "mistralai/Mixtral-8x7B-Instruct-v0.1", "mistralai/Mixtral-8x22B-Instruct-v0.1", "google/gemma-2-2b-it",
        "google/gemma-2-9b-it", "google/gemma-2-27b-it", "google/gemma-3-1b-it", "google/gemma-3-4b-it", "google/gemma-3-12b-it", "google/gemma-3-27b-it",
        "openai/gpt-oss-20b", "openai/gpt-oss-120b", "zai-org/GLM-4.5", "zai-org/GLM-4.5-Air", "zai-org/GLM-4.6", "microsoft/phi-4",
        "microsoft/Phi-4-mini-instruct"}) {
    Json params = testing::usual_request();
    params["model"]["id"] = id;
    params["workload"]["context_tokens"] = 1024;
    params["parallel"] = {{"tensor", 1}};
    params["hardware"][0]["count"] = 1;
    EXPECT_EQ(testing::estimate(params)["model"]["id"], id);
  }
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

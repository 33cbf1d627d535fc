// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>

#include "api_fixture.hpp"
#include "embedded.hpp"

namespace weighbridge::catalogue_test {
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
}

TEST(CatalogueData, ALimitThatCanBeRaisedNamesItsCommandAndItsSource) {
  int raised = 0;
  for (const Json& device : devices()) {
    const Json& memory = device["memory"];
    if (device["backend"] == "metal") {
      EXPECT_TRUE(memory.contains("raised_limit_mib")) << device["id"];
    }
    if (!memory.contains("raised_limit_mib")) continue;
    ++raised;
    EXPECT_EQ(memory["runtime_mib"], memory["default_limit_mib"]) << device["id"];
    EXPECT_LT(memory["default_limit_mib"].get<double>(), memory["raised_limit_mib"].get<double>()) << device["id"];
    EXPECT_LT(memory["raised_limit_mib"].get<double>(), memory["driver_mib"].get<double>()) << device["id"];
    EXPECT_FALSE(memory["raise_command"].get<std::string>().empty()) << device["id"];
    EXPECT_FALSE(memory["limit_source"].get<std::string>().empty()) << device["id"];
  }
  EXPECT_GE(raised, 10);
}

TEST(CatalogueData, WellKnownDevicesAreThere) {
  for (const char* id : {"rtx-3060-12gb",
                         "rtx-3080-10gb",
                         "rtx-4060-ti-16gb",
                         "rtx-4070-ti-super",
                         "rtx-4080",
                         "rtx-4090-laptop",
                         "rtx-5060-ti-16gb",
                         "rtx-5070-ti",
                         "rtx-5080",
                         "rtx-a6000",
                         "rtx-6000-ada",
                         "rtx-pro-6000-blackwell-ws",
                         "a10g",
                         "a40",
                         "v100-sxm2-32gb",
                         "tesla-p40",
                         "gb10-dgx-spark",
                         "rx-7900-xtx",
                         "rx-9070-xt",
                         "mi250x",
                         "mi300x",
                         "mi325x",
                         "ryzen-ai-max-395-128gb",
                         "arc-b580",
                         "apple-m1-max-64gb",
                         "apple-m2-ultra-192gb",
                         "apple-m3-max-128gb",
                         "apple-m3-ultra-256gb",
                         "apple-m3-ultra-512gb",
                         "apple-m4-pro-48gb",
                         "apple-m4-pro-64gb",
                         "apple-m4-max-64gb",
                         "apple-m4-max-128gb"}) {
    Json params = testing::usual_request();
    params["model"]["id"] = "Qwen/Qwen3-0.6B";
    params["hardware"] = Json::array({{{"device", id}, {"count", 1}}});
    EXPECT_EQ(testing::estimate(params)["request"]["hardware"][0]["device"], id);
  }
}

TEST(CatalogueData, PublishedParameterCountsComeOut) {
  int checked = 0;
  for (const Json& model : models()) {
    const Json published = model.value("published", Json());
    if (!published.is_object() || !published.contains("parameters") || model.contains("miss")) continue;
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
  for (const char* id : {"meta-llama/Llama-3.1-8B-Instruct",
                         "meta-llama/Llama-3.1-70B-Instruct",
                         "meta-llama/Llama-3.3-70B-Instruct",
                         "meta-llama/Llama-3.1-405B-Instruct",
                         "meta-llama/Llama-3.2-1B-Instruct",
                         "meta-llama/Llama-3.2-3B-Instruct",
                         "Qwen/Qwen2.5-7B-Instruct",
                         "Qwen/Qwen2.5-14B-Instruct",
                         "Qwen/Qwen2.5-32B-Instruct",
                         "Qwen/Qwen2.5-72B-Instruct",
                         "Qwen/Qwen3-0.6B",
                         "Qwen/Qwen3-1.7B",
                         "Qwen/Qwen3-4B",
                         "Qwen/Qwen3-8B",
                         "Qwen/Qwen3-14B",
                         "Qwen/Qwen3-32B",
                         "Qwen/Qwen3-30B-A3B",
                         "Qwen/Qwen3-30B-A3B-Instruct-2507",
                         "Qwen/Qwen3-235B-A22B",
                         "Qwen/Qwen3-235B-A22B-Instruct-2507",
                         "Qwen/Qwen3-Coder-30B-A3B-Instruct",
                         "Qwen/Qwen3-Coder-480B-A35B-Instruct",
                         "mistralai/Mistral-7B-Instruct-v0.3",
                         "mistralai/Mistral-Small-24B-Instruct-2501",
                         "mistralai/Mixtral-8x7B-Instruct-v0.1",
                         "mistralai/Mixtral-8x22B-Instruct-v0.1",
                         "google/gemma-2-2b-it",
                         "google/gemma-2-9b-it",
                         "google/gemma-2-27b-it",
                         "google/gemma-3-1b-it",
                         "google/gemma-3-4b-it",
                         "google/gemma-3-12b-it",
                         "google/gemma-3-27b-it",
                         "openai/gpt-oss-20b",
                         "openai/gpt-oss-120b",
                         "zai-org/GLM-4.5",
                         "zai-org/GLM-4.5-Air",
                         "zai-org/GLM-4.6",
                         "microsoft/phi-4",
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
  for (const char* id : {"deepseek-r1", "deepseek-r1-0528", "deepseek-v3", "deepseek-r1-distill-qwen-1.5b", "deepseek-r1-distill-qwen-7b",
                         "deepseek-r1-distill-qwen-14b", "deepseek-r1-distill-qwen-32b", "deepseek-r1-distill-llama-8b",
                         "deepseek-r1-distill-llama-70b", "deepseek-r1-0528-qwen3-8b", "article-7b", "article-13b", "article-30b"}) {
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

TEST(Catalogue, TheWireTellsTheLimitsOfUnifiedMemory) {
  const Json catalogue = testing::call("catalogue", Json::object())["result"];
  for (const Json& device : catalogue["devices"]) {
    if (device["id"] != "apple-m4-max-128gb") continue;
    EXPECT_EQ(device["backend"], "metal");
    EXPECT_EQ(device["default_limit_bytes"], 98304LL << 20);
    EXPECT_EQ(device["raised_limit_bytes"], 122880LL << 20);
    EXPECT_EQ(device["raise_command"], "sudo sysctl iogpu.wired_limit_mb=122880");
    return;
  }
  FAIL() << "no M4 Max";
}

TEST(Catalogue, AnUnknownBackendIsRefused) {
  const Json device = testing::parse(R"({"id":"x","slug":"x","backend":"opencl","memory":{"runtime_mib":1024}})");
  const Json bad = testing::call("catalogue.load", {{"models", {{"models", Json::array()}}}, {"devices", {{"devices", Json::array({device})}}}});
  EXPECT_EQ(bad["error"]["code"], "unknown_backend");
}

TEST(Catalogue, ABadFileChangesNothing) {
  const Json bad = testing::call("catalogue.load",
                                 {{"models", {{"models", Json::array({Json::object()})}}}, {"devices", {{"devices", Json::array()}}}});
  EXPECT_EQ(bad["ok"], false);
  EXPECT_EQ(testing::call("estimate", testing::usual_request())["ok"], true);
}

}  // namespace
}  // namespace weighbridge::catalogue_test

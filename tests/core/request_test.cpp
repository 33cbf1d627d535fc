// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "embedded.hpp"

namespace weighbridge::request_test {
namespace {

using testing::Json;

Json error_of(const Json& params) {
  const Json response = testing::call("estimate", params);
  EXPECT_EQ(response["ok"], false) << response.dump();
  return response.value("error", Json::object());
}

TEST(Request, AConfigGivesTheSameAnswerAsTheCatalogue) {
  Json params = testing::usual_request();
  const Json named = testing::estimate(params);
  params["model"] = {{"config", testing::parse(embedded("deepseek-r1.config.json"))}};
  const Json given = testing::estimate(params);
  EXPECT_EQ(given["devices"], named["devices"]);
}

TEST(Request, TokensOutOfRangeAreNamed) {
  Json params = testing::usual_request();
  for (const Json& tokens : {Json(0), Json(1'000'000'000), Json(-1), Json(163841)}) {
    params["workload"]["context_tokens"] = tokens;
    const Json error = error_of(params);
    EXPECT_EQ(error["code"], "out_of_range");
    EXPECT_EQ(error["where"], "params.workload.context_tokens");
    EXPECT_EQ(error["values"]["key"], "context_tokens");
    EXPECT_EQ(error["values"]["value"], tokens.dump());
    EXPECT_EQ(error["values"]["expected"], "a whole number from 1 to 163,840");
  }
}

TEST(Request, UnknownNamesAreRefusedWithTheKnownOnes) {
  Json params = testing::usual_request();
  params["model"]["id"] = "someone/else";
  EXPECT_EQ(error_of(params)["code"], "unknown_model");
  params = testing::usual_request();
  params["hardware"][0]["device"] = "h300";
  EXPECT_EQ(error_of(params)["code"], "unknown_device");
  EXPECT_EQ(error_of(params)["where"], "params.hardware[0].device");
  params = testing::usual_request();
  params["engine"]["name"] = "abacus";
  EXPECT_EQ(error_of(params)["code"], "unknown_engine");
  params = testing::usual_request();
  params["weights"]["format"] = "int3";
  EXPECT_EQ(error_of(params)["code"], "unknown_format");
}

TEST(Request, NoMoreIsInUseThanThereIs) {
  Json params = testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"device", "rtx-4090"}, {"used_bytes", 64LL << 30}}}));
  params["host"] = {{"memory_bytes", 32LL << 30}, {"used_bytes", 33LL << 30}};
  const Json response = testing::call("estimate", params);
  ASSERT_EQ(response["ok"], true) << response.dump();
  const Json& device = response["result"]["devices"][0];
  EXPECT_EQ(device["used_bytes"], device["runtime_bytes"]);
  EXPECT_EQ(device["capacity_bytes"], 0);
  ASSERT_EQ(response["warnings"].size(), 2U) << response["warnings"].dump();
  EXPECT_EQ(response["warnings"][0]["code"], "used_capped");
  EXPECT_EQ(response["warnings"][0]["where"], "params.hardware[0].used_bytes");
  EXPECT_EQ(response["warnings"][0]["values"]["value"], "64.00");
  EXPECT_EQ(response["warnings"][1]["where"], "params.host.used_bytes");
  EXPECT_EQ(response["result"]["request"]["host"]["used_bytes"], 32LL << 30);
  // A model that runs there says it no second time.
  params["hardware"][0]["used_bytes"] = 25LL << 30;
  params["host"] = nullptr;
  params["running"] = Json::array({{{"model", {{"id", "Qwen/Qwen3-0.6B"}}}, {"engine", {{"name", "llama.cpp"}}}}});
  EXPECT_EQ(testing::call("estimate", params)["warnings"].size(), 1U);
}

TEST(Request, ADeviceByHandIsCalledByItsMemory) {
  Json params = testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"memory_bytes", 24LL << 30}}}));
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["devices"][0]["device_name"], "24 GiB GPU");
  params["hardware"] = result["request"]["hardware"];
  EXPECT_EQ(testing::estimate(params)["devices"], result["devices"]);
  params["hardware"][0]["name"] = "Prototype";
  EXPECT_EQ(testing::estimate(params)["devices"][0]["device_name"], "Prototype");
}

TEST(Request, WhatWindowsTakesIsSaidToBeUnknown) {
  Json params = testing::usual_request();
  for (const auto& [system, warnings] : {std::pair{"linux", 0U}, std::pair{"windows", 1U}}) {
    params["host"] = {{"os", system}};
    const Json response = testing::call("estimate", params);
    ASSERT_EQ(response["warnings"].size(), warnings) << response["warnings"].dump();
    for (const Json& warning : response["warnings"]) EXPECT_EQ(warning["code"], "os_not_counted");
  }
}

TEST(Request, AnUnknownKeyIsAWarningNotAnError) {
  Json params = testing::usual_request();
  params["colour"] = "blue";
  params["engine"]["options"]["colour"] = "blue";
  const Json response = testing::call("estimate", params);
  EXPECT_EQ(response["ok"], true);
  ASSERT_EQ(response["warnings"].size(), 2U);
  EXPECT_EQ(response["warnings"][0]["code"], "unknown_key");
  EXPECT_EQ(response["warnings"][1]["where"], "params.engine.options.colour");
}

TEST(Request, ADeviceWeDoNotKnowIsCountedByItsMemory) {
  Json params = testing::usual_request();
  params["hardware"] = Json::array({{{"memory_bytes", 150'000'000'000}, {"count", 8}}});
  EXPECT_EQ(testing::estimate(params)["devices"][0]["capacity_bytes"], 150'000'000'000);
}

TEST(Request, WhatWasCountedIsSaid) {
  const Json counted = testing::estimate(testing::usual_request())["request"];
  EXPECT_EQ(counted["parallel"]["tensor"], 8);
  EXPECT_EQ(counted["weights"]["format"], "checkpoint");
  EXPECT_EQ(counted["engine"]["version"], "0.28");
}

TEST(Request, EngineOptionsWinOverTheWorkload) {
  Json params = testing::usual_request();
  params["engine"]["options"] = {{"max_model_len", 1024}, {"max_num_seqs", 2}};
  const Json workload = testing::estimate(params)["request"]["workload"];
  EXPECT_EQ(workload["context_tokens"], 1024);
  EXPECT_EQ(workload["sequences"], 2);
}

TEST(Request, NoDeviceIsAnAnswerNotAnError) {
  Json params = testing::usual_request();
  params["hardware"] = Json::array();
  const Json result = testing::estimate(params);
  EXPECT_EQ(result["verdict"]["class"], "impossible");
  EXPECT_TRUE(result["devices"].empty());
}

TEST(Api, BrokenJsonIsAnsweredWithItsPlace) {
  const Json response = testing::parse(testing::api().call("{\n  \"method\": 'estimate'\n}"));
  EXPECT_EQ(response["ok"], false);
  EXPECT_EQ(response["error"]["code"], "invalid_json");
  EXPECT_EQ(response["error"]["values"]["key"], "line 2, column 13");
}

TEST(Api, AnythingGetsAnAnswer) {
  for (const char* text : {"", "null", "[]", "7", "{}", R"({"method":7})", R"({"method":"estimate"})", R"({"method":"estimate","params":[]})",
                           R"({"method":"estimate","params":{"model":[],"hardware":{}}})", R"({"method":"share.decode","params":{"hash":7}})",
                           R"({"method":"sweep","params":{"request":7}})", "\xff\xfe", R"({"method":"read_config","params":{"text":"\u0000"}})"}) {
    const Json response = testing::parse(testing::api().call(text));
    EXPECT_EQ(response["ok"], false) << text;
    EXPECT_FALSE(response["error"]["message"].get<std::string>().empty()) << text;
  }
}

TEST(Api, DeepNestingAndHugeTextsAreRefused) {
  EXPECT_EQ(testing::parse(testing::api().call(std::string(100'000, '[')))["error"]["code"], "too_large");
  EXPECT_EQ(testing::parse(testing::api().call(std::string(5'000'000, ' ')))["error"]["code"], "too_large");
}

TEST(Hardware, ARaisedLimitIsTheCapacityWhereThereIsOne) {
  const auto request = [](const char* device) {
    return testing::Json{{"model", {{"id", "qwen3-8b"}}},
                         {"weights", {{"format", "gguf:Q4_K_M"}}},
                         {"engine", {{"name", "llama.cpp"}}},
                         {"workload", {{"context_tokens", 4096}, {"sequences", 1}}},
                         {"hardware", testing::Json::array({{{"device", device}, {"raised_limit", true}}})}};
  };
  EXPECT_EQ(testing::estimate(request("m4-max-64gb"))["devices"][0]["capacity_bytes"], std::int64_t{56} << 30);
  EXPECT_EQ(testing::call("estimate", request("rtx-4090"))["error"]["code"], "no_raised_limit");
}

}  // namespace
}  // namespace weighbridge::request_test

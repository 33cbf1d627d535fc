// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::running_test {
namespace {

using testing::Json;
using testing::kGiBytes;

Json without_hardware(Json request) {
  request.erase("hardware");
  return request;
}

Json small_model() {
  Json item = without_hardware(testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array()));
  item["workload"]["context_tokens"] = 4096;
  return item;
}

Json large_model(std::int64_t used_bytes = 0) {
  return testing::llama_cpp_request("Qwen/Qwen3-30B-A3B", Json::array({{{"device", "rtx-4090"}, {"count", 1}, {"used_bytes", used_bytes}}}));
}

std::int64_t number(const Json& object, const char* key) { return object.at(key).get<std::int64_t>(); }

TEST(Running, ModelsTakeWhatTheySurelyNeedOfTheSameDevices) {
  Json request = large_model(kGiBytes);
  Json alone = small_model();
  alone["hardware"] = request["hardware"];
  const std::int64_t taken = number(testing::estimate(alone)["devices"][0], "high_bytes");
  request["running"] = Json::array({small_model()});
  const Json beside = testing::estimate(request);
  const Json& device = beside["devices"][0];
  EXPECT_EQ(device["running"],
            Json::array({{{"id", "Qwen/Qwen3-8B"}, {"name", "Qwen3-8B"}, {"engine", "llama.cpp"}, {"weights", "gguf:Q4_K_M"}, {"bytes", taken}}}));
  EXPECT_EQ(number(device, "used_bytes"), kGiBytes + taken);
  EXPECT_EQ(number(device, "capacity_bytes"), number(device, "runtime_bytes") - kGiBytes - taken);
  // As if so many bytes had been given.
  const Json given = testing::estimate(large_model(kGiBytes + taken));
  EXPECT_EQ(beside["verdict"], given["verdict"]);
  EXPECT_EQ(beside["max_context_tokens"], given["max_context_tokens"]);
  EXPECT_EQ(device["terms"], given["devices"][0]["terms"]);
  // What was asked is said again, and is asked again with the same answer.
  EXPECT_EQ(beside["request"]["hardware"][0]["used_bytes"], kGiBytes);
  EXPECT_EQ(testing::estimate(beside["request"])["devices"], beside["devices"]);
}

TEST(Running, AnEngineThatReservesAPoolTakesThePool) {
  Json request = large_model();
  Json server = without_hardware(testing::serving_request("vllm", "Qwen/Qwen3-0.6B", "rtx-4090", 1, {{"gpu_memory_utilization", 0.3}}));
  request["running"] = Json::array({server});
  const Json device = testing::estimate(request)["devices"][0];
  server["hardware"] = request["hardware"];
  const Json pool = testing::estimate(server)["devices"][0];
  // 30 % of the card, whatever 0.6 billion parameters need, and the driver's part of it beside.
  std::int64_t outside = 0;
  for (const Json& term : pool["terms"])
    if (term["inside_limit"] == false) outside += number(term, "high_bytes");
  EXPECT_EQ(number(device["running"][0], "bytes"), static_cast<std::int64_t>(0.3 * static_cast<double>(number(device, "runtime_bytes"))) + outside);
  EXPECT_GT(number(device["running"][0], "bytes"), number(pool, "total_bytes"));
}

TEST(Running, EachModelFindsTheDevicesAsTheOneBeforeLeftThem) {
  Json request = large_model();
  Json second = small_model();
  second["name"] = "the assistant";
  request["running"] = Json::array({small_model(), second});
  const Json device = testing::estimate(request)["devices"][0];
  EXPECT_EQ(device["running"][1]["name"], "the assistant");
  EXPECT_EQ(number(device, "used_bytes"), number(device["running"][0], "bytes") + number(device["running"][1], "bytes"));
  // Three of 6 GB and one of 18 are more than a card of 24.
  request["running"].push_back(small_model());
  request["running"].push_back(testing::parse(large_model().dump()));
  request["running"][3].erase("hardware");
  const Json refused = testing::call("estimate", request);
  EXPECT_EQ(refused["error"]["code"], "running_does_not_fit") << refused.dump();
  EXPECT_EQ(refused["error"]["where"], "params.running[3]");
}

TEST(Running, LayersInSystemMemoryAreTakenOffTheHost) {
  Json request = large_model();
  request["host"] = {{"memory_bytes", 64 * kGiBytes}};
  const std::int64_t before = number(testing::estimate(request)["host"], "capacity_bytes");
  Json split = without_hardware(testing::llama_cpp_request("meta-llama/Llama-3.3-70B-Instruct", Json::array()));
  split["offload"] = {{"gpu_layers", 5}};
  request["running"] = Json::array({split});
  const Json host = testing::estimate(request)["host"];
  EXPECT_GT(number(host, "running_bytes"), 35 * kGiBytes);  // 76 of 81 layers of 39.6 GiB
  EXPECT_EQ(number(host, "capacity_bytes"), before - std::min(before, number(host, "running_bytes")));
}

TEST(Running, ErrorsNameTheModelThatTheyAreAbout) {
  const auto where = [](const Json& item) {
    Json request = large_model();
    request["running"] = Json::array({small_model(), item});
    const Json response = testing::call("estimate", request);
    EXPECT_EQ(response["ok"], false) << item.dump();
    return response["error"].value("where", "");
  };
  const auto changed = [](const char* patch) {
    Json item = small_model();
    item.merge_patch(testing::parse(patch));
    return item;
  };
  EXPECT_EQ(where(5), "params.running[1]");
  EXPECT_EQ(where(changed(R"({"model":{"id":"nobody/nothing"}})")), "params.running[1].model.id");
  EXPECT_EQ(where(changed(R"({"model":null})")), "params.running[1].model");
  EXPECT_EQ(where(changed(R"({"weights":{"format":"q9"}})")), "params.running[1].weights.format");
  EXPECT_EQ(where(changed(R"({"engine":{"name":"nobody"}})")), "params.running[1].engine.name");
  EXPECT_EQ(where(changed(R"({"workload":{"context_tokens":0}})")), "params.running[1].workload.context_tokens");
  EXPECT_EQ(where(changed(R"({"engine":{"name":"vllm"},"weights":{"format":"checkpoint"},"parallel":{"tensor":2}})")), "params.running[1].parallel");
  Json request = large_model();
  request["running"] = 7;
  EXPECT_EQ(testing::call("estimate", request)["error"]["where"], "params.running");
  request["running"] = Json::array({changed(R"({"colour":1})")});
  EXPECT_EQ(testing::call("estimate", request)["warnings"][0]["where"], "params.running[0].colour");
}

TEST(Running, OtherDevicesAreFreeAndMoreOfTheSameAreSharedAnew) {
  Json request = large_model();
  request["weights"]["format"] = "gguf:Q8_0";
  request["running"] = Json::array({small_model()});
  const Json rows = testing::call("compare_devices", {{"request", request}, {"devices", {"rtx-5090", "rtx-4090"}}})["result"]["rows"];
  for (const Json& row : rows) EXPECT_TRUE(row["patch"].contains("running") && row["patch"]["running"].is_null());
  const Json answer = testing::call("solve", {{"find", "devices"}, {"request", request}})["result"];
  Json patched = request;
  patched.merge_patch(answer["patch"]);
  const Json result = testing::estimate(patched);
  EXPECT_EQ(result["verdict"], answer["verdict"]);
  EXPECT_EQ(result["devices"][0]["running"].size(), 1U);
  // 8 billion parameters in 4 bits over two cards take half of each.
  EXPECT_EQ(answer["value"], 2);
  EXPECT_LT(number(result["devices"][0]["running"][0], "bytes"), number(testing::estimate(request)["devices"][0]["running"][0], "bytes") * 2 / 3);
}

TEST(Running, ALinkCarriesEachModelAsALinkOfItsOwn) {
  Json request = large_model();
  Json server = without_hardware(testing::serving_request("vllm", "Qwen/Qwen3-0.6B", "rtx-4090", 1, {{"gpu_memory_utilization", 0.3}}));
  request["running"] = Json::array({small_model(), server});
  const Json hash = testing::call("share.encode", {{"request", request}})["result"]["hash"];
  const Json read = testing::call("share.decode", {{"hash", hash}})["result"];
  EXPECT_TRUE(read["notices"].empty() && read["kept"].empty()) << hash;
  EXPECT_EQ(testing::estimate(read["request"])["devices"], testing::estimate(request)["devices"]) << hash;
  EXPECT_EQ(testing::call("share.encode", {{"request", read["request"]}})["result"]["hash"], hash);
  // A model of Hugging Face has to be read first, as anywhere.
  const Json hub = testing::call("share.decode", {{"hash", "v=1&m=qwen3-8b&run.1=hf%3Downer/name"}})["result"]["request"];
  EXPECT_EQ(testing::call("estimate", hub)["error"]["where"], "params.running[0].model.hub");
}

TEST(Running, WhatAServerMayKeepOfPromptsIsNoRefusal) {
  // A server beside may fill 8 GiB with earlier prompts, which can be set; this model surely runs all the same.
  Json small = testing::llama_cpp_request("Qwen/Qwen3-0.6B", Json::array({{{"device", "rtx-4090"}, {"count", 1}}}));
  small["weights"]["format"] = "gguf:Q8_0";
  small["host"] = {{"memory_bytes", 8 * kGiBytes}};
  small["running"] = Json::array({without_hardware(small)});
  small["running"][0].erase("host");
  EXPECT_EQ(testing::estimate(small)["verdict"]["class"], "fits");
}

TEST(Running, IsAList) {
  Json request = large_model();
  request["running"] = Json::object();
  EXPECT_EQ(testing::call("estimate", request)["error"]["where"], "params.running");
}

}  // namespace
}  // namespace weighbridge::running_test

// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/advise.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "advise/relatives.hpp"
#include "api_fixture.hpp"
#include "embedded.hpp"
#include "method.hpp"
#include "weighbridge/api.hpp"

namespace weighbridge::advise_test {
namespace {

using testing::Json;

Json advice(const Json& request) {
  const Json response = testing::call("advise", request);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response["result"];
}

Json asked(const char* engine, const char* model, const char* device, int count, int context, int sequences, const char* format = "checkpoint") {
  return {{"model", {{"id", model}}},
          {"weights", {{"format", format}}},
          {"engine", {{"name", engine}}},
          {"workload", {{"context_tokens", context}, {"sequences", sequences}}},
          {"hardware", Json::array({{{"device", device}, {"count", count}}})}};
}

// gpt-oss is published in mxfp4, which a GGUF keeps as it is: 60.5 GiB of 120b, where Q4_K_M has 83.5 and loses something.
TEST(Advice, WeightsThatAGgufKeepsAsTheyArePublishedComeFirst) {
  for (const char* format : {"checkpoint", "gguf:Q4_K_M"}) {
    Json request = asked("llama.cpp", "openai/gpt-oss-120b", "h100-sxm", 1, 8192, 1, format);
    const Json row = advice(request)["rows"][0];
    ASSERT_EQ(row["changes"].size(), 1U) << row.dump();
    EXPECT_EQ(row["changes"][0]["to"], "gguf:MXFP4_MOE");
    EXPECT_EQ(row["changes"][0]["price"], "as_published");
    EXPECT_EQ(row["verdict"]["class"], "fits");
    const Json list = advice(request);
    for (const Json& other : list["rows"])
      for (const Json& change : other["changes"]) EXPECT_NE(change["to"], "gguf:Q8_0") << other.dump();
  }
  Json request = asked("llama.cpp", "openai/gpt-oss-120b", "rtx-4090", 1, 8192, 1);
  request["host"] = {{"memory_bytes", 64 * testing::kGiBytes}};
  const Json shared = advice(request)["rows"][0];
  EXPECT_EQ(shared["changes"][0]["strategy"], "experts");
  EXPECT_EQ(shared["changes"][1]["to"], "gguf:MXFP4_MOE");
  request = asked("llama.cpp", "Qwen/Qwen3-235B-A22B", "h100-sxm", 1, 8192, 1, "gguf:Q8_0");
  EXPECT_EQ(advice(request).dump().find("MXFP4"), std::string::npos);
}

TEST(Advice, MoreDevicesStandInALayoutInWhichTheyAreEnough) {
  const Json list = advice(asked("vllm", "deepseek-ai/DeepSeek-R1", "h100-sxm", 8, 32768, 16));
  const auto row = std::find_if(list["rows"].begin(), list["rows"].end(),
                                [](const Json& each) { return each["changes"].size() == 1 && each["changes"][0]["strategy"] == "devices"; });
  ASSERT_NE(row, list["rows"].end()) << list.dump();
  EXPECT_EQ((*row)["changes"][0]["to"], 16);
  EXPECT_EQ((*row)["patch"]["parallel"], Json({{"tensor", 8}, {"pipeline", 2}, {"data", 1}, {"expert", false}}));
  EXPECT_EQ((*row)["verdict"]["class"], "fits");
}

/// Too large, tight, refused and roomy, under every kind of engine.
std::vector<Json> many_requests() {
  std::vector<Json> requests{asked("vllm", "deepseek-ai/DeepSeek-R1", "h200-sxm", 8, 32768, 16),
                             asked("vllm", "deepseek-ai/DeepSeek-R1", "h100-sxm", 8, 32768, 16),
                             asked("vllm", "meta-llama/Llama-3.3-70B-Instruct", "h100-sxm", 2, 32768, 16),
                             asked("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, 32768, 4),
                             asked("sglang", "meta-llama/Llama-3.3-70B-Instruct", "h100-sxm", 2, 32768, 16),
                             asked("tensorrt-llm", "meta-llama/Llama-3.3-70B-Instruct", "h100-sxm", 2, 32768, 16),
                             asked("llama.cpp", "Qwen/Qwen3-32B", "rtx-4090", 1, 32768, 1, "gguf:Q4_K_M"),
                             asked("llama.cpp", "meta-llama/Llama-3.3-70B-Instruct", "apple-m4-max-64gb", 1, 32768, 1, "gguf:Q5_K_M"),
                             asked("ollama", "Qwen/Qwen3-32B", "rtx-4090", 1, 32768, 1, "gguf:Q4_K_M"),
                             asked("transformers", "Qwen/Qwen3-32B", "rtx-4090", 1, 8192, 1),
                             asked("mlx", "Qwen/Qwen3-32B", "apple-m4-max-64gb", 1, 32768, 1),
                             asked("article", "article/30b", "rtx-4090", 1, 2048, 1)};
  Json with_host = asked("llama.cpp", "Qwen/Qwen3-30B-A3B", "rtx-4090", 1, 8192, 1, "gguf:Q8_0");
  with_host["host"] = {{"memory_bytes", 64 * testing::kGiBytes}};
  requests.push_back(with_host);
  Json beside_another = asked("llama.cpp", "Qwen/Qwen3-32B", "rtx-4090", 1, 8192, 1, "gguf:Q4_K_M");
  beside_another["running"] = testing::parse(
      R"([{"model":{"id":"Qwen/Qwen3-8B"},"weights":{"format":"gguf:Q4_K_M"},"engine":{"name":"llama.cpp"},"workload":{"context_tokens":4096,"sequences":1}}])");
  requests.push_back(beside_another);
  return requests;
}

Json changed(Json request, const Json& row) {
  request.merge_patch(row["patch"]);
  return request;
}

TEST(Advice, SaysOfEachRowWhatAnEstimateOfTheChangedRequestSays) {
  for (const Json& request : many_requests()) {
    const Json before = testing::estimate(request)["verdict"];
    const Json list = advice(request);
    EXPECT_FALSE(list["rows"].empty()) << request.dump();
    EXPECT_LE(list["rows"].size(), kMostAdvice);
    EXPECT_EQ(list["goal"], before["class"] == "fits" ? "room" : "fit");
    for (const Json& row : list["rows"]) {
      const Json after = testing::estimate(changed(request, row))["verdict"];
      EXPECT_EQ(row["verdict"], after) << request.dump() << row.dump();
      if (!row["gained_bytes"].is_null()) {
        EXPECT_EQ(row["gained_bytes"].get<std::int64_t>(), after["free_bytes"].get<std::int64_t>() - before["free_bytes"].get<std::int64_t>());
        EXPECT_GT(row["gained_bytes"], 0);
      }
      const std::string kind = after["class"];
      EXPECT_FALSE(row["enough"] == true && (kind == "no" || kind == "impossible")) << row.dump();
    }
  }
}

// On eight H100 the context and NCCL leave no 98 % of a card: an engine that is to take as much does not start.
TEST(Advice, WhatIsEnoughHoldsByItsBestFigure) {
  std::vector<Json> requests = many_requests();
  requests.push_back(asked("vllm", "deepseek-ai/DeepSeek-R1", "h100-sxm", 8, 32768, 16));
  requests.push_back(asked("vllm", "Qwen/Qwen3-32B", "rtx-4090", 2, 4096, 1));
  for (const Json& request : requests) {
    const Json list = advice(request);
    for (const Json& row : list["rows"]) {
      if (row["enough"] != true || row["verdict"]["class"] != "tight" || list["goal"] != "fit") continue;
      EXPECT_EQ(row["verdict"]["shortfall_bytes"], 0) << request.dump() << row.dump();
    }
  }
}

std::size_t place_of_price(const Json& change) {
  for (std::size_t place = 0; place <= static_cast<std::size_t>(Price::more_devices); ++place)
    if (name_of(static_cast<Price>(place)) == change["price"].get<std::string>()) return place;
  ADD_FAILURE() << change.dump();
  return 0;
}

TEST(Advice, ComesByLossWhereItDoesNotFitAndByGainWhereItDoes) {
  for (const Json& request : many_requests()) {
    const Json list = advice(request);
    std::int64_t last = list["goal"] == "fit" ? -1 : INT64_MAX;
    for (const Json& row : list["rows"]) {
      EXPECT_LE(row["changes"].size(), 2u);
      if (row["enough"] == false) {
        EXPECT_EQ(row, list["rows"].back());
        continue;
      }
      if (list["goal"] == "fit") {
        const auto loss = static_cast<std::int64_t>(place_of_price(row["changes"][0]));
        EXPECT_GE(loss, last) << list.dump();
        last = loss;
      } else {
        EXPECT_LE(row["gained_bytes"].get<std::int64_t>(), last) << list.dump();
        last = row["gained_bytes"];
      }
    }
  }
}

/// What the changes of a row come to, as texts that can be compared.
std::vector<std::string> changes_of(const Json& row) {
  std::vector<std::string> texts;
  for (const Json& change : row["changes"]) texts.push_back(change["strategy"].dump() + change["to"].dump());
  return texts;
}

TEST(Advice, HasNoPairOfWhichOneChangeDoesAsMuch) {
  for (const Json& request : many_requests()) {
    const Json list = advice(request);
    if (list["goal"] != "fit") continue;
    for (const Json& pair : list["rows"])
      for (const Json& single : list["rows"]) {
        if (pair["changes"].size() != 2 || single["changes"].size() != 1 || single["verdict"]["class"] != "fits") continue;
        const std::vector<std::string> both = changes_of(pair);
        EXPECT_EQ(std::count(both.begin(), both.end(), changes_of(single)[0]), 0) << list.dump();
      }
  }
}

const Json* find_row(const Json& list, const char* strategy) {
  for (const Json& row : list["rows"])
    if (row["changes"].size() == 1 && row["changes"][0]["strategy"] == strategy) return &row;
  return nullptr;
}

TEST(Advice, KnowsTheFormatsOfEveryEngine) {
  const auto names = [](const Json& request, const std::string& strategy, const std::string& format) {
    const Json list = advice(request);
    for (const Json& row : list["rows"])
      for (const Json& change : row["changes"])
        if (change["strategy"] == strategy && change["to"] == format) return true;
    return false;
  };
  EXPECT_TRUE(names(asked("exllamav3", "meta-llama/Llama-3.3-70B-Instruct", "rtx-3090", 2, 32768, 1), "weights", "exl3-4bpw"));
  EXPECT_TRUE(names(asked("exllamav2", "meta-llama/Llama-3.1-8B-Instruct", "rtx-3060-12gb", 1, 8192, 1), "weights", "exl2-8bpw"));
  EXPECT_TRUE(names(asked("mlc-llm", "Qwen/Qwen3-8B", "rtx-3060-12gb", 1, 8192, 1), "weights", "q4f16_1"));
  EXPECT_TRUE(names(asked("lmdeploy", "Qwen/Qwen3-32B", "a100-sxm4-40gb", 1, 8192, 16), "cache", "int4"));
}

// A share of more than 85 % of the memory that the system has to live in may be too much, however little the model needs.
TEST(Advice, LeavesTheSystemItsPartOfAUnifiedMemory) {
  for (const char* engine : {"vllm", "sglang"}) {
    const Json list = advice(asked(engine, "Qwen/Qwen3-8B", "gb10-dgx-spark", 1, 8192, 4));
    const Json* row = find_row(list, "share");
    ASSERT_NE(row, nullptr) << list.dump();
    EXPECT_EQ((*row)["verdict"]["class"], "fits");
    EXPECT_LE((*row)["changes"][0]["to"].get<double>(), 0.85);
    for (const Json& each : list["rows"]) EXPECT_TRUE(each["enough"].get<bool>()) << each.dump();
  }
}

// 64 requests of 32,768 tokens: fewer of them is another way than a shorter context, which may be shortened in two.
TEST(Advice, NamesAnotherWayBeforeAPairOfWaysThatStandThere) {
  const Json list = advice(asked("vllm", "Qwen/Qwen3-235B-A22B", "h100-sxm", 8, 32768, 64));
  ASSERT_NE(find_row(list, "context"), nullptr);
  EXPECT_NE(find_row(list, "sequences"), nullptr) << list.dump();
}

// One image model of 72B on two A100: eight requests or one, vLLM refuses a context that no request could fill.
TEST(Advice, SaysThatAContextIsStillRefused) {
  const Json request = asked("vllm", "Qwen/Qwen2.5-VL-72B-Instruct", "a100-sxm4-80gb", 2, 32768, 8);
  const Json list = advice(request);
  for (const Json& row : list["rows"]) EXPECT_EQ(row["verdict"], testing::estimate(changed(request, row))["verdict"]);
}

TEST(Advice, AddsNoSecondGpuToALaptop) {
  for (const auto& [device, is_offered] : {std::pair{"rtx-4060-laptop", false}, std::pair{"rtx-4060", true}}) {
    const Json rows = advice(asked("llama.cpp", "Qwen/Qwen3-14B", device, 1, 8192, 1, "gguf:Q4_K_M"))["rows"];
    EXPECT_FALSE(rows.empty()) << device;
    const bool is_found = std::any_of(rows.begin(), rows.end(), [](const Json& row) { return row["changes"][0]["strategy"] == "devices"; });
    EXPECT_EQ(is_found, is_offered) << device;
  }
}

// 131,072 values a token in 64 layers, 32,768 tokens: q8_0 takes 34 bytes for 32 of them, f16 64.
TEST(Advice, CountsWhatAnEightBitCacheGainsToTheByte) {
  const Json list = advice(asked("llama.cpp", "Qwen/Qwen3-32B", "rtx-4090", 1, 32768, 1, "gguf:Q4_K_M"));
  const Json* row = find_row(list, "cache");
  ASSERT_NE(row, nullptr) << list.dump();
  EXPECT_EQ((*row)["gained_bytes"], 131'072LL * 32768 * 30 / 32);
  EXPECT_EQ((*row)["verdict"]["class"], "fits");
  EXPECT_EQ((*row)["changes"][0]["note"]["url"], "https://github.com/ggml-org/llama.cpp/pull/7412");
}

TEST(Advice, LeavesOutWhatTheEngineRefuses) {
  Json request = asked("llama.cpp", "Qwen/Qwen3-32B", "rtx-4090", 1, 32768, 1, "gguf:Q4_K_M");
  request["engine"]["options"] = {{"flash_attn", "off"}};  // without it, values are never quantized
  EXPECT_EQ(find_row(advice(request), "cache"), nullptr);
}

TEST(Advice, TakesOptionsAwayThatWouldWin) {
  Json request = asked("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, 32768, 4);
  request["engine"]["options"] = {{"max_model_len", 32768}, {"max_num_seqs", 4}};
  const Json list = advice(request);
  const Json* context = find_row(list, "context");
  ASSERT_NE(context, nullptr) << list.dump();
  EXPECT_TRUE((*context)["patch"]["engine"]["options"]["max_model_len"].is_null());
  EXPECT_EQ(changed(request, *context)["engine"]["options"], Json({{"max_num_seqs", 4}}));
}

const Json* row_of(const Json& list, std::string_view strategy) {
  for (const Json& row : list["rows"])
    if (row["changes"][0]["strategy"] == strategy) return &row;
  return nullptr;
}

// What vLLM and NCCL take of the two cards together leaves no sure room beside a share of 0.92.
TEST(Advice, NamesTheShareThatASmallerModelAndMoreDevicesNeed) {
  const Json list = advice(asked("vllm", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "rtx-3090", 2, 8192, 1, "int4"));
  for (const char* strategy : {"model", "devices"}) {
    const Json* row = row_of(list, strategy);
    ASSERT_NE(row, nullptr) << list.dump();
    ASSERT_EQ((*row)["changes"].size(), 2U);
    EXPECT_EQ((*row)["changes"][1]["strategy"], "share");
    EXPECT_EQ((*row)["changes"][1]["to"], 0.88);
    EXPECT_EQ((*row)["verdict"]["class"], "fits");
  }
  EXPECT_EQ((*row_of(list, "devices"))["changes"][0]["to"], 4);
}

TEST(Advice, NamesAnotherEngineThatTheDevicesSurelyHold) {
  Json request = asked("vllm", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "rtx-3090", 2, 8192, 1, "int4");
  request["engine"]["options"] = {{"enforce_eager", true}};
  request["engine"]["version"] = "0.22";
  request["parallel"] = {{"tensor", 2}};
  const Json list = advice(request);
  const Json* row = row_of(list, "engine");
  ASSERT_NE(row, nullptr) << list.dump();
  EXPECT_EQ((*row)["changes"][0]["to"], "llama.cpp");
  EXPECT_EQ((*row)["changes"][1]["to"], "gguf:Q4_K_M");
  EXPECT_EQ((*row)["verdict"]["class"], "fits");
  request.merge_patch((*row)["patch"]);
  EXPECT_EQ(request["engine"], Json({{"name", "llama.cpp"}, {"options", Json::object()}}));
  EXPECT_FALSE(request.contains("parallel"));
  // Unlike cards, which vLLM refuses.
  request = asked("vllm", "Qwen/Qwen3-32B", "rtx-3090", 1, 8192, 1);
  request["hardware"].push_back({{"device", "rtx-4090"}, {"count", 1}});
  EXPECT_NE(row_of(advice(request), "engine"), nullptr);
}

TEST(Advice, NamesNoEngineWhereThereIsNoneToChangeOrNoneThatIsEnough) {
  EXPECT_EQ(row_of(advice(asked("article", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "rtx-3090", 2, 8192, 1)), "engine"), nullptr);
  EXPECT_EQ(row_of(advice(asked("ollama", "meta-llama/Llama-3.3-70B-Instruct", "rtx-3090", 1, 8192, 1, "gguf:Q8_0")), "engine"), nullptr);
  EXPECT_EQ(row_of(advice(asked("vllm", "deepseek-ai/DeepSeek-R1", "rtx-3090", 2, 8192, 1)), "engine"), nullptr);
}

constexpr const char* kLlama70b = "deepseek-ai/DeepSeek-R1-Distill-Llama-70B";

// An RTX 3090 in each of two machines: llama.cpp reaches that of its own.
TEST(Advice, LeavesSeveralMachinesAsTheyAreAndAddsWholeOnes) {
  Json request = asked("vllm", kLlama70b, "rtx-3090", 2, 16384, 1);
  request["parallel"] = {{"nodes", 2}, {"pipeline", 2}, {"tensor", 1}};
  const Json list = advice(request);
  EXPECT_EQ(row_of(list, "engine"), nullptr) << list.dump();
  ASSERT_NE(find_row(list, "devices"), nullptr) << list.dump();
  for (const Json& row : list["rows"]) {
    const Json after = changed(request, row);
    EXPECT_EQ(after["parallel"]["nodes"], after["hardware"][0]["count"]) << row.dump();
    EXPECT_EQ(row["verdict"], testing::estimate(after)["verdict"]);
  }
  EXPECT_EQ(find_row(list, "devices")->at("patch")["parallel"], Json({{"nodes", 8}, {"pipeline", nullptr}, {"tensor", nullptr}}));
  // Two in each of two machines.
  request = asked("sglang", kLlama70b, "rtx-3090", 4, 32768, 8);
  request["parallel"] = {{"nodes", 2}};
  for (const Json& row : advice(request)["rows"]) {
    const Json after = changed(request, row);
    EXPECT_EQ(after["hardware"][0]["count"], 2 * after["parallel"]["nodes"].get<int>()) << row.dump();
  }
}

TEST(Advice, NamesAnEngineThatRunsWithoutAGpu) {
  Json request = asked("vllm", "Qwen/Qwen3-8B", "rtx-4090", 1, 8192, 1);
  request["hardware"] = Json::array();
  request["host"] = {{"memory_bytes", 16 * testing::kGiBytes}};
  EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "impossible");
  const Json list = advice(request);
  const Json* row = row_of(list, "engine");
  ASSERT_NE(row, nullptr) << list.dump();
  EXPECT_EQ((*row)["changes"][0]["price"], "engine_on_host");
  EXPECT_EQ((*row)["verdict"]["class"], "fits");
  EXPECT_EQ((*row)["verdict"], testing::estimate(changed(request, *row))["verdict"]);
  request["host"] = {{"memory_bytes", 4 * testing::kGiBytes}};
  EXPECT_EQ(row_of(advice(request), "engine"), nullptr);
}

// int4 may just fit in two ways here; llama.cpp surely does with more bits.
TEST(Advice, KeepsWhatIsSureBesideWhatMayJustFit) {
  for (const Json& request :
       {asked("vllm", "Qwen/Qwen3-8B", "rtx-4060-laptop", 1, 8192, 1), asked("vllm", "Qwen/Qwen3-14B", "rtx-3060-12gb", 1, 8192, 1),
        asked("vllm", "google/gemma-3-12b-it", "rtx-3060-12gb", 1, 8192, 1)}) {
    const Json list = advice(request);
    EXPECT_EQ(list["rows"][0]["verdict"]["class"], "tight");
    const Json* row = row_of(list, "engine");
    ASSERT_NE(row, nullptr) << list.dump();
    EXPECT_EQ((*row)["verdict"]["class"], "fits");
  }
  const Json list = advice(asked("vllm", "openai/gpt-oss-20b", "rtx-4060-ti-16gb", 1, 8192, 8));
  EXPECT_TRUE(std::any_of(list["rows"].begin(), list["rows"].end(), [](const Json& row) { return row["verdict"]["class"] == "fits"; }))
      << list.dump();
}

TEST(Advice, TriesAllPairsThatMayJustFitBeforeItAsksForLess) {
  for (const Json& request : {asked("vllm", kLlama70b, "rtx-3090", 2, 32768, 1), asked("vllm", kLlama70b, "rtx-3090", 2, 8192, 4),
                              asked("vllm", "meta-llama/Llama-3.1-8B-Instruct", "rtx-3060-12gb", 1, 8192, 8),
                              asked("vllm", "google/gemma-3-12b-it", "rtx-4060-ti-16gb", 1, 8192, 8),
                              asked("vllm", "meta-llama/Llama-3.3-70B-Instruct", "rtx-4090", 2, 32768, 1)}) {
    const Json list = advice(request);
    EXPECT_EQ(changes_of(list["rows"][0]), (std::vector<std::string>{R"("weights""int4")", R"("cache""fp8")"})) << list.dump();
    EXPECT_EQ(list["rows"][0]["verdict"]["class"], "tight");
    for (const Json& row : list["rows"])
      for (const Json& change : row["changes"]) EXPECT_FALSE(change["strategy"] == "context" && row["verdict"]["class"] == "tight") << row.dump();
  }
}

// 16 A10 may hold the weights and no request of this length, which vLLM refuses.
TEST(Advice, SaysOfNoRefusedRowThatItMayJustFit) {
  const Json request = asked("vllm", "sgl-project/DeepSeek-V4-Flash-FP8", "a10", 8, 32768, 64);
  const Json list = advice(request);
  ASSERT_NE(find_row(list, "devices"), nullptr) << list.dump();
  EXPECT_EQ((*find_row(list, "devices"))["verdict"]["shortfall_bytes"], 0);
  for (const Json& row : list["rows"]) EXPECT_EQ(row["verdict"], testing::estimate(changed(request, row))["verdict"]) << row.dump();
}

// A pool of 4,096 tokens is a small one, and no request of 32,768 finds room in it.
TEST(Advice, NamesNothingUnderWhichAContextIsRefused) {
  Json request = asked("sglang", "Qwen/Qwen2.5-VL-72B-Instruct", "h200-sxm", 2, 32768, 1);
  request["engine"]["options"] = {{"max_total_tokens", 4096}};
  EXPECT_EQ(testing::estimate(request)["verdict"]["class"], "impossible");
  const Json list = advice(request);
  EXPECT_EQ(list["goal"], "fit");
  for (const Json& row : list["rows"]) EXPECT_EQ(row["verdict"], testing::estimate(changed(request, row))["verdict"]) << row.dump();
}

TEST(Advice, NamesADistillationOfTheModel) {
  const Json request = asked("vllm", "deepseek-ai/DeepSeek-R1", "h100-sxm", 8, 32768, 16);
  const Json list = advice(request);
  const Json* row = find_row(list, "model");
  ASSERT_NE(row, nullptr) << list.dump();
  EXPECT_EQ((*row)["patch"]["model"]["id"], "deepseek-ai/DeepSeek-R1-Distill-Llama-70B");
  EXPECT_TRUE(list["unread_relatives"].empty());
}

TEST(Advice, FailsAsAnEstimateDoes) {
  const Json request = asked("vllm", "nobody/nothing", "h100-sxm", 8, 32768, 16);
  EXPECT_EQ(testing::call("advise", request)["error"], testing::call("estimate", request)["error"]);
}

TEST(Relatives, DifferInTheSizeOfTheirNameOnly) {
  EXPECT_EQ(sized_name("Qwen/Qwen2.5-72B-Instruct"), (SizedName{"qwen2.5", "instruct", true}));
  EXPECT_EQ(sized_name("Qwen/Qwen3-30B-A3B"), sized_name("Qwen/Qwen3-8B"));
  EXPECT_EQ(sized_name("google/gemma-4-26B-A4B-it"), sized_name("google/gemma-4-E2B-it"));
  EXPECT_NE(sized_name("Qwen/Qwen3-30B-A3B-Instruct-2507"), sized_name("Qwen/Qwen3-30B-A3B"));
  EXPECT_FALSE(sized_name("deepseek-ai/DeepSeek-R1").has_size);
}

TEST(Relatives, OfDeepSeekR1AreItsSixDistillations) {
  Catalogue catalogue(reading().read_config);
  ASSERT_TRUE(catalogue.load(testing::parse(embedded("models.json")), testing::parse(embedded("gpus.json"))));
  const std::vector<const CatalogueModel*> relatives = smaller_relatives(catalogue, "deepseek-ai/DeepSeek-R1");
  ASSERT_EQ(relatives.size(), 6u);
  EXPECT_EQ(relatives.front()->id, "deepseek-ai/DeepSeek-R1-Distill-Llama-70B");
  EXPECT_EQ(relatives.back()->id, "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B");
  for (const CatalogueModel* sibling : smaller_relatives(catalogue, "Qwen/Qwen3-32B")) EXPECT_EQ(sibling->id.rfind("Qwen/Qwen3-", 0), 0u);
}

}  // namespace
}  // namespace weighbridge::advise_test

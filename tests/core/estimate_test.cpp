// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "api_fixture.hpp"

namespace weighbridge::estimate_test {
namespace {

using testing::Json;

std::int64_t evaluate_row(const Json& row) {
  std::int64_t value = 1;
  for (const Json& factor : row["factors"]) {
    const auto number = factor["value"].get<std::int64_t>();
    const auto op = factor["op"].get<std::string>();
    if (op == "times") value *= number;
    if (op == "divide") value /= number;
    if (op == "cdiv") value = (value + number - 1) / number;
    if (op == "plus") value += number;
    if (op == "minus") value -= number;
  }
  return value;
}

/// Every figure can be checked by hand: rows give their bytes, rows give the term, terms give the total.
void expect_consistent(const Json& result) {
  for (const Json& device : result["devices"]) {
    std::int64_t total = 0;
    for (const Json& term : device["terms"]) {
      const auto bytes = term["bytes"].get<std::int64_t>();
      total += bytes;
      EXPECT_LE(term["low_bytes"].get<std::int64_t>(), bytes) << term["id"];
      EXPECT_GE(term["high_bytes"].get<std::int64_t>(), bytes) << term["id"];
      if (term["basis"] == "exact") {
        EXPECT_EQ(term["low_bytes"], term["high_bytes"]);
      }
      if (!term.contains("formula")) continue;
      std::int64_t sum = 0;
      std::int64_t largest = 0;
      for (const Json& row : term["formula"]["rows"]) {
        const auto row_bytes = row["bytes"].get<std::int64_t>();
        if (!row["factors"].empty()) {
          EXPECT_EQ(evaluate_row(row), row_bytes) << term["id"] << row["label"];
        }
        sum += row_bytes;
        if (row["chosen"] == true) largest = row_bytes;
      }
      EXPECT_EQ(term["formula"]["combine"] == "max" ? largest : sum, bytes) << term["id"];
    }
    EXPECT_EQ(total, device["total_bytes"].get<std::int64_t>());
  }
}

TEST(Estimate, TheUsualRequestFitsAndEveryFigureAddsUp) {
  const Json result = testing::estimate(testing::usual_request());
  EXPECT_EQ(result["verdict"]["class"], "fits");
  EXPECT_EQ(result["devices"].size(), 8U);
  expect_consistent(result);
}

/// Every model and every device, each with some of the others.
TEST(Estimate, ModelsOnDevicesAddUp) {
  constexpr std::size_t kStride = 17;  // a prime: every device meets every kind of model
  const Json catalogue = testing::call("catalogue", Json::object())["result"];
  for (std::size_t model = 0; model < catalogue["models"].size(); ++model)
    for (std::size_t device = model % kStride; device < catalogue["devices"].size(); device += kStride)
      for (const char* engine : {"vllm", "article"}) {
        const Json result = testing::estimate({{"model", {{"id", catalogue["models"][model]["id"]}}},
                                               {"engine", {{"name", engine}}},
                                               {"workload", {{"context_tokens", 512}, {"sequences", 2}}},
                                               {"hardware", Json::array({{{"device", catalogue["devices"][device]["id"]}, {"count", 2}}})}});
        expect_consistent(result);
      }
}

TEST(Estimate, TotalsGrowWithContextAndSequences) {
  Json params = testing::usual_request();
  std::int64_t last = 0;
  for (const int tokens : {1, 64, 65, 4096, 163840}) {
    params["workload"]["context_tokens"] = tokens;
    const auto total = testing::estimate(params)["devices"][0]["total_bytes"].get<std::int64_t>();
    EXPECT_GE(total, last);
    last = total;
  }
  params = testing::usual_request();
  last = 0;
  for (const int sequences : {1, 2, 16, 500}) {
    params["workload"]["sequences"] = sequences;
    const auto total = testing::estimate(params)["devices"][0]["total_bytes"].get<std::int64_t>();
    EXPECT_GT(total, last);
    last = total;
  }
}

TEST(Estimate, TheVerdictFollowsTheBand) {
  Json params = testing::usual_request();
  const Json catalogue = testing::call("catalogue", Json::object())["result"];
  for (const Json& device : catalogue["devices"])
    for (const int count : {1, 2, 4, 8, 16}) {
      params["hardware"] = Json::array({{{"device", device["id"]}, {"count", count}}});
      const Json verdict = testing::estimate(params)["verdict"];
      if (verdict["class"] == "impossible") continue;
      const auto limit = verdict["limit_bytes"].get<std::int64_t>();
      if (verdict["class"] == "no") {
        EXPECT_GT(verdict["low_bytes"].get<std::int64_t>(), limit);
        EXPECT_GT(verdict["shortfall_bytes"].get<std::int64_t>(), 0);
      }
      if (verdict["class"] == "fits") {
        EXPECT_LE(verdict["high_bytes"].get<std::int64_t>(), limit);
      }
      if (verdict["class"] == "tight" && device["unified_memory"] == false) {
        EXPECT_LE(verdict["low_bytes"].get<std::int64_t>(), limit);
        EXPECT_GT(verdict["high_bytes"].get<std::int64_t>(), limit);
      }
    }
}

// What an engine without a pool takes is its terms, each with a band: the limit inside it is no refusal, whatever the best figure says.
TEST(Estimate, WithoutAPoolALimitInsideTheBandIsTight) {
  const char* requests[] = {
      R"({"model":{"id":"deepseek-ai/DeepSeek-R1-Distill-Llama-70B"},"weights":{"format":"gguf:Q4_K_M"},"engine":{"name":"llama.cpp"},
        "workload":{"context_tokens":19968,"sequences":1},"hardware":[{"device":"rtx-3090","count":2}],"host":{"memory_bytes":68719476736}})",
      R"({"model":{"id":"deepseek-ai/DeepSeek-R1-Distill-Llama-70B"},"weights":{"format":"mlx-4bit"},"engine":{"name":"mlx"},
        "workload":{"context_tokens":33400,"sequences":1},"hardware":[{"device":"m4-max-64gb","count":1}]})",
      R"({"model":{"id":"meta-llama/Llama-3.1-8B-Instruct"},"weights":{"format":"bf16"},"engine":{"name":"transformers"},
        "workload":{"context_tokens":8192,"sequences":1},"hardware":[{"device":"rtx-4060-ti-16gb","count":1}],"host":{"memory_bytes":68719476736}})"};
  for (const char* request : requests) {
    const Json result = testing::estimate(testing::parse(request));
    const Json& verdict = result["verdict"];
    EXPECT_EQ(verdict["class"], "tight") << request;
    EXPECT_EQ(verdict["low_bytes"], result["devices"][verdict["device"].get<std::size_t>()]["low_bytes"]) << request;
    EXPECT_LE(verdict["low_bytes"], verdict["limit_bytes"]) << request;
    EXPECT_GT(verdict["need_bytes"], verdict["limit_bytes"]) << request;
    // Nothing where no context lies on the devices whole.
    EXPECT_LT(result["max_context_tokens"], result["request"]["workload"]["context_tokens"]) << request;
  }
}

TEST(Estimate, ATermWithoutRecordsMakesTheVerdictUnmeasured) {
  const Json result = testing::estimate(testing::usual_request());
  EXPECT_EQ(result["verdict"]["measured"], false);
  EXPECT_EQ(testing::term(result, "compute")["records"], 0);
}

TEST(Estimate, ACardTakenBySomethingElseStopsTheEngineAndNamesTheShareThatSurelyStarts) {
  Json params = testing::parse(R"({"model":{"id":"deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"},"engine":{"name":"vllm"},
    "workload":{"context_tokens":4096,"sequences":1},"hardware":[{"device":"rtx-3090","count":1,"used_bytes":4294967296}]})");
  const Json verdict = testing::estimate(params)["verdict"];
  EXPECT_EQ(verdict["class"], "no");
  EXPECT_EQ(verdict["limit"], "card");
  const double share = verdict["nearest"]["gpu_memory_utilization"].get<double>();
  params["engine"]["options"]["gpu_memory_utilization"] = share;
  EXPECT_EQ(testing::estimate(params)["verdict"]["class"], "fits");
  params["engine"]["options"]["gpu_memory_utilization"] = share + 0.01;
  const Json above = testing::estimate(params)["verdict"];
  EXPECT_EQ(above["class"], "tight");
  EXPECT_EQ(above["nearest"]["gpu_memory_utilization"], share);
}

TEST(Estimate, OnlyTheFirstDeviceOfAGroupCarriesItsFormulas) {
  const Json result = testing::estimate(testing::usual_request());
  EXPECT_TRUE(result["devices"][0]["terms"][0].contains("formula"));
  EXPECT_FALSE(result["devices"][1]["terms"][0].contains("formula"));
  EXPECT_EQ(result["groups"][0]["count"], 8);
}

}  // namespace
}  // namespace weighbridge::estimate_test

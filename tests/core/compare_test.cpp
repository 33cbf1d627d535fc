// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/compare.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "embedded.hpp"

namespace weighbridge::compare_test {
namespace {

using testing::Json;

Json machines() { return testing::parse(embedded("machines.json"))["machines"]; }

Json compare(const Json& request, Json more = Json::object()) {
  more["request"] = request;
  const Json response = testing::call("compare_devices", more);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response.value("result", Json::object());
}

const Json& row_of(const Json& answer, std::string_view device) {
  static const Json none;
  for (const Json& row : answer["rows"])
    if (row["device"] == device) return row;
  ADD_FAILURE() << "no row of " << device;
  return none;
}

Json patched(Json request, const Json& patch) {
  request.merge_patch(patch);
  return testing::estimate(request);
}

Json dense() { return testing::serving_request("vllm", "deepseek-ai/DeepSeek-R1-Distill-Llama-70B", "h100-sxm", 2); }

TEST(Compare, CountsTheJobOnEachDeviceAndTheFewestThatHoldIt) {
  const Json answer = compare(dense(), {{"devices", {"rtx-4090", "h100-sxm", "b200-sxm", "apple-m4-max-128gb"}}, {"machines", machines()}});
  EXPECT_EQ(answer["total"], 4);
  // Fewest first: 141.1 GB of weights are under 92 % of the 191.5 GB of one B200. Two H100 hold them but not 8 x 4,096 tokens of 320 KiB surely, and
  // three cannot share 64 heads; eight RTX 4090 hold 92 % of 202 GB.
  EXPECT_EQ(answer["rows"][0]["device"], "b200-sxm");
  EXPECT_EQ(answer["rows"][0]["fewest"]["count"], 1);
  EXPECT_EQ(answer["rows"][1]["device"], "h100-sxm");
  EXPECT_EQ(answer["rows"][1]["fewest"]["count"], 4);
  EXPECT_EQ(answer["rows"][1]["count"], 2);
  EXPECT_EQ(answer["rows"][2]["device"], "rtx-4090");
  EXPECT_EQ(answer["rows"][2]["fewest"]["count"], 8);
  EXPECT_EQ(answer["rows"][2]["verdict"]["class"], "no");
  EXPECT_EQ(answer["rows"][3]["verdict"]["class"], "impossible");
  EXPECT_EQ(answer["rows"][3]["verdict"]["reason"]["code"], "unknown_backend");
  EXPECT_EQ(answer["rows"][3]["count"], 1);  // its memory is the machine's
  EXPECT_TRUE(answer["rows"][3]["fewest"].is_null());
  // The H100 of the request is the request.
  EXPECT_EQ(answer["rows"][1]["verdict"], testing::estimate(dense())["verdict"]);
}

TEST(Compare, ALaptopHasOneGpuAndASliceWorksAlone) {
  const Json answer = compare(dense(), {{"devices", {"rtx-4090-laptop", "h100-mig-3g-40gb"}}});
  for (const Json& row : answer["rows"]) {
    EXPECT_EQ(row["count"], 1) << row["device"];
    EXPECT_EQ(row["verdict"]["class"], "no") << row["device"];
    EXPECT_TRUE(row["fewest"].is_null()) << row["device"];
  }
}

/// Verdicts of rows are those of estimates, and one fewer does not fit.
void expect_told(const Json& request, const Json& answer, std::size_t step) {
  std::size_t fitting = 0;
  for (std::size_t i = 0; i < answer["rows"].size(); i += step) {
    const Json& row = answer["rows"][i];
    SCOPED_TRACE(row["device"].get<std::string>());
    EXPECT_EQ(patched(request, row["patch"])["verdict"], row["verdict"]);
    if (row["fewest"].is_null()) continue;
    ++fitting;
    const Json fewest = patched(request, row["fewest"]["patch"]);
    EXPECT_EQ(fewest["verdict"], row["fewest"]["verdict"]);
    EXPECT_EQ(fewest["verdict"]["class"], "fits");
    const auto count = row["fewest"]["count"].get<std::int64_t>();
    EXPECT_EQ(fewest["devices"].size(), static_cast<std::size_t>(count));
    if (count == 1) continue;
    Json fewer = row["fewest"]["patch"];
    fewer["hardware"][0]["count"] = count - 1;
    if (fewer.contains("parallel")) fewer["parallel"] = nullptr;
    EXPECT_NE(patched(request, fewer)["verdict"]["class"], "fits");
  }
  EXPECT_GT(fitting, 0U);
}

TEST(Compare, SaysOfEachRowWhatAnEstimateSays) {
  expect_told(dense(), compare(dense()), 7);
  Json at_home = testing::llama_cpp_request("Qwen/Qwen3-32B", Json::array({{{"device", "rtx-4090"}, {"used_bytes", 2 * testing::kGiBytes}}}));
  at_home["host"] = {{"memory_bytes", 64 * testing::kGiBytes}};
  at_home["offload"] = {{"gpu_layers", 20}};
  at_home["engine"]["options"] = {{"main_gpu", 0}};
  const Json answer = compare(at_home);
  expect_told(at_home, answer, 11);
  // What was left to the host and what else ran there belonged to that machine.
  const Json& same = row_of(answer, "rtx-4090");
  EXPECT_EQ(same["patch"], testing::parse(R"({"hardware":[{"device":"rtx-4090","count":1}],"engine":{"options":{"main_gpu":null}},"offload":null})"));
  // A system lets its GPU take more once that is asked for.
  EXPECT_EQ(row_of(answer, "ryzen-ai-max-395-32gb")["verdict"]["raise"]["class"], "fits");
}

TEST(Compare, RowsOfSlicesSortIntoTheWholeByTheirRank) {
  const Json whole = compare(dense(), {{"machines", machines()}});
  std::vector<Json> rows;
  for (int offset = 0; offset < whole["total"]; offset += 100) {
    const Json slice = compare(dense(), {{"machines", machines()}, {"offset", offset}, {"limit", 100}});
    rows.insert(rows.end(), slice["rows"].begin(), slice["rows"].end());
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Json& a, const Json& b) { return a["rank"] < b["rank"]; });
  EXPECT_EQ(Json(rows), whole["rows"]);
  // Of those that fit on as few, what has a price comes first, the cheaper one before.
  double last = 0;
  for (const Json& row : rows) {
    if (row["fewest"].is_null() || row["fewest"]["count"] != rows[0]["fewest"]["count"] || row["fewest"]["machines"].empty()) break;
    const Json& cheapest = row["fewest"]["machines"][0];
    EXPECT_EQ(cheapest["currency"], "USD");
    EXPECT_GE(cheapest["per_hour"].get<double>(), last);
    last = cheapest["per_hour"];
  }
  EXPECT_GT(last, 0);
}

TEST(Compare, PricesAreOfTheCheapestMachineOfEachCurrencyThatHasEnough) {
  const Json answer = compare(dense(), {{"devices", {"a100-sxm4-80gb"}}, {"machines", machines()}});
  const Json& row = answer["rows"][0];
  const auto count = row["fewest"]["count"].get<std::int64_t>();
  const Json& priced = row["fewest"]["machines"];
  ASSERT_EQ(priced.size(), 2U);  // dollars and yuan
  for (const Json& machine : machines()) {
    if (!machine.contains("price") || machine["gpus"].size() != 1 || machine["gpus"][0]["device"] != "a100-sxm4-80gb") continue;
    if (machine["gpus"][0]["count"] < count || machine["price"]["per_hour"].is_null()) continue;
    for (const Json& cheapest : priced)
      if (cheapest["currency"] == machine["price"]["currency"]) {
        EXPECT_LE(cheapest["per_hour"], machine["price"]["per_hour"]);
      }
  }
}

TEST(Compare, MachinesAreCountedWithTheirOwnMemoryAndAllTheirDevices) {
  const Json request = testing::llama_cpp_request("meta-llama/Llama-3.3-70B-Instruct", Json::array({{{"device", "rtx-4090"}}}));
  const Json answer = compare(request, {{"by", "machines"}, {"machines", machines()}});
  for (std::size_t i = 0; i < answer["rows"].size(); i += 9) {
    const Json& row = answer["rows"][i];
    const Json counted = patched(request, row["patch"]);
    EXPECT_EQ(counted["verdict"], row["verdict"]) << row.dump();
    if (row["verdict"]["class"] != "impossible") {
      EXPECT_EQ(counted["devices"].size(), row["machine"]["count"].get<std::size_t>());
    }
  }
  EXPECT_EQ(answer["rows"][0]["verdict"]["class"], "fits");
  // 14 heads are no multiple of eight, nor do 24 layers part into more stages of more than one group: a machine of eight runs it all the same.
  const Json small = compare(testing::serving_request("vllm", "Qwen/Qwen2.5-0.5B-Instruct", "h100-sxm", 1),
                             {{"by", "machines"}, {"machines", Json::array({{{"id", "x"}, {"gpus", {{{"device", "h100-sxm"}, {"count", 8}}}}}})}});
  EXPECT_EQ(small["rows"][0]["verdict"]["class"], "fits") << small.dump();
}

TEST(Compare, EveryEngineIsMovedOverTheCatalogue) {
  const Json catalogue = testing::call("catalogue", Json::object())["result"];
  constexpr std::size_t kRows = 40;  // of each engine another part of the catalogue
  std::size_t offset = 0;
  for (const Json& engine : catalogue["engines"]) {
    Json request = testing::usual_request();
    request["model"] = {{"id", "Qwen/Qwen3-8B"}};
    request["engine"] = {{"name", engine["name"]}};
    request["weights"] = {{"format", engine["usual_format"]}};
    request["workload"] = {{"context_tokens", 4096}, {"sequences", 2}};
    request["hardware"] = Json::array({{{"device", "rtx-4090"}, {"count", 1}}});
    const Json answer = compare(request, {{"offset", offset % (catalogue["devices"].size() - kRows)}, {"limit", kRows}});
    offset += kRows;
    EXPECT_EQ(answer["rows"].size(), kRows) << engine["name"];
    for (const Json& row : answer["rows"]) {
      if (row["fewest"].is_null()) continue;
      EXPECT_EQ(row["fewest"]["verdict"]["class"], "fits") << engine["name"] << row.dump();
    }
  }
}

TEST(Compare, TheFewestFitWithTheirPatch) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-30B-A3B", Json::array({{{"device", "quadro-rtx-4000"}, {"count", 1}}}));
  request["engine"] = {{"name", "lm-studio"}};
  request["workload"] = {{"context_tokens", 2048}, {"sequences", 2}};
  const Json answer = compare(request, {{"devices", {"quadro-rtx-4000", "rtx-4060", "rtx-3060-12gb"}}});
  for (const Json& row : answer["rows"]) EXPECT_EQ(patched(request, row["fewest"]["patch"])["verdict"]["class"], "fits") << row.dump();
}

TEST(Compare, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(testing::call("compare_devices", Json::object())["error"]["where"], "params.request");
  const auto where = [](Json more) {
    more["request"] = dense();
    return testing::call("compare_devices", more)["error"]["where"];
  };
  EXPECT_EQ(where({{"by", "colour"}}), "params.by");
  EXPECT_EQ(where({{"devices", {"h100-sxm", "h999"}}}), "params.devices[1]");
  EXPECT_EQ(where({{"limit", 0}}), "params.limit");
  EXPECT_EQ(where({{"by", "machines"}, {"machines", Json::array({{{"id", "x"}, {"gpus", {{{"device", "h999"}, {"count", 1}}}}}})}}),
            "params.hardware[0].device");
}

}  // namespace
}  // namespace weighbridge::compare_test

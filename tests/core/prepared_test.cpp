// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "scenarios.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge::prepared_test {
namespace {

using testing::Json;

TEST(Prepared, CountsWeightsAnewForAnotherCardOrAnotherSetting) {
  const testing::Scenarios reader;
  const auto expect_as_alone = [&](const std::vector<Json>& requests) {
    const Result<Request> first = reader.read(requests.front());
    ASSERT_TRUE(first);
    Prepared kept(first->model(), loaded_format(first->model(), first->scenario));
    for (const Json& params : requests) {
      const Result<Request> request = reader.read(params);
      ASSERT_TRUE(request);
      Prepared alone(request->model(), loaded_format(request->model(), request->scenario));
      const Result<Estimate> expected = evaluate(alone, request->scenario);
      const Result<Estimate> answer = evaluate(kept, request->scenario);
      ASSERT_TRUE(expected && answer);
      ASSERT_FALSE(answer->devices.empty()) << params.dump();
      EXPECT_EQ(answer->devices.front().total(), expected->devices.front().total()) << params.dump();
    }
  };
  // Kernels of MXFP4 pad by the card; an encoder that is left out is not loaded, and its buffers take a step's tokens.
  std::vector<Json> cards;
  for (const char* device : {"h100-sxm", "mi300x", "b200-sxm", "h100-sxm"})
    cards.push_back(testing::serving_request("vllm", "openai/gpt-oss-20b", device, 1));
  expect_as_alone(cards);
  std::vector<Json> settings;
  for (const char* options : {"{}", R"({"language_model_only":true})", R"({"max_num_batched_tokens":16384})"})
    settings.push_back(testing::serving_request("vllm", "Qwen/Qwen3-VL-8B-Instruct", "h100-sxm", 1, testing::parse(options)));
  expect_as_alone(settings);
}

}  // namespace
}  // namespace weighbridge::prepared_test

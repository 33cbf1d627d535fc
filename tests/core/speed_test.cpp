// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/speed.hpp"

#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "speed/speed_load.hpp"
#include "weighbridge/receipts.hpp"

namespace weighbridge::speed_test {
namespace {

using testing::Json;

Json speed(const Json& request, const Json& more = Json::object()) {
  Json params{{"request", request}};
  params.update(more);
  const Json response = testing::call("speed", params);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response["result"];
}

Json ask(const char* engine, const char* model, const char* device, int count, int tokens, int sequences) {
  Json params = testing::serving_request(engine, model, device, count);
  params["workload"] = {{"context_tokens", tokens}, {"sequences", sequences}};
  return params;
}

double low(const Json& range) { return range["low"].get<double>(); }
double high(const Json& range) { return range["high"].get<double>(); }

MoeFfn experts(std::int64_t all, std::int64_t used) {
  MoeFfn moe;
  moe.n_experts = all;
  moe.n_experts_used = used;
  return moe;
}

TEST(Speed, ADenseStepReadsAllButTheEmbeddingAndTheCacheOfEverySequence) {
  const Json answer = speed(ask("vllm", "meta-llama/Llama-3.1-8B-Instruct", "h100-sxm", 1, 4096, 1));
  const Json& decode = answer["decode"];
  constexpr double weights = 2.0 * (8'030'261'248 - 128'256 * 4096);  // bf16, without the rows of the embedding
  constexpr double cache = 131'072.0 * (4096 + 16);                   // 32 layers x 8 heads x 128 x 2 x 2 bytes; vLLM keeps one block more
  EXPECT_EQ(decode["weights_read_bytes"], static_cast<std::int64_t>(weights));
  EXPECT_EQ(decode["cache_read_bytes"], static_cast<std::int64_t>(cache));
  EXPECT_EQ(decode["host_read_bytes"], 0);
  // Two operations a weight, and 2 x 32 heads x (128 + 128) for each token that is seen in each of 32 layers.
  constexpr double operations = weights + 32.0 * 16'384 * 4096;
  EXPECT_DOUBLE_EQ(decode["operations"].get<double>(), operations);
  const double fastest = (weights + cache) / (0.85 * 3350e9) + 32 * 60e-6;
  const double slowest = (weights + cache) / (0.5 * 3350e9) + operations / (0.3 * 989e12) + 32 * 160e-6;
  EXPECT_NEAR(high(decode["tokens_per_second"]), 1 / fastest, 1e-6);
  EXPECT_NEAR(low(decode["tokens_per_second"]), 1 / slowest, 1e-6);
  EXPECT_EQ(decode["bound"], "weights");
}

TEST(Speed, MoreSequencesHitMoreExperts) {
  Model model;
  model.layers = {{NoMixer{}, experts(128, 8)}};
  EXPECT_DOUBLE_EQ(share_of_experts(model, 1), 0.0625);
  EXPECT_NEAR(share_of_experts(model, 16), 0.6439259, 1e-7);  // 1 - (15/16)^16
  EXPECT_NEAR(share_of_experts(model, 4096), 1, 1e-12);
  EXPECT_EQ(share_of_experts(Model(), 5), 1);

  const Json one = speed(ask("vllm", "Qwen/Qwen3-30B-A3B", "h100-sxm", 1, 2048, 1))["decode"];
  const Json many = speed(ask("vllm", "Qwen/Qwen3-30B-A3B", "h100-sxm", 1, 2048, 16))["decode"];
  constexpr double routed = 2.0 * 48 * 128 * 3 * 2048 * 768;
  EXPECT_NEAR(many["weights_read_bytes"].get<double>() - one["weights_read_bytes"].get<double>(), routed * (0.6439259 - 0.0625), 1e5);
  EXPECT_GT(low(many["tokens_per_second"]), low(one["tokens_per_second"]));
  EXPECT_LT(high(many["tokens_per_second_each"]), high(one["tokens_per_second_each"]));
}

TEST(Speed, AnIndexerReadsItsKeysOfAllTokensAndTheRestOfTheChosen) {
  LatentAttention sparse;
  sparse.kv_lora_rank = 512;
  sparse.qk_rope_head_dim = 64;
  sparse.indexer = {64, 128, 2048};
  Model model;
  model.layers = {{sparse}};
  EXPECT_DOUBLE_EQ(share_of_cache(model, 1024), 1);
  EXPECT_DOUBLE_EQ(share_of_cache(model, 32'768), (2048.0 * 576 + 32'768.0 * 128) / (32'768.0 * (576 + 128)));
}

TEST(Speed, ALayerWithoutACacheOfItsOwnReadsThatOfAnother) {
  const FullAttention heads{8, 2, 128, 128};
  Model model;
  model.layers = {{heads}, {.mixer = heads, .shares_cache = true}};
  EXPECT_DOUBLE_EQ(share_of_cache(model, 4096), 2);
}

TEST(Speed, APromptTakesOperationsForEveryTokenButOneResult) {
  const FullAttention heads{2, 2, 4, 4};
  Model model;
  model.layers = {{heads}};
  Tensor matrix;
  matrix.role = TensorRole::attention_q;
  matrix.rows = matrix.cols = 10;
  Tensor head;
  head.role = TensorRole::output_head;
  head.rows = 50;
  head.cols = 10;
  model.tensors = {matrix, head};
  // 2 x 100 a token and 2 x 500 once; 2 x 2 heads x 8 for each of 1 + 2 + 3 tokens seen.
  EXPECT_DOUBLE_EQ(operations_of(model, {1, 3, 3}), 2 * (3 * 100 + 500) + 32.0 * 6);
  EXPECT_DOUBLE_EQ(operations_of(model, {5, 1, 3}), 5 * (2 * (100 + 500) + 32.0 * 3));
  model.layers = {{SlidingAttention{heads, 2}}};
  EXPECT_DOUBLE_EQ(operations_of(model, {1, 3, 3}), 2 * (3 * 100 + 500) + 32.0 * (1 + 2 + 2));
}

TEST(Speed, ExpertsInSystemMemoryAreReadAtItsBandwidth) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-30B-A3B", Json::array({{{"device", "rtx-4090"}, {"count", 1}}}));
  request["offload"] = {{"cpu_moe_layers", 48}};
  const Json counted = testing::estimate(request);
  double routed = 0;
  for (const Json& term : counted["host"]["terms"])
    if (term["id"] == "weights")
      for (const Json& row : term["formula"]["rows"])
        if (row["label"] == "routed_experts") routed += row["bytes"].get<double>();
  EXPECT_GT(routed, 15e9);
  const Json unknown = speed(request);
  // The rows of the embedding and of routers beside it: nothing, and a few megabytes.
  EXPECT_NEAR(unknown["decode"]["host_read_bytes"].get<double>(), routed / 16, 2e7);
  EXPECT_EQ(unknown["assumed"][0]["key"], "host_bandwidth_gb_s");
  EXPECT_EQ(unknown["decode"]["bound"], "host");
  EXPECT_EQ(unknown["prefill"]["gap"], "part_on_host");
  Json several = request;
  several["workload"]["sequences"] = 4;
  // Four tokens choose 1 - (15 / 16)^4 of the experts: that is read at least, and at most what each would read alone.
  const Json together = speed(several)["decode"];
  EXPECT_TRUE(together["gap"].is_null());
  EXPECT_NEAR(together["host_read_bytes"].get<double>(), routed * (1 - 15.0 * 15 * 15 * 15 / 65536), 3e7);
  const auto host_seconds = [](const Json& decode) {
    for (const Json& part : decode["parts"])
      if (part["cause"] == "host") return part["seconds"];
    return Json();
  };
  EXPECT_DOUBLE_EQ(high(host_seconds(together)), 4 * high(host_seconds(unknown["decode"])));
  EXPECT_NEAR(low(host_seconds(together)) / low(host_seconds(unknown["decode"])), 16 * (1 - 50625.0 / 65536), 0.1);
  EXPECT_GT(high(together["tokens_per_second"]), high(unknown["decode"]["tokens_per_second"]));
  const Json known = speed(request, {{"host_bandwidth_gb_s", 80}});
  EXPECT_TRUE(known["assumed"].empty());
  EXPECT_GT(low(known["decode"]["tokens_per_second"]), low(unknown["decode"]["tokens_per_second"]));
  EXPECT_LT(high(known["decode"]["tokens_per_second"]), high(unknown["decode"]["tokens_per_second"]));
}

TEST(Speed, TheHostOfARequestMaySayHowFastItsMemoryIs) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-30B-A3B", Json::array({{{"device", "rtx-4090"}, {"count", 1}}}));
  request["offload"] = {{"cpu_moe_layers", 48}};
  const Json asked = speed(request, {{"host_bandwidth_gb_s", 80}});
  request["host"] = {{"bandwidth_gb_s", 80}};
  EXPECT_EQ(speed(request), asked);
  EXPECT_EQ(testing::estimate(request)["request"]["host"], Json({{"bandwidth_gb_s", 80.0}}));
  // What is asked of the speed alone wins.
  EXPECT_NE(speed(request, {{"host_bandwidth_gb_s", 40}}), asked);
  request["host"]["bandwidth_gb_s"] = 0;
  EXPECT_EQ(testing::call("speed", {{"request", request}})["error"]["where"], "params.host.bandwidth_gb_s");
}

TEST(Speed, ADeviceByHandIsAsFastAsItIsSaidToBe) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"device", "rtx-3090"}, {"count", 1}}}));
  const Json decode = speed(request)["decode"];
  Json own{{"memory_bytes", testing::estimate(request)["devices"][0]["runtime_bytes"]}};
  request["hardware"][0] = own;
  EXPECT_EQ(speed(request)["decode"]["gap"], "unknown_bandwidth");
  own["bandwidth_gb_s"] = 936;
  request["hardware"][0] = own;
  // A token takes as long as its bytes, whatever the card calculates; of a prompt nothing is known.
  const Json by_bandwidth = speed(request);
  EXPECT_EQ(by_bandwidth["prefill"]["gap"], "unknown_operations");
  EXPECT_EQ(by_bandwidth["assumed"][0]["key"], "operations_per_byte");
  EXPECT_LE(low(by_bandwidth["decode"]["tokens_per_second"]), low(decode["tokens_per_second"]));
  EXPECT_NEAR(high(by_bandwidth["decode"]["tokens_per_second"]), high(decode["tokens_per_second"]), 1e-9);
  own["fp16_tflops"] = 142.3;  // with sums in 16 bits, which llama.cpp asks for
  request["hardware"][0] = own;
  EXPECT_EQ(speed(request)["decode"], decode);
}

TEST(Speed, ASliceHasItsShareOfTheCard) {
  const auto both = [](const char* device) { return speed(ask("vllm", "Qwen/Qwen3-8B", device, 1, 4096, 1)); };
  const Json slice = both("h100-mig-3g-40gb");
  const Json whole = both("h100-sxm");
  for (const char* phase : {"decode", "prefill"}) {
    const double share = high(slice[phase]["tokens_per_second"]) / high(whole[phase]["tokens_per_second"]);
    EXPECT_GT(share, 0.4) << phase;  // 3/7 of the multiprocessors, half of the memory
    EXPECT_LT(share, 0.7) << phase;  // what each layer takes beside both is no less
  }
  const Json guest = both("l4-24q-vgpu");
  EXPECT_EQ(guest["decode"], both("l4")["decode"]);
  EXPECT_EQ(guest["assumed"][0]["key"], "guests");  // how much of the card they leave, nobody knows
}

TEST(Speed, LayersOnSeveralCardsFollowEachOtherAndPartsOfALayerDoNot) {
  Json chain = testing::llama_cpp_request("meta-llama/Llama-3.3-70B-Instruct", Json::array({{{"device", "rtx-3090"}, {"count", 4}}}));
  const double four = high(speed(chain)["decode"]["tokens_per_second"]);
  chain["hardware"][0]["count"] = 8;
  EXPECT_NEAR(high(speed(chain)["decode"]["tokens_per_second"]), four, 0.02 * four);
  const double two = high(speed(ask("vllm", "meta-llama/Llama-3.3-70B-Instruct", "h200-sxm", 2, 4096, 1))["decode"]["tokens_per_second"]);
  const double eight = high(speed(ask("vllm", "meta-llama/Llama-3.3-70B-Instruct", "h200-sxm", 8, 4096, 1))["decode"]["tokens_per_second"]);
  EXPECT_GT(eight, 2 * two);
}

TEST(Speed, ASharedPrefixIsReadOnceAtBestAndByEachSequenceAtWorst) {
  Json request = ask("vllm", "Qwen/Qwen3-8B", "h100-sxm", 1, 8192, 8);
  const Json own = speed(request)["decode"];
  request["workload"]["shared_prefix_tokens"] = 4096;
  const Json shared = speed(request)["decode"];
  EXPECT_DOUBLE_EQ(low(shared["tokens_per_second"]), low(own["tokens_per_second"]));
  EXPECT_GT(high(shared["tokens_per_second"]), 1.05 * high(own["tokens_per_second"]));
  EXPECT_LT(shared["cache_read_bytes"], own["cache_read_bytes"]);
}

TEST(Speed, AReplicaTakesAPromptAlone) {
  Json request = ask("vllm", "Qwen/Qwen3-8B", "h100-sxm", 4, 8192, 8);
  request["parallel"] = {{"tensor", 1}, {"data", 4}};
  const Json four = speed(request);
  const Json one = speed(ask("vllm", "Qwen/Qwen3-8B", "h100-sxm", 1, 8192, 2));
  EXPECT_DOUBLE_EQ(high(four["prefill"]["tokens_per_second"]), high(one["prefill"]["tokens_per_second"]));
  EXPECT_DOUBLE_EQ(high(four["decode"]["tokens_per_second_each"]), high(one["decode"]["tokens_per_second_each"]));
}

TEST(Speed, ASlowLinkIsFeltByAPromptMoreThanByAToken) {
  const Json fast = speed(ask("vllm", "meta-llama/Llama-3.3-70B-Instruct", "h100-sxm", 4, 4096, 1));
  const Json slow = speed(ask("vllm", "meta-llama/Llama-3.3-70B-Instruct", "l40s", 4, 4096, 1));
  const auto link = [](const Json& answer) {
    for (const Json& part : answer["decode"]["parts"])
      if (part["cause"] == "link") return high(part["seconds"]);
    return 0.0;
  };
  // 80 layers x 8192 values x 2 bytes, twice, 2 x 3/4 of them over a quarter of the link.
  EXPECT_NEAR(link(fast), 80 * 8192 * 2 * 2 * 1.5 / (0.25 * 450e9), 1e-9);
  EXPECT_NEAR(link(slow), 80 * 8192 * 2 * 2 * 1.5 / (0.25 * 31.504e9), 1e-9);
  EXPECT_GT(high(slow["prefill"]["first_token_seconds"]), 4096 * link(slow));
}

TEST(Speed, WhatIsNotKnownIsNotGuessed) {
  const auto gap = [](const Json& request) { return speed(request)["decode"]["gap"]; };
  Json unknown = ask("vllm", "Qwen/Qwen3-8B", "h100-sxm", 1, 2048, 1);
  unknown["hardware"] = testing::memory(80);
  EXPECT_EQ(gap(unknown), "unknown_bandwidth");
  EXPECT_EQ(gap(ask("vllm", "meta-llama/Llama-3.3-70B-Instruct", "rtx-4090", 1, 2048, 1)), "does_not_fit");
  EXPECT_EQ(gap(ask("vllm", "Qwen/Qwen3-8B", "apple-m4-max-64gb", 1, 2048, 1)), "does_not_run");
  Json article = ask("article", "article/7b", "rtx-4090", 1, 2048, 1);
  article["weights"] = {{"format", "fp16"}};
  EXPECT_EQ(gap(article), "no_layers");
  Json drafts = ask("vllm", "deepseek-ai/DeepSeek-R1", "h200-sxm", 8, 2048, 1);
  drafts["engine"]["options"]["num_speculative_tokens"] = 1;
  const Json drafting = speed(drafts);
  EXPECT_EQ(drafting["decode"]["gap"], "drafts");
  EXPECT_TRUE(drafting["decode"]["tokens_per_second"].is_null());
  EXPECT_FALSE(drafting["prefill"]["tokens_per_second"].is_null());
  const Json encoder = speed(testing::llama_cpp_request("answerdotai/ModernBERT-base", Json::array({{{"device", "rtx-4090"}, {"count", 1}}})));
  EXPECT_EQ(encoder["decode"]["gap"], "reads_only");
  EXPECT_FALSE(encoder["prefill"]["first_token_seconds"].is_null());
  EXPECT_EQ(testing::call("speed", {{"request", article}, {"host_bandwidth_gb_s", -1}})["error"]["where"], "params.host_bandwidth_gb_s");
}

TEST(Speed, WhatRunsLlamaCppRestsOnItsRecords) {
  Json request = testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"device", "rtx-4090"}, {"count", 1}}}));
  const Json own = speed(request);
  request["engine"]["name"] = "ollama";
  const Json other = speed(request);
  EXPECT_EQ(other["band"]["engine"], "llama.cpp");
  EXPECT_EQ(other["band"], own["band"]);
  EXPECT_EQ(speed_band("an engine of next year").records, 0);
}

Json machine(const char* provider, int count, double per_hour, const char* currency = "USD", const char* device = "h200-sxm") {
  return {{"id", std::string(provider) + "-" + std::to_string(count)},
          {"provider", provider},
          {"name", "one"},
          {"gpus", Json::array({{{"device", device}, {"count", count}}})},
          {"price", {{"per_hour", per_hour}, {"currency", currency}, {"date", "2026-07-20"}, {"region", "us-east-1"}, {"basis", "second-hand"}}}};
}

TEST(Cost, IsOfTheSmallestMachineOfEachProviderThatIsLargeEnough) {
  Json machines = Json::array({machine("B", 8, 84.8),
                               machine("A", 8, 63.296),
                               machine("B", 1, 6.35),
                               machine("C", 16, 40),
                               machine("D", 4, 1),
                               machine("E", 8, 10, "USD", "h100-sxm"),
                               machine("F", 8, 500, "CNY"),
                               7,
                               {{"id", "no price"}}});
  const Json answer = speed(testing::usual_request(), {{"machines", machines}});
  ASSERT_EQ(answer["costs"].size(), 4U);
  EXPECT_EQ(answer["costs"][0]["machine"], "F-8");  // currencies are not compared
  EXPECT_EQ(answer["costs"][1]["machine"], "C-16");
  EXPECT_EQ(answer["costs"][1]["count"], 16);
  EXPECT_EQ(answer["costs"][2]["machine"], "A-8");
  EXPECT_EQ(answer["costs"][3]["machine"], "B-8");
  const Json& rate = answer["decode"]["tokens_per_second"];
  EXPECT_NEAR(low(answer["costs"][2]["per_million_tokens"]), 63.296e6 / 3600 / high(rate), 1e-9);
  EXPECT_NEAR(high(answer["costs"][2]["per_million_tokens"]), 63.296e6 / 3600 / low(rate), 1e-9);
}

Json receipts(const Json& request) {
  const Json response = testing::call("receipts", request);
  EXPECT_EQ(response["ok"], true) << response.dump();
  return response["result"];
}

TEST(Receipts, AreTheRulesOfThumbBesideTheCountedTotal) {
  const Json answer = receipts(testing::usual_request());
  const Json counted = testing::estimate(testing::usual_request());
  EXPECT_EQ(answer["total_bytes"], 8 * counted["devices"][0]["total_bytes"].get<std::int64_t>());
  constexpr std::int64_t parameters = 671'026'419'200;
  const Json expected{{"two_bytes", 2 * parameters},
                      {"format_bits", parameters},
                      {"format_bits_and_20", parameters * 6 / 5},
                      {"active_bits", 37'552'297'472},
                      // One byte each: parameters, a hidden state of 7168 a token, keys and values of 128 heads of 128 in one layer.
                      {"article", parameters + 16LL * 32'768 * 7168 + 2 * 16LL * 32'768 * 128 * 128}};
  ASSERT_EQ(answer["receipts"].size(), expected.size());
  for (const Json& receipt : answer["receipts"]) {
    EXPECT_EQ(receipt["bytes"], expected[receipt["rule"].get<std::string>()]) << receipt["rule"];
    EXPECT_DOUBLE_EQ(receipt["factor"].get<double>(), receipt["bytes"].get<double>() / answer["total_bytes"].get<double>());
  }
}

TEST(Receipts, LeaveOutARuleThatHasNoWordForTheCase) {
  const Json answer = receipts(testing::llama_cpp_request("Qwen/Qwen3-8B", Json::array({{{"device", "rtx-4090"}, {"count", 1}}})));
  std::vector<std::string> rules;
  for (const Json& receipt : answer["receipts"]) rules.push_back(receipt["rule"]);
  EXPECT_EQ(rules, (std::vector<std::string>{"two_bytes", "format_bits", "format_bits_and_20"}));
  EXPECT_EQ(answer["receipts"][1]["bytes"], 8'190'735'360 / 2);
  const Json plain = receipts(ask("vllm", "Qwen/Qwen3-8B", "h100-sxm", 1, 2048, 1));  // bf16: two bytes are its bits
  ASSERT_EQ(plain["receipts"].size(), 3U);
  EXPECT_EQ(plain["receipts"][1]["rule"], "format_bits_and_20");
  EXPECT_TRUE(receipts(ask("vllm", "Qwen/Qwen3-8B", "apple-m4-max-64gb", 1, 2048, 1))["receipts"].empty());
}

TEST(Receipts, ReadTheBitsInAFormatsName) {
  for (const auto& [format, bits] : {std::pair{"bf16", 16}, {"fp8", 8}, {"awq-int4", 4}, {"mxfp4", 4}, {"gguf:Q4_K_M", 4}, {"gguf:IQ2_XXS", 2}})
    EXPECT_EQ(bits_by_name(format), bits) << format;
  EXPECT_EQ(bits_by_name("exl"), 0);
}

}  // namespace
}  // namespace weighbridge::speed_test

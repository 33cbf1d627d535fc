// SPDX-License-Identifier: Apache-2.0
// Requests nobody should send: each gets an answer, in time, and one clear sentence if it is a refusal.
#include <gtest/gtest.h>

#include <chrono>

#include "api_fixture.hpp"

namespace weighbridge::hostile_test {
namespace {

using testing::Json;

/// Far above what any call takes natively, so that a busy machine does not fail it; sanitizers and WebAssembly are slower still.
constexpr std::chrono::milliseconds kLongest{1000};

Json timed_call(const Json& params) {
  const auto start = std::chrono::steady_clock::now();
  Json response = testing::call("estimate", params);
  EXPECT_LT(std::chrono::steady_clock::now() - start, kLongest) << params.dump().substr(0, 300);
  return response;
}

/// The largest keys that pass one by one.
Json largest_config(const char* type) {
  return {{"model_type", type},
          {"hidden_size", 262'144},
          {"intermediate_size", 1'048'576},
          {"num_hidden_layers", 4096},
          {"num_attention_heads", 16'384},
          {"num_key_value_heads", 16'384},
          {"head_dim", 16'384},
          {"vocab_size", 16'777'216},
          {"max_position_embeddings", 134'217'728},
          {"torch_dtype", "float32"},
          {"q_lora_rank", 262'144},
          {"kv_lora_rank", 16'384},
          {"qk_nope_head_dim", 16'384},
          {"qk_rope_head_dim", 16'384},
          {"v_head_dim", 16'384},
          {"n_routed_experts", 16'384},
          {"num_experts_per_tok", 16'384},
          {"n_shared_experts", 64},
          {"moe_intermediate_size", 131'072},
          {"num_nextn_predict_layers", 64},
          {"first_k_dense_replace", 1}};
}

Json request(Json config, std::int64_t devices = 8) {
  return {{"model", {{"config", std::move(config)}}},
          {"engine", {{"name", "vllm"}, {"options", {{"block_size", 4096}, {"max_num_batched_tokens", 16'777'216}, {"max_num_seqs", 1'000'000}}}}},
          {"workload", {{"context_tokens", 134'217'728}, {"sequences", 1'000'000}}},
          {"hardware", Json::array({{{"memory_bytes", 9'007'199'254'740'992}, {"count", devices}}})}};
}

TEST(Hostile, ProductsOfTheLargestKeysAreRefusedNotWrapped) {
  for (const char* type : {"llama", "qwen2", "qwen3", "deepseek_v3"}) {
    const Json response = timed_call(request(largest_config(type)));
    EXPECT_EQ(response["ok"], false);
    EXPECT_EQ(response["error"]["code"], "too_large") << type;
  }
}

/// One large key at a time passes; whatever it is multiplied with must saturate, so the need never looks small.
TEST(Hostile, LargeButAllowedSizesNeverLookSmall) {
  const Json small{{"model_type", "llama"},    {"hidden_size", 1024},      {"intermediate_size", 4096},
                   {"num_hidden_layers", 2},   {"num_attention_heads", 8}, {"num_key_value_heads", 8},
                   {"head_dim", 128},          {"vocab_size", 1024},       {"max_position_embeddings", 134'217'728},
                   {"torch_dtype", "bfloat16"}};
  for (const auto& [key, value] : {std::pair{"hidden_size", 262'144}, std::pair{"intermediate_size", 1'048'576}, std::pair{"num_hidden_layers", 4096},
                                   std::pair{"num_attention_heads", 16'384}, std::pair{"head_dim", 16'384}, std::pair{"vocab_size", 16'777'216}}) {
    for (const char* engine : {"vllm", "article"}) {
      Json params = request(small);
      params["model"]["config"][key] = value;
      params["engine"]["name"] = engine;
      if (engine == std::string_view("article")) params["engine"].erase("options");
      const Json response = timed_call(params);
      ASSERT_EQ(response["ok"], true) << response.dump();
      if (response["result"]["devices"].empty()) continue;
      const auto need = response["result"]["devices"][0]["total_bytes"].get<std::uint64_t>();
      EXPECT_GT(need, std::uint64_t{1} << 45) << key << ' ' << engine;
    }
  }
}

TEST(Hostile, LatentAttentionSaturatesToo) {
  Json params = testing::usual_request();
  params["model"] = {
      {"config", testing::parse(R"({"model_type":"deepseek_v3","hidden_size":1024,"intermediate_size":1024,"moe_intermediate_size":1024,
    "num_hidden_layers":2,"num_attention_heads":16384,"q_lora_rank":64,"kv_lora_rank":16384,"qk_nope_head_dim":16384,"qk_rope_head_dim":16384,"v_head_dim":16384,
    "n_routed_experts":8,"num_experts_per_tok":8,"first_k_dense_replace":1,"vocab_size":1024,"max_position_embeddings":134217728,"torch_dtype":"bfloat16"})")}};
  params["engine"]["options"] = {{"block_size", 4096}};
  params["workload"] = {{"context_tokens", 134'217'728}, {"sequences", 1'000'000}};
  const Json response = timed_call(params);
  ASSERT_EQ(response["ok"], true) << response.dump();
  EXPECT_EQ(response["result"]["verdict"]["class"], "no");
}

TEST(Hostile, AThousandDevicesAreAnsweredInTime) {
  Json params = testing::usual_request();
  params["hardware"][0]["count"] = 1024;
  const Json response = timed_call(params);
  EXPECT_EQ(response["result"]["verdict"]["class"], "impossible");
  EXPECT_EQ(response["result"]["verdict"]["nearest"]["parallel"]["tensor"], 16);
  params["engine"]["name"] = "article";
  EXPECT_EQ(timed_call(params)["result"]["devices"].size(), 1024U);
  params["hardware"][0]["count"] = 1025;
  EXPECT_EQ(timed_call(params)["error"]["code"], "out_of_range");
}

TEST(Hostile, EmptyNamesAndOddTypesNameTheKey) {
  for (const char* text :
       {R"({"model":{"id":""}})", R"({"model":{"id":5}})", R"({"model":[]})", R"({"model":{"id":"deepseek-r1"},"hardware":{}})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[5]})", R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200","count":0}]})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200"}],"workload":{"context_tokens":0}})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200"}],"workload":{"context_tokens":1000000000}})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200"}],"workload":{"sequences":-3}})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200"}],"parallel":{"tensor":1.5}})",
        R"({"model":{"id":"deepseek-r1"},"hardware":[{"device":"h200"}],"engine":{"options":{"gpu_memory_utilization":0}}})"}) {
    const Json response = timed_call(testing::parse(text));
    ASSERT_EQ(response["ok"], false) << text;
    EXPECT_NE(response["error"]["message"].get<std::string>().find("expected"), std::string::npos) << response["error"].dump();
    EXPECT_FALSE(response["error"]["values"]["key"].get<std::string>().empty()) << text;
  }
}

}  // namespace
}  // namespace weighbridge::hostile_test

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "json_parse.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::config_test {
namespace {

using testing::Json;

Json llama() {
  return testing::parse(R"({"model_type":"llama","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,"num_key_value_heads":8,
    "num_hidden_layers":32,"vocab_size":128256,"max_position_embeddings":131072,"torch_dtype":"bfloat16","tie_word_embeddings":false})");
}

Result<Model> read(const Json& config, Notices* warnings = nullptr) {
  Notices unused;
  return read_config(config, "params.model.config", warnings != nullptr ? *warnings : unused);
}

TEST(ReadConfig, Llama31EightBillionHasItsPublishedParameters) {
  const Result<Model> model = read(llama());
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).text, 8'030'261'248);
}

TEST(ReadConfig, Qwen2CountsItsBiases) {
  Json config = llama();
  config.update(testing::parse(R"({"model_type":"qwen2","hidden_size":3584,"intermediate_size":18944,"num_attention_heads":28,"num_key_value_heads":4,
    "num_hidden_layers":28,"vocab_size":152064})"));
  const Result<Model> model = read(config);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).text, 7'615'616'512);
}

TEST(ReadConfig, Qwen3CountsItsHeadNorms) {
  Json config = llama();
  config.update(testing::parse(R"({"model_type":"qwen3","hidden_size":4096,"intermediate_size":12288,"num_attention_heads":32,"num_key_value_heads":8,
    "head_dim":128,"num_hidden_layers":36,"vocab_size":151936})"));
  const Result<Model> model = read(config);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).text, 8'190'735'360);
}

TEST(ReadConfig, TiedEmbeddingsAreStoredOnce) {
  Json config = llama();
  config["tie_word_embeddings"] = true;
  EXPECT_EQ(count_parameters(read(config)->tensors).text, 8'030'261'248 - 128256LL * 4096);
}

TEST(ReadConfig, AMissingKeyIsNamedWithWhatWasExpected) {
  Json config = llama();
  config.erase("hidden_size");
  const Result<Model> model = read(config);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, "missing_key");
  EXPECT_EQ(model.error().where, "params.model.config.hidden_size");
  EXPECT_EQ(model.error().message, "`hidden_size` is missing: expected a whole number from 1 to 262,144.");
}

TEST(ReadConfig, AMissingTrainedLengthIsAssumedAndSaid) {
  Json config = llama();
  config.erase("max_position_embeddings");
  Notices warnings;
  EXPECT_EQ(read(config, &warnings)->max_context_tokens, 131072);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].key, "max_position_embeddings");
}

TEST(ReadConfig, AMissingKeyValueHeadCountIsAssumedAndSaid) {
  Json config = llama();
  config.erase("num_key_value_heads");
  Notices warnings;
  ASSERT_TRUE(read(config, &warnings).has_value());
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "assumed_default");
  EXPECT_EQ(warnings[0].key, "num_key_value_heads");
  EXPECT_EQ(warnings[0].value, "32");
  EXPECT_EQ(warnings[0].message, "config.json has no `num_key_value_heads`. We took 32 (same as attention heads). Change it in Expert settings.");
}

struct BadValue {
  const char* key;
  Json value;
  const char* code;
};

class ReadConfigRefuses : public ::testing::TestWithParam<BadValue> {};

TEST_P(ReadConfigRefuses, WithTheKeyAndTheValue) {
  Json config = llama();
  config[GetParam().key] = GetParam().value;
  const Result<Model> model = read(config);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, GetParam().code);
  EXPECT_NE(model.error().message.find(GetParam().key), std::string::npos) << model.error().message;
}

INSTANTIATE_TEST_SUITE_P(Absurd, ReadConfigRefuses,
                         ::testing::Values(BadValue{"num_attention_heads", 0, "out_of_range"}, BadValue{"num_hidden_layers", -1, "out_of_range"},
                                           BadValue{"hidden_size", 1'000'000'000'000'000'000, "out_of_range"},
                                           BadValue{"hidden_size", 1e300, "out_of_range"}, BadValue{"hidden_size", 4096.5, "out_of_range"},
                                           BadValue{"hidden_size", std::numeric_limits<std::uint64_t>::max(), "out_of_range"},
                                           BadValue{"hidden_size", "4096", "wrong_type"}, BadValue{"num_hidden_layers", Json::array(), "wrong_type"},
                                           BadValue{"num_key_value_heads", 7, "not_divisible"}, BadValue{"torch_dtype", "complex64", "wrong_type"},
                                           BadValue{"tie_word_embeddings", "yes", "wrong_type"}, BadValue{"model_type", 7, "wrong_type"}));

TEST(ReadConfig, AnUnknownArchitectureListsTheKnownOnes) {
  Json config = llama();
  config["model_type"] = "foo_bar";
  config.erase("hidden_size");
  const Result<Model> model = read(config);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, "unknown_architecture");
  EXPECT_NE(model.error().message.find("foo_bar"), std::string::npos);
  EXPECT_NE(model.error().message.find("deepseek_v3"), std::string::npos);
}

TEST(ReadConfig, SizesThatAreOnlyAbsurdTogetherAreRefused) {
  Json config = testing::parse(embedded("deepseek-r1.config.json"));
  config.update(testing::parse(R"({"hidden_size":262144,"num_hidden_layers":4096,"n_routed_experts":16384,"moe_intermediate_size":131072})"));
  const Result<Model> model = read(config);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, "too_large");
}

TEST(ReadConfig, AQuantizationWeDoNotCountIsSaidNotGuessed) {
  Json config = llama();
  config["quantization_config"] = {{"quant_method", "hqq"}, {"nbits", 4}};
  const Result<Model> model = read(config);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, "unsupported");
  EXPECT_NE(model.error().message.find("hqq"), std::string::npos);
}

TEST(ReadConfig, MoreExpertsUsedThanThereAreIsRefused) {
  Json config = testing::parse(embedded("deepseek-r1.config.json"));
  config["num_experts_per_tok"] = 257;
  EXPECT_EQ(read(config).error().code, "out_of_range");
}

TEST(ParseJson, WhatPythonWritesForNoNumberIsNull) {
  const Result<Json> json = parse_json(R"({"limits":[0.0,Infinity],"least":-Infinity,"none":NaN,"text":"NaN \" Infinity"})", "config");
  ASSERT_TRUE(json.has_value());
  EXPECT_EQ(*json, testing::parse(R"({"limits":[0.0,null],"least":null,"none":null,"text":"NaN \" Infinity"})"));
  const Result<Json> wrong = parse_json("{\"limits\":[NaN,\n Infinite]}", "config");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().code, "invalid_json");
}

TEST(ParseJson, ALaterMemberReplacesOneOfItsName) { EXPECT_EQ(parse_json(R"({"a":[{"b":1}],"a":2,"c":{}})", "config")->dump(), R"({"a":2,"c":{}})"); }

/// A list of modules as nvidia/MiniMax-M3-NVFP4 has it; a member was once looked for among all the others, and each left out in turn.
TEST(MinimalConfig, ALongListOfModulesStaysAsItIs) {
  Json config = llama();
  Json& modules = (config["quantization_config"] = {{"quant_method", "modelopt"}, {"quant_algo", "MIXED_PRECISION"}})["quantized_layers"];
  for (int layer = 0; layer < 32; ++layer)
    for (int copy = 0; copy < 60; ++copy)
      modules["model.layers." + std::to_string(layer) + ".mlp.experts." + std::to_string(copy) + ".up_proj"] = {{"quant_algo", "FP8"}};
  const Result<Json> parsed = parse_json(config.dump(), "config");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(*parsed, config);
  EXPECT_EQ(minimal_config(config)["quantization_config"]["quantized_layers"].size(), 32U * 60U);
}

TEST(MinimalConfig, KeepsWhatTheCountDependsOnAndNoMore) {
  const Json config = Json::parse(std::string(embedded("deepseek-r1.config.json")));
  const Json minimal = minimal_config(config);
  Notices warnings;
  EXPECT_EQ(*read_config(minimal, "config", warnings), *read_config(config, "config", warnings));
  EXPECT_TRUE(warnings.empty());
  EXPECT_FALSE(minimal.contains("architectures"));
  EXPECT_FALSE(minimal.contains("bos_token_id"));
  EXPECT_FALSE(minimal["quantization_config"].contains("fmt"));
  EXPECT_TRUE(minimal["quantization_config"].contains("weight_block_size"));
  for (const auto& item : minimal.items()) {
    Json without = minimal;
    without.erase(item.key());
    Notices more;
    const Result<Model> model = read_config(without, "config", more);
    EXPECT_TRUE(!model || !(*model == *read_config(minimal, "config", warnings)) || !more.empty()) << item.key();
  }
}

}  // namespace
}  // namespace weighbridge::config_test

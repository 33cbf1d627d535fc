// SPDX-License-Identifier: Apache-2.0
// Architectures that nobody has told us of.
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::unknown_test {
namespace {

bool has_code(const Notices& warnings, std::string_view code) {
  return std::any_of(warnings.begin(), warnings.end(), [&](const Notice& notice) { return notice.code == code; });
}

constexpr const char* kPlain =
    R"({"model_type":"novel","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":128,
        "vocab_size":100,"max_position_embeddings":1024,"torch_dtype":"bfloat16"})";

TEST(UnknownArchitecture, APlainDecoderIsCountedAndSaidToBeAssumed) {
  Notices warnings;
  const Result<Model> model = read_config(testing::parse(kPlain), "config", warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_TRUE(has_code(warnings, "assumed_architecture"));
  EXPECT_FALSE(has_code(warnings, "not_counted"));
  const std::int64_t layer = 2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 128 + 2 * 64;
  EXPECT_EQ(count_parameters(model->tensors).text, 2 * 100 * 64 + 64 + 2 * layer);
}

TEST(UnknownArchitecture, ExpertsAreCountedUnderAnyOfTheirNames) {
  for (const char* key : {"num_experts", "num_local_experts", "n_routed_experts"}) {
    testing::Json config = testing::parse(kPlain);
    config[key] = 8;
    config["num_experts_per_tok"] = 2;
    config["moe_intermediate_size"] = 32;
    Notices warnings;
    const Result<Model> model = read_config(config, "config", warnings);
    ASSERT_TRUE(model.has_value()) << key;
    const MoeFfn* moe = first_moe(*model);
    ASSERT_NE(moe, nullptr) << key;
    EXPECT_EQ(moe->n_experts, 8);
  }
}

TEST(UnknownArchitecture, KeysOfOtherPartsAreNamed) {
  testing::Json config = testing::parse(kPlain);
  config["ssm_state_size"] = 16;
  Notices warnings;
  ASSERT_TRUE(read_config(config, "config", warnings).has_value());
  const auto found = std::find_if(warnings.begin(), warnings.end(), [](const Notice& notice) { return notice.code == "not_counted"; });
  ASSERT_NE(found, warnings.end());
  EXPECT_NE(found->message.find("`ssm_state_size`"), std::string::npos);
}

TEST(UnknownArchitecture, AKnownLanguageModelInsideIsCounted) {
  testing::Json config{{"model_type", "novel_vl"}, {"torch_dtype", "bfloat16"}, {"llm_config", testing::parse(kPlain)}};
  config["llm_config"]["model_type"] = "qwen3";
  Notices warnings;
  const Result<Model> model = read_config(config, "config", warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->architecture, "qwen3");
  EXPECT_TRUE(has_code(warnings, "not_counted"));
  EXPECT_FALSE(has_code(warnings, "assumed_architecture"));
}

TEST(UnknownArchitecture, TheClassTellsTheFamilyWhereTheTypeDoesNot) {
  testing::Json config = testing::parse(kPlain);
  config["architectures"] = {"Qwen2_5_VLForConditionalGeneration"};
  for (const testing::Json& type : {testing::Json("mine"), testing::Json()}) {
    config["model_type"] = type;
    Notices warnings;
    const Result<Model> model = read_config(config, "config", warnings);
    ASSERT_TRUE(model.has_value());
    EXPECT_EQ(model->architecture, "qwen2_5_vl");
    EXPECT_TRUE(has_code(warnings, "assumed_default"));
    EXPECT_FALSE(has_code(warnings, "assumed_architecture"));
  }
}

TEST(UnknownArchitecture, ALanguageModelDeepInsideIsCounted) {
  testing::Json config{{"model_type", "novel_omni"}, {"torch_dtype", "bfloat16"}};
  config["thinker_config"]["model_type"] = "novel_thinker";
  config["thinker_config"]["text_config"] = testing::parse(kPlain);
  config["thinker_config"]["text_config"]["model_type"] = "qwen3";
  Notices warnings;
  const Result<Model> model = read_config(config, "config", warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->architecture, "qwen3");
  EXPECT_TRUE(has_code(warnings, "not_counted"));
}

TEST(UnknownArchitecture, OtherNamesOfTheSameKeysMeanTheSame) {
  Notices warnings;
  const Result<Model> model = read_config(
      testing::parse(R"({"model_type":"novel","n_embd":64,"n_layer":2,"n_head":4,"n_kv_heads":2,"n_inner":128,"vocab_size":100,"n_positions":1024})"),
      "config", warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->tensors, read_config(testing::parse(kPlain), "config", warnings)->tensors);
  EXPECT_EQ(model->max_context_tokens, 1024);
}

TEST(UnknownArchitecture, AnObjectOfItselfEnds) {
  Notices warnings;
  const char* config = R"({"model_type":"llava","text_config":{"model_type":"llava","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,
                           "intermediate_size":128,"vocab_size":100,"max_position_embeddings":1024}})";
  const Result<Model> model = read_config(testing::parse(config), "config", warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->architecture, "llama");
}

TEST(UnknownArchitecture, WithoutTheKeysOfADecoderItStaysUnknown) {
  Notices warnings;
  const Result<Model> model = read_config(testing::parse(R"({"model_type":"novel","d_model":64})"), "config", warnings);
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().code, "unknown_architecture");
}

}  // namespace
}  // namespace weighbridge::unknown_test

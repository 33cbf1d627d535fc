// SPDX-License-Identifier: Apache-2.0
// Qwen beyond plain decoders: gated delta nets, experts with a shared one, MTP layers, encoders, n-gram tables.
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::qwen_test {
namespace {

using testing::Json;

// Qwen3.5-27B; what is missing are defaults of the model class.
constexpr const char* kQwen35 =
    R"({"model_type":"qwen3_5","text_config":{"model_type":"qwen3_5_text","dtype":"bfloat16","hidden_size":5120,"intermediate_size":17408,
        "num_hidden_layers":64,"num_attention_heads":24,"linear_num_value_heads":48,"mtp_num_hidden_layers":1,"max_position_embeddings":262144},
        "vision_config":{"out_hidden_size":5120,"deepstack_visual_indexes":[]}})";
constexpr const char* kQwen3Next =
    R"({"model_type":"qwen3_next","hidden_size":2048,"num_hidden_layers":48,"max_position_embeddings":262144,"num_nextn_predict_layers":0,
        "torch_dtype":"bfloat16"})";
constexpr const char* kQwen4 =
    R"({"model_type":"qwen4_exp_text","hidden_size":2560,"num_hidden_layers":4,"num_attention_heads":24,"linear_num_value_heads":48,
        "moe_intermediate_size":640,"shared_expert_intermediate_size":640,"indexer_n_heads":4,"indexer_kv_heads":1,"indexer_head_dim":128,
        "indexer_budget":2048,"indexer_compress_ratio":4,"ple_layer_ids":[2],"mtp_num_hidden_layers":1,"dtype":"bfloat16"})";

Result<Model> read(const Json& config) {
  Notices warnings;
  return read_config(config, "config", warnings);
}

Model model_of(const Json& config) {
  Result<Model> model = read(config);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  return *model;
}

Json with(const char* config, const char* key, Json value) {
  Json changed = testing::parse(config);
  changed[key] = std::move(value);
  return changed;
}

std::int64_t rows_of(const std::vector<Tensor>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& t) { return t.name == name; });
  return found == tensors.end() ? 0 : found->rows;
}

TEST(Qwen35, CountsAsPublished) {
  const ParameterCounts counts = count_parameters(model_of(testing::parse(kQwen35)).tensors);
  EXPECT_EQ(counts.text, 26'895'998'464);  // parameters of its GGUF file, which holds neither MTP layer nor encoder
  EXPECT_EQ(counts.stored, 27'781'427'952);
}

TEST(Qwen35, ThreeOfFourLayersKeepAStateAndNoCache) {
  const Model model = model_of(testing::parse(kQwen35));
  ASSERT_EQ(model.n_layers(), 64);
  for (std::size_t layer = 0; layer < 64; ++layer) {
    const RecurrentMixer* delta = recurrent_part(model.layers[layer]);
    ASSERT_EQ(delta != nullptr, layer % 4 != 3) << layer;
    if (delta == nullptr) continue;
    EXPECT_EQ(delta->state_values, 48 * 128 * 128);
    EXPECT_EQ(delta->conv_values(), (2 * 16 * 128 + 48 * 128) * 3);
  }
  EXPECT_EQ(cache_values_per_token(model.layers[3].mixer), 2 * 4 * 256);
  EXPECT_EQ(model.rotary_dim, 64);
}

TEST(Qwen35, LayerTypesWinOverTheInterval) {
  Json config = testing::parse(kQwen35);
  Json types = Json::array();
  for (int layer = 0; layer < 64; ++layer) types.push_back(layer < 60 ? "linear_attention" : "full_attention");
  config["text_config"]["layer_types"] = types;
  const Model model = model_of(config);
  EXPECT_EQ(std::count_if(model.layers.begin(), model.layers.end(), [](const LayerSpec& l) { return recurrent_part(l) != nullptr; }), 60);
}

TEST(Qwen35, TheTextModelAloneHasNoEncoder) {
  Json text = testing::parse(kQwen35)["text_config"];
  const ParameterCounts counts = count_parameters(model_of(text).tensors);
  EXPECT_EQ(counts.text, 26'895'998'464);
  EXPECT_EQ(counts.multimodal, 0);
}

TEST(Qwen3Next, TheConverterSplitsTheFusedProjection) {
  const Model model = model_of(testing::parse(kQwen3Next));
  EXPECT_EQ(count_parameters(model.tensors).text, 79'674'391'296);  // of its GGUF file
  EXPECT_EQ(rows_of(model.tensors, "model.layers.{layer}.linear_attn.in_proj_qkvz.weight"), 2 * 2048 + 2 * 4096);
  const std::vector<Tensor> gguf = gguf_tensors(model, "gguf:Q8_0");
  EXPECT_EQ(rows_of(gguf, "attn_qkv"), 2 * 2048 + 4096);
  EXPECT_EQ(rows_of(gguf, "attn_gate"), 4096);
}

TEST(Qwen3Next, HoldsAnMtpLayerUnlessItIsSaidNotTo) {
  Json config = testing::parse(kQwen3Next);
  EXPECT_EQ(count_parameters(model_of(config).tensors).mtp, 0);
  config.erase("num_nextn_predict_layers");
  EXPECT_EQ(model_of(config).mtp_layers.size(), 1U);
}

TEST(Qwen4Exp, CountsTheTableOfItsNgrams) {
  const Model model = model_of(testing::parse(kQwen4));
  // 128 shards of 2,500,012 rows in the checkpoint of Qwen3.8-Flash-Next: 16 primes above 20 million, padded.
  EXPECT_EQ(rows_of(model.tensors, "model.layers.{layer}.ple.ple_embedding.ngram_embedding.weight"), 128 * 2'500'012);
  // The shapes of its 31 MTP tensors, added up: 5.214 GB in 16 bit.
  EXPECT_EQ(count_parameters(model.tensors).mtp, 2'607'150'848);
}

TEST(Qwen4Exp, ItsIndexerCachesOneKeyForFourTokens) {
  const Model model = model_of(testing::parse(kQwen4));
  EXPECT_EQ(cache_values_per_token(model.layers[3].mixer), 2 * 2 * 256 + 128 / 4);
}

TEST(Qwen4Exp, RefusesLayersThatAreNotThere) {
  const Result<Model> model = read(with(kQwen4, "ple_layer_ids", Json::array({5})));
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().where, "config.ple_layer_ids");
}

TEST(QwenHybrid, RefusesKindsOfLayersItDoesNotKnow) {
  const Result<Model> unknown = read(with(kQwen3Next, "layer_types", Json(std::vector<std::string>(48, "mamba"))));
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().where, "config.layer_types");
  EXPECT_FALSE(read(with(kQwen3Next, "layer_types", Json::array({"full_attention"}))).has_value());
  EXPECT_FALSE(read(with(kQwen3Next, "linear_num_value_heads", 24)).has_value());
  EXPECT_FALSE(read(with(kQwen35, "text_config", "none")).has_value());
}

struct Encoder {
  const char* name;
  const char* config;
  std::int64_t elements;
};

class QwenEncoder : public ::testing::TestWithParam<Encoder> {};

TEST_P(QwenEncoder, HasTheSizeOfThePublishedOne) {
  const Model model = model_of(testing::parse(GetParam().config));
  EXPECT_EQ(count_parameters(model.tensors).multimodal, GetParam().elements);
  ASSERT_TRUE(model.vision.has_value());
  EXPECT_EQ(model.vision->tokens_per_image, 16'384);
}

// Qwen2-VL-7B: 8,291,375,616 published elements less 7,615,616,512 of its language model; Qwen2.5-VL-7B: 8,292,166,656 less the same.
// Qwen3-VL: 451 tensors' shapes added up.
INSTANTIATE_TEST_SUITE_P(
    Generations, QwenEncoder,
    ::testing::Values(
        Encoder{"Qwen2", R"({"model_type":"qwen2_vl","hidden_size":3584,"intermediate_size":18944,"num_hidden_layers":28,"num_attention_heads":28,
                             "num_key_value_heads":4,"vocab_size":152064,"max_position_embeddings":32768,"torch_dtype":"bfloat16",
                             "vision_config":{"depth":32,"embed_dim":1280,"mlp_ratio":4,"num_heads":16,"in_chans":3,"hidden_size":3584,"patch_size":14,
                             "spatial_merge_size":2,"temporal_patch_size":2}})",
                675'759'104},
        Encoder{"Qwen2_5", R"({"model_type":"qwen2_5_vl","hidden_size":3584,"intermediate_size":18944,"num_hidden_layers":28,"num_attention_heads":28,
                               "num_key_value_heads":4,"vocab_size":152064,"max_position_embeddings":128000,"torch_dtype":"bfloat16",
                               "vision_config":{"hidden_size":1280,"out_hidden_size":3584}})",
                676'550'144},
        Encoder{"Qwen3", R"({"model_type":"qwen3_vl","tie_word_embeddings":false,"text_config":{"dtype":"bfloat16","hidden_size":5120,
                             "intermediate_size":25600,"num_hidden_layers":64,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":128,
                             "vocab_size":151936,"max_position_embeddings":262144},"vision_config":{"out_hidden_size":5120}})",
                595'266'800}),
    [](const auto& encoder) { return encoder.param.name; });

}  // namespace
}  // namespace weighbridge::qwen_test

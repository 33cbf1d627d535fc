// SPDX-License-Identifier: Apache-2.0
// The inventory of each family against the published element counts and bytes of its checkpoints.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::families_test {
namespace {

using testing::Json;

constexpr const char* kQwen3Moe30B =
    R"({"model_type":"qwen3_moe","hidden_size":2048,"intermediate_size":6144,"moe_intermediate_size":768,"num_attention_heads":32,"num_key_value_heads":4,
        "head_dim":128,"num_experts":128,"num_experts_per_tok":8,"num_hidden_layers":48,"decoder_sparse_step":1,"mlp_only_layers":[],"vocab_size":151936,
        "max_position_embeddings":40960,"tie_word_embeddings":false,"torch_dtype":"bfloat16"})";
constexpr const char* kQwen3Moe480B =
    R"({"model_type":"qwen3_moe","hidden_size":6144,"intermediate_size":8192,"moe_intermediate_size":2560,"num_attention_heads":96,"num_key_value_heads":8,
        "head_dim":128,"num_experts":160,"num_experts_per_tok":8,"num_hidden_layers":62,"vocab_size":151936,"max_position_embeddings":262144,
        "torch_dtype":"bfloat16"})";
constexpr const char* kQwen3Moe235BFp8 =
    R"({"model_type":"qwen3_moe","hidden_size":4096,"intermediate_size":12288,"moe_intermediate_size":1536,"num_attention_heads":64,"num_key_value_heads":4,
        "head_dim":128,"num_experts":128,"num_experts_per_tok":8,"num_hidden_layers":94,"vocab_size":151936,"max_position_embeddings":40960,
        "torch_dtype":"bfloat16","quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}})";
constexpr const char* kMixtral8x7B =
    R"({"model_type":"mixtral","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,"num_key_value_heads":8,"num_local_experts":8,
        "num_experts_per_tok":2,"num_hidden_layers":32,"vocab_size":32000,"max_position_embeddings":32768,"sliding_window":null,"torch_dtype":"bfloat16"})";
constexpr const char* kMistral7BV01 =
    R"({"model_type":"mistral","hidden_size":4096,"intermediate_size":14336,"num_attention_heads":32,"num_key_value_heads":8,"num_hidden_layers":32,
        "vocab_size":32000,"max_position_embeddings":32768,"sliding_window":4096,"torch_dtype":"bfloat16"})";
constexpr const char* kPhi3Mini =
    R"({"model_type":"phi3","hidden_size":3072,"intermediate_size":8192,"num_attention_heads":32,"num_key_value_heads":32,"num_hidden_layers":32,
        "vocab_size":32064,"max_position_embeddings":131072,"sliding_window":262144,"torch_dtype":"bfloat16"})";
constexpr const char* kGemma2_27B =
    R"({"model_type":"gemma2","hidden_size":4608,"intermediate_size":36864,"num_attention_heads":32,"num_key_value_heads":16,"head_dim":128,
        "num_hidden_layers":46,"vocab_size":256000,"max_position_embeddings":8192,"sliding_window":4096,"torch_dtype":"bfloat16"})";
constexpr const char* kGemma3_1B =
    R"({"model_type":"gemma3_text","hidden_size":1152,"intermediate_size":6912,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":256,
        "num_hidden_layers":26,"vocab_size":262144,"max_position_embeddings":32768,"sliding_window":512,"sliding_window_pattern":6,"torch_dtype":"bfloat16"})";
// As published: what is missing are the defaults of the model class.
constexpr const char* kGemma3_4B =
    R"({"model_type":"gemma3","mm_tokens_per_image":256,"torch_dtype":"bfloat16",
        "text_config":{"model_type":"gemma3_text","hidden_size":2560,"intermediate_size":10240,"num_hidden_layers":34,"sliding_window":1024},
        "vision_config":{"model_type":"siglip_vision_model","hidden_size":1152,"image_size":896,"intermediate_size":4304,"num_attention_heads":16,
        "num_hidden_layers":27,"patch_size":14}})";
constexpr const char* kGptOss20B =
    R"({"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,
        "num_local_experts":32,"num_experts_per_tok":4,"num_hidden_layers":24,"vocab_size":201088,"max_position_embeddings":131072,"sliding_window":128,
        "attention_bias":true,"dtype":"bfloat16","quantization_config":{"quant_method":"mxfp4"}})";
constexpr const char* kGptOss120B =
    R"({"model_type":"gpt_oss","hidden_size":2880,"intermediate_size":2880,"num_attention_heads":64,"num_key_value_heads":8,"head_dim":64,
        "num_local_experts":128,"num_experts_per_tok":4,"num_hidden_layers":36,"vocab_size":201088,"max_position_embeddings":131072,"sliding_window":128,
        "attention_bias":true,"dtype":"bfloat16","quantization_config":{"quant_method":"mxfp4"}})";
constexpr const char* kGlm45 =
    R"({"model_type":"glm4_moe","hidden_size":5120,"intermediate_size":12288,"moe_intermediate_size":1536,"num_attention_heads":96,
        "num_key_value_heads":8,"head_dim":128,"n_routed_experts":160,"n_shared_experts":1,"num_experts_per_tok":8,"first_k_dense_replace":3,
        "num_hidden_layers":92,"num_nextn_predict_layers":1,"attention_bias":true,"use_qk_norm":true,"partial_rotary_factor":0.5,"vocab_size":151552,
        "max_position_embeddings":131072,"torch_dtype":"bfloat16"})";
constexpr const char* kGlm46 =
    R"({"model_type":"glm4_moe","hidden_size":5120,"intermediate_size":12288,"moe_intermediate_size":1536,"num_attention_heads":96,
        "num_key_value_heads":8,"head_dim":128,"n_routed_experts":160,"n_shared_experts":1,"num_experts_per_tok":8,"first_k_dense_replace":3,
        "num_hidden_layers":92,"num_nextn_predict_layers":1,"attention_bias":true,"use_qk_norm":true,"partial_rotary_factor":0.5,"vocab_size":151552,
        "max_position_embeddings":202752,"torch_dtype":"bfloat16","weighbridge":{"mtp_stores_embeddings":false}})";
constexpr const char* kGlm45Air =
    R"({"model_type":"glm4_moe","hidden_size":4096,"intermediate_size":10944,"moe_intermediate_size":1408,"num_attention_heads":96,
        "num_key_value_heads":8,"head_dim":128,"n_routed_experts":128,"n_shared_experts":1,"num_experts_per_tok":8,"first_k_dense_replace":1,
        "num_hidden_layers":46,"num_nextn_predict_layers":1,"attention_bias":true,"use_qk_norm":false,"partial_rotary_factor":0.5,"vocab_size":151552,
        "max_position_embeddings":131072,"torch_dtype":"bfloat16"})";
constexpr const char* kQwen3_06B =
    R"({"model_type":"qwen3","hidden_size":1024,"intermediate_size":3072,"num_attention_heads":16,"num_key_value_heads":8,"head_dim":128,
        "num_hidden_layers":28,"vocab_size":151936,"max_position_embeddings":40960,"tie_word_embeddings":true,"torch_dtype":"bfloat16",
        "weighbridge":{"stores_tied_head":true}})";

Result<Model> read(const Json& config, Notices* warnings = nullptr) {
  Notices unused;
  return read_config(config, "config", warnings != nullptr ? *warnings : unused);
}

Model model_of(const char* config) {
  Notices warnings;
  Result<Model> model = read(testing::parse(config), &warnings);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  EXPECT_TRUE(warnings.empty()) << warnings.front().message;
  return *model;
}

struct Published {
  const char* name;
  const char* config;
  std::int64_t text;
  std::int64_t mtp;
  std::int64_t multimodal;
  std::int64_t stored;
  std::int64_t bytes;
};

class FamilyInventory : public ::testing::TestWithParam<Published> {};

TEST_P(FamilyInventory, EqualsThePublishedCheckpoint) {
  const Published& published = GetParam();
  const Model model = model_of(published.config);
  const ParameterCounts counts = count_parameters(model.tensors);
  EXPECT_EQ(counts.text, published.text);
  EXPECT_EQ(counts.mtp, published.mtp);
  EXPECT_EQ(counts.multimodal, published.multimodal);
  EXPECT_EQ(counts.stored, published.stored);
  EXPECT_EQ(total_bytes(model.tensors), Bytes(static_cast<std::uint64_t>(published.bytes)));
}

// Stored elements as Hugging Face counts them. Bytes: total_size of the index where one was found (Mixtral, gpt-oss); else two bytes an element,
// four for a router's correction bias, one for FP8 and four for its scales.
INSTANTIATE_TEST_SUITE_P(Families, FamilyInventory,
                         ::testing::Values(Published{"Qwen3_30B_A3B", kQwen3Moe30B, 30'532'122'624, 0, 0, 30'532'122'624, 61'064'245'248},
                                           Published{"Qwen3_Coder_480B", kQwen3Moe480B, 480'154'875'392, 0, 0, 480'154'875'392, 960'309'750'784},
                                           Published{"Qwen3_235B_FP8", kQwen3Moe235BFp8, 235'093'634'560, 0, 0, 235'107'904'512, 236'445'455'360},
                                           Published{"Mixtral_8x7B", kMixtral8x7B, 46'702'792'704, 0, 0, 46'702'792'704, 93'405'585'408},
                                           Published{"Mistral_7B_v01", kMistral7BV01, 7'241'732'096, 0, 0, 7'241'732'096, 14'483'464'192},
                                           Published{"Phi3_mini", kPhi3Mini, 3'821'079'552, 0, 0, 3'821'079'552, 7'642'159'104},
                                           Published{"Gemma2_27B", kGemma2_27B, 27'227'128'320, 0, 0, 27'227'128'320, 54'454'256'640},
                                           Published{"Gemma3_1B", kGemma3_1B, 999'885'952, 0, 0, 999'885'952, 1'999'771'904},
                                           Published{"Gemma3_4B", kGemma3_4B, 3'880'263'168, 0, 419'816'304, 4'300'079'472, 8'600'158'944},
                                           Published{"GptOss_20B", kGptOss20B, 20'914'757'184, 0, 0, 21'511'953'984, 13'761'264'768},
                                           Published{"GptOss_120B", kGptOss120B, 116'829'156'672, 0, 0, 120'412'337'472, 65'248'815'744},
                                           Published{"GLM_45", kGlm45, 352'797'829'024, 5'539'962'272, 0, 358'337'791'296, 716'675'611'392},
                                           Published{"GLM_46", kGlm46, 352'797'829'024, 3'988'069'792, 0, 356'785'898'816, 713'571'826'432},
                                           Published{"GLM_45_Air", kGlm45Air, 106'852'251'264, 3'616'573'568, 0, 110'468'824'832, 220'937'661'440},
                                           Published{"Qwen3_06B", kQwen3_06B, 596'049'920, 0, 0, 751'632'384, 1'503'264'768}),
                         [](const auto& published) { return std::string(published.param.name); });

TEST(Families, Qwen3MoeUsesThreeBillionOfThirty) { EXPECT_EQ(count_active_parameters(model_of(kQwen3Moe30B)), 3'353'032'704); }
TEST(Families, MixtralUsesTwoOfEightExperts) { EXPECT_EQ(count_active_parameters(model_of(kMixtral8x7B)), 12'879'925'248); }

std::string kinds(const Model& model) {
  std::string text;
  for (const LayerSpec& layer : model.layers) text += std::holds_alternative<SlidingAttention>(layer.mixer) ? 's' : 'f';
  return text;
}

TEST(Families, GptOssSlidesInEveryEvenLayer) {
  EXPECT_EQ(kinds(model_of(kGptOss20B)), "sfsfsfsfsfsfsfsfsfsfsfsf");
  EXPECT_EQ(sliding_layers(model_of(kGptOss20B)).window, 128);
}

TEST(Families, Gemma3SeesEverythingInEverySixthLayer) {
  EXPECT_EQ(kinds(model_of(kGemma3_1B)), "sssssfsssssfsssssfsssssfss");
  EXPECT_EQ(sliding_layers(model_of(kGemma3_4B)).n_layers, 29);
}

TEST(Families, Gemma2Alternates) {
  const Model model = model_of(kGemma2_27B);
  EXPECT_EQ(sliding_layers(model).n_layers, 23);
}

TEST(Families, LayerTypesWinOverThePattern) {
  Json config = testing::parse(kGptOss20B);
  config["num_hidden_layers"] = 3;
  config["layer_types"] = {"full_attention", "full_attention", "sliding_attention"};
  EXPECT_EQ(kinds(*read(config)), "ffs");
  config["layer_types"] = {"full_attention"};
  EXPECT_EQ(read(config).error().code, "wrong_type");
  config["layer_types"] = {"full_attention", "full_attention", "linear_attention"};
  EXPECT_EQ(read(config).error().code, "unsupported");
}

TEST(Families, MistralWithoutAWindowKeyIsCountedInFullAndSaid) {
  Json config = testing::parse(kMistral7BV01);
  EXPECT_EQ(sliding_layers(*read(config)).n_layers, 32);
  config["sliding_window"] = nullptr;
  EXPECT_EQ(sliding_layers(*read(config)).n_layers, 0);
  config.erase("sliding_window");
  Notices warnings;
  EXPECT_EQ(sliding_layers(*read(config, &warnings)).n_layers, 0);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "assumed_default");
}

TEST(Families, Gemma3WithoutItsEncodersSizesSaysSo) {
  Json config = testing::parse(kGemma3_4B);
  config["vision_config"].erase("image_size");
  Notices warnings;
  const Result<Model> model = read(config, &warnings);
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).multimodal, 0);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "not_counted");
}

TEST(Families, AnErrorInTheTextConfigNamesItsPath) {
  Json config = testing::parse(kGemma3_4B);
  config["text_config"]["hidden_size"] = 0;
  EXPECT_EQ(read(config).error().where, "config.text_config.hidden_size");
  config["text_config"] = 7;
  EXPECT_EQ(read(config).error().code, "wrong_type");
  config.erase("text_config");
  EXPECT_EQ(read(config).error().code, "missing_key");
}

TEST(Families, Qwen3MoeLayersCanStayDense) {
  Json config = testing::parse(kQwen3Moe30B);
  config["mlp_only_layers"] = {0, 47};
  const Result<Model> model = read(config);
  ASSERT_TRUE(model.has_value());
  EXPECT_TRUE(std::holds_alternative<DenseFfn>(model->layers.front().ffn));
  EXPECT_EQ(largest_dense_ffn(*model), 6144);
  config["mlp_only_layers"] = {48};
  EXPECT_EQ(read(config).error().code, "out_of_range");
}

TEST(Families, GlmRotatesHalfOfEachHead) { EXPECT_EQ(model_of(kGlm45).rotary_dim, 64); }

TEST(Families, OnlyGptOssExpertsAreMxfp4) {
  for (const Tensor& tensor : model_of(kGptOss20B).tensors) {
    const bool is_expert_matrix = (tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down) && tensor.cols > 1;
    if (is_expert_matrix)
      EXPECT_EQ(tensor.type, tensor.is_scale ? dtype::e8m0 : dtype::fp4) << tensor.name;
    else
      EXPECT_EQ(tensor.type, dtype::bf16) << tensor.name;
  }
  EXPECT_EQ(checkpoint_format(model_of(kGptOss20B)), "mxfp4");
}

TEST(Families, GptOssInBf16IsTwoBytesAParameter) { EXPECT_EQ(total_bytes(tensors_in(model_of(kGptOss20B), "bf16")), Bytes(2ULL * 20'914'757'184)); }

// A window changes no tensor, so the rows do not multiply with the pattern.
TEST(Families, AlternatingLayersShareTheirRows) {
  std::set<std::string_view> names;
  std::size_t rows = 0;
  for (const Tensor& tensor : model_of(kGptOss20B).tensors) {
    names.insert(tensor.name);
    ++rows;
  }
  EXPECT_EQ(rows, names.size() + 5);  // of one name: gate, up and their scales; gate's and up's bias; down and its scale
}

TEST(Families, NamesAreThoseOfTheCheckpoint) {
  const auto has = [](const char* config, std::string_view name) {
    for (const Tensor& tensor : model_of(config).tensors)
      if (tensor.name == name) return true;
    return false;
  };
  EXPECT_TRUE(has(kMixtral8x7B, "model.layers.{layer}.block_sparse_moe.experts.{expert}.w2.weight"));
  EXPECT_TRUE(has(kGptOss20B, "model.layers.{layer}.self_attn.sinks"));
  EXPECT_TRUE(has(kPhi3Mini, "model.layers.{layer}.self_attn.qkv_proj.weight"));
  EXPECT_TRUE(has(kGemma2_27B, "model.layers.{layer}.post_feedforward_layernorm.weight"));
  EXPECT_TRUE(has(kGemma3_4B, "multi_modal_projector.mm_input_projection_weight"));
  EXPECT_TRUE(has(kGemma3_4B, "language_model.model.layers.{layer}.pre_feedforward_layernorm.weight"));
}

TEST(Families, TheWireTellsWindowsAndEncoder) {
  const Json model = testing::call("read_config", {{"config", testing::parse(kGemma3_4B)}})["result"]["model"];
  EXPECT_EQ(model["sliding_window"], 1024);
  EXPECT_EQ(model["n_sliding_layers"], 29);
  EXPECT_EQ(model["parameters"]["multimodal"], 419'816'304);
  EXPECT_EQ(model["parameters"]["total"], 4'300'079'472);
  EXPECT_EQ(model["attention"], "gqa");
}

}  // namespace
}  // namespace weighbridge::families_test

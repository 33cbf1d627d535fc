// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/gguf.hpp"

#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/ggml_type.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::gguf_test {
namespace {

Model model_of(const char* config) {
  Notices warnings;
  Result<Model> model = read_config(testing::parse(config), "config", warnings);
  EXPECT_TRUE(model.has_value());
  return *model;
}

Model small_llama() {
  return model_of(
      R"({"model_type":"llama","hidden_size":896,"intermediate_size":4864,"num_hidden_layers":24,"num_attention_heads":14,"num_key_value_heads":2,
                      "vocab_size":151936,"max_position_embeddings":32768,"torch_dtype":"bfloat16"})");
}

DType type_of(const std::vector<Tensor>& tensors, std::string_view name, std::int64_t layer) {
  for (const Tensor& tensor : tensors)
    if (tensor.name == name && tensor.layers.first == layer) return tensor.type;
  ADD_FAILURE() << "no tensor " << name;
  return dtype::f32;
}

TEST(GgmlType, ABlockOfQ4KTakes144BytesFor256Elements) {
  EXPECT_EQ(size_of(dtype::q4_k, 256).count(), 144U);
  EXPECT_EQ(size_of(dtype::q8_0, 33).count(), 68U);
}

TEST(GgmlType, OnlyCacheTypesOfTheEngineAreFound) {
  EXPECT_EQ(ggml_cache_type("iq4_nl")->name, "iq4_nl");
  EXPECT_FALSE(ggml_cache_type("q4_K").has_value());
}

TEST(Gguf, FormatsAreFoundWhateverTheirCase) {
  EXPECT_EQ(find_gguf_format("GGUF:q4_k_m"), "gguf:Q4_K_M");
  EXPECT_EQ(find_weights_format("gguf:bf16"), "gguf:BF16");
  EXPECT_FALSE(find_gguf_format("gguf:Q4_K_XL").has_value());
}

TEST(Gguf, ARowThatIsNoMultipleOf256GetsSmallerBlocks) {
  const std::vector<Tensor> tensors = gguf_tensors(small_llama(), "gguf:Q4_K_M");
  EXPECT_EQ(type_of(tensors, "attn_q", 0), dtype::q5_0);
  EXPECT_EQ(type_of(tensors, "attn_v", 0), dtype::q8_0);
  EXPECT_EQ(type_of(tensors, "ffn_down", 3), dtype::q4_k);
  EXPECT_EQ(type_of(tensors, "ffn_down", 5), dtype::q6_k);
}

TEST(Gguf, VectorsStay32BitInEveryFormat) {
  for (const std::string_view format : gguf_formats()) EXPECT_EQ(type_of(gguf_tensors(small_llama(), format), "attn_norm", 7), dtype::f32) << format;
}

TEST(Gguf, EveryFormatHoldsTheSameElements) {
  const Model model = small_llama();
  const std::int64_t expected = count_parameters(model.tensors).text;
  for (const std::string_view format : gguf_formats()) EXPECT_EQ(count_parameters(gguf_tensors(model, format)).text, expected) << format;
}

// 404,488,847,360 bytes: the engine's own choice for every tensor of the full-size model, added up.
TEST(Gguf, DeepSeekR1AtQ4KMTakes404Gigabytes) {
  const testing::Json result = testing::estimate({{"model", {{"id", "deepseek-ai/DeepSeek-R1"}}},
                                                  {"weights", {{"format", "gguf:Q4_K_M"}}},
                                                  {"engine", {{"name", "llama.cpp"}}},
                                                  {"workload", {{"context_tokens", 4096}, {"sequences", 1}}},
                                                  {"hardware", testing::Json::array()}});
  EXPECT_EQ(result["host"]["terms"][0]["bytes"], 404'488'847'360);
}

TEST(GgufTensors, PredictionLayersFollowTheModelsOwnWhateverNumbersTheCheckpointGivesThem) {
  const Model qwen = model_of(
      R"({"model_type":"qwen3_5_text","hidden_size":64,"intermediate_size":128,"num_hidden_layers":4,"num_attention_heads":4,"num_key_value_heads":2,
          "head_dim":16,"vocab_size":100,"max_position_embeddings":1024,"mtp_num_hidden_layers":1,"torch_dtype":"bfloat16"})");
  const Model mimo = model_of(
      R"({"model_type":"mimo_v2_flash","hidden_size":64,"intermediate_size":128,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":1,
          "head_dim":16,"v_head_dim":8,"swa_num_key_value_heads":2,"hybrid_layer_pattern":[0,1],"n_routed_experts":4,"num_experts_per_tok":2,
          "moe_intermediate_size":32,"vocab_size":100,"max_position_embeddings":1024,"sliding_window":128,"torch_dtype":"bfloat16"})");
  for (const Model& model : {qwen, mimo}) {
    const std::vector<Tensor> tensors = gguf_tensors_with_predictions(model, "gguf:BF16");
    const ParameterCounts counts = count_parameters(tensors);
    EXPECT_EQ(counts.mtp, count_parameters(model.tensors).mtp);
    for (const Tensor& tensor : tensors) {
      EXPECT_EQ(tensor.layers.first >= model.n_layers(), tensor.part == ModelPart::mtp) << tensor.name;
      if (tensor.name != "attn_k" || tensor.part != ModelPart::mtp) continue;
      EXPECT_EQ(tensor.rows, grouped_attention(model.mtp_layers[0].mixer)->n_kv_heads * 16);
    }
  }
}

}  // namespace
}  // namespace weighbridge::gguf_test

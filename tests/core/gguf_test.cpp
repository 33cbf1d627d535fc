// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/gguf.hpp"

#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/ggml_type.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {
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

}  // namespace
}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// Gemma 3n and 4: shared caches, heads that differ by layer, and what their encoders hold.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::gemma_test {
namespace {

using testing::Json;

Model read(const char* text) {
  Notices warnings;
  const Result<Model> model = read_config(Json::parse(text), "config", warnings);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model.value_or(Model{});
}

std::int64_t elements_named(const Model& model, std::string_view part) {
  std::int64_t sum = 0;
  for (const Tensor& tensor : model.tensors)
    if (tensor.name.find(part) != std::string_view::npos) sum += tensor.elements();
  return sum;
}

// timm counts 294.13 M parameters for mobilenetv5_300m_enc; huggingface.co/google/gemma-3n-E4B-it has 7,849,978,192 elements.
TEST(Gemma, E4BOf3nIsTheClassWithoutKeys) {
  const Model model = read(R"({"model_type":"gemma3n","text_config":{}})");
  EXPECT_EQ(elements_named(model, "timm_model"), 294126912);
  EXPECT_EQ(count_parameters(model.tensors).stored, 7849978192);
  EXPECT_FALSE(model.layers[19].shares_cache);
  EXPECT_TRUE(model.layers[20].shares_cache);
}

TEST(Gemma, FourHasWiderHeadsWhereItSeesEverything) {
  const Model model = read(R"({"model_type":"gemma4_text","num_hidden_layers":12,"num_key_value_heads":4,"attention_k_eq_v":true,
                               "num_global_key_value_heads":2,"num_kv_shared_layers":3,"use_double_wide_mlp":true})");
  EXPECT_EQ(grouped_attention(model.layers[4].mixer)->head_dim_k, 256);
  EXPECT_EQ(std::get<SlidingAttention>(model.layers[4].mixer).window, 512);
  EXPECT_EQ(std::get<FullAttention>(model.layers[5].mixer).head_dim_k, 512);
  EXPECT_EQ(std::get<FullAttention>(model.layers[5].mixer).n_kv_heads, 2);
  EXPECT_EQ(std::get<DenseFfn>(model.layers[8].ffn).ffn_size, 9216);
  EXPECT_EQ(std::get<DenseFfn>(model.layers[9].ffn).ffn_size, 2 * 9216);
  EXPECT_TRUE(model.layers[9].shares_cache);
}

TEST(Gemma, BoundsAreStoredButNotCounted) {
  const Model with = read(R"({"model_type":"gemma4","text_config":{},"vision_config":{"use_clipped_linears":true}})");
  const Model without = read(R"({"model_type":"gemma4","text_config":{},"vision_config":{}})");
  EXPECT_EQ(count_parameters(with.tensors).stored, count_parameters(without.tensors).stored);
  EXPECT_EQ(total_bytes(with.tensors).count() - total_bytes(without.tensors).count(), 16U * 7U * 4U * 2U);
}

TEST(Gemma, AShareOfAllCachesIsRefused) {
  Notices warnings;
  const Result<Model> model = read_config(Json::parse(R"({"model_type":"gemma3n_text","num_kv_shared_layers":35})"), "config", warnings);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().where, "config.num_kv_shared_layers");
}

}  // namespace
}  // namespace weighbridge::gemma_test

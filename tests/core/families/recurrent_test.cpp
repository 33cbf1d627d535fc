// SPDX-License-Identifier: Apache-2.0
// Layers with a state: their kinds, the sizes of the state, odd configs. Shapes are computed by hand.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::recurrent_test {
namespace {

Result<Model> read(const char* config) {
  Notices warnings;
  return read_config(testing::parse(config), "config", warnings);
}

std::int64_t elements_named(const Model& model, std::string_view part) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : model.tensors)
    if (tensor.name.find(part) != std::string_view::npos) elements += tensor.elements();
  return elements;
}

TEST(Recurrent, MambaKeepsAStatePerChannelAndTheLastTokensOfItsConvolution) {
  const Result<Model> model = read(
      R"({"model_type":"mamba","hidden_size":64,"num_hidden_layers":2,"state_size":16,"conv_kernel":4,"vocab_size":100,"torch_dtype":"float32"})");
  ASSERT_TRUE(model.has_value());
  const RecurrentMixer* mixer = recurrent_part(model->layers.front());
  ASSERT_NE(mixer, nullptr);
  EXPECT_EQ(mixer->state_values, 128 * 16);
  EXPECT_EQ(mixer->conv_values(), 128 * 3);
  // dt, B and C: a rank of ceil(64 / 16) and twice the state.
  EXPECT_EQ(elements_named(*model, "x_proj"), 2 * (4 + 32) * 128);
}

TEST(Recurrent, FalconH1RunsAttentionAndMamba2BesideEachOther) {
  const Result<Model> model = read(
      R"({"model_type":"falcon_h1","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":16,
          "intermediate_size":128,"mamba_d_ssm":96,"mamba_n_heads":6,"mamba_d_state":32,"mamba_n_groups":2,"mamba_d_conv":4,"vocab_size":100})");
  ASSERT_TRUE(model.has_value());
  const LayerSpec& layer = model->layers.front();
  EXPECT_NE(grouped_attention(layer.mixer), nullptr);
  ASSERT_TRUE(layer.beside.has_value());
  EXPECT_EQ(layer.beside->state_values, 96 * 32);
  EXPECT_EQ(layer.beside->conv_values(), (96 + 2 * 2 * 32) * 3);
  // Gate and value, the convolved B and C of two groups, a step per head.
  EXPECT_EQ(elements_named(*model, "mamba.in_proj"), (2 * 96 + 2 * 2 * 32 + 6) * 64);
}

TEST(Recurrent, Zamba2StoresTheBlockThatItsLayersShareOnce) {
  const Result<Model> model = read(
      R"({"model_type":"zamba2","hidden_size":2048,"num_hidden_layers":38,"hybrid_layer_ids":[5,11,17,23,29,35],"n_mamba_heads":64,"mamba_d_state":128,
          "mamba_ngroups":1,"num_attention_heads":32,"intermediate_size":8192,"num_mem_blocks":1,"adapter_rank":128,"use_shared_attention_adapter":true,
          "use_mem_rope":true,"vocab_size":32000,"max_position_embeddings":4096,"torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(count_parameters(model->tensors).stored, 1'215'064'704);  // Zyphra/Zamba2-1.2B
  EXPECT_EQ(elements_named(*model, "shared_transformer.self_attn.q_proj"), 4096 * 4096);
  EXPECT_EQ(elements_named(*model, "linear_q_adapter_list"), 6 * 2 * 128 * 4096);
  std::int64_t n_caches = 0;
  for (const LayerSpec& layer : model->layers) n_caches += grouped_attention(layer.mixer) != nullptr ? 1 : 0;
  EXPECT_EQ(n_caches, 6);
}

TEST(Recurrent, NemotronReadsItsPatternAndTheListThatReplacedIt) {
  constexpr const char* keys =
      R"("hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":16,"intermediate_size":128,"n_routed_experts":8,
         "num_experts_per_tok":2,"moe_intermediate_size":32,"moe_latent_size":16,"vocab_size":100,"max_position_embeddings":1024,"mamba_num_heads":4,
         "mamba_head_dim":16,"ssm_state_size":8,"n_groups":1,"torch_dtype":"bfloat16"})";
  const Result<Model> lettered = read((R"({"model_type":"nemotron_h","hybrid_override_pattern":"ME*-",)" + std::string(keys)).c_str());
  const Result<Model> listed = read(
      (R"({"model_type":"nemotron_h","layers_block_type":["mamba","moe","attention","mlp"],)" + std::string(keys)).c_str());
  ASSERT_TRUE(lettered.has_value() && listed.has_value());
  EXPECT_EQ(*lettered, *listed);
  ASSERT_EQ(lettered->n_layers(), 4);
  EXPECT_NE(recurrent_part(lettered->layers[0]), nullptr);
  EXPECT_TRUE(std::holds_alternative<NoMixer>(lettered->layers[1].mixer));
  EXPECT_NE(grouped_attention(lettered->layers[2].mixer), nullptr);
  // Two matrices an expert, in the narrow space.
  EXPECT_EQ(elements_named(*lettered, "experts.{expert}"), 8 * 2 * 32 * 16);

  const Result<Model> odd = read((R"({"model_type":"nemotron_h","hybrid_override_pattern":"MX",)" + std::string(keys)).c_str());
  ASSERT_FALSE(odd.has_value());
  EXPECT_EQ(odd.error().where, "config.hybrid_override_pattern");
}

TEST(Recurrent, Lfm2WidensItsBlocksToAMultiple) {
  // Two thirds of 12288, already a multiple of 256; of 1000, up to 768.
  constexpr const char* form =
      R"({"model_type":"lfm2","hidden_size":64,"num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"vocab_size":100,
          "layer_types":["conv","full_attention"],"conv_L_cache":3,"torch_dtype":"bfloat16","intermediate_size":)";
  const Result<Model> even = read((std::string(form) + "12288}").c_str());
  const Result<Model> rounded = read((std::string(form) + "1000}").c_str());
  ASSERT_TRUE(even.has_value() && rounded.has_value());
  EXPECT_EQ(std::get<DenseFfn>(even->layers[0].ffn).ffn_size, 8192);
  EXPECT_EQ(std::get<DenseFfn>(rounded->layers[0].ffn).ffn_size, 768);
  const RecurrentMixer* convolution = recurrent_part(even->layers[0]);
  ASSERT_NE(convolution, nullptr);
  EXPECT_EQ(convolution->state_values, 0);
  EXPECT_EQ(convolution->conv_values(), 2 * 64);
  EXPECT_EQ(recurrent_part(even->layers[1]), nullptr);
}

}  // namespace
}  // namespace weighbridge::recurrent_test

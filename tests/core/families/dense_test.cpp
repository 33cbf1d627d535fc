// SPDX-License-Identifier: Apache-2.0
// Decoders around Llama and of GPT-2's line: published element counts of models that are not in the catalogue, layers, and configs that are refused.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::dense_test {
namespace {

using testing::Json;

Result<Model> try_read(const char* text) {
  Notices warnings;
  return read_config(Json::parse(text), "config", warnings);
}

Model read(const char* text) {
  const Result<Model> model = try_read(text);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model.value_or(Model{});
}

std::int64_t stored(const char* text) { return count_parameters(read(text).tensors).stored; }

TEST(DenseFamilies, ReadOnTheDefaultsOfTheirClass) {
  // openai-community/gpt2, whose files hold a causal mask a layer: 124,439,808 parameters.
  EXPECT_EQ(stored(R"({"model_type":"gpt2"})"), 124439808);
  EXPECT_EQ(stored(R"({"model_type":"gpt2","weighbridge":{"stores_buffers":true}})"), 137022720);
  // microsoft/phi-1_5 and microsoft/Phi-3-small-8k-instruct
  EXPECT_EQ(stored(R"({"model_type":"phi"})"), 1418270720);
  EXPECT_EQ(stored(R"({"model_type":"phi3small"})"), 7392272384);
  // facebook/opt-125m: 125,239,296
  EXPECT_EQ(stored(R"({"model_type":"opt"})"), 125239296);
}

TEST(DenseFamilies, CountWhatIsPublished) {
  // bigcode/starcoder2-15b
  EXPECT_EQ(stored(R"({"model_type":"starcoder2","hidden_size":6144,"num_hidden_layers":40,"num_attention_heads":48,"num_key_value_heads":4,
                       "intermediate_size":24576,"max_position_embeddings":16384,"tie_word_embeddings":false})"),
            15957889024);
  // bigscience/bloom-560m
  EXPECT_EQ(stored(R"({"model_type":"bloom","hidden_size":1024,"n_layer":24,"num_attention_heads":16,"vocab_size":250880})"), 559214592);
}

TEST(DenseFamilies, FalconKeepsOneKeyHeadOrGroups) {
  const Model small = read(R"({"model_type":"falcon","hidden_size":4544,"num_attention_heads":71,"num_hidden_layers":32,"vocab_size":65024})");
  EXPECT_EQ(grouped_attention(small.layers[0].mixer)->n_kv_heads, 1);
  EXPECT_EQ(count_parameters(small.tensors).stored, 7217189760);  // the head is stored although it is tied
  EXPECT_EQ(count_parameters(small.tensors).text, 7217189760 - 65024 * 4544);
  const Model large = read(R"({"model_type":"falcon","hidden_size":8192,"num_attention_heads":128,"num_kv_heads":8,"num_hidden_layers":60,
                               "new_decoder_architecture":true,"vocab_size":65024})");
  EXPECT_EQ(grouped_attention(large.layers[0].mixer)->n_kv_heads, 8);
}

TEST(DenseFamilies, BothNamesOfPhi2CountTheSame) {
  EXPECT_EQ(stored(R"({"model_type":"phi-msft","n_embd":2560,"n_layer":32,"n_head":32,"n_positions":2048,"vocab_size":51200})"), 2779683840);
  EXPECT_EQ(stored(R"({"model_type":"phi","hidden_size":2560,"num_hidden_layers":32,"num_attention_heads":32,"intermediate_size":10240})"),
            2779683840);
}

TEST(DenseFamilies, CohereSeesEverythingInEveryFourthLayer) {
  const Model model = read(R"({"model_type":"cohere2","num_hidden_layers":8})");
  EXPECT_TRUE(std::holds_alternative<SlidingAttention>(model.layers[2].mixer));
  EXPECT_TRUE(std::holds_alternative<FullAttention>(model.layers[3].mixer));
  EXPECT_TRUE(model.tied_embeddings);
}

TEST(DenseFamilies, Llama4AttendsWithinChunksAndLeavesOutTurnsOfExperts) {
  const Model model = read(R"({"model_type":"llama4_text","num_hidden_layers":8,"interleave_moe_layer_step":2,"num_local_experts":128})");
  EXPECT_EQ(std::get<ChunkedAttention>(model.layers[0].mixer).chunk, 8192);
  EXPECT_TRUE(std::holds_alternative<FullAttention>(model.layers[3].mixer));
  EXPECT_EQ(std::get<DenseFfn>(model.layers[0].ffn).ffn_size, 16384);
  EXPECT_EQ(std::get<MoeFfn>(model.layers[1].ffn).shared_ffn_size, 8192);
}

TEST(DenseFamilies, Llama32VisionAttendsToFourTiles) {
  const Model model = read(R"({"model_type":"mllama","text_config":{},"vision_config":{"image_size":560}})");
  // huggingface.co/meta-llama/Llama-3.2-11B-Vision-Instruct: 10,670,220,835
  EXPECT_EQ(count_parameters(model.tensors).stored, 10670220835);
  EXPECT_EQ(std::get<CrossAttention>(model.layers[3].mixer).source_tokens, 4 * (40 * 40 + 1));
}

TEST(DenseFamilies, MistralSmall4KeepsALatent) {
  const Model model = read(R"({"model_type":"mistral3","text_config":{"model_type":"mistral4"}})");
  EXPECT_EQ(cache_values_per_token(model.layers[0].mixer), 256 + 64);
}

TEST(DenseFamilies, RefuseWhatCannotBe) {
  for (const char* text :
       {R"({"model_type":"mistral3"})", R"({"model_type":"mistral3","text_config":{"model_type":"mamba"}})",
        R"({"model_type":"mllama","text_config":{},"vision_config":{"image_size":3}})", R"({"model_type":"llama4_text","no_rope_layers":[1,0]})",
        R"({"model_type":"llama4_text","moe_layers":[48]})", R"({"model_type":"olmoe","num_experts":4})",
        R"({"model_type":"gemma4","text_config":[]})", R"({"model_type":"gemma4_text","enable_moe_block":true})"}) {
    const Result<Model> model = try_read(text);
    ASSERT_FALSE(model) << text;
    EXPECT_NE(model.error().message.find("expected"), std::string::npos) << model.error().message;
  }
}

}  // namespace
}  // namespace weighbridge::dense_test

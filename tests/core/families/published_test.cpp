// SPDX-License-Identifier: Apache-2.0
// Smaller families against the element counts of published safetensors files on huggingface.co, and what is particular to each.
#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::published_test {
namespace {

using testing::Json;

struct Published {
  const char* id;
  std::int64_t elements;
  const char* config;
};

constexpr Published kPublished[] = {
    {"swiss-ai/Apertus-8B-2509", 8'053'338'176,
     R"({"model_type":"apertus","torch_dtype":"bfloat16","hidden_size":4096,"intermediate_size":21504,"num_hidden_layers":32,
         "num_attention_heads":32,"num_key_value_heads":8,"vocab_size":131072,"max_position_embeddings":65536,"hidden_act":"xielu"})"},
    {"microsoft/bitnet-b1.58-2B-4T-bf16", 2'412'820'480,
     R"({"model_type":"bitnet","torch_dtype":"bfloat16","hidden_size":2560,"intermediate_size":6912,"num_hidden_layers":30,
         "num_attention_heads":20,"num_key_value_heads":5,"vocab_size":128256,"max_position_embeddings":4096,"tie_word_embeddings":true})"},
    {"naver-hyperclovax/HyperCLOVAX-SEED-Think-14B", 14'748'112'896,
     R"({"model_type":"hyperclovax","torch_dtype":"bfloat16","hidden_size":6144,"intermediate_size":14336,"num_hidden_layers":38,
         "num_attention_heads":48,"num_key_value_heads":8,"head_dim":128,"vocab_size":110592,"max_position_embeddings":131072,
         "use_post_norm":true})"},
    {"google/vaultgemma-1b", 1'038'741'120,
     R"({"model_type":"vaultgemma","torch_dtype":"bfloat16","hidden_size":1152,"intermediate_size":6912,"num_hidden_layers":26,
         "num_attention_heads":4,"num_key_value_heads":4,"vocab_size":256000,"max_position_embeddings":1024})"},
    {"inceptionai/Jais-2-8B-Chat", 8'090'401'280,
     R"({"model_type":"jais2","torch_dtype":"bfloat16","hidden_size":3328,"intermediate_size":26624,"num_hidden_layers":32,
         "num_attention_heads":26,"num_key_value_heads":26,"head_dim":128,"vocab_size":150272,"max_position_embeddings":8192})"},
    {"nvidia/llama-nemotron-embed-1b-v2", 1'235'814'400,
     R"({"model_type":"llama_bidirec","torch_dtype":"bfloat16","hidden_size":2048,"intermediate_size":8192,"num_hidden_layers":16,
         "num_attention_heads":32,"num_key_value_heads":8,"head_dim":64,"vocab_size":128256,"max_position_embeddings":131072,
         "tie_word_embeddings":true})"},
    {"sentence-transformers/distilbert-base-nli-mean-tokens", 66'362'880,
     R"({"model_type":"distilbert","torch_dtype":"float32","dim":768,"hidden_dim":3072,"n_layers":6,"n_heads":12,"vocab_size":30522,
         "max_position_embeddings":512})"},
    {"farbodtavakkoli/OTel-Embedding-109M", 109'486'464,
     R"({"model_type":"mpnet","torch_dtype":"float32","hidden_size":768,"intermediate_size":3072,"num_attention_heads":12,
         "num_hidden_layers":12,"vocab_size":30527,"max_position_embeddings":514})"},
    {"Salesforce/SFR-Embedding-Code-400M_R", 434'139'136,
     R"({"model_type":"new","torch_dtype":"float32","hidden_size":1024,"intermediate_size":4096,"num_attention_heads":16,
         "num_hidden_layers":24,"vocab_size":30528,"max_position_embeddings":8192,"type_vocab_size":2,"position_embedding_type":"rope"})"},
    {"jinaai/jina-embeddings-v3", 572'310'396,
     R"({"model_type":"xlm-roberta-flash","torch_dtype":"bfloat16","hidden_size":1024,"intermediate_size":4096,"num_attention_heads":16,
         "num_hidden_layers":24,"vocab_size":250002,"max_position_embeddings":8194,"type_vocab_size":1,"position_embedding_type":"rotary",
         "lora_adaptations":["retrieval.query","retrieval.passage","separation","classification","text-matching"],"lora_rank":4})"},
};

Model model_of(const Json& config) {
  Notices warnings;
  Result<Model> model = read_config(config, "config", warnings);
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  EXPECT_TRUE(warnings.empty()) << (warnings.empty() ? "" : warnings.front().message);
  return model ? std::move(*model) : Model{};
}

TEST(SmallFamilies, ElementsAreThosePublished) {
  for (const Published& published : kPublished)
    EXPECT_EQ(count_parameters(model_of(testing::parse(published.config)).tensors).stored, published.elements) << published.id;
}

TEST(SmallFamilies, EveryFourthLayerOfCwmSeesAll) {
  const Model model = model_of(testing::parse(R"({"model_type":"cwm","torch_dtype":"bfloat16"})"));
  ASSERT_EQ(model.n_layers(), 64);
  for (std::size_t layer = 0; layer < 64; ++layer)
    EXPECT_EQ(std::holds_alternative<SlidingAttention>(model.layers[layer].mixer), layer % 4 != 0) << layer;
}

TEST(SmallFamilies, GptNeoRepeatsItsKindsOfLayers) {
  Json config = testing::parse(R"({"model_type":"gpt_neo","torch_dtype":"float32","hidden_size":64,"num_layers":4,"num_heads":4,"vocab_size":100,
      "attention_types":[[["global","local"],2]],"window_size":8})");
  const Model model = model_of(config);
  for (std::size_t layer = 0; layer < 4; ++layer)
    EXPECT_EQ(std::holds_alternative<SlidingAttention>(model.layers[layer].mixer), layer % 2 == 1) << layer;
  config["attention_types"][0][1] = 1;
  Notices warnings;
  const Result<Model> refused = read_config(config, "config", warnings);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().where, "config.attention_types");
}

TEST(SmallFamilies, NormsOfNanochatHaveNoWeights) {
  const Model model = model_of(testing::parse(R"({"model_type":"nanochat","torch_dtype":"bfloat16"})"));
  EXPECT_TRUE(std::none_of(model.tensors.begin(), model.tensors.end(), [](const Tensor& t) { return t.role == TensorRole::norm; }));
}

TEST(SmallFamilies, AnEmbeddingModelOnLlamaCachesNothing) {
  const Model model = model_of(testing::parse(kPublished[5].config));
  EXPECT_TRUE(std::holds_alternative<EncoderAttention>(model.layers.front().mixer));
}

}  // namespace
}  // namespace weighbridge::published_test

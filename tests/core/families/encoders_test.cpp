// SPDX-License-Identifier: Apache-2.0
// Embedding and reranking models: counts of their published files, and that they cache nothing.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::encoders_test {
namespace {

using testing::Json;

Model read(const char* text) {
  Notices warnings;
  const Result<Model> model = read_config(Json::parse(text), "config", warnings);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model.value_or(Model{});
}

std::int64_t stored(const Model& model) { return count_parameters(model.tensors).stored; }

// Hugging Face's counts of nomic-ai/nomic-embed-text-v2-moe, jinaai/jina-embeddings-v2-base-en and BAAI/bge-large-en-v1.5; the last holds 512 position
// numbers of 64 bits.
TEST(Encoders, CountWhatIsPublished) {
  EXPECT_EQ(stored(read(R"({"model_type":"nomic_bert","n_embd":768,"n_layer":12,"n_head":12,"n_inner":3072,"vocab_size":250048,"n_positions":2048,
                            "num_experts":8,"moe_top_k":2,"moe_every_n_layers":2})")),
            475292928);
  EXPECT_EQ(stored(read(R"({"model_type":"bert","vocab_size":30528,"position_embedding_type":"alibi","feed_forward_type":"geglu"})")), 137368320);
  const Model bge = read(R"({"model_type":"bert","hidden_size":1024,"num_hidden_layers":24,"num_attention_heads":16,"intermediate_size":4096,
                             "torch_dtype":"float32","weighbridge":{"stores_buffers":true}})");
  EXPECT_EQ(stored(bge), 335142400);
  EXPECT_EQ(count_parameters(bge.tensors).text, 335142400 - 512);
  EXPECT_EQ(total_bytes(bge.tensors).count(), (335142400U - 512U) * 4U + 512U * 8U);
}

TEST(Encoders, ARerankersHeadFollowsItsArchitecture) {
  const std::int64_t encoder = stored(read(R"({"model_type":"xlm-roberta"})"));
  const std::int64_t reranker = stored(
      read(R"({"model_type":"xlm-roberta","architectures":["XLMRobertaForSequenceClassification"],"id2label":{"0":"LABEL_0"}})"));
  // A classifier's dense layer instead of the pooler's of the same size, and one label.
  EXPECT_EQ(reranker - encoder, 768 + 1);
}

TEST(Encoders, RobertaCountsItsPositionsFromTwo) {
  const Model model = read(R"({"model_type":"xlm-roberta","max_position_embeddings":514})");
  EXPECT_EQ(model.max_context_tokens, 512);
  for (const Tensor& tensor : gguf_tensors(model, "F16")) {
    EXPECT_NE(tensor.name, "pooler.dense.weight");
    if (tensor.name == "position_embd") {
      EXPECT_EQ(tensor.rows, 512);
    }
  }
}

TEST(Encoders, ModernBertSeesAllInEveryThirdLayer) {
  const Model model = read(R"({"model_type":"modernbert"})");
  ASSERT_EQ(model.n_layers(), 22);
  EXPECT_EQ(std::get<EncoderAttention>(model.layers[0].mixer).window, 0);
  EXPECT_EQ(std::get<EncoderAttention>(model.layers[1].mixer).window, 128);
  EXPECT_EQ(std::get<EncoderAttention>(model.layers[3].mixer).window, 0);
}

TEST(Encoders, CacheNothingInAnyEngine) {
  for (const char* engine : {"vllm", "llama.cpp"}) {
    const Json result = testing::estimate({{"model", {{"config", {{"model_type", "bert"}, {"torch_dtype", "float16"}}}}},
                                           {"engine", {{"name", engine}}},
                                           {"workload", {{"context_tokens", 512}, {"sequences", 32}}},
                                           {"hardware", Json::array({{{"device", "h200-sxm"}, {"count", 1}}})}});
    for (const Json& term : result["devices"][0]["terms"]) {
      if (term["id"] == "kv_cache") {
        EXPECT_EQ(term["bytes"], 0) << engine;
      }
      if (term["id"] == "compute") {
        EXPECT_GT(term["bytes"], 0) << engine;
      }
    }
  }
}

TEST(Encoders, EmbeddingGemmaIsAnEncoder) {
  const Model model = read(R"({"model_type":"gemma3_text","hidden_size":768,"intermediate_size":1152,"num_hidden_layers":24,"num_attention_heads":3,
                               "num_key_value_heads":1,"vocab_size":262144,"sliding_window":512,"use_bidirectional_attention":true})");
  EXPECT_EQ(std::get<EncoderAttention>(model.layers[0].mixer).window, 512);
  EXPECT_EQ(std::get<EncoderAttention>(model.layers[5].mixer).window, 0);
}

}  // namespace
}  // namespace weighbridge::encoders_test

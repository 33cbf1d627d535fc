// SPDX-License-Identifier: Apache-2.0
// The families with latent attention, experts and linear attention: kinds of layers, shapes counted by hand, and configs that are refused.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::latent_test {
namespace {

using testing::Json;

Result<Model> read(const char* config) {
  Notices unused;
  return read_config(Json::parse(config), "config", unused);
}

const Tensor* find(const Model& model, std::string_view name) {
  for (const Tensor& tensor : model.plain)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

constexpr const char* kGlm52 =
    R"({"model_type":"glm_moe_dsa","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"num_hidden_layers":7,
        "n_routed_experts":8,"num_experts_per_tok":2,"vocab_size":100,"max_position_embeddings":512,"index_topk_freq":4,"index_skip_topk_offset":3,
        "first_k_dense_replace":3,"num_nextn_predict_layers":1,"torch_dtype":"bfloat16"})";

TEST(LatentFamilies, LayersWithoutAnIndexerReadWhatAnEarlierOneChose) {
  const Result<Model> model = read(kGlm52);
  ASSERT_TRUE(model) << model.error().message;
  // Of huggingface/transformers' schedule (max(i - 2, 0) % 4 == 0): layers 0, 1, 2 and 6.
  for (const std::size_t layer : {0U, 1U, 2U, 6U}) EXPECT_EQ(std::get<LatentAttention>(model->layers[layer].mixer).indexer.n_heads, 32) << layer;
  for (const std::size_t layer : {3U, 4U, 5U}) {
    const Indexer& indexer = std::get<LatentAttention>(model->layers[layer].mixer).indexer;
    EXPECT_EQ(indexer.n_heads, 0) << layer;
    EXPECT_EQ(indexer.cached_values(), 0) << layer;
    EXPECT_EQ(indexer.top_k, 2048) << layer;
  }
  EXPECT_TRUE(std::holds_alternative<DenseFfn>(model->layers[2].ffn));
  EXPECT_TRUE(std::holds_alternative<MoeFfn>(model->layers[3].ffn));
  EXPECT_EQ(find(*model, "embed_tokens.weight"), nullptr) << "the MTP layer has no embedding of its own";
}

TEST(LatentFamilies, AQueryRankOfNullProjectsDirectly) {
  const Result<Model> model = read(
      R"({"model_type":"deepseek_v2","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"num_hidden_layers":2,
          "q_lora_rank":null,"n_routed_experts":8,"n_shared_experts":2,"num_experts_per_tok":2,"first_k_dense_replace":1,"vocab_size":100,
          "max_position_embeddings":512,"torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model) << model.error().message;
  const Tensor* q = find(*model, "model.layers.{layer}.self_attn.q_proj.weight");
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(q->rows, 4 * (128 + 64));
  EXPECT_EQ(find(*model, "model.layers.{layer}.mlp.gate.e_score_correction_bias"), nullptr) << "only with topk_method noaux_tc";
}

TEST(LatentFamilies, MoreDenseLayersThanLayersAreRefused) {
  const Result<Model> model = read(
      R"({"model_type":"deepseek_v3","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"num_hidden_layers":2,
          "n_routed_experts":8,"num_experts_per_tok":2,"first_k_dense_replace":3,"vocab_size":100,"max_position_embeddings":512})");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().where, "config.first_k_dense_replace");
}

constexpr const char* kV4 =
    R"({"model_type":"deepseek_v4","hidden_size":64,"moe_intermediate_size":32,"num_attention_heads":8,"num_hidden_layers":4,"head_dim":16,
        "q_lora_rank":24,"o_lora_rank":12,"o_groups":2,"n_routed_experts":8,"num_experts_per_tok":2,"num_hash_layers":1,"vocab_size":100,
        "max_position_embeddings":512,"compress_ratios":[0,4,128,4,0],"num_nextn_predict_layers":1,"torch_dtype":"bfloat16"})";

TEST(DeepseekV4, OnlyLayersThatCompressLittleHaveAnIndexer) {
  const Result<Model> model = read(kV4);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(std::get<CompressedAttention>(model->layers[0].mixer).compress_ratio, 0);
  EXPECT_EQ(std::get<CompressedAttention>(model->layers[1].mixer).indexer.n_heads, 64);
  EXPECT_EQ(std::get<CompressedAttention>(model->layers[2].mixer).indexer.n_heads, 0);
  const Tensor* groups = find(*model, "layers.{layer}.attn.wo_a.weight");
  ASSERT_NE(groups, nullptr);
  EXPECT_EQ(groups->rows, 2 * 12);
  EXPECT_EQ(groups->cols, 8 * 16 / 2);
  const Tensor* table = find(*model, "layers.{layer}.ffn.gate.tid2eid");
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->bytes(), Bytes(100 * 2 * 8)) << "two experts a token, 8 bytes each";
}

TEST(KimiLinear, StatesStandInForTheCacheInMostLayers) {
  const Result<Model> model = read(
      R"({"model_type":"kimi_linear","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"num_hidden_layers":4,
          "num_experts":8,"num_experts_per_token":2,"num_shared_experts":1,"first_k_dense_replace":1,"vocab_size":100,"model_max_length":512,
          "linear_attn_config":{"full_attn_layers":[4],"num_heads":2,"head_dim":16,"short_conv_kernel_size":4},"torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model) << model.error().message;
  const auto& delta = std::get<RecurrentMixer>(model->layers[0].mixer);
  EXPECT_EQ(delta.state_values, 2 * 16 * 16);
  EXPECT_EQ(delta.conv_values(), 3 * 2 * 16 * 3);
  EXPECT_TRUE(std::holds_alternative<LatentAttention>(model->layers[3].mixer));
}

TEST(LongcatFlash, APublishedLayerIsTwoAttentions) {
  const Result<Model> model = read(
      R"({"model_type":"longcat_flash","hidden_size":64,"num_layers":3,"num_attention_heads":4,"ffn_hidden_size":96,"q_lora_rank":24,"kv_lora_rank":16,
          "moe_topk":2,"n_routed_experts":8,"zero_expert_num":4,"expert_ffn_hidden_size":32,"vocab_size":100,"max_position_embeddings":512,
          "torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->n_layers(), 6);
  EXPECT_TRUE(std::holds_alternative<MoeFfn>(model->layers[0].ffn));
  EXPECT_TRUE(std::holds_alternative<DenseFfn>(model->layers[1].ffn));
  const Tensor* router = find(*model, "model.layers.{layer}.mlp.router.classifier.weight");
  ASSERT_NE(router, nullptr);
  EXPECT_EQ(router->rows, 8 + 4);
}

TEST(MinimaxM3, TheIndexersKeyIsCachedToo) {
  const Result<Model> model = read(
      R"({"model_type":"minimax_m3","hidden_size":64,"intermediate_size":32,"dense_intermediate_size":96,"num_attention_heads":8,
          "num_key_value_heads":2,"head_dim":16,"num_hidden_layers":4,"num_local_experts":8,"num_experts_per_tok":2,"moe_layer_freq":[0,1,1,1],
          "vocab_size":100,"max_position_embeddings":512,"torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(cache_values_per_token(model->layers[0].mixer), 2 * 2 * 16);
  EXPECT_EQ(cache_values_per_token(model->layers[1].mixer), 2 * 2 * 16 + 128);
}

TEST(MimoV2, SlidingLayersHaveHeadsAndSinksOfTheirOwn) {
  const Result<Model> model = read(
      R"({"model_type":"mimo_v2_flash","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,
          "num_key_value_heads":1,"head_dim":24,"v_head_dim":16,"swa_num_key_value_heads":2,"add_swa_attention_sink_bias":true,"sliding_window":8,
          "hybrid_layer_pattern":[0,1,1],"moe_layer_freq":[0,1,1],"num_hidden_layers":3,"n_routed_experts":8,"num_experts_per_tok":2,
          "n_shared_experts":null,"vocab_size":100,"max_position_embeddings":512,"torch_dtype":"bfloat16"})");
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_FALSE(std::get<FullAttention>(model->layers[0].mixer).sinks);
  const auto& sliding = std::get<SlidingAttention>(model->layers[1].mixer);
  EXPECT_TRUE(sliding.heads.sinks);
  EXPECT_EQ(sliding.heads.n_kv_heads, 2);
  EXPECT_EQ(model->mtp_layers.size(), 3U);
}

TEST(MimoV2, KeysThatWereQuantizedInShardsHaveWholeBlocksOfScalesInEach) {
  // Four heads of 192 rows: two blocks of 128 each in a full layer; eight heads in four shards of 384 rows, three blocks each, in a sliding one.
  const auto model = read(R"({"model_type":"mimo_v2_flash","torch_dtype":"bfloat16","num_hidden_layers":2,"hidden_size":4096,"num_attention_heads":64,
      "num_key_value_heads":4,"head_dim":192,"v_head_dim":128,"intermediate_size":16384,"vocab_size":1024,"max_position_embeddings":4096,
      "sliding_window":128,"swa_num_key_value_heads":8,"hybrid_layer_pattern":[0,1],"moe_layer_freq":[0,0],"moe_intermediate_size":2048,
      "n_routed_experts":8,"num_experts_per_tok":2,"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}})");
  ASSERT_TRUE(model.has_value()) << model.error().message;
  std::vector<std::int64_t> rows;
  for (const Tensor& tensor : model->tensors)
    if (tensor.is_scale && tensor.part == ModelPart::text && tensor.name.ends_with("k_proj.weight")) rows.push_back(tensor.rows);
  EXPECT_EQ(rows, (std::vector<std::int64_t>{8, 12}));
}

// Four layers of DeepSeek-V4.1 with all that its layers can have.
constexpr const char* kV41 = R"({"model_type":"deepseek_v41","torch_dtype":"bfloat16","text_config":{"vocab_size":64,"hidden_size":256,
    "moe_intermediate_size":64,"num_hidden_layers":4,"num_attention_heads":8,"head_dim":64,"qk_rope_head_dim":16,"q_lora_rank":128,"o_lora_rank":32,
    "o_groups":2,"max_position_embeddings":4096,"n_routed_experts":8,"num_experts_per_tok":2,"sliding_window":16,"compress_ratios":[0,2,1,1],
    "kv_source_layer_ids":[1,2],"index_source_layer_ids":[1,2,3],"index_n_heads":4,"index_head_dim":32,"index_topk":8,"hc_mult":2,
    "engram_layer_ids":[0],"engram_num_embeddings":[1000],"engram_max_ngram_size":3,"engram_n_heads":2,"engram_head_dim":64,
    "num_nextn_predict_layers":2,"dspark_target_layer_ids":[2,3],"dspark_markov_rank":16,"dspark_n_routed_experts":4},
    "quantization_config":{"quant_method":"fp8","weight_block_size":[32,32],"scale_fmt":"ue8m0","expert_dtype":"fp4"}})";

TEST(DeepseekV41, OnlyLayersThatMakeKeysCacheThemBeyondTheWindow) {
  const auto model = read(kV41);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  std::vector<std::int64_t> ratios;
  for (const LayerSpec& layer : model->layers) ratios.push_back(std::get<CompressedAttention>(layer.mixer).compress_ratio);
  EXPECT_EQ(ratios, (std::vector<std::int64_t>{0, 2, 1, 0}));
}

TEST(DeepseekV41, TablesOfNgramsHaveAScaleForEvery32Values) {
  const auto model = read(kV41);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  Bytes table;
  std::int64_t wkv_scales = 0;
  for (const Tensor& tensor : model->tensors) {
    if (tensor.name.ends_with("engram.embed.weight")) table += tensor.bytes();
    if (tensor.name.ends_with("engram.wkv.weight") && tensor.is_scale) wkv_scales = tensor.rows * tensor.cols;
  }
  EXPECT_EQ(table.count(), 1000 * (64 + 2));
  EXPECT_EQ(wkv_scales, (256 * 3 / 32) * (4 * 64 / 32));  // two sizes of n-grams, two hashes each
}

TEST(DeepseekV41, DraftingLayersHaveExpertsOfTheirOwnNumber) {
  const auto model = read(kV41);
  ASSERT_TRUE(model.has_value()) << model.error().message;
  ASSERT_EQ(model->mtp_layers.size(), 2u);
  EXPECT_EQ(std::get<MoeFfn>(model->mtp_layers[0].ffn).n_experts, 4);
}

TEST(DeepseekV41, ATableForEachLayerThatIsNamed) {
  const auto model = read(R"({"model_type":"deepseek_v41","torch_dtype":"bfloat16","vocab_size":64,"hidden_size":256,"moe_intermediate_size":64,
      "num_hidden_layers":4,"num_attention_heads":8,"o_groups":2,"max_position_embeddings":4096,"n_routed_experts":8,"num_experts_per_tok":2,
      "compress_ratios":[0,2,1,1],"engram_layer_ids":[0,1],"engram_num_embeddings":[1000]})");
  ASSERT_FALSE(model.has_value());
  EXPECT_EQ(model.error().where, "config.engram_num_embeddings");
}

TEST(Bailing, ConvolutionsTellKimiDeltaFromLightningAttention) {
  const std::string common =
      R"({"model_type":"bailing_hybrid","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"head_dim":16,
          "num_hidden_layers":4,"layer_group_size":2,"num_experts":8,"num_experts_per_tok":2,"num_shared_experts":1,"vocab_size":100,
          "max_position_embeddings":512,"torch_dtype":"bfloat16")";
  const Result<Model> lightning = read((common + "}").c_str());
  const Result<Model> delta = read((common + R"(,"short_conv_kernel_size":4})").c_str());
  ASSERT_TRUE(lightning && delta);
  EXPECT_EQ(std::get<RecurrentMixer>(lightning->layers[0].mixer).kind, RecurrentKind::lightning);
  EXPECT_EQ(std::get<RecurrentMixer>(delta->layers[0].mixer).kind, RecurrentKind::kimi_delta);
  EXPECT_TRUE(std::holds_alternative<LatentAttention>(delta->layers[1].mixer));
}

TEST(Kimi, FullAttentionLayersBeyondTheLastAreRefused) {
  const Result<Model> model = read(
      R"({"model_type":"kimi_linear","hidden_size":64,"intermediate_size":96,"moe_intermediate_size":32,"num_attention_heads":4,"num_hidden_layers":4,
          "num_experts":8,"num_experts_per_token":2,"vocab_size":100,"model_max_length":512,
          "linear_attn_config":{"full_attn_layers":[5],"num_heads":2,"head_dim":16}})");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().where, "config.linear_attn_config.full_attn_layers");
}

}  // namespace
}  // namespace weighbridge::latent_test

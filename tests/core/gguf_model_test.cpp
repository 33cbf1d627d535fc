// SPDX-License-Identifier: Apache-2.0
// A GGUF file that is written from a model reads back to it: its layers, its tensors, and what llama.cpp needs for it.
#include "read/gguf_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "file_writer.hpp"
#include "model_file.hpp"
#include "read/gguf_header.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::gguf_model_test {
namespace {

using testing::gguf_of;
using testing::GgufWriter;
using testing::Json;

constexpr const char* kFormat = "gguf:Q4_K_M";

/// Families of the catalogue that no converter of llama.cpp writes, or whose tensors we do not name as it does: only their weights are known.
constexpr std::array<std::string_view, 20> kOnlyWeights{"mllama",        "bailing_hybrid", "deepseek_ref", "deepseek_v4", "deepseek_v41",
                                                        "glm5_next",     "hy_v4",          "k2_horizon",   "kimi_k3",     "kimi_linear",
                                                        "longcat_flash", "hyperclovax",    "jais2",        "laguna",      "mimo",
                                                        "minimax_m1",    "minimax_m3_vl",  "molmo",        "vaultgemma",  "qwen4_exp"};

/// All other models.
std::vector<Model> models() {
  std::vector<Model> list;
  const Json catalogue = testing::parse(embedded("models.json"));
  for (const Json& row : catalogue["models"]) {
    Notices warnings;
    Result<Model> model = read_config(row["config"], "config", warnings);
    if (!model || model->parameters_by_name > 0 || model->architecture == "generic_dense") continue;
    if (std::find(kOnlyWeights.begin(), kOnlyWeights.end(), model->architecture) != kOnlyWeights.end()) continue;
    model->id = row["id"].get<std::string>();
    // EmbeddingGemma is another architecture there, and the file of a Mistral does not tell its window.
    if (std::holds_alternative<EncoderAttention>(model->layers.front().mixer)) continue;
    if (model->architecture == "mistral" && sliding_layers(*model).n_layers > 0) continue;
    list.push_back(std::move(*model));
  }
  return list;
}

std::optional<Model> read_back(const GgufWriter& writer, Notices& warnings, const std::optional<GivenLayers>& given = std::nullopt) {
  GgufReader reader("x.gguf", writer.file_bytes());
  testing::serve(reader, writer.header(), 1 << 20);
  EXPECT_TRUE(reader.done()) << (reader.error() ? reader.error()->message : "");
  if (!reader.done()) return std::nullopt;
  return model_of_gguf({reader.take()}, warnings, given);
}

/// In one order, and without the name that a checkpoint's tensor has in a file: here it is the file's.
std::vector<Tensor> sorted(std::vector<Tensor> tensors) {
  for (Tensor& tensor : tensors) tensor.gguf = {};
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::tie(a.layers.first, a.name, a.cols, a.per_layer) < std::tie(b.layers.first, b.name, b.cols, b.per_layer);
  });
  return tensors;
}

TEST(GgufModel, LayersAndTensorsReadBack) {
  ASSERT_GT(models().size(), 20U);
  for (const Model& model : models()) {
    Notices warnings;
    const std::optional<Model> back = read_back(gguf_of(model, kFormat), warnings);
    EXPECT_TRUE(back) << model.id << ": " << (warnings.empty() ? "" : warnings[0].message);
    if (!back) continue;
    EXPECT_EQ(back->layers, model.layers) << model.id;
    EXPECT_EQ(back->vocab_size, model.vocab_size) << model.id;
    const std::vector<Tensor> wanted = sorted(gguf_tensors(model, kFormat));
    const bool has_head = std::any_of(wanted.begin(), wanted.end(), [](const Tensor& tensor) { return tensor.name == "output"; });
    EXPECT_EQ(back->tied_embeddings, !has_head) << model.id;
    EXPECT_EQ(back->rope_factors, model.rope_factors) << model.id;
    const std::vector<Tensor> found = sorted(back->tensors);
    EXPECT_EQ(found.size(), wanted.size()) << model.id;
    for (std::size_t i = 0; i < std::min(found.size(), wanted.size()); ++i) {
      if (found[i] == wanted[i]) continue;
      EXPECT_EQ(found[i], wanted[i]) << model.id << ' ' << wanted[i].name << ' ' << wanted[i].layers.first << " role "
                                     << static_cast<int>(found[i].role) << " for " << static_cast<int>(wanted[i].role);
      break;
    }
  }
}

/// Through the boundary: the file is pushed, its spec counted by llama.cpp, and the same as the catalogue's model in that format.
TEST(GgufModel, AFileNeedsWhatItsModelNeeds) {
  Api reader{reading()};
  const Json hardware = Json::array({{{"memory_bytes", std::int64_t{1} << 42}, {"count", 2}}});  // any model fits: nothing is placed by trials
  const std::vector<Model> all = models();
  for (std::size_t i = 0; i < all.size(); i += 7) {
    const Model& model = all[i];
    const GgufWriter writer = gguf_of(model, kFormat);
    const auto size = static_cast<std::int64_t>(writer.file_bytes());
    const Json open{{"method", "read.open"}, {"params", {{"files", Json::array({{{"name", "x.gguf"}, {"size_bytes", size}}})}}}};
    const Json opened = testing::parse(reader.call(open.dump()));
    ASSERT_EQ(opened["ok"], true) << model.id << opened;
    const auto handle = opened["result"]["handle"].get<std::int64_t>();
    const Json done = testing::parse(reader.push(handle, "x.gguf", size, 0, writer.header()));
    ASSERT_EQ(done["result"]["done"], true) << model.id << done;
    ASSERT_TRUE(done["result"]["spec"].is_object()) << model.id << done;
    (void)testing::parse(reader.call(Json{{"method", "read.close"}, {"params", {{"handle", handle}}}}.dump()));
    Json params{{"model", {{"spec", done["result"]["spec"]}}},
                {"engine", {{"name", "llama.cpp"}}},
                {"workload", {{"context_tokens", std::min<std::int64_t>(4096, model.max_context_tokens)}}},
                {"hardware", hardware}};
    const Json found = testing::estimate(params);
    EXPECT_EQ(found["model"]["checkpoint_format"], kFormat) << model.id;
    params["model"] = {{"id", model.id}};
    params["weights"] = {{"format", kFormat}};
    const Json wanted = testing::estimate(params);
    ASSERT_TRUE(found.contains("devices") && wanted.contains("devices")) << model.id;
    ASSERT_EQ(found["devices"].size(), wanted["devices"].size()) << model.id;
    for (std::size_t place = 0; place < wanted["devices"].size(); ++place)
      EXPECT_EQ(found["devices"][place]["total_bytes"], wanted["devices"][place]["total_bytes"]) << model.id;
    params.erase("weights");
    params["model"] = {{"spec", done["result"]["spec"]}};
    params["engine"] = {{"name", "vllm"}};
    EXPECT_EQ(testing::call("estimate", params)["result"]["verdict"]["class"], "impossible") << model.id;
  }
}

TEST(GgufModel, AnUnknownArchitectureKeepsItsWeights) {
  GgufWriter writer;
  writer.text("general.architecture", "foo_bar").tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864);
  Notices warnings;
  EXPECT_FALSE(read_back(writer, warnings));
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(
      warnings[0].message,
      "`foo_bar` is new to us. Weights: 36.0 KiB, exact, from the tensor list. Cache: not known; enter layers, KV heads and head size, or choose a "
      "similar model.");
}

TEST(GgufModel, LayersThatAPersonGivesMakeACache) {
  GgufWriter writer;
  writer.text("general.architecture", "foo_bar").tensor("token_embd.weight", {256, 8}, 0, 8192).tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings, GivenLayers{12, 2, 64});
  ASSERT_TRUE(model.has_value());
  EXPECT_EQ(model->layers.size(), 12U);
  EXPECT_EQ(cache_values_per_token(model->layers[11].mixer), 2 * 2 * 64);
  EXPECT_EQ(total_bytes(model->tensors), Bytes(8192 + 36'864));
  EXPECT_EQ(model->hidden_size, 256);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].message,
            "`foo_bar` is new to us. Weights: 44.0 KiB, exact, from the tensor list. Cache: 12 layers that keep 2 heads of 64 for every token, as "
            "you entered.");
}

TEST(GgufModel, WhatNoTableKnowsIsNotGuessed) {
  for (const std::string_view model_type : kOnlyWeights) {
    GgufWriter writer;
    const std::string arch(model_type);
    writer.text("general.architecture", arch).number(arch + ".block_count", 1).number(arch + ".embedding_length", 256);
    writer.number(arch + ".context_length", 128).number(arch + ".attention.head_count", 4).tensor("token_embd.weight", {256, 8}, 0, 8192);
    Notices warnings;
    EXPECT_FALSE(read_back(writer.tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864), warnings)) << arch;
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_NE(warnings[0].message.find("is new to us. Weights: 44.0 KiB, exact"), std::string::npos) << warnings[0].message;
  }
}

GgufWriter two_layers(const std::string& arch) {
  GgufWriter writer;
  writer.text("general.architecture", arch).number(arch + ".block_count", 2).number(arch + ".embedding_length", 256);
  writer.number(arch + ".context_length", 128).tensor("token_embd.weight", {256, 8}, 0, 8192);
  return writer;
}

/// ggml-org/llama.cpp src/models/kimi-linear.cpp: layers of delta attention have a convolution of each of q, k and v, and no KV heads.
TEST(GgufModel, KimiDeltaAttention) {
  GgufWriter writer = two_layers("kimi-linear");
  writer.number("kimi-linear.attention.head_count", 2).numbers("kimi-linear.attention.head_count_kv", {0, 1}).number("kimi-linear.kda.head_dim", 128);
  writer.number("kimi-linear.ssm.conv_kernel", 4).number("kimi-linear.attention.kv_lora_rank", 512).number("kimi-linear.rope.dimension_count", 64);
  writer.number("kimi-linear.attention.key_length_mla", 192).number("kimi-linear.attention.value_length_mla", 128);
  for (const char* name : {"blk.0.attn_q.weight", "blk.0.attn_output.weight", "blk.1.attn_q.weight"}) writer.tensor(name, {256, 256}, 12, 36'864);
  writer.tensor("blk.0.ssm_conv1d_q.weight", {4, 256}, 0, 4096);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings);
  ASSERT_TRUE(model);
  EXPECT_EQ(std::get<RecurrentMixer>(model->layers[0].mixer), (RecurrentMixer{RecurrentKind::kimi_delta, 256, 2, 2 * 128 * 128, 3 * 256, 4}));
  EXPECT_EQ(cache_values_per_token(model->layers[1].mixer), 576);
}

TEST(GgufModel, RwkvHasAStateOfEachHead) {
  GgufWriter writer = two_layers("rwkv7");
  writer.number("rwkv7.wkv.head_size", 64).number("rwkv7.attention.head_count", 0);
  for (const char* name : {"blk.0.time_mix_key.weight", "blk.1.time_mix_key.weight"}) writer.tensor(name, {256, 256}, 12, 36'864);
  for (const char* name : {"blk.0.channel_mix_key.weight", "blk.1.channel_mix_key.weight"}) writer.tensor(name, {256, 1024}, 12, 147'456);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings);
  ASSERT_TRUE(model);
  EXPECT_EQ(std::get<RecurrentMixer>(model->layers[1].mixer), (RecurrentMixer{RecurrentKind::rwkv7, 256, 4, 256 * 64, 512, 2}));
  EXPECT_EQ(std::get<DenseFfn>(model->layers[1].ffn), (DenseFfn{1024, false}));
}

/// Gemma 3n and 4: the last layers read the keys and values of earlier ones.
TEST(GgufModel, LayersMayShareACache) {
  GgufWriter writer = two_layers("gemma4");
  writer.number("gemma4.attention.head_count", 2).numbers("gemma4.attention.head_count_kv", {1, 2}).number("gemma4.attention.shared_kv_layers", 1);
  writer.number("gemma4.attention.sliding_window", 64).numbers("gemma4.attention.sliding_window_pattern", {1, 0});
  writer.number("gemma4.attention.key_length", 512).number("gemma4.attention.value_length", 512);
  writer.number("gemma4.attention.key_length_swa", 256).number("gemma4.attention.value_length_swa", 256);
  for (const char* name : {"blk.0.attn_q.weight", "blk.1.attn_q.weight"}) writer.tensor(name, {256, 1024}, 12, 147'456);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings);
  ASSERT_TRUE(model);
  EXPECT_EQ(std::get<SlidingAttention>(model->layers[0].mixer), (SlidingAttention{{2, 1, 256, 256}, 64}));
  EXPECT_EQ(std::get<FullAttention>(model->layers[1].mixer), (FullAttention{2, 2, 512, 512}));
  EXPECT_FALSE(model->layers[0].shares_cache);
  EXPECT_TRUE(model->layers[1].shares_cache);
}

/// Matrices of attention by names that we do not know: not a layer without attention.
TEST(GgufModel, AnAttentionOfAnotherKindIsNotNone) {
  GgufWriter writer = two_layers("deepseek2");
  writer.number("deepseek2.attention.head_count", 4).tensor("blk.0.attn_kv.weight", {256, 256}, 12, 36'864);
  Notices warnings;
  EXPECT_FALSE(read_back(writer, warnings));
}

TEST(GgufModel, TensorsOfLayersThatAreNotThereAreStillCounted) {
  GgufWriter writer;
  writer.text("general.architecture", "llama")
      .number("llama.block_count", 1)
      .number("llama.embedding_length", 256)
      .number("llama.context_length", 128);
  writer.number("llama.attention.head_count", 4).tensor("token_embd.weight", {256, 8}, 0, 8192).tensor("blk.0.attn_q.weight", {256, 256}, 12, 36'864);
  writer.tensor("blk.9999.attn_k.weight", {256, 256}, 12, 36'864).tensor("blk.0.ffn_down_exps.weight", {256, 8, 2}, 12, 2304);
  Notices warnings;
  const std::optional<Model> model = read_back(writer, warnings);
  ASSERT_TRUE(model);
  EXPECT_EQ(total_bytes(model->tensors), Bytes(8192 + 36'864 + 36'864 + 2304));
  EXPECT_GE(count_active_parameters(*model), 0);
}

}  // namespace
}  // namespace weighbridge::gguf_model_test

// SPDX-License-Identifier: Apache-2.0
// The tensors of safetensors headers in place of derived ones. Headers are those of published names: each row of a model written out.
#include "read/stored_rows.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "file_writer.hpp"
#include "read/files_model.hpp"
#include "weighbridge/read.hpp"

namespace weighbridge::stored_rows_test {
namespace {

using testing::Json;

std::string with_number(std::string name, std::string_view hole, std::int64_t number) {
  if (const std::size_t at = name.find(hole); at != std::string::npos) name.replace(at, hole.size(), std::to_string(number));
  return name;
}

/// One tensor for each name of `model`; rows of one name are one tensor.
SafetensorsHeader header_of(const Model& model) {
  SafetensorsHeader header;
  std::uint64_t offset = 0;
  for (std::size_t i = 0; i < model.tensors.size(); ++i) {
    Tensor row = model.tensors[i];
    while (i + 1 < model.tensors.size() && model.tensors[i + 1].name == row.name && model.tensors[i + 1].layers == row.layers)
      row.rows += model.tensors[++i].rows;
    const bool numbered = row.name.find("{expert}") != std::string_view::npos;
    for (std::int64_t layer = 0; layer < row.layers.count; ++layer)
      for (std::int64_t expert = 0; expert < (numbered ? row.per_layer : 1); ++expert) {
        StoredTensor tensor;
        tensor.name = with_number(with_number(std::string(row.name), "{layer}", row.layers.at(layer)), "{expert}", expert);
        tensor.shape = {row.rows};
        if (row.cols > 1) tensor.shape.push_back(row.cols);
        if (!numbered && row.per_layer > 1) tensor.shape.insert(tensor.shape.begin(), row.per_layer);
        tensor.type = row.type;
        tensor.offset = offset;
        tensor.bytes = size_of(row.type, tensor.elements());
        offset += tensor.bytes.count();
        header.tensors.push_back(tensor);
      }
  }
  return header;
}

Model model_of(const Json& config) {
  Notices warnings;
  Result<Model> model = read_config(config, "config", warnings);
  EXPECT_TRUE(model.has_value()) << config;
  return model ? *model : Model();
}

TEST(StoredRows, PublishedNamesCountAsTheConfigDoes) {
  int checked = 0;
  const Json catalogue = testing::parse(embedded("models.json"));
  for (const Json& row : catalogue["models"]) {
    const Model derived = model_of(row["config"]);
    if (!derived.recipes.empty() || derived.parameters_by_name > 0) continue;
    Model stored = derived;
    ASSERT_TRUE(store_tensors({header_of(derived)}, stored)) << row["id"];
    EXPECT_EQ(total_bytes(stored.tensors), total_bytes(derived.tensors)) << row["id"];
    const ParameterCounts found = count_parameters(stored.tensors), wanted = count_parameters(derived.tensors);
    EXPECT_EQ(found.text, wanted.text) << row["id"];
    EXPECT_EQ(found.mtp, wanted.mtp) << row["id"];
    EXPECT_EQ(found.multimodal, wanted.multimodal) << row["id"];
    EXPECT_EQ(count_active_parameters(stored), count_active_parameters(derived)) << row["id"];
    EXPECT_EQ(stored.plain, derived.plain) << row["id"];
    ++checked;
  }
  EXPECT_GT(checked, 10);
}

FilesRead files_of(const Json& config, SafetensorsHeader header) {
  FilesRead read;
  read.config = config.dump();
  read.safetensors.push_back(std::move(header));
  read.weights_from = WeightsFrom::headers;
  return read;
}

Json small_config() {
  return testing::parse(R"({"model_type":"llama","hidden_size":256,"intermediate_size":512,"num_hidden_layers":2,"num_attention_heads":4,
                            "num_key_value_heads":4,"vocab_size":1024,"max_position_embeddings":4096,"torch_dtype":"bfloat16"})");
}

TEST(StoredRows, FilesThatHoldMoreThanTheConfigWin) {
  SafetensorsHeader header = header_of(model_of(small_config()));
  StoredTensor extra;
  extra.name = "model.layers.1.self_attn.q_proj.weight_scale";
  extra.shape = {256, 1};
  extra.type = dtype::f32;
  extra.bytes = Bytes(1024);
  header.tensors.push_back(extra);
  const FilesRead read = files_of(small_config(), header);
  Notices warnings;
  const Result<std::optional<Model>> model = model_of(read, warnings);
  ASSERT_TRUE(model && *model);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].code, "tensors_differ");
  EXPECT_EQ(total_bytes((*model)->tensors), read.weights_bytes());
  EXPECT_EQ(count_parameters((*model)->tensors).text, count_parameters(model_of(small_config()).tensors).text);  // a scale is no parameter
}

/// GPTQ: eight values of a column in a word.
TEST(StoredRows, PackedWordsCountAsTheValuesTheyHold) {
  Json config = small_config();
  Model plain = model_of(config);
  config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 128}};
  SafetensorsHeader header;
  for (const StoredTensor& tensor : header_of(plain).tensors) {
    if (!tensor.name.ends_with("_proj.weight")) {
      header.tensors.push_back(tensor);
      continue;
    }
    const std::string stem = tensor.name.substr(0, tensor.name.size() - std::string_view("weight").size());
    const std::int64_t rows = tensor.shape[0], cols = tensor.shape[1];
    header.tensors.push_back({stem + "qweight", {cols / 8, rows}, dtype::int32, 0, Bytes(static_cast<std::uint64_t>(rows * cols / 2))});
    header.tensors.push_back({stem + "qzeros", {cols / 128, rows / 8}, dtype::int32, 0, Bytes(static_cast<std::uint64_t>(cols / 128 * rows / 2))});
    header.tensors.push_back({stem + "scales", {cols / 128, rows}, dtype::f16, 0, Bytes(static_cast<std::uint64_t>(cols / 128 * rows * 2))});
  }
  Model packed = model_of(config);
  ASSERT_TRUE(store_tensors({header}, packed));
  EXPECT_EQ(count_parameters(packed.tensors).text, count_parameters(plain.tensors).text);
  EXPECT_EQ(count_active_parameters(packed), count_active_parameters(plain));
}

TEST(StoredRows, FilesThatHoldWhatTheConfigSaysChangeNothing) {
  Notices warnings;
  const Result<std::optional<Model>> model = model_of(files_of(small_config(), header_of(model_of(small_config()))), warnings);
  ASSERT_TRUE(model && *model);
  EXPECT_TRUE(warnings.empty());
  EXPECT_EQ(**model, model_of(small_config()));
}

TEST(StoredRows, AConfigOfAnUnknownKindLeavesTheWeights) {
  Notices warnings;
  const Result<std::optional<Model>> model = model_of(files_of(testing::parse(R"({"model_type":"foo_bar"})"), header_of(model_of(small_config()))),
                                                      warnings);
  ASSERT_TRUE(model);
  EXPECT_FALSE(*model);
  EXPECT_TRUE(std::any_of(warnings.begin(), warnings.end(), [](const Notice& notice) { return notice.code == "unknown_architecture"; }));
}

/// Experts in a model without any, layers that are not there, and names beyond counting.
TEST(StoredRows, NamesThatDoNotFitAreCountedWithoutARole) {
  Model model = model_of(small_config());
  SafetensorsHeader header;
  for (const char* name :
       {"model.layers.0.mlp.experts.3.up_proj.weight", "model.layers.77.self_attn.k_proj.weight", "model.layers.1.self_attn.kv_b_proj.weight",
        "model.layers.99999999.x", "model.layers..weight", "visual.layers.5.attn.q_proj.weight", ""})
    header.tensors.push_back({name, {16, 16}, dtype::bf16, 0, Bytes(512)});
  ASSERT_TRUE(store_tensors({header}, model));
  EXPECT_EQ(total_bytes(model.tensors), Bytes(7 * 512));
  EXPECT_GE(count_active_parameters(model), 0);
  header.tensors.clear();
  for (int i = 0; i < 6000; ++i) header.tensors.push_back({"name" + std::to_string(i), {1}, dtype::bf16, 0, Bytes(2)});
  EXPECT_FALSE(store_tensors({header}, model));
}

}  // namespace
}  // namespace weighbridge::stored_rows_test

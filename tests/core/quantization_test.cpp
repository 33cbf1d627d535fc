// SPDX-License-Identifier: Apache-2.0
// Recipes on a small Llama-like model whose shapes are worked out by hand: hidden 256, feed-forward 512, 4 query heads and 2 key heads of 64,
// 4 layers, vocabulary 1024. The elements of one layer: q 65,536, k and v 32,768 each, o 65,536, gate, up and down 131,072 each: 589,824.
#include <gtest/gtest.h>

#include "api_fixture.hpp"
#include "python_regex.hpp"
#include "weighbridge/read.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::quantization_test {
namespace {

using testing::Json;

constexpr std::int64_t kLayer = 589'824;
constexpr std::int64_t kLayers = 4;
constexpr std::int64_t kMatrices = 7 * kLayers;
constexpr std::int64_t kRest = 2 * 1024 * 256 + 9 * 256;  // embedding, head, norms

Json config_with(const char* quantization, const char* key = "quantization_config") {
  Json config = testing::parse(R"({"model_type":"llama","hidden_size":256,"intermediate_size":512,"num_hidden_layers":4,"num_attention_heads":4,
    "num_key_value_heads":2,"vocab_size":1024,"max_position_embeddings":4096,"tie_word_embeddings":false,"torch_dtype":"bfloat16"})");
  config[key] = testing::parse(quantization);
  return config;
}

Result<Model> read(const Json& config) {
  Notices warnings;
  return read_config(config, "config", warnings);
}

Model model_with(const char* quantization, const char* key = "quantization_config") {
  Result<Model> model = read(config_with(quantization, key));
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message);
  return model ? *model : Model{};
}

std::int64_t bytes_of(const Model& model) { return static_cast<std::int64_t>(total_bytes(model.tensors).count()); }

/// Elements of the matrices that a recipe takes.
std::int64_t quantized_elements(const Model& model) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : model.plain)
    if (tensor.recipe > 0) elements += tensor.elements();
  return elements;
}

std::string error_of(const char* quantization) {
  const Result<Model> model = read(config_with(quantization));
  return model ? "" : model.error().message;
}

TEST(Recipes, Fp8InBlocksHasAGridOfScales) {
  const Model model = model_with(R"({"quant_method":"fp8","weight_block_size":[128,128]})");
  // q 2x2, k 1x2, v 1x2, o 2x2, gate 4x2, up 4x2, down 2x4
  EXPECT_EQ(bytes_of(model), kLayers * (kLayer + 4 * (4 + 2 + 2 + 4 + 8 + 8 + 8)) + 2 * kRest);
  EXPECT_EQ(count_parameters(model.tensors).stored, kLayers * (kLayer + 36) + kRest);
  EXPECT_EQ(checkpoint_format(model), "fp8");
}

TEST(Recipes, AStaticFp8TensorHasTwoScalarsThatNobodyCounts) {
  for (const char* config : {R"({"quant_method":"fp8","activation_scheme":"static","ignored_layers":["lm_head"]})",
                             R"({"quant_method":"modelopt","quant_algo":"FP8","exclude_modules":["lm_head"]})",
                             R"({"producer":{"name":"modelopt"},"quantization":{"quant_algo":"FP8","exclude_modules":["lm_head"]}})"}) {
    const Model model = model_with(config);
    EXPECT_EQ(bytes_of(model), kLayers * kLayer + 8 * kMatrices + 2 * kRest) << config;
    EXPECT_EQ(count_parameters(model.tensors).stored, kLayers * kLayer + kRest) << config;
  }
}

TEST(Recipes, ChannelScalesAreOnePerOutput) {
  const std::int64_t outputs = kLayers * (256 + 128 + 128 + 256 + 512 + 512 + 256);
  EXPECT_EQ(bytes_of(model_with(R"({"quant_method":"fbgemm_fp8","modules_to_not_convert":["lm_head"]})")),
            kLayers * kLayer + 4 * outputs + 2 * kRest);
  const char* int8 = R"({"quant_method":"compressed-tensors","format":"int-quantized","ignore":["lm_head"],"config_groups":{"group_0":{
    "targets":["Linear"],"weights":{"num_bits":8,"type":"int","strategy":"channel","symmetric":true},"input_activations":{"num_bits":8,
    "type":"int","strategy":"token","dynamic":true}}}})";
  EXPECT_EQ(bytes_of(model_with(int8)), kLayers * kLayer + 2 * outputs + 2 * kRest);
  EXPECT_EQ(checkpoint_format(model_with(int8)), "int8");
}

// Groups of 128 inputs: q, k, v, gate, up have 2 of them, o 2 (256 inputs), down 4 (512).
constexpr std::int64_t kGroups = kLayers * (2 * (256 + 128 + 128 + 256 + 512 + 512) + 4 * 256);

TEST(Recipes, GptqAddsZeroPointsAndTheGroupOfEachInput) {
  const std::int64_t inputs = kLayers * (6 * 256 + 512);
  const Model model = model_with(R"({"quant_method":"gptq","bits":4,"group_size":128,"desc_act":false,"sym":true})");
  EXPECT_EQ(bytes_of(model), kLayers * kLayer / 2 + 2 * kGroups + kGroups / 2 + 4 * inputs + 2 * kRest);
  EXPECT_EQ(count_parameters(model.tensors).stored, kLayers * kLayer + kRest);
  EXPECT_EQ(checkpoint_format(model), "gptq-int4");
  // 3 bits: 32 values in three words; one group (-1) of all inputs.
  const std::int64_t outputs = kLayers * (256 + 128 + 128 + 256 + 512 + 512 + 256);
  EXPECT_EQ(bytes_of(model_with(R"({"quant_method":"gptq","bits":3,"group_size":-1})")),
            kLayers * kLayer / 8 * 3 + 2 * outputs + outputs / 8 * 3 + 4 * inputs + 2 * kRest);
}

TEST(Recipes, AwqHasNoGroupOfEachInput) {
  const Model model = model_with(R"({"quant_method":"awq","bits":4,"group_size":128,"zero_point":true,"modules_to_not_convert":null})");
  EXPECT_EQ(bytes_of(model), kLayers * kLayer / 2 + 2 * kGroups + kGroups / 2 + 2 * kRest);
  EXPECT_EQ(checkpoint_format(model), "awq-int4");
}

TEST(Recipes, CompressedTensorsPacksIntegersAndSaysTheirShape) {
  const auto config = [](bool symmetric) {
    return std::string(R"({"quant_method":"compressed-tensors","format":"pack-quantized","ignore":["lm_head"],"config_groups":{"group_0":{
      "targets":["Linear"],"weights":{"num_bits":4,"type":"int","strategy":"group","group_size":128,"symmetric":)") +
           (symmetric ? "true" : "false") + "}}}}";
  };
  const Model model = model_with(config(true).c_str());
  EXPECT_EQ(bytes_of(model), kLayers * kLayer / 2 + 2 * kGroups + 8 * kMatrices + 2 * kRest);
  // As published for Kimi-K2.5: scales count, and two words of shape count eight each.
  EXPECT_EQ(count_parameters(model.tensors).stored, kLayers * kLayer + kGroups + 16 * kMatrices + kRest);
  EXPECT_EQ(bytes_of(model_with(config(false).c_str())) - bytes_of(model), kGroups / 2);
}

TEST(Recipes, BitsandbytesQuantizesItsScalesOnRequest) {
  const std::int64_t blocks = kLayers * kLayer / 64;
  const Model plain = model_with(R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_quant_type":"nf4"})");
  EXPECT_EQ(bytes_of(plain), kLayers * kLayer / 2 + 4 * blocks + 64 * kMatrices + 2 * kRest);
  const Model nested = model_with(R"({"quant_method":"bitsandbytes","load_in_4bit":true,"bnb_4bit_use_double_quant":true})");
  // 256 absmax values share one f32: q 1024 of them, k and v 512, o 1024, gate, up, down 2048.
  const std::int64_t nested_blocks = kLayers * (4 + 2 + 2 + 4 + 8 + 8 + 8);
  EXPECT_EQ(bytes_of(nested), kLayers * kLayer / 2 + blocks + 4 * nested_blocks + (64 + 1024) * kMatrices + 2 * kRest);
  EXPECT_EQ(checkpoint_format(nested), "nf4");
  EXPECT_EQ(checkpoint_format(model_with(R"({"quant_method":"bitsandbytes","load_in_8bit":true})")), "bnb-int8");
}

TEST(Recipes, Nvfp4CountsBytesAndItsScalarsByWriter) {
  const std::int64_t stored = kLayers * kLayer / 2 + kLayers * kLayer / 16 + kRest;
  const Model modelopt = model_with(R"({"quant_method":"modelopt","quant_algo":"NVFP4","group_size":16,"exclude_modules":["lm_head"]})");
  EXPECT_EQ(count_parameters(modelopt.tensors).stored, stored);
  EXPECT_EQ(bytes_of(modelopt), kLayers * kLayer / 2 + kLayers * kLayer / 16 + 8 * kMatrices + 2 * kRest);
  const Model compressed = model_with(R"({"quant_method":"compressed-tensors","format":"nvfp4-pack-quantized","config_groups":{"group_0":{
    "targets":["Linear"],"weights":{"num_bits":4,"type":"float","strategy":"tensor_group","group_size":16}}},"ignore":["lm_head"]})");
  EXPECT_EQ(count_parameters(compressed.tensors).stored, stored + 2 * kMatrices);
  EXPECT_EQ(bytes_of(compressed), bytes_of(modelopt));
  EXPECT_EQ(checkpoint_format(modelopt), "nvfp4");
}

TEST(Recipes, MlxQuantizesEmbeddingAndHeadTooAndHasBiases) {
  const Model model = model_with(R"({"group_size":64,"bits":4})", "quantization");
  const std::int64_t all = kLayers * kLayer + 2 * 1024 * 256;
  EXPECT_EQ(bytes_of(model), all / 2 + 4 * all / 64 + 2 * 9 * 256);
  EXPECT_EQ(checkpoint_format(model), "mlx-4bit");
  // One module in 8 bit, one left alone.
  const Model mixed = model_with(R"({"group_size":64,"bits":4,"lm_head":{"group_size":64,"bits":8},"model.layers.1.mlp.down_proj":false})",
                                 "quantization");
  EXPECT_EQ(bytes_of(mixed) - bytes_of(model), 1024 * 256 / 2 + (2 * 131'072 - 131'072 / 2 - 4 * 131'072 / 64));
}

TEST(Recipes, AConversionToMlxGoesByItsOwnKey) {
  Json config = config_with(R"({"group_size":64,"bits":8})", "quantization");
  config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {128, 128}}};
  EXPECT_EQ(checkpoint_format(*read(config)), "mlx-8bit");
  config["quantization"] = "fp8";
  EXPECT_EQ(checkpoint_format(*read(config)), "fp8");
}

TEST(Recipes, ExLlamaIsCountedByItsAverage) {
  const Model model = model_with(R"({"quant_method":"exl2","bits":4.5,"head_bits":6})");
  EXPECT_EQ(bytes_of(model), kLayers * kLayer / 16 * 9 + 1024 * 256 / 8 * 6 + 2 * (1024 * 256 + 9 * 256));
}

TEST(Recipes, AModelMayBeAskedForInAnyFormat) {
  const auto bytes_in = [](const char* format) {
    const testing::Json answer = testing::call("read_config",
                                               {{"config", config_with(R"({"quant_method":"exl2","bits":4.5})")}, {"weights", {{"format", format}}}});
    return answer["ok"] == true ? answer["result"]["weights"]["bytes"] : Json();
  };
  // Both have a head of six bits (`--head_bits`); EXL3 has 16 bits for each input and output of a matrix, and a word a matrix.
  const std::int64_t signs = kLayers * 2 * (2 * (256 + 256) + 2 * (256 + 128) + 3 * (256 + 512)) + 4 * (kMatrices + 1) + 2 * (256 + 1024);
  const std::int64_t head = 1024 * 256 / 8 * 6 - 2 * 1024 * 256;
  EXPECT_EQ(bytes_in("exl3-4bpw"), kLayers * kLayer / 2 + 2 * kRest + signs + head);
  EXPECT_EQ(bytes_in("exl2-6bpw"), kLayers * kLayer / 4 * 3 + 2 * kRest + head);
  EXPECT_EQ(bytes_in("exl2-4.5bpw"), kLayers * kLayer / 16 * 9 + 2 * kRest + head);
  EXPECT_EQ(bytes_in("EXL3-4.5bpw"), kLayers * kLayer / 16 * 9 + 2 * kRest + signs + head);
  EXPECT_EQ(bytes_in("mlx-6bit"), (kLayers * kLayer + 2 * 1024 * 256) / 8 * 6 + (kLayers * kLayer + 2 * 1024 * 256) / 64 * 4 + 2 * 9 * 256);
  for (const char* wrong : {"exl3-9bpw", "exl3-bpw", "mlx-7bit", "exl4-4bpw"}) EXPECT_EQ(bytes_in(wrong), nullptr) << wrong;
  EXPECT_EQ(bytes_in("bf16"), 2 * (kLayers * kLayer + kRest));
  const testing::Json other = testing::call("read_config",
                                            {{"config", config_with(R"({"quant_method":"exl2","bits":4.5})")}, {"weights", {{"format", "int3"}}}});
  EXPECT_EQ(other["error"]["code"], "unknown_format");
}

// Lists of modules

TEST(ModuleLists, EachFormLeavesTheSameModulesAlone) {
  for (const char* list :
       {R"(["lm_head","model.layers.0.mlp.down_proj","model.layers.1.mlp.down_proj","model.layers.2.mlp.down_proj",
                              "model.layers.3.mlp.down_proj"])",
        R"(["down_proj"])", R"(["mlp.down_proj"])", R"(["*.mlp.down_proj"])", R"(["*down_proj*"])", R"(["model.layers.*.mlp.down_proj"])",
        R"(["re:.*\\.mlp\\.(down|never)_proj$"])", R"(["re:model\\.layers\\.\\d+\\.mlp\\.d.*"])",
        R"(["model.language_model.layers.0.mlp.down_proj","language_model.model.layers.1*down_proj","re:.*[23].mlp.down.*"])"}) {
    Json config = config_with(R"({"quant_method":"fp8","weight_block_size":[128,128]})");
    config["quantization_config"]["ignored_layers"] = testing::parse(list);
    const Result<Model> model = read(config);
    ASSERT_TRUE(model.has_value()) << list;
    EXPECT_EQ(quantized_elements(*model), kLayers * (kLayer - 131'072)) << list;
  }
}

TEST(ModuleLists, RowsAreSplitByLayer) {
  const Model model = model_with(
      R"({"quant_method":"fp8","weight_block_size":[128,128],"modules_to_not_convert":["model.layers.1.mlp.up_proj","model.layers.3*"]})");
  EXPECT_EQ(quantized_elements(model), 3 * kLayer - 131'072);
  std::int64_t rows = 0;
  for (const Tensor& tensor : model.plain) {
    if (tensor.name != "model.layers.{layer}.mlp.up_proj.weight") continue;
    ++rows;
    const LayerSet expected = tensor.recipe == 0 ? LayerSet{1, 2, 2} : LayerSet{0, 2, 2};
    EXPECT_EQ(tensor.layers, expected);
  }
  EXPECT_EQ(rows, 2);
}

TEST(ModuleLists, AWholePartOfANameIsMeant) {
  const Model model = model_with(R"({"quant_method":"fp8","weight_block_size":[128,128],"modules_to_not_convert":["mlp.gate","layers.10.mlp"]})");
  EXPECT_EQ(quantized_elements(model), kLayers * kLayer);  // neither mlp.gate_proj nor layer 1
}

TEST(ModuleLists, GroupsHaveTargetsOfTheirOwn) {
  const Model model = model_with(R"({"quant_method":"modelopt","quant_algo":"MIXED_PRECISION","quantized_layers":{
    "model.layers.0.mlp.up_proj":{"quant_algo":"NVFP4","group_size":16},"model.layers.2.mlp.up_proj":{"quant_algo":"NVFP4","group_size":16},
    "model.layers.1.self_attn.q_proj":{"quant_algo":"FP8"}}})");
  EXPECT_EQ(quantized_elements(model), 2 * 131'072 + 65'536);
  ASSERT_EQ(model.recipes.size(), 2U);
  EXPECT_EQ(checkpoint_format(model), "nvfp4");
  const Model head = model_with(R"({"quant_method":"compressed-tensors","format":"float-quantized","config_groups":{
    "group_0":{"targets":["re:.*lm_head"],"weights":{"num_bits":8,"type":"float","strategy":"channel"}},
    "group_1":{"targets":["Linear"],"weights":{"num_bits":8,"type":"float","strategy":"tensor"}}}})");
  EXPECT_EQ(quantized_elements(head), kLayers * kLayer + 1024 * 256);
}

TEST(ModuleLists, GptqRulesLeaveModulesOutOrGiveThemOtherBits) {
  const Model model = model_with(R"({"quant_method":"gptq","bits":4,"group_size":128,"dynamic":{"-:.*attn.*":{},"+:.*\\.0\\.mlp.*":{"bits":8}}})");
  EXPECT_EQ(quantized_elements(model), kLayers * 3 * 131'072);
  EXPECT_EQ(model.recipes.front().bits, 8);
}

TEST(ModuleLists, ExpressionsOfPython) {
  EXPECT_TRUE(regex_matches(".*self_attn.*", "model.layers.3.self_attn.q_proj"));
  EXPECT_FALSE(regex_matches("self_attn", "model.layers.3.self_attn.q_proj"));  // from the start only
  EXPECT_TRUE(regex_matches("model\\.layers\\.(0|1[0-2])\\.", "model.layers.12.mlp"));
  EXPECT_FALSE(regex_matches("model\\.layers\\.(0|1[0-2])\\.", "model.layers.13.mlp"));
  EXPECT_TRUE(regex_matches("^(?:a|b)+?c?$", "abab"));
  EXPECT_FALSE(regex_matches("^(?:a|b)+$", "abc"));
  EXPECT_FALSE(regex_matches(std::string(60, '(') + std::string(60, ')'), "a"));
  EXPECT_FALSE(is_known_regex("(?!x).*"));
  EXPECT_FALSE(is_known_regex("a{2}"));
  EXPECT_FALSE(is_known_regex("(a"));
  EXPECT_FALSE(is_known_regex("a)"));
  EXPECT_FALSE(is_known_regex("[a"));
  EXPECT_FALSE(is_known_regex("\\"));
  EXPECT_FALSE(regex_matches("(a*)*(a*)*(a*)*(a*)*b", std::string(2000, 'a')));  // no pattern takes long
}

// What is wrong is said

TEST(QuantizationErrors, SayWhatWasExpected) {
  const auto has = [](const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; };
  EXPECT_TRUE(has(error_of(R"({"quant_method":"hqq"})"), "gptq"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":5})"), "a text"));
  EXPECT_TRUE(has(error_of(R"({})"), "expected one of"));
  EXPECT_TRUE(has(error_of(R"([1])"), "an object"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"gptq","bits":5})"), "2, 3, 4 or 8"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"gptq","bits":"4"})"), "a whole number"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"gptq"})"), "bits"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"awq","bits":4,"group_size":0.5})"), "group_size"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"fp8","weight_block_size":[0,128]})"), "two whole numbers"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"fp8","ignored_layers":"lm_head"})"), "a list of module names"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"fp8","ignored_layers":["re:(?!a)b"]})"), "a regular expression of"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"bitsandbytes"})"), "load_in_4bit"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"compressed-tensors"})"), "an object of groups"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"compressed-tensors","config_groups":{"g":{"weights":{"type":"int"}}}})"), "num_bits"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"modelopt","quant_algo":"W4A16_AWQ"})"), "NVFP4"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"modelopt","quantized_layers":"22422 entries"})"), "an object of module names"));
  EXPECT_TRUE(has(error_of(R"({"quant_method":"exl2"})"), "average bits"));
  EXPECT_TRUE(has(error_of(R"({"group_size":64,"bits":7})"), "2, 3, 4, 5, 6 or 8"));
}

// Formats that a person chooses, on one rank of several

std::int64_t scales_of(const char* format, int ranks, const Json& config) {
  Json params = {{"model", {{"config", config}}},
                 {"engine", {{"name", "vllm"}}},
                 {"weights", {{"format", format}}},
                 {"workload", {{"context_tokens", 1024}, {"sequences", 1}}},
                 {"hardware", Json::array({{{"device", "h100-sxm"}, {"count", ranks}}})}};
  const Json term = testing::term(testing::estimate(params), "weights");
  std::int64_t bytes = 0;
  for (const Json& item : term["formula"]["rows"])
    if (item["label"] == "scales") bytes += item["bytes"].get<std::int64_t>();
  return bytes;
}

TEST(RecipesOnRanks, ScalesAreSplitLikeTheirMatrices) {
  const Json config = config_with("null");
  // Half of the groups' scales (2 bytes) and zero points (half a byte).
  EXPECT_EQ(scales_of("awq-int4", 2, config), kGroups / 2 * 2 + kGroups / 4);
  // Vectors of outputs are split for q, k, v, gate and up, and whole for o and down.
  EXPECT_EQ(scales_of("int8", 2, config), kLayers * 4 * (128 + 64 + 64 + 256 + 256 + 256 + 256));
  // Scales of quantized absmax values become f32: N / 64 of them.
  EXPECT_GE(scales_of("nf4", 1, config), kLayers * kLayer / 64 * 4);
}

// Hidden and queries 512, keys 256, feed-forward 1024: half of each grid is q 2x4, k and v 1x4, o 4x2, gate and up 4x4, down 4x4.
TEST(RecipesOnRanks, GridsOfBlocksAreSplitWhereWholeBlocksAre) {
  Json config = config_with("null");
  config.update(testing::parse(R"({"hidden_size":512,"head_dim":128,"intermediate_size":1024})"));
  EXPECT_EQ(scales_of("fp8-block", 2, config), kLayers * 4 * (8 + 4 + 4 + 8 + 16 + 16 + 16));
}

// Which engine runs what

Json answer_for(const char* quantization, const char* engine, const char* device, const char* key = "quantization_config") {
  return testing::estimate({{"model", {{"config", config_with(quantization, key)}}},
                            {"engine", {{"name", engine}}},
                            {"workload", {{"context_tokens", 1024}, {"sequences", 1}}},
                            {"hardware", Json::array({{{"device", device}, {"count", 1}}})}});
}

TEST(CheckpointsInEngines, OthersPackingsAreRefusedWithTheNearestFormat) {
  const Json mlx = answer_for(R"({"group_size":64,"bits":4})", "vllm", "h100-sxm", "quantization");
  EXPECT_EQ(mlx["verdict"]["class"], "impossible");
  EXPECT_NE(mlx.dump().find("does not run checkpoints of the format mlx-4bit"), std::string::npos);
  const Json gguf = answer_for(R"({"quant_method":"awq","bits":4})", "llama.cpp", "h100-sxm");
  EXPECT_NE(gguf.dump().find("gguf:Q4_K_M"), std::string::npos);
}

TEST(CheckpointsInEngines, OldCardsLackSomeKernels) {
  const char* awq = R"({"quant_method":"awq","bits":4})";
  EXPECT_NE(answer_for(awq, "vllm", "v100-sxm2-32gb").dump().find("needs compute capability 7.5"), std::string::npos);
  EXPECT_EQ(answer_for(awq, "vllm", "t4").dump().find("needs compute capability"), std::string::npos);
  EXPECT_EQ(answer_for(R"({"quant_method":"gptq","bits":4})", "vllm", "v100-sxm2-32gb").dump().find("needs compute capability"), std::string::npos);
}

// The scales of groups in any order are needed whole where the inputs are split: o 2 and down 4 groups of 256 outputs, 2 bytes each.
TEST(CheckpointsInEngines, GroupsInAnyOrderAreNotSplit) {
  const auto scales = [](bool any_order) {
    Json config = config_with(R"({"quant_method":"gptq","bits":4,"group_size":128})");
    config["quantization_config"]["desc_act"] = any_order;
    return scales_of("checkpoint", 2, config);
  };
  const std::int64_t scales_and_zeros = kLayers * (2 + 4) * 256 / 2 * 5 / 2;
  EXPECT_EQ(scales(true) - scales(false), scales_and_zeros);
}

}  // namespace
}  // namespace weighbridge::quantization_test

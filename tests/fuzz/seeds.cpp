// SPDX-License-Identifier: Apache-2.0
#include "file_writer.hpp"
#include "oracles.hpp"

namespace weighbridge::fuzz {

using testing::GgufWriter;
using testing::raw;

namespace {

std::vector<std::string> gguf_seeds() {
  GgufWriter model;
  model.text("general.architecture", "llama").number("general.alignment", 32).number("llama.block_count", 2);
  model.numbers("llama.attention.head_count_kv", {8, 2}).texts("tokenizer.ggml.tokens", {"a", "", "bc"});
  model.value("f32", GgufType::f32, raw(0.5F))
      .value("f64", GgufType::f64, raw(0.5))
      .value("i8", GgufType::i8, "\xff")
      .value("bool", GgufType::boolean, "\1");
  model.value("u64", GgufType::u64, raw(~std::uint64_t{0})).value("i16", GgufType::i16, raw(std::int16_t{-2}));
  model.tensor("token_embd.weight", {256, 2}, 12, 288).tensor("blk.0.attn_norm.weight", {8}, 0, 32).tensor("scalar", {}, 1, 2);
  GgufWriter empty;
  empty.version = 2;
  GgufWriter part;
  part.number("split.no", 0).number("split.count", 2).numbers("long", std::vector<std::int32_t>(9000, 1));
  return {model.header(), empty.header(), part.header(), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"};
}

std::vector<std::string> safetensors_seeds() {
  std::vector<std::string> list;
  for (
      const char* json :
      {R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[4,3],"data_offsets":[0,24]},"b":{"dtype":"F4","shape":[2],"data_offsets":[24,25]}})",
       R"({"\u00e9":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,1]}}  )", "{}", R"({"z":{"shape":[0],"dtype":"I64","data_offsets":[0,0]}})"})
    list.push_back(testing::safetensors_file(json));
  return list;
}

}  // namespace

std::vector<std::string> seeds(std::string_view reader) {
  if (reader == "gguf") return gguf_seeds();
  if (reader == "safetensors") return safetensors_seeds();
  if (reader == "index")
    return {R"({"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}})",
            R"({"weight_map":{}, "more":[1,{"x":null}],"metadata":{"total_size":1.5e3}})"};
  return {R"({"model_type":"llama","hidden_size":4096,"rope_scaling":{"factor":8.0},"flag":true,"none":null,"list":[1,-2.5e3]})", "{}", "{'a':1}"};
}

}  // namespace weighbridge::fuzz

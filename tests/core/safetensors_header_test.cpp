// SPDX-License-Identifier: Apache-2.0
#include "read/safetensors_header.hpp"

#include <gtest/gtest.h>

#include "file_writer.hpp"
#include "read/shard_index.hpp"

namespace weighbridge::safetensors_header_test {
namespace {

using testing::raw;
using testing::safetensors_file;

constexpr std::string_view kTwoTensors =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F8_E4M3","shape":[3,5],"data_offsets":[24,39]},"a":{"data_offsets":[0,24],"dtype":"BF16","shape":[4,3]}}  )";

struct Outcome {
  std::optional<SafetensorsHeader> header;
  std::string code;
  std::string message;
};
Outcome read(std::string_view file, std::size_t piece = 1 << 20, std::optional<std::uint64_t> size = {}) {
  SafetensorsReader reader("m.safetensors", size);
  testing::serve(reader, file, piece);
  if (reader.done()) return {reader.take(), {}, {}};
  return {std::nullopt, reader.error() ? reader.error()->code : "", reader.error() ? reader.error()->message : ""};
}

TEST(SafetensorsHeader, TensorsAreReadInTheOrderOfTheirData) {
  const std::string file = safetensors_file(kTwoTensors);
  const Outcome outcome = read(file, 1 << 20, file.size() + 39);
  ASSERT_TRUE(outcome.header) << outcome.message;
  const SafetensorsHeader& header = *outcome.header;
  EXPECT_EQ(header.header_bytes, file.size());
  ASSERT_EQ(header.metadata.size(), 1U);
  EXPECT_EQ(header.metadata[0].second, "pt");
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].shape, (std::vector<std::int64_t>{4, 3}));
  EXPECT_EQ(header.tensors[0].bytes, Bytes(24));
  EXPECT_EQ(header.tensors[1].type.name, "fp8");
  EXPECT_EQ(header.tensors[1].bytes, Bytes(15));
}

TEST(SafetensorsHeader, PiecesOfAnySizeGiveTheSameHeader) {
  const std::string file = safetensors_file(kTwoTensors);
  const Outcome whole = read(file);
  ASSERT_TRUE(whole.header);
  for (std::size_t piece = 1; piece <= file.size(); ++piece) ASSERT_EQ(read(file, piece).header, whole.header) << piece;
}

TEST(SafetensorsHeader, WrittenAgainItReadsTheSame) {
  const Outcome first = read(safetensors_file(kTwoTensors));
  Outcome second = read(testing::write_safetensors(*first.header));
  ASSERT_TRUE(second.header) << second.message;
  second.header->header_bytes = first.header->header_bytes;
  EXPECT_EQ(*second.header, *first.header);
}

/// Bits of one element, from huggingface/safetensors safetensors/src/tensor.rs, Dtype::bitsize().
TEST(SafetensorsHeader, EveryTypeHasItsSize) {
  const std::vector<std::pair<const char*, int>> bits{{"BOOL", 8},        {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8},
                                                      {"I8", 8},          {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"I16", 16},
                                                      {"U16", 16},        {"F16", 16},    {"BF16", 16},   {"I32", 32},    {"F8_E4M3FNUZ", 8},
                                                      {"F8_E5M2FNUZ", 8}, {"U32", 32},    {"F32", 32},    {"C64", 64},    {"F64", 64},
                                                      {"I64", 64},        {"U64", 64}};
  for (const auto& [name, size] : bits) {
    const std::string end = std::to_string(size);  // eight elements have as many bytes as one has bits
    const std::string json = std::string(R"({"t":{"dtype":")") + name + R"(","shape":[2,4],"data_offsets":[0,)" + end + "]}}";
    const Outcome outcome = read(safetensors_file(json));
    ASSERT_TRUE(outcome.header) << outcome.message;
    EXPECT_EQ(outcome.header->tensors[0].bytes, Bytes(static_cast<std::uint64_t>(size))) << name;
  }
}

TEST(SafetensorsHeader, EveryCutIsSaidToBeCutOff) {
  const std::string file = safetensors_file(kTwoTensors);
  for (std::size_t size = 0; size < file.size(); ++size)
    ASSERT_EQ(read(std::string_view(file).substr(0, size), 5, size).code, "file_cut_off") << size;
  EXPECT_EQ(read(file, 64, file.size() + 38).code, "file_cut_off");
}

TEST(SafetensorsHeader, HostileHeadersAreRefusedWithASentence) {
  const auto tensor = [](const char* entry) { return std::string(R"({"t":)") + entry + "}"; };
  const std::vector<std::pair<std::string, const char*>> headers{
      {"[1]", "wrong_type"},
      {" {}", "wrong_type"},
      {"{}x", "invalid_json"},
      {"{\"a\":", "invalid_json"},
      {tensor("5"), "wrong_type"},
      {tensor("[]"), "wrong_type"},
      {tensor("\"x\""), "wrong_type"},
      {tensor("{}"), "missing_key"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","dtype":"F16","shape":[1],"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F31","shape":[1],"data_offsets":[0,4]})"), "unknown_type"},
      {tensor(R"({"dtype":3,"shape":[1],"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","shape":[[1]],"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","shape":{"a":1},"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[0]})"), "missing_key"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4,4]})"), "out_of_range"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[4,0]})"), "out_of_range"},
      {tensor(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})"), "out_of_range"},
      {tensor(R"({"dtype":"F32","shape":[2],"data_offsets":[0,4]})"), "out_of_range"},
      {tensor(R"({"dtype":"F4","shape":[3],"data_offsets":[0,1]})"), "out_of_range"},
      {tensor(R"({"dtype":"F32","shape":[-1],"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,4]})"), "wrong_type"},
      {tensor(R"({"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]})"), "out_of_range"},
      {tensor(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]})"), "out_of_range"},
      {tensor(R"({"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,4]})"), "wrong_type"},
      {R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", "duplicate"},
      {R"({"s":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"t":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", "out_of_range"},
      {R"({"__metadata__":{"a":{}}})", "wrong_type"},
      {R"({"__metadata__":5})", "wrong_type"},
  };
  for (const auto& [json, code] : headers)
    for (const std::size_t piece : {std::size_t{1}, std::size_t{9}, json.size() + 8}) {
      const Outcome outcome = read(safetensors_file(json), piece);
      EXPECT_EQ(outcome.code, code) << json << ": " << outcome.message;
      EXPECT_EQ(outcome.message.back(), '.') << json;
    }
}

TEST(SafetensorsHeader, AbsurdLengthsAreRefusedAtOnce) {
  for (const std::uint64_t length : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{100'000'001}, ~std::uint64_t{0}})
    EXPECT_EQ(read(raw(length) + "{}").code, "wrong_type") << length;
  EXPECT_EQ(read(raw(std::uint64_t{1000}) + "{}", 64, 500).code, "file_cut_off");
}

TEST(SafetensorsHeader, OtherKindsOfFilesAreNamed) {
  EXPECT_EQ(read("version https://git-lfs.github.com/spec/v1\n").code, "git_lfs_pointer");
  EXPECT_EQ(read("<!DOCTYPE html>").code, "web_page");
  EXPECT_EQ(read("PK\x03\x04-------------").code, "pytorch_archive");
}

struct IndexOutcome {
  std::optional<ShardIndex> index;
  std::string code;
};
IndexOutcome read_index(std::string_view text, std::size_t piece = 1 << 20) {
  ShardIndexReader reader("model.safetensors.index.json", text.size());
  testing::serve(reader, text, piece);
  if (reader.done()) return {reader.take(), {}};
  return {std::nullopt, reader.error() ? reader.error()->code : ""};
}

TEST(ShardIndex, NamesShardsAndTensors) {
  const std::string text =
      R"({"metadata":{"total_size":123,"x":[{"total_size":5}]},"more":{"weight_map":1},"weight_map":{"a":"1.safetensors","b":"2.safetensors","c":"1.safetensors"}})";
  const IndexOutcome whole = read_index(text);
  ASSERT_TRUE(whole.index) << whole.code;
  EXPECT_EQ(whole.index->total_bytes, Bytes(123));
  EXPECT_EQ(whole.index->shards, (std::vector<std::string>{"1.safetensors", "2.safetensors"}));
  ASSERT_EQ(whole.index->tensors.size(), 3U);
  EXPECT_EQ(whole.index->tensors[2], (std::pair<std::string, std::uint32_t>{"c", 0}));
  for (std::size_t piece = 1; piece < text.size(); ++piece) ASSERT_EQ(read_index(text, piece).index, whole.index) << piece;
  EXPECT_EQ(read_index(testing::write_index(*whole.index)).index, whole.index);
}

TEST(ShardIndex, TotalSizeMayBeAFloat) {
  EXPECT_EQ(read_index(R"({"metadata":{"total_size":1.5e3},"weight_map":{}})").index->total_bytes, Bytes(1500));
}

TEST(ShardIndex, HostileOnesAreRefused) {
  EXPECT_EQ(read_index("{}").code, "missing_key");
  EXPECT_EQ(read_index("[]").code, "wrong_type");
  EXPECT_EQ(read_index(R"({"weight_map":{"a":"../../etc/passwd"}})").code, "out_of_range");
  EXPECT_EQ(read_index(R"({"weight_map":{"a":""}})").code, "out_of_range");
  EXPECT_EQ(read_index(R"({"weight_map":{"a":"1","a":"2"}})").code, "duplicate");
  EXPECT_EQ(read_index(R"({"weight_map":[]})").code, "wrong_type");
  EXPECT_EQ(read_index(R"({"weight_map":"x"})").code, "wrong_type");
  EXPECT_EQ(read_index(R"({"weight_map":{"a":{"b":"c"}}})").code, "wrong_type");
  EXPECT_EQ(read_index(R"({"weight_map":{"a":5}})").code, "wrong_type");
  EXPECT_EQ(read_index(R"({"weight_map":{)").code, "file_cut_off");
  EXPECT_EQ(read_index("<!DOCTYPE html><html>").code, "web_page");
}

}  // namespace
}  // namespace weighbridge::safetensors_header_test

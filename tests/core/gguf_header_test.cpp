// SPDX-License-Identifier: Apache-2.0
#include "read/gguf_header.hpp"

#include <gtest/gtest.h>

#include "file_writer.hpp"

namespace weighbridge::gguf_header_test {
namespace {

using testing::gguf_text;
using testing::GgufWriter;
using testing::raw;

/// One tensor of 2 x 256 in Q4_K (2 blocks of 144 bytes) and one of F32, with the keys of a small model.
GgufWriter small_model() {
  GgufWriter writer;
  writer.text("general.architecture", "llama").number("llama.block_count", 2).numbers("llama.attention.head_count_kv", {8, 2});
  writer.texts("tokenizer.ggml.tokens", {"a", "", "some longer token"}).value("general.flag", GgufType::boolean, "\1");
  writer.value("llama.rope.freq_base", GgufType::f32, raw(10000.5F)).value("general.shift", GgufType::i8, "\xfe");
  writer.tensor("token_embd.weight", {256, 2}, 12, 288).tensor("output_norm.weight", {256}, 0, 1024);
  return writer;
}

/// The outcome of reading `file` in pieces of `piece` bytes.
struct Outcome {
  std::optional<GgufHeader> header;
  std::string code;
  std::string message;
};
Outcome read(std::string_view file, std::size_t piece = 1 << 20, std::optional<std::uint64_t> size = {}) {
  GgufReader reader("x.gguf", size);
  testing::serve(reader, file, piece);
  if (reader.done()) return {reader.take(), {}, {}};
  return {std::nullopt, reader.error() ? reader.error()->code : "", reader.error() ? reader.error()->message : ""};
}
Outcome read(const GgufWriter& writer) { return read(writer.header(), 1 << 20, writer.file_bytes()); }

TEST(GgufHeader, KeysAndTensorsAreRead) {
  const GgufWriter writer = small_model();
  const Outcome outcome = read(writer);
  ASSERT_TRUE(outcome.header) << outcome.message;
  const GgufHeader& header = *outcome.header;
  EXPECT_EQ(header.text("general.architecture"), "llama");
  EXPECT_EQ(header.whole_number("llama.block_count"), 2);
  EXPECT_EQ(header.find("llama.attention.head_count_kv")->whole_numbers(), (std::vector<std::int64_t>{8, 2}));
  EXPECT_EQ(header.find("tokenizer.ggml.tokens")->length, 3U);
  EXPECT_TRUE(header.find("tokenizer.ggml.tokens")->items.empty());
  EXPECT_EQ(header.find("llama.rope.freq_base")->number(), 10000.5);
  EXPECT_EQ(header.whole_number("general.flag"), 1);
  EXPECT_EQ(header.whole_number("general.shift"), -2);
  EXPECT_EQ(header.header_bytes, writer.header().size());
  ASSERT_EQ(header.tensors.size(), 2U);
  EXPECT_EQ(header.tensors[0].shape, (std::vector<std::int64_t>{2, 256}));
  EXPECT_EQ(header.tensors[0].type.name, "q4_K");
  EXPECT_EQ(header.tensors[0].bytes, Bytes(288));
  EXPECT_EQ(header.tensors[1].offset, 288U);
  EXPECT_EQ(header.tensors[1].bytes, Bytes(1024));
}

TEST(GgufHeader, PiecesOfAnySizeGiveTheSameHeader) {
  const std::string file = small_model().header();
  const Outcome whole = read(file);
  ASSERT_TRUE(whole.header);
  for (std::size_t piece = 1; piece <= file.size(); ++piece) ASSERT_EQ(read(file, piece).header, whole.header) << piece;
}

TEST(GgufHeader, WrittenAgainItReadsTheSame) {
  const Outcome first = read(small_model());
  ASSERT_TRUE(first.header);
  Outcome second = read(testing::write_gguf(*first.header));
  ASSERT_TRUE(second.header) << second.message;
  second.header->header_bytes = first.header->header_bytes;  // the tokens were not kept
  EXPECT_EQ(*second.header, *first.header);
}

TEST(GgufHeader, LongArraysOfNumbersAreSkippedNotRead) {
  GgufWriter writer;
  writer.numbers("scores", std::vector<std::int32_t>(100'000, 7)).text("general.architecture", "llama").tensor("t", {8}, 0, 32);
  const std::string file = writer.header();
  GgufReader reader("x.gguf", writer.file_bytes());
  std::uint64_t pushed = 0;
  while (!reader.done() && !reader.error()) {
    const std::string_view piece = std::string_view(file).substr(static_cast<std::size_t>(reader.next()), 64);
    pushed += piece.size();
    reader.push(piece);
  }
  EXPECT_LT(pushed, 400U);
  const GgufHeader header = reader.take();
  EXPECT_EQ(header.find("scores")->length, 100'000U);
  EXPECT_EQ(header.text("general.architecture"), "llama");
}

TEST(GgufHeader, ArraysUpToTheLimitAreKept) {
  GgufWriter writer;
  writer.numbers("kept", std::vector<std::int32_t>(8192, -7)).numbers("long", std::vector<std::int32_t>(8193, 7));
  const Outcome outcome = read(writer);
  ASSERT_TRUE(outcome.header) << outcome.message;
  EXPECT_EQ(outcome.header->find("kept")->whole_numbers(), std::vector<std::int64_t>(8192, -7));
  EXPECT_FALSE(outcome.header->find("long")->whole_numbers());
}

TEST(GgufHeader, LongTextsKeepTheirLengthOnly) {
  GgufWriter writer;
  writer.text("tokenizer.chat_template", std::string(50'000, 'x')).text("general.name", "Small");
  const Outcome outcome = read(writer);
  ASSERT_TRUE(outcome.header);
  EXPECT_EQ(outcome.header->find("tokenizer.chat_template")->length, 50'000U);
  EXPECT_EQ(outcome.header->text("tokenizer.chat_template"), "");
  EXPECT_EQ(outcome.header->text("general.name"), "Small");
}

TEST(GgufHeader, AlignmentMovesTheData) {
  GgufWriter writer;
  writer.alignment = 64;
  writer.number("general.alignment", 64).tensor("a", {1}, 0, 4).tensor("b", {1}, 0, 4);
  const Outcome outcome = read(writer);
  ASSERT_TRUE(outcome.header) << outcome.message;
  EXPECT_EQ(outcome.header->header_bytes % 64, 0U);
  EXPECT_EQ(outcome.header->tensors[1].offset, 64U);
}

TEST(GgufHeader, EveryCutIsSaidToBeCutOff) {
  const std::string file = small_model().header();
  const std::size_t padding = 32;
  for (std::size_t size = 0; size + padding <= file.size(); ++size) {
    const Outcome outcome = read(std::string_view(file).substr(0, size), 7, size);
    ASSERT_EQ(outcome.code, "file_cut_off") << size << ' ' << outcome.message;
    EXPECT_EQ(outcome.message,
              "The header ends early at " + std::to_string(size) + " bytes. The file may still be downloading. Nothing was changed.");
  }
  const Outcome data = read(file, 64, file.size() + 100);
  EXPECT_EQ(data.code, "file_cut_off");
  EXPECT_NE(data.message.find("may still be downloading"), std::string::npos);
}

TEST(GgufHeader, OtherKindsOfFilesAreNamed) {
  const auto code = [](std::string start) {
    start.resize(64, ' ');
    return read(start).code;
  };
  EXPECT_EQ(code("version https://git-lfs.github.com/spec/v1\noid sha256:0"), "git_lfs_pointer");
  EXPECT_EQ(code("<!DOCTYPE html><html>"), "web_page");
  EXPECT_EQ(code("<html lang=en>"), "web_page");
  EXPECT_EQ(code("PK\x03\x04"), "pytorch_archive");
  EXPECT_EQ(code("\x80\x02}q"), "pytorch_archive");
  EXPECT_EQ(code("ggjt"), "wrong_type");
  const Outcome pointer = read("version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 42\n");
  EXPECT_NE(pointer.message.find("is a Git LFS pointer, not the model"), std::string::npos) << pointer.message;
}

TEST(GgufHeader, OtherVersionsAndByteOrdersAreRefused) {
  for (const std::uint32_t version : {0U, 1U, 4U, 0x03000000U}) {
    GgufWriter writer = small_model();
    writer.version = version;
    const Outcome outcome = read(writer);
    EXPECT_EQ(outcome.code, "unsupported") << version;
    EXPECT_EQ(outcome.message.find("big-endian") != std::string::npos, version == 0 || version == 0x03000000U) << outcome.message;
  }
  GgufWriter second = small_model();
  second.version = 2;
  EXPECT_TRUE(read(second).header);
}

/// A hostile header, and the code it is refused with, whether the size of the file is known or not.
struct Hostile {
  const char* what;
  GgufWriter writer;
  const char* code;
};

std::vector<Hostile> hostile_headers() {
  const std::uint64_t huge = ~std::uint64_t{0};
  std::vector<Hostile> list;
  const auto add = [&](const char* what, const char* code, auto change) {
    GgufWriter writer = small_model();
    change(writer);
    list.push_back({what, writer, code});
  };
  add("tensors without end", "out_of_range", [&](GgufWriter& w) { w.n_tensors = huge; });
  add("keys without end", "out_of_range", [&](GgufWriter& w) { w.n_values = huge; });
  add("a text without end", "out_of_range", [&](GgufWriter& w) { w.value("k", GgufType::string, raw(huge)); });
  add("a list without end", "out_of_range", [&](GgufWriter& w) { w.value("k", GgufType::array, raw(std::uint32_t{8}) + raw(huge)); });
  add("numbers without end", "out_of_range", [&](GgufWriter& w) { w.value("k", GgufType::array, raw(std::uint32_t{12}) + raw(huge / 4)); });
  add("lists in lists", "wrong_type", [&](GgufWriter& w) { w.value("k", GgufType::array, raw(std::uint32_t{9}) + raw(std::uint64_t{1})); });
  add("an unknown value type", "wrong_type", [&](GgufWriter& w) { w.value("k", static_cast<GgufType>(13), ""); });
  add("an unknown item type", "wrong_type", [&](GgufWriter& w) { w.value("k", GgufType::array, raw(std::uint32_t{77}) + raw(std::uint64_t{1})); });
  add("a key twice", "duplicate", [&](GgufWriter& w) { w.number("llama.block_count", 3); });
  add("an empty key", "out_of_range", [&](GgufWriter& w) { w.number("", 3); });
  add("an endless key", "out_of_range", [&](GgufWriter& w) { w.number(std::string(70'000, 'k'), 3); });
  add("an alignment of 0", "out_of_range", [&](GgufWriter& w) { w.number("general.alignment", 0); });
  add("an alignment of 48", "out_of_range", [&](GgufWriter& w) { w.number("general.alignment", 48); });
  add("an alignment that is a text", "out_of_range", [&](GgufWriter& w) { w.text("general.alignment", "32"); });
  add("a tensor twice", "duplicate", [&](GgufWriter& w) { w.tensor("token_embd.weight", {256}, 0, 1024); });
  add("a type that was removed", "unknown_type", [&](GgufWriter& w) { w.tensor("t", {256}, 4, 0); });
  add("a type of tomorrow", "unknown_type", [&](GgufWriter& w) { w.tensor("t", {256}, 4000, 0); });
  add("five dimensions", "out_of_range", [&](GgufWriter& w) { w.tensor("t", {1, 1, 1, 1, 1}, 0, 4); });
  add("dimensions beyond int64", "out_of_range", [&](GgufWriter& w) { w.tensor("t", {1ULL << 40, 1ULL << 40}, 0, 4); });
  add("a negative dimension", "out_of_range", [&](GgufWriter& w) { w.tensor("t", {huge}, 0, 4); });
  add("bytes beyond int64", "out_of_range", [&](GgufWriter& w) { w.tensor("t", {1ULL << 62}, 0, 4); });
  add("a broken row of blocks", "not_divisible", [&](GgufWriter& w) { w.tensor("t", {255}, 12, 0); });
  add("an endless tensor name", "out_of_range", [&](GgufWriter& w) { w.tensor(std::string(2000, 'n'), {1}, 0, 4); });
  add("overlapping tensors", "out_of_range", [&](GgufWriter& w) { (w.data_bytes = 0, w.tensor("t", {256}, 0, 1024)); });
  add("a hole between tensors", "out_of_range", [&](GgufWriter& w) { (w.data_bytes += 32, w.tensor("t", {256}, 0, 1024)); });
  return list;
}

TEST(GgufHeader, HostileHeadersAreRefusedWithASentence) {
  for (const Hostile& hostile : hostile_headers()) {
    const std::string file = hostile.writer.header();
    for (const std::size_t piece : {std::size_t{1}, std::size_t{13}, file.size()}) {
      const Outcome outcome = read(file, piece);
      EXPECT_EQ(outcome.code, hostile.code) << hostile.what << ": " << outcome.message;
      EXPECT_EQ(outcome.message.back(), '.') << hostile.what;
      EXPECT_NE(outcome.message.find("`x.gguf`"), std::string::npos) << outcome.message;
    }
  }
}

TEST(GgufHeader, CountsThatCannotFitInTheFileAreRefusedAtOnce) {
  GgufWriter writer = small_model();
  const std::uint64_t size = writer.file_bytes();
  writer.n_tensors = 400'000;
  GgufReader reader("x.gguf", size);
  reader.push(writer.header().substr(0, 24));
  ASSERT_TRUE(reader.error());
  EXPECT_EQ(reader.error()->code, "file_cut_off");
}

TEST(GgufHeader, AHundredAndFiftyThousandTokensKeepNothing) {
  const GgufWriter writer = testing::large_gguf(150'000, 1000);
  const std::string file = writer.header();
  const Outcome outcome = read(file, 1 << 16, writer.file_bytes());
  ASSERT_TRUE(outcome.header) << outcome.message;
  EXPECT_EQ(outcome.header->find("tokenizer.ggml.tokens")->length, 150'000U);
  EXPECT_EQ(outcome.header->tensors.size(), 1000U);
  EXPECT_EQ(outcome.header->header_bytes, file.size());
}

}  // namespace
}  // namespace weighbridge::gguf_header_test

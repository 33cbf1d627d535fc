// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "file_writer.hpp"
#include "weighbridge/api.hpp"

namespace weighbridge::files_test {
namespace {

using testing::Json;

class Files : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  void TearDown() override { std::remove(path_.c_str()); }

  [[nodiscard]] Json ask(const Json& request) { return testing::parse(call_with_files(api_, request.dump())); }

  Api api_{reading()};
  /// Tests run in several processes at once: a file for each.
  const std::string path_ = ::testing::TempDir() + "weighbridge." + ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".config.json";
};

TEST_F(Files, AConfigOfThisMachineIsAModel) {
  write(std::string(embedded("deepseek-r1.config.json")));
  const Json read = ask({{"method", "read_config"}, {"params", {{"file", path_}}}});
  EXPECT_EQ(read["result"]["model"]["checkpoint_bytes"], 688'574'839'360);
  const Json hardware = Json::array({{{"memory_bytes", std::int64_t{1} << 40}}});
  const Json answer = ask({{"method", "estimate"}, {"params", {{"model", {{"file", path_}}}, {"hardware", hardware}}}});
  EXPECT_EQ(answer["result"]["model"]["active_parameters"], 37'552'297'472);
}

TEST_F(Files, AMissingOneIsNamed) {
  const Json answer = ask({{"method", "read_config"}, {"params", {{"file", "no/such/config.json"}}}});
  EXPECT_EQ(answer["error"]["code"], "file_unreadable");
  EXPECT_EQ(answer["error"]["where"], "params.file");
}

TEST_F(Files, AnotherKindIsRefused) {
  const std::string notes = ::testing::TempDir() + "weighbridge.notes.pdf";
  std::ofstream(notes) << "x";
  EXPECT_EQ(ask({{"method", "read_config"}, {"params", {{"file", notes}}}})["error"]["code"], "wrong_type");
  std::remove(notes.c_str());
}

TEST_F(Files, TextThatIsNoJsonIsReportedWithItsLine) {
  write("{\n  'hidden_size': 1\n}");
  const Json error = ask({{"method", "estimate"}, {"params", {{"model", {{"file", path_}}}}}})["error"];
  EXPECT_EQ(error["code"], "invalid_json");
  EXPECT_NE(error["message"].get<std::string>().find("line 2"), std::string::npos);
}

TEST_F(Files, AGgufIsCountedByItsHeader) {
  testing::GgufWriter writer;
  writer.text("general.architecture", "llama")
      .number("llama.block_count", 1)
      .number("llama.embedding_length", 256)
      .number("llama.context_length", 4096);
  writer.number("llama.attention.head_count", 4).tensor("token_embd.weight", {256, 1024}, 12, 147'456).tensor("output_norm.weight", {256}, 0, 1024);
  for (const char* name : {"q", "k", "v", "output"}) writer.tensor(std::string("blk.0.attn_") + name + ".weight", {256, 256}, 12, 36'864);
  const std::string gguf = ::testing::TempDir() + "weighbridge-00001-of-00001.gguf";
  std::ofstream(gguf, std::ios::binary) << writer.header() << std::string(writer.data_bytes, '\0');
  const Json params{
      {"model", {{"file", gguf}}}, {"engine", {{"name", "llama.cpp"}}}, {"workload", {{"context_tokens", 4096}}}, {"hardware", Json::array()}};
  const Json answer = ask({{"method", "estimate"}, {"params", params}});
  ASSERT_EQ(answer["ok"], true) << answer.dump(1);
  EXPECT_EQ(answer["result"]["model"]["checkpoint_bytes"], 147'456 + 1024 + 4 * 36'864);
  std::remove(gguf.c_str());
}

}  // namespace
}  // namespace weighbridge::files_test

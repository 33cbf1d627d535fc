// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "api_fixture.hpp"
#include "embedded.hpp"
#include "weighbridge/api.hpp"

namespace weighbridge {
namespace {

using testing::Json;

class Files : public ::testing::Test {
 protected:
  void write(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }
  void TearDown() override { std::remove(path_.c_str()); }

  [[nodiscard]] Json ask(const Json& request) { return testing::parse(call_with_files(api_, request.dump())); }

  Api api_{reading()};
  const std::string path_ = ::testing::TempDir() + "weighbridge.config.json";
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
  EXPECT_EQ(ask({{"method", "read_config"}, {"params", {{"file", "model.gguf"}}}})["error"]["code"], "unsupported_file");
}

TEST_F(Files, TextThatIsNoJsonIsReportedWithItsLine) {
  write("{\n  'hidden_size': 1\n}");
  const Json error = ask({{"method", "estimate"}, {"params", {{"model", {{"file", path_}}}}}})["error"];
  EXPECT_EQ(error["code"], "invalid_json");
  EXPECT_NE(error["message"].get<std::string>().find("line 2"), std::string::npos);
}

}  // namespace
}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// The oracles of the fuzz targets over their seeds, and over each seed with every byte changed or the end cut off.
#include <gtest/gtest.h>

#include "oracles.hpp"

namespace weighbridge::fuzz {
namespace {

class Replay : public ::testing::TestWithParam<const char*> {};

TEST_P(Replay, SeedsHoldTheOracles) {
  for (const std::string& seed : seeds(GetParam())) EXPECT_EQ(complaint(GetParam(), seed), "");
}

TEST_P(Replay, DamagedSeedsHoldTheOracles) {
  constexpr std::size_t most = 1024;  // of each seed: the rest of a long one is one list
  for (const std::string& seed : seeds(GetParam()))
    for (std::size_t at = 0; at < std::min(seed.size(), most); ++at) {
      EXPECT_EQ(complaint(GetParam(), std::string_view(seed).substr(0, at)), "") << at;
      for (const char change : {'\x01', '\x80', '\xff', ' '}) {
        std::string damaged = seed;
        damaged[at] = static_cast<char>(damaged[at] ^ change);
        EXPECT_EQ(complaint(GetParam(), damaged), "") << at;
      }
    }
}

INSTANTIATE_TEST_SUITE_P(Readers, Replay, ::testing::Values("gguf", "safetensors", "index", "config"),
                         [](const auto& reader) { return std::string(reader.param); });

}  // namespace
}  // namespace weighbridge::fuzz

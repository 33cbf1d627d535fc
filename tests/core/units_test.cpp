// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/units.hpp"

#include <gtest/gtest.h>

namespace weighbridge::units_test {
namespace {

constexpr Bytes kMost{UINT64_MAX};

TEST(Bytes, SumsAndProductsSaturateInsteadOfWrapping) {
  EXPECT_EQ(kMost + Bytes(1), kMost);
  EXPECT_EQ(kMost * 2, kMost);
  EXPECT_EQ(Bytes(std::uint64_t{1} << 40) * (std::uint64_t{1} << 40), kMost);
}

TEST(Bytes, SubtractionStopsAtZero) { EXPECT_EQ(Bytes(1) - Bytes(2), Bytes()); }

TEST(Bytes, DifferenceIsSigned) {
  EXPECT_EQ(difference(Bytes(5), Bytes(7)), -2);
  EXPECT_EQ(difference(Bytes(7), Bytes(5)), 2);
  EXPECT_EQ(difference(Bytes(), kMost), -INT64_MAX);
}

TEST(Bytes, ScaledRoundsDownAsEnginesDo) {
  EXPECT_EQ(scaled(Bytes(999), 0.9), Bytes(899));
  EXPECT_EQ(scaled(kMost, 2.0), kMost);
}

TEST(CeilDiv, RoundsUpOnlyWhenSomethingIsLeft) {
  EXPECT_EQ(ceil_div(128, 64), 2);
  EXPECT_EQ(ceil_div(129, 64), 3);
}

}  // namespace
}  // namespace weighbridge::units_test

// SPDX-License-Identifier: Apache-2.0
#include "boundary.hpp"

#include <gtest/gtest.h>

namespace weighbridge::boundary_test {

namespace {

/// A search with the trials that it took.
struct Found {
  std::int64_t value = 0;
  int trials = 0;
};

template <class RoomsOf>
Found search(std::int64_t most, std::int64_t grain, RoomsOf rooms_of) {
  Found found;
  found.value = largest_holding(most, grain, [&](std::int64_t value) -> Rooms {
    ++found.trials;
    return rooms_of(value);
  });
  return found;
}

/// Blocks of `block` tokens with 7 bytes a token.
std::int64_t paged(std::int64_t tokens, std::int64_t block) { return ceil_div(tokens, block) * block * 7; }

TEST(Boundary, OfALineTakesFourTrials) {
  const Found found = search(1'000'000, 1, [](std::int64_t value) { return Rooms{7 * 123'456 + 3 - 7 * value}; });
  EXPECT_EQ(found.value, 123'456);
  EXPECT_LE(found.trials, 4);  // both ends, the crossing, one more
}

TEST(Boundary, OfBlocksIsTriedInBlocks) {
  for (const std::int64_t block : {16, 64, 528}) {
    const Found found = search(131'072, block, [&](std::int64_t value) { return Rooms{paged(9000, block) - paged(value, block)}; });
    EXPECT_EQ(found.value, ceil_div(9000, block) * block);
    EXPECT_LE(found.trials, 6) << block;
  }
}

TEST(Boundary, FollowsEachCheckByItself) {
  // The card has little room whatever the context, which says nothing of where the engine's own limit is reached.
  const Found found = search(131'072, 16, [](std::int64_t value) { return Rooms{paged(50'000, 16) - paged(value, 16), 12}; });
  EXPECT_EQ(found.value, 50'000);
  EXPECT_LE(found.trials, 6);
}

TEST(Boundary, IsExactWhateverTheShape) {
  const auto wall = [](std::int64_t edge) { return [edge](std::int64_t value) { return value <= edge ? Rooms{1} : Rooms(); }; };
  const auto bent = [](std::int64_t value) { return Rooms{1'000'000 - value * value / 100 - (value > 8192 ? 64 * value : 0)}; };
  for (const std::int64_t edge : {0, 1, 2, 15, 16, 17, 99'999, 100'000}) EXPECT_EQ(search(100'000, 16, wall(edge)).value, edge);
  const Found found = search(1 << 20, 16, bent);
  EXPECT_TRUE(holds(bent(found.value)) && !holds(bent(found.value + 1))) << found.value;
  EXPECT_LE(found.trials, 3 * 20 + 2);
}

TEST(Boundary, IsTheMostOrNothingWhereThatIsSo) {
  EXPECT_EQ(search(4096, 16, [](std::int64_t) { return Rooms{0}; }).value, 4096);
  EXPECT_EQ(search(4096, 16, [](std::int64_t) { return Rooms{-1}; }).value, 0);
  EXPECT_EQ(search(0, 16, [](std::int64_t) { return Rooms{1}; }).value, 0);
}

TEST(Boundary, GoesOnFromWhatHolds) {
  const auto rooms_at = [](std::int64_t value) { return Rooms{500 - value}; };
  EXPECT_EQ(largest_holding_from({100, rooms_at(100)}, 1000, rooms_at), 500);
  EXPECT_EQ(largest_holding_from({100, rooms_at(100)}, 400, rooms_at), 400);
  EXPECT_EQ(largest_holding_from({100, rooms_at(100)}, 100, rooms_at), 100);
}

TEST(Boundary, AsksNothingThatIsKnown) {
  const auto room = [](std::int64_t value) { return Rooms{500 - value}; };
  std::vector<std::int64_t> asked;
  const auto rooms_at = [&](std::int64_t value) {
    asked.push_back(value);
    return room(value);
  };
  EXPECT_EQ(largest_holding(Tried{100, room(100)}, Tried{900, room(900)}, 1000, 1, rooms_at), 500);
  EXPECT_EQ(asked, (std::vector<std::int64_t>{500, 501}));
  asked.clear();
  EXPECT_EQ(largest_holding(Tried{500, room(500)}, Tried{501, room(501)}, 1000, 1, rooms_at), 500);
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(largest_holding({}, Tried{1, Rooms()}, 1000, 1, rooms_at), 0);
  EXPECT_TRUE(asked.empty());
}

}  // namespace

}  // namespace weighbridge::boundary_test

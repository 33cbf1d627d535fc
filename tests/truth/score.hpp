// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

namespace weighbridge::truth {

/// One figure and the bounds that we state for it.
struct Figure {
  double bytes = 0, low = 0, high = 0;
};

/// Errors of one figure over many records: relative to a whole, whether the band held the record, and how wide it is.
class Score {
 public:
  /// What is nothing on both sides says nothing.
  /// Errors are shares of `whole`, which is not negative; bands hold `recorded` itself.
  void add(const Figure& ours, double recorded, double whole);
  void add(const Score& other);

  [[nodiscard]] std::size_t count() const { return errors_.size(); }
  [[nodiscard]] double error(double quantile) const { return at(errors_, quantile); }
  /// Share of the records that lie within the band; 1 if there are none.
  [[nodiscard]] double inside() const;
  [[nodiscard]] std::size_t above() const { return above_; }
  /// Median width of the band, relative to the record.
  [[nodiscard]] double width() const { return at(widths_, 0.5); }

 private:
  [[nodiscard]] static double at(std::vector<double> values, double quantile);

  std::vector<double> errors_;
  std::vector<double> widths_;
  std::size_t outside_ = 0;
  std::size_t above_ = 0;
};

}  // namespace weighbridge::truth

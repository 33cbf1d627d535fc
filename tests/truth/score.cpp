// SPDX-License-Identifier: Apache-2.0
#include "score.hpp"

#include <algorithm>
#include <cmath>

namespace weighbridge::truth {

void Score::add(const Figure& ours, double recorded, double whole) {
  if (recorded == 0 && ours.bytes == 0) return;
  whole = std::max(whole, 1.0);
  errors_.push_back(std::fabs(ours.bytes - recorded) / whole);
  widths_.push_back((ours.high - ours.low) / whole);
  if (recorded < ours.low || recorded > ours.high) ++outside_;
  if (recorded > ours.high) ++above_;
}

void Score::add(const Score& other) {
  errors_.insert(errors_.end(), other.errors_.begin(), other.errors_.end());
  widths_.insert(widths_.end(), other.widths_.begin(), other.widths_.end());
  outside_ += other.outside_;
  above_ += other.above_;
}

double Score::inside() const { return errors_.empty() ? 1 : 1 - static_cast<double>(outside_) / static_cast<double>(count()); }

double Score::at(std::vector<double> values, double quantile) {
  if (values.empty()) return 0;
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(quantile * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

}  // namespace weighbridge::truth

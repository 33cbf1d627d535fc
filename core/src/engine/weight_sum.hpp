// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>
#include <vector>

#include "weighbridge/estimate.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// What one rank holds of a model's tensors, added up by kind: the rows of a weights term.
class WeightSum {
 public:
  /// `count` layers of `tensor`, of which a rank holds `local` each.
  void add(const Tensor& tensor, const Tensor& local);
  [[nodiscard]] Bytes bytes() const;
  /// A row a kind, largest first. `ranks`: what a person divides by.
  [[nodiscard]] std::vector<FormulaRow> rows(std::int64_t ranks) const;

 private:
  struct Group {
    std::string_view label;
    DType type;
    std::int64_t elements = 0;
    std::int64_t local_elements = 0;
    Bytes local_bytes;
  };
  [[nodiscard]] static FormulaRow explain(const Group& group, std::int64_t ranks);

  std::vector<Group> groups_;
};

/// One table of cosines and sines for all layers of one base, not split over ranks; `width` bytes a value, each table `lengths` times as long as
/// the context.
[[nodiscard]] FormulaRow rotary_table_row(const Model& model, std::int64_t width, std::int64_t lengths = 1);

}  // namespace weighbridge

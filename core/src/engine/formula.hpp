// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <initializer_list>
#include <span>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The factors taken left to right, in whole numbers that saturate: hostile sizes end at the largest number, never at a small one.
[[nodiscard]] Bytes value_of(std::initializer_list<Factor> factors);

/// A row whose bytes are the value of its factors. They are kept only if someone will read them (`explain`): solvers evaluate often.
[[nodiscard]] FormulaRow make_row(bool explain, std::string_view label, std::initializer_list<Factor> factors);

/// The row of a weights term that `tensor` belongs to: routed_experts, attention and so on.
[[nodiscard]] std::string_view row_label(const Tensor& tensor);

/// Of rows that do not overlap in time the largest counts, the first on a tie: it alone is marked. There is at least one.
FormulaRow& choose_largest(std::span<FormulaRow> rows);

/// The order in which a person reads a sum; equal rows keep theirs.
void sort_largest_first(std::vector<FormulaRow>& rows);

}  // namespace weighbridge

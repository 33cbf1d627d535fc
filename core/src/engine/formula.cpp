// SPDX-License-Identifier: Apache-2.0
#include "engine/formula.hpp"

#include <algorithm>

namespace weighbridge {

Bytes value_of(std::initializer_list<Factor> factors) {
  Bytes value(1);
  for (const Factor& factor : factors) {
    const auto number = static_cast<std::uint64_t>(factor.value);
    switch (factor.op) {
      case Op::times:
        value *= number;
        break;
      case Op::divide:
        value = value / number;
        break;
      case Op::ceil_divide:
        value = (value + Bytes(number - 1)) / number;
        break;
      case Op::plus:
        value += Bytes(number);
        break;
      case Op::minus:
        value -= Bytes(number);
        break;
    }
  }
  return value;
}

FormulaRow make_row(bool explain, std::string_view label, std::initializer_list<Factor> factors) {
  FormulaRow row;
  row.label = label;
  row.bytes = value_of(factors);
  if (explain) row.factors = factors;
  return row;
}

void sort_largest_first(std::vector<FormulaRow>& rows) {
  // Insertion sort: a sum has a dozen rows, and std::stable_sort would be 4 kB of WebAssembly.
  const auto is_larger = [](const FormulaRow& a, const FormulaRow& b) { return a.bytes > b.bytes; };
  for (auto row = rows.begin(); row != rows.end(); ++row) std::rotate(std::upper_bound(rows.begin(), row, *row, is_larger), row, row + 1);
}

}  // namespace weighbridge

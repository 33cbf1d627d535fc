// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/layers.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "weighbridge/ggml_type.hpp"

namespace weighbridge::llama_graph {

namespace {

constexpr std::size_t kLongestPeriod = 12;
/// Periods that are built of `periods`. The first differs from the others, as a rule, and two are compared. Of more than four two in turn may be what
/// repeats, so an even number is left out.
std::size_t built_of(std::size_t periods, Detail detail) {
  switch (detail) {
    case Detail::few_periods:
      return 3;
    case Detail::four_periods:
      return 4;
    case Detail::some_periods:
      return periods < 5 ? periods : 5 + (periods - 5) % 2;
    default:
      return periods < 7 ? periods : 7 + (periods - 7) % 2;
  }
}

/// How many whole periods of `period` layers follow each other from `first` on.
std::size_t count_periods(const std::vector<int>& kinds, std::size_t first, std::size_t period) {
  std::size_t end = first + period;
  if (end > kinds.size()) return 0;
  while (end < kinds.size() && kinds[end] == kinds[end - period]) ++end;
  return (end - first) / period;
}

/// Blocks of weights for which all backends have the same operations (llama_graph/backend.cpp).
bool is_common_block(DType type) { return is_any_of(type.name, {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K"}); }

using Rows = std::pair<const Tensor*, const Tensor*>;

bool is_alike(const Rows& a, const Rows& b) {
  return std::equal(a.first, a.second, b.first, b.second, [](const Tensor& x, const Tensor& y) {
    const bool same_type = x.type == y.type || (is_common_block(x.type) && is_common_block(y.type));
    return same_type && x.rows == y.rows && x.cols == y.cols && x.per_layer == y.per_layer && x.part == y.part && x.name == y.name;
  });
}

}  // namespace

KeptLayers keep_layers(const std::vector<int>& kinds, Detail detail) {
  KeptLayers kept;
  const auto keep = [&](std::size_t from, std::size_t to) {
    for (; from < to; ++from) kept.layers.push_back(static_cast<int>(from));
  };
  for (std::size_t at = 0; at < kinds.size();) {
    Stretch best;
    std::size_t best_skipped = 0;  // layers
    for (std::size_t period = 1; period <= kLongestPeriod && detail != Detail::all_layers; ++period) {
      const std::size_t periods = count_periods(kinds, at, period);
      const std::size_t built = built_of(periods, detail);
      if (periods < 2 * built || (periods - built) * period <= best_skipped) continue;
      best = {kept.layers.size(), period, built};
      best_skipped = (periods - built) * period;
    }
    const std::size_t end = best_skipped > 0 ? at + best.kept * best.period : at + 1;
    keep(at, end);
    if (best_skipped > 0) kept.stretches.push_back(best);
    at = end + best_skipped;
  }
  // In tenths of the layers: where more is built, an attempt that fails costs more than one that succeeds saves. Of many stretches one often fails.
  constexpr std::size_t many = 4;
  const std::size_t worthwhile = kept.stretches.size() > many ? 5 : 7;
  return kept.layers.size() * 10 > kinds.size() * worthwhile && detail != Detail::all_layers ? keep_layers(kinds, Detail::all_layers) : kept;
}

std::vector<int> layer_kinds(const Job& job) {
  const std::size_t n_layers = job.model.layers.size();
  // Rows stand by layer.
  std::vector<Rows> rows(n_layers, {nullptr, nullptr});
  for (const Tensor& tensor : job.tensors) {
    if (tensor.layers.first < 0 || static_cast<std::size_t>(tensor.layers.first) >= n_layers) continue;
    Rows& own = rows[static_cast<std::size_t>(tensor.layers.first)];
    if (own.first == nullptr) own.first = &tensor;
    own.second = &tensor + 1;
  }
  std::vector<int> kinds;
  std::vector<std::size_t> examples;
  for (std::size_t il = 0; il < n_layers; ++il) {
    const auto known = std::find_if(examples.begin(), examples.end(), [&](std::size_t other) {
      return job.model.layers[il] == job.model.layers[other] && is_alike(rows[il], rows[other]);
    });
    kinds.push_back(static_cast<int>(known - examples.begin()));
    if (known == examples.end()) examples.push_back(il);
  }
  return kinds;
}

}  // namespace weighbridge::llama_graph

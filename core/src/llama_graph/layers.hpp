// SPDX-License-Identifier: Apache-2.0
// Layers that repeat need not all be replayed. Of a stretch of equal periods (one layer; a layer with full attention and five with a window) a few
// are built; once the allocator has done the same in one period as in the one before, and has left the same room free, it does so in all that
// follow. Allocations come one after the other and depend on nothing else (ggml/src/ggml-alloc.c).
#pragma once

#include <cstddef>
#include <vector>

#include "engine/engine.hpp"

namespace weighbridge::llama_graph {

/// How much of a model is built: three periods of each stretch, four, five or six, seven or eight, or all of it.
enum class Detail { few_periods, four_periods, some_periods, more_periods, all_layers };

/// Periods of which some are left out, an even number if more than four are kept.
struct Stretch {
  std::size_t first = 0;   ///< index into KeptLayers::layers of the first period
  std::size_t period = 0;  ///< layers of one
  std::size_t kept = 0;    ///< periods
};

struct KeptLayers {
  std::vector<int> layers;  ///< in order
  std::vector<Stretch> stretches;
};

/// `kinds`: equal numbers for layers whose parts of the graph are equal.
[[nodiscard]] KeptLayers keep_layers(const std::vector<int>& kinds, Detail detail);

/// By layer: equal numbers where tensors and spec are equal. The types of tensors may differ where no backend has other operations for them; they
/// still have other sizes, which counts where a tensor is copied.
[[nodiscard]] std::vector<int> layer_kinds(const Job& job);

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// Layers whose recurrent part is alike.
struct RecurrentRun {
  const RecurrentMixer* mixer = nullptr;
  std::int64_t layers = 0;
};

/// The recurrent parts of those layers that `holds(index)` is true for, equal ones together.
template <class Holds>
std::vector<RecurrentRun> recurrent_runs(const Model& model, Holds holds) {
  std::vector<RecurrentRun> runs;
  const std::vector<LayerSpec>& kinds = model.layers.kinds();
  if (std::none_of(kinds.begin(), kinds.end(), [](const LayerSpec& kind) { return recurrent_part(kind) != nullptr; })) return runs;
  for (std::size_t layer = 0; layer < model.layers.size(); ++layer) {
    const RecurrentMixer* mixer = recurrent_part(model.layers[layer]);
    if (mixer == nullptr || !holds(layer)) continue;
    bool is_known = false;
    for (RecurrentRun& run : runs)
      if (*run.mixer == *mixer) ++run.layers, is_known = true;
    if (!is_known) runs.push_back({mixer, 1});
  }
  return runs;
}

}  // namespace weighbridge

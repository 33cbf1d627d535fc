// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge {

struct MatrixNames {
  std::string_view weight;
  std::string_view bias;
};

/// The names of one layer's tensors that differ between families. In a fused matrix, its parts have the same name.
struct LayerNames {
  MatrixNames q, k, v, o;
  MatrixNames gate, up, down;  ///< the dense feed-forward block
  MatrixNames router;
  MatrixNames expert_gate, expert_up, expert_down;
};

[[nodiscard]] const LayerNames& layer_names(CheckpointNaming naming);

}  // namespace weighbridge

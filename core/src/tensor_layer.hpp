// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// The layer that `tensor` stands in, which is numbered from 0. Prediction layers are numbered behind the model's own and built like the last of
/// them.
[[nodiscard]] inline const LayerSpec& layer_of(const Model& model, const Tensor& tensor) {
  const auto last = static_cast<std::int64_t>(model.layers.size()) - 1;
  return model.layers[static_cast<std::size_t>(std::min(tensor.layers.first, last))];
}

}  // namespace weighbridge

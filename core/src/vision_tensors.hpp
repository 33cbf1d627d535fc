// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// The tensors of an image encoder and of its projection to `hidden_size`; none of them is quantized.
[[nodiscard]] std::vector<Tensor> vision_tensors(const VisionTower& tower, std::int64_t hidden_size, DType type);

}  // namespace weighbridge

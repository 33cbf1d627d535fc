// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/tensor_list.hpp"

namespace weighbridge {

/// MobileNetV5-300M, the image encoder of Gemma 3n (huggingface/pytorch-image-models timm/models/mobilenetv5.py, mobilenetv5_300m_enc; structure of its
/// blocks as in Blaizzy/mlx-vlm mlx_vlm/models/gemma3n/vision.py). It has one size, so no config says its dimensions. Names begin with `root`.
void add_mobilenet_v5(TensorList& tensors, std::string_view root);

/// Width of its output.
inline constexpr std::int64_t kMobilenetV5Width = 2048;

}  // namespace weighbridge

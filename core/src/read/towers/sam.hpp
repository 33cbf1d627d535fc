// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/tensor_list.hpp"

namespace weighbridge {

/// What SAM's convolutions leave of each place.
inline constexpr std::int64_t kSamWidth = 1024;

/// The image encoder of SAM ViT-B and the convolutions after it that make its output smaller (deepseek-ai/DeepSeek-OCR deepencoder.py); names begin
/// with `root`.
void add_sam(TensorList& tensors, std::string_view root);

}  // namespace weighbridge

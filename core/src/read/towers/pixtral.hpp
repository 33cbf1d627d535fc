// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// Pixtral's image encoder in `vision_config`; what it leaves out are the defaults of the class (huggingface/transformers models/pixtral).
/// `merge`: patches a side that become one token.
[[nodiscard]] VisionTower read_pixtral(KeyReader& vision, std::int64_t merge);
void add_pixtral(TensorList& tensors, const VisionTower& tower, std::string_view root);

}  // namespace weighbridge

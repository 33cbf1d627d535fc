// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// Gemma 4's image encoder (huggingface/transformers models/gemma4): a gated transformer with norms before and after, positions in two dimensions.
struct Gemma4Vision {
  VisionTower tower;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t positions = 0;  ///< rows of the table of each dimension
  std::int64_t pooling = 0;    ///< patches a side that become one token
  bool has_bounds = false;
  bool standardizes = false;
};

/// `vision_config`; what it leaves out are the defaults of the class.
[[nodiscard]] Gemma4Vision read_gemma4_vision(KeyReader& vision);
void add_gemma4_vision(TensorList& tensors, const Gemma4Vision& vision, std::string_view root);

}  // namespace weighbridge

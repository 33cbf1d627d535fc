// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// Llama 4's image encoder and the adapter behind it (huggingface/transformers models/llama4, Llama4VisionModel).
struct Llama4Vision {
  VisionTower tower;
  std::int64_t shuffle = 2;         ///< patches a side that become one token
  std::int64_t adapter_size = 0;    ///< projector_input_dim
  std::int64_t adapter_output = 0;  ///< projector_output_dim
  std::int64_t output_size = 0;     ///< vision_output_dim
};

[[nodiscard]] Llama4Vision read_llama4_vision(KeyReader& vision);
/// The encoder, its adapter, and the projection to the language model's width.
void add_llama4_vision(TensorList& tensors, const Llama4Vision& vision, std::int64_t hidden);

}  // namespace weighbridge

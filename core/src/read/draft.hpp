// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/tensor_list.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// A model while its config.json is read: a family fills the hyper-parameters and layers of `model`, and writes down the tensors.
struct Draft {
  Model model;
  TensorList tensors;
  bool stores_head = true;            ///< false: an embedding model published without lm_head
  bool stores_tied_head = false;      ///< the checkpoint holds lm_head although it is tied
  bool mtp_stores_embeddings = true;  ///< the MTP layer brings its own copy of embedding and head
  bool stores_buffers = false;        ///< the checkpoint holds what the family computes anew: rotary frequencies, causal masks, position numbers
  std::int64_t rotary_values = 0;     ///< of rotary_emb.inv_freq, which old checkpoints store with every layer
  bool scales_counted = true;         ///< the published element count has the quantized matrices' scales in it
  bool router_bias_counted = true;    ///< the published element count has the routers' correction bias in it, which is f32 among 16-bit weights
};

}  // namespace weighbridge

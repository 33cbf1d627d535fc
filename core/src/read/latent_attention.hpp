// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/expert_stack.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// The sizes of latent attention; `otherwise` holds what the model class takes for keys that a config leaves out. A q_lora_rank of null is 0.
[[nodiscard]] LatentAttention read_latent_attention(KeyReader& config, const LatentAttention& otherwise);

/// index_n_heads, index_head_dim, index_topk.
[[nodiscard]] Indexer read_indexer(KeyReader& config, const Indexer& otherwise);

/// What tells one decoder of DeepSeek-V2's kind from another.
struct LatentMoeStyle {
  LatentAttention attention;  ///< of the model class; an indexer with heads says that every layer has one
  ExpertKeys experts;
  std::string_view root = "model.";
  std::string_view head = "lm_head";
};

/// All of a decoder with latent attention in every layer: hyper-parameters, layers, tensors.
void read_latent_moe(KeyReader& config, Draft& draft, const LatentMoeStyle& style);

}  // namespace weighbridge

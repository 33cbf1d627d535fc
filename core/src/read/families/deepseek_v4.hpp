// SPDX-License-Identifier: Apache-2.0
// What DeepSeek-V4 and V4.1 have in common (vllm-project/vllm vllm/models/deepseek_v4, vllm/models/deepseek_v41). Names are those of the checkpoint.
#pragma once

#include <vector>

#include "read/decoder.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The ranks of the projections around an attention, and the groups of its output projection.
struct V4Ranks {
  std::int64_t q_lora_rank = 0;
  std::int64_t o_lora_rank = 0;
  std::int64_t o_groups = 0;
};

/// num_attention_heads, head_dim, sliding_window.
[[nodiscard]] CompressedAttention read_v4_heads(KeyReader& config);
/// q_lora_rank, o_lora_rank and o_groups, whose number must divide `n_heads`.
[[nodiscard]] V4Ranks read_v4_ranks(KeyReader& config, std::int64_t n_heads);
/// The residual streams, `hc_mult`.
[[nodiscard]] std::int64_t read_v4_streams(KeyReader& config);
/// n_routed_experts, num_experts_per_tok, n_shared_experts, moe_intermediate_size.
[[nodiscard]] MoeFfn read_v4_experts(KeyReader& config);
/// `compress_ratios`: one a layer, those of the layers that predict further tokens after them if the config gives them.
[[nodiscard]] std::vector<std::int64_t> read_compress_ratios(KeyReader& config, std::int64_t n_layers);

/// Projections, norms and sinks, without compressor and indexer.
void add_v4_projections(TensorList& tensors, const CompressedAttention& attention, const V4Ranks& ranks, std::int64_t hidden);
/// Router (with a bias if `moe` has one), routed and shared experts.
void add_v4_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden);
/// The weights that mix `n_streams` residual streams around the two blocks of a layer (mHC), in f32.
void add_v4_streams(TensorList& tensors, std::int64_t n_streams, std::int64_t hidden);

}  // namespace weighbridge

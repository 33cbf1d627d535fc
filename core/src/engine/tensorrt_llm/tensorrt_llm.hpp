// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/layout.hpp"

namespace weighbridge::tensorrt_llm {

/// The settings in force: what was asked, else the defaults of `tensorrt_llm/llmapi/llm_args.py`.
struct Settings {
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t copies = 1;
  std::int64_t node_devices = 1;   ///< GPUs of a machine
  bool copies_attention = false;   ///< enable_attention_dp: each rank has all of attention, and requests of its own
  std::int64_t expert_groups = 1;  ///< moe_expert_parallel_size
  double share = 0.9;              ///< free_gpu_memory_fraction
  std::int64_t context = 0;        ///< max_seq_len
  std::int64_t requests = 0;       ///< max_batch_size of one rank
  std::int64_t held_tokens = 0;    ///< of the pool, by the requests of the workload in blocks of tokens_per_block
  std::int64_t batch_tokens = 0;   ///< max_num_tokens
  std::int64_t cache_halves = 4;   ///< half bytes of a cached value
  bool graphs = true;
  bool deep_gemm = false;  ///< moe_config.backend DEEPGEMM
  std::int64_t draft_layers = 0;

  [[nodiscard]] std::int64_t attention_ranks() const { return copies_attention ? 1 : tensor; }
  [[nodiscard]] std::int64_t expert_ranks() const { return tensor / expert_groups; }
  /// With attention of its own a rank has all of what is dense as well (modeling_deepseekv3.py, gated_mlp.py: overridden_tp_size 1).
  [[nodiscard]] Split split() const { return {attention_ranks(), attention_ranks(), expert_ranks(), expert_groups}; }
};

[[nodiscard]] Settings settle(const Job& job);

/// Why the engine refuses this job, or nothing.
[[nodiscard]] std::optional<Notice> refusal(const Job& job);
[[nodiscard]] std::optional<Notice> layout_problem(const Job& job, const Settings& settings);

[[nodiscard]] Term weights_term(const Job& job, const Settings& settings, const Stage& stage);
/// Blocks of all full sequences; layers with a window are budgeted at full length (KVCacheManager.get_cache_size_per_token).
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings, const Stage& stage);
/// States of recurrent layers, for as many requests as a batch may have.
[[nodiscard]] Term state_term(const Job& job, const Settings& settings, const Stage& stage);
[[nodiscard]] Term compute_term(const Job& job, const Settings& settings);
/// What lies outside torch: driver context, libraries, NCCL, workspaces of attention and reductions, CUDA graphs.
[[nodiscard]] Term outside_term(const Job& job, const Settings& settings);

/// Bytes of one token in the blocks of one rank.
[[nodiscard]] std::int64_t token_bytes(const Model& model, const Settings& settings, const Stage& stage);

}  // namespace weighbridge::tensorrt_llm

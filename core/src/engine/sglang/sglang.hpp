// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "engine/layout.hpp"

namespace weighbridge::sglang {

/// What changed between versions, as far as it moves memory: `python/sglang/srt/server_args.py` (later `arg_groups/`),
/// `model_executor/model_runner_kv_cache_mixin.py` (later `mem_cache/kv_cache_configurator.py`, `model_executor/pool_configurator.py`).
struct Rules {
  std::string_view version;
  bool prefill_graphs;      ///< prompts run in captured graphs by default (release notes of v0.5.10)
  bool reserves_for_draft;  ///< the automatic share leaves 2 GiB (EAGLE) or 6 GiB (STANDALONE) for a draft model
  bool draft_in_budget;     ///< a draft's weights and cache are there when the pool is sized, or paid by it; else they lie in the slack
  bool fp4_by_flashinfer;  ///< FP4 experts of DeepSeek-V4 run by FlashInfer unless asked otherwise (sgl-project/sglang#35919), and Marlin loads their
                           ///< scales as exponents of a byte (#30272)
  bool wide_small_cards;   ///< cards below 35 GiB read 4,096 tokens at a time and capture 48 or 160 sequences, not 2,048 and 24 or 80
  bool breakable_graphs;   ///< prompts are captured in segments; before, in pieces that torch.compile cuts, of fewer models
  bool fp8_states_cache;   ///< modelopt's FP8 checkpoints bring their cache's type along; those in FP4 always did
  bool gpt_oss_windows;    ///< gpt-oss's layers with a window have a pool of their own
};

/// Rules of the newest version that is not newer than `version`; of the oldest for anything before. Empty = newest.
[[nodiscard]] const Rules& rules_for(std::string_view version);
[[nodiscard]] bool is_known_version(std::string_view version);
/// Whether it comes before `other`; the newest, empty, comes before none.
[[nodiscard]] bool is_older(std::string_view version, std::string_view other);

/// The settings in force: what was asked, else the engine's defaults for this device.
struct Settings {
  std::int64_t tensor = 1;    ///< ranks of one copy and stage (tp_size)
  std::int64_t pipeline = 1;  ///< stages (pp_size)
  std::int64_t copies = 1;    ///< whole copies of the model (dp_size without attention of its own)
  std::int64_t groups = 1;    ///< attention is copied for so many groups of ranks (`--enable-dp-attention`)
  std::int64_t expert_groups = 1;
  double share = 0;              ///< mem_fraction_static
  std::int64_t context = 0;      ///< context_length
  std::int64_t requests = 0;     ///< max_running_requests of one group
  std::int64_t full_length = 0;  ///< of them, those that the workload has
  std::int64_t held = 0;         ///< tokens that each of those holds, and
  std::int64_t longest = 0;      ///< that one of them may
  std::int64_t held_tokens = 0;  ///< by all of them, in pages of the pool
  std::int64_t chunk = 0;        ///< tokens of one prefill step
  std::int64_t page_size = 1;
  std::int64_t cache_halves = 4;  ///< half bytes of a cached value: 4 for 16 bit, 2 for FP8, 1 for FP4
  std::int64_t largest_graph = 0;
  bool graphs = true;
  bool prefill_graphs = false;
  bool radix_cache = true;
  bool window_pool = false;  ///< layers with a window have a pool of their own; without, they keep every token
  bool symmetric_memory = false;
  std::int64_t draft_layers = 0;
  bool draft_in_pool = false;          ///< the draft's cache is a part of each token's
  bool triton_experts = false;         ///< gpt-oss's FP4 experts are created for Triton's kernels
  bool wide_experts = false;           ///< and are widened to 16 bits, as these do not run them
  std::int64_t spare_scale_bytes = 0;  ///< of each block scale of FP4 experts, beside the byte that kernels read (`moe_runner_backend`)
  bool wide_output = false;            ///< DeepSeek-V4's first output projection is widened to 16 bits (SGLANG_OPT_FP8_WO_A_GEMM)
  double window_ratio = 0.8;           ///< swa_full_tokens_ratio
  double recurrent_ratio = 0.9;        ///< mamba_full_memory_ratio

  /// Ranks that share attention.
  [[nodiscard]] std::int64_t attention_ranks() const { return tensor / groups; }
  /// Ranks that share each expert.
  [[nodiscard]] std::int64_t expert_ranks() const { return tensor / expert_groups; }
  [[nodiscard]] Split split() const { return {attention_ranks(), tensor, expert_ranks(), expert_groups}; }
};

[[nodiscard]] Settings settle(const Job& job, const Rules& rules);

/// What the engine calls the share of free memory that weights and cache take, where nobody sets it (_handle_gpu_memory_settings).
[[nodiscard]] double automatic_share(const Job& job, const Settings& settings, const Rules& rules);

/// Captured prefill steps; 0 without.
[[nodiscard]] std::int64_t prefill_graph_count(const Model& model, const Settings& settings);

/// Whether layers with a window have a pool of their own (is_hybrid_swa_model, disable_hybrid_swa_memory).
[[nodiscard]] bool has_window_pool(const Model& model, const Rules& rules);
[[nodiscard]] bool is_compressed(const Model& model);
/// DeepSeek-V4 with experts in FP4, as published.
[[nodiscard]] bool has_fp4_experts(const Job& job);

/// Why the engine refuses this job, or nothing.
[[nodiscard]] std::optional<Notice> refusal(const Job& job);
[[nodiscard]] std::optional<Notice> layout_problem(const Job& job, const Settings& settings);
void add_warnings(const Job& job, const Settings& settings, Notices& warnings);

[[nodiscard]] Term weights_term(const Job& job, const Settings& settings, const Stage& stage);
/// The layers that predict further tokens, with their cache; no bytes without speculation.
[[nodiscard]] Term draft_term(const Job& job, const Settings& settings, const Rules& rules, const Stage& stage);

/// Both pools for all full sequences: `token_to_kv_pool` and, for recurrent layers, states; each at least as large as the engine's split makes it.
struct Pools {
  Term cache;
  Term states;
};
[[nodiscard]] Pools pools_of(const Job& job, const Settings& settings, const Stage& stage);
/// Bytes of one token in the pool of one rank (`cell_size`), a window's layers at `swa_full_tokens_ratio`.
[[nodiscard]] double cell_bytes(const Model& model, const Settings& settings, const Stage& stage);
/// `max_total_num_tokens` of a pool that has `pool` for cache and states together.
[[nodiscard]] std::int64_t pool_tokens(const Model& model, const Settings& settings, const Stage& stage, Bytes pool);

/// What has to find room in the slack: requests' tables, graphs, activations, workspaces.
[[nodiscard]] std::vector<Term> slack_terms(const Job& job, const Settings& settings, const Rules& rules, const Stage& stage);
/// Driver context, libraries and NCCL: there before the engine looks how much is free.
[[nodiscard]] Term context_term(const Job& job, const Settings& settings);

}  // namespace weighbridge::sglang

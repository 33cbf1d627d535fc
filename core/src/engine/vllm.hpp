// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "engine/engine.hpp"
#include "engine/expert_padding.hpp"

namespace weighbridge::vllm {

/// Where NCCL's buffers count. They are made while the process group starts, before or after the snapshot the budget is measured from.
enum class NcclAccount {
  with_context,  ///< wherever the driver's context counts
  in_budget,     ///< after the snapshot: an increase that the budget pays for
};

/// What changed between versions, as far as it moves memory. Sources: `vllm/v1/worker/gpu_worker.py`, `vllm/config/cache.py`,
/// `vllm/v1/worker/gpu_model_runner.py` of these versions, and their logs.
struct Rules {
  std::string_view version;
  double gpu_memory_utilization;  ///< default
  bool context_inside;            ///< everything on the card counts against the budget, other processes too, as in early V1
  NcclAccount nccl;
  bool graphs_inside;            ///< the budget sets CUDA graphs aside (VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS, default since v0.21.0)
  bool full_decode_graphs;       ///< FULL_AND_PIECEWISE capture: a second set of graphs for decode batches
  std::int64_t bytes_per_graph;  ///< fitted on logs of 32- and 36-layer models
  std::int64_t sampler_tenths;   ///< tenths of a byte per logit at the sampler's peak
  std::int64_t most_mla_tokens;  ///< cap of the MLA chunked-prefill workspace
  bool hybrid_cache;             ///< the hybrid KV cache manager is in every release of this version (vllm/v1/core/kv_cache_utils.py)
  bool tokens_by_concurrency;    ///< "GPU KV cache size" is concurrency x max_model_len, not blocks over groups
};

/// Tenths of a byte per logit. Torch's top-k/top-p: 37.4 (sort values, indices and their workspace; 37 to 38 in logs of 0.10 to 0.14).
/// FlashInfer's or Triton's: 14 (bf16, f32, scaled f32, probabilities; 13 to 15 in logs of 0.10, 0.17 and 0.19).
inline constexpr std::int64_t kTorchSampler = 374;
inline constexpr std::int64_t kLeanSampler = 140;

/// Rules of the newest version that is not newer than `version`; of the oldest for anything before. Empty = newest.
[[nodiscard]] const Rules& rules_for(std::string_view version);
[[nodiscard]] bool is_known_version(std::string_view version);
[[nodiscard]] std::vector<std::string_view> versions();

/// The settings in force: what was asked, else the engine's defaults for this device and usage (`vllm serve`).
struct Settings {
  std::int64_t tensor = 1;
  double gpu_memory_utilization = 0;
  std::int64_t max_model_len = 0;
  std::int64_t max_num_seqs = 0;
  std::int64_t max_num_batched_tokens = 0;
  std::int64_t block_size = 0;
  std::int64_t cache_value_bytes = 0;
  std::int64_t mla_workspace_tokens = 0;
  std::optional<std::int64_t> pool_bytes;  ///< `--kv-cache-memory-bytes`: the pool of one rank; the share of the card is not asked then
  bool enforce_eager = false;
  bool hybrid_cache = false;  ///< layers with and without a window have block tables of their own
};

[[nodiscard]] Settings settle(const Job& job, const Rules& rules);

/// Why the engine refuses this job, or nothing.
[[nodiscard]] std::optional<Notice> refusal(const Job& job);
/// What to load instead of a published format that the engine does not run.
[[nodiscard]] std::string_view nearest_format(const Model& model);
/// Why `ranks` ranks cannot share this model, or nothing.
[[nodiscard]] std::optional<Notice> split_problem(const Job& job, std::int64_t ranks);
/// The working split nearest to `wanted`, smaller on a tie.
[[nodiscard]] std::int64_t nearest_split(const Job& job, std::int64_t wanted);
/// What runs, but not as one might think: another type, a slower kernel, a backend that decides.
void add_warnings(const Job& job, const Settings& settings, Notices& warnings);

/// Rows of embedding and head as stored: a multiple of 64.
[[nodiscard]] std::int64_t padded_vocab(std::int64_t vocab_size);
/// The part of `tensor` that one of `ranks` ranks holds, experts with what their kernel adds.
[[nodiscard]] Tensor local_part(const Model& model, Tensor tensor, std::int64_t ranks, const ExpertPadding& padding = {});
/// Weights of one tensor-parallel rank: `vllm/model_executor/layers/{linear,vocab_parallel_embedding}.py`.
[[nodiscard]] Term weights_term(const Job& job, const Settings& settings);

/// Cache pages of all full sequences: `vllm/v1/kv_cache_interface.py`.
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings);
/// The state of recurrent layers, one a sequence, heads and channels split over ranks, each in a page as large as one of attention.
[[nodiscard]] Term recurrent_term(const Job& job, const Settings& settings);
/// Tokens of a block beside recurrent layers: raised until a page of attention holds a state, in steps of the block that it would have had
/// (`vllm/model_executor/models/config.py`, HybridAttentionMambaModelConfig). `settings` has the model's ranks and cache type.
[[nodiscard]] std::int64_t hybrid_block_size(const Model& model, const Settings& settings);

/// What a pool of so many bytes is to the engine.
struct PoolReport {
  std::int64_t tokens = 0;
  double concurrency = 0;  ///< requests of max_model_len at the same time
};
[[nodiscard]] PoolReport report_pool(const Model& model, const Settings& settings, const Rules& rules, Bytes pool);

/// Peak of one profiled step: the largest of sampler, feed-forward, experts and attention.
[[nodiscard]] Term compute_term(const Job& job, const Settings& settings, const Rules& rules);
/// Tokens of the MLA chunked-prefill workspace, 0 for other attention (`vllm/v1/attention/backends/mla/common.py`).
[[nodiscard]] std::int64_t mla_workspace_tokens(const Job& job, const Settings& settings, const Rules& rules);

/// What the device holds before the engine counts: driver context and libraries, and NCCL once there are peers.
[[nodiscard]] Term context_term(const Job& job, const Settings& settings, const Rules& rules);
/// What is allocated outside torch while profiling, and buffers that stay: they count against the budget.
[[nodiscard]] Term inside_term(const Job& job, const Settings& settings, const Rules& rules);
/// Captured CUDA graphs; no bytes when eager.
[[nodiscard]] Term graphs_term(const Job& job, const Settings& settings, const Rules& rules);

}  // namespace weighbridge::vllm

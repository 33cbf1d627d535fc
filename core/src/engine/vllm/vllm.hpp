// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "engine/engine.hpp"
#include "engine/layout.hpp"

namespace weighbridge::vllm {

/// Where NCCL's buffers count. They are made while the process group starts, before or after the snapshot the budget is measured from.
enum class NcclAccount {
  with_context,  ///< wherever the driver's context counts
  in_budget,     ///< after the snapshot: an increase that the budget pays for
};

/// How large a block of DeepSeek-V4's pool is (kv_cache_utils.py).
enum class CompressedPool {
  tuples,  ///< as many layers as the largest group has, of every size of page
  slots,   ///< of each size as many as the group with most of it has (vllm-project/vllm#44454)
  dense,   ///< as much as the largest group puts into it, pages not padded (vllm-project/vllm#48993)
};

/// What changed between versions, as far as it moves memory. Sources: `vllm/v1/worker/gpu_worker.py`, `vllm/config/cache.py`,
/// `vllm/v1/worker/gpu_model_runner.py` of these versions, and their logs.
struct Rules {
  std::string_view version;
  double gpu_memory_utilization;  ///< default
  bool context_inside;            ///< everything on the card counts against the budget, other processes too, as in early V1
  NcclAccount nccl;
  bool graphs_inside;            ///< the budget sets CUDA graphs aside (VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS, default since v0.20.0)
  bool full_decode_graphs;       ///< FULL_AND_PIECEWISE capture: a second set of graphs for decode batches
  std::int64_t bytes_per_graph;  ///< fitted on logs of 32- and 36-layer models
  std::int64_t sampler_tenths;   ///< tenths of a byte per logit at the sampler's peak
  std::int64_t most_mla_tokens;  ///< cap of the MLA chunked-prefill workspace
  bool hybrid_cache;             ///< the hybrid KV cache manager is in every release of this version (vllm/v1/core/kv_cache_utils.py)
  bool tokens_by_concurrency;    ///< "GPU KV cache size" is concurrency x max_model_len, not blocks over groups
  std::int64_t window_batches;   ///< batches in flight that a window's pages are reserved for (max_in_flight_tokens); 1 before it was counted
  bool caches_states;            ///< where prefixes of recurrent models are cached, a request has two states ("align")
  CompressedPool compressed_pool;
  bool spans_by_processes;       ///< one engine may be started on several machines by itself (`--nnodes`), not by Ray only
  bool quantizes_while_loading;  ///< `--quantization fp8` makes each matrix when it comes; else once the whole checkpoint lies on the GPU
  bool caches_states_unasked;    ///< prefixes of recurrent models are cached unless told otherwise (vllm-project/vllm#50991)
};

/// Tenths of a byte per logit. Torch's top-k/top-p: 37.4 (sort values, indices and their workspace; 37 to 38 in logs of 0.10 to 0.14).
/// FlashInfer's or Triton's: 14 (bf16, f32, scaled f32, probabilities; 13 to 15 in logs of 0.10, 0.17 and 0.19).
inline constexpr std::int64_t kTorchSampler = 374;
inline constexpr std::int64_t kLeanSampler = 140;

/// Rules of the newest version that is not newer than `version`; of the oldest for anything before. Empty = newest.
[[nodiscard]] const Rules& rules_for(std::string_view version);
/// Whether it comes before 0.`minor`; the newest, empty, comes before none.
[[nodiscard]] bool is_older(std::string_view version, int minor);
[[nodiscard]] bool is_known_version(std::string_view version);
[[nodiscard]] std::vector<std::string_view> versions();

/// How the ranks of an engine share a layer: experts are cut by those of all engines of `data`, or dealt out to them whole.
[[nodiscard]] Split split_of(const Parallel& parallel);

/// `method` of `--speculative-config` for a model of its own.
inline constexpr const char* kDraftModel = "draft_model";

/// The settings in force: what was asked, else the engine's defaults for this device and usage (`vllm serve`).
struct Settings {
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t data = 1;              ///< engines with a pool of their own; of a model with experts they share these
  bool expert_parallel = false;       ///< whole experts, spread over `tensor` x `data` ranks
  std::int64_t context_parallel = 1;  ///< decode_context_parallel_size: ranks of a tensor-parallel group that share the tokens of a cache
  double gpu_memory_utilization = 0;
  std::int64_t max_model_len = 0;
  std::int64_t max_num_seqs = 0;  ///< of one engine of `data`, as all below
  std::int64_t max_num_batched_tokens = 0;
  std::int64_t sequences = 0;            ///< of the workload
  std::int64_t tokens_per_sequence = 0;  ///< of the workload: full, or an average
  std::int64_t shared_tokens = 0;        ///< that all of them begin with
  bool prefix_caching = true;
  std::int64_t tokens_in_flight = 0;     ///< that a window's pages are reserved for beside the window (max_in_flight_tokens)
  std::int64_t states_per_sequence = 1;  ///< pages of recurrent state, drafts included (MambaSpec.max_memory_usage_bytes)
  bool keeps_all_states = false;         ///< a state for each block of tokens, so that any prefix can be taken up
  std::int64_t state_width = 0;          ///< bytes of an element of a state; 0: as the model's class asks
  std::int64_t drafted_tokens = 0;       ///< num_speculative_tokens
  bool drafts_with_mtp = false;          ///< the model's own layers of multi-token prediction are loaded
  bool drafts_with_eagle = false;        ///< a layer like the model's own is loaded, with what joins its inputs
  const Model* draft = nullptr;          ///< a model of its own drafts on the same ranks, of the last stage
  std::int64_t lora_slots = 0;           ///< max_loras; 0: adapters are off
  std::int64_t lora_rank = 0;            ///< max_lora_rank
  bool encoder = true;                   ///< images: not with language_model_only
  std::int64_t block_size = 0;
  std::int64_t cache_value_bytes = 0;
  std::int64_t mla_workspace_tokens = 0;
  const LatentAttention* latent = nullptr;  ///< the model's, if it has any
  bool has_state = false;                   ///< some layers are recurrent
  std::optional<std::int64_t> pool_bytes;   ///< `--kv-cache-memory-bytes`: the pool of one rank; the share of the card is not asked then
  std::optional<bool> lean_sampler;         ///< FlashInfer's instead of torch's; empty: as the version has it
  bool enforce_eager = false;
  CompressedPool compressed_pool = CompressedPool::dense;
  bool hybrid_cache = false;  ///< layers with and without a window have block tables of their own

  [[nodiscard]] Split split() const { return split_of({tensor, pipeline, data, expert_parallel}); }
};

/// vllm/distributed/utils.py get_pp_indices: what does not divide goes to the stages before the last one, from the back.
[[nodiscard]] std::vector<Stage> pipeline_stages(const Model& model, std::int64_t pipeline);

[[nodiscard]] Settings settle(const Job& job, const Rules& rules);

/// Why the engine refuses this job, or nothing.
[[nodiscard]] std::optional<Notice> refusal(const Job& job);
/// What to load instead of a published format that the engine does not run.
[[nodiscard]] std::string_view nearest_format(const Model& model);
/// Why the model cannot be split as `parallel` says, or nothing.
[[nodiscard]] std::optional<Notice> split_problem(const Job& job, const Parallel& parallel);
/// Why the engines of `data` cannot be dealt out to the machines, or nothing.
[[nodiscard]] std::optional<Notice> nodes_problem(const Job& job, const Rules& rules);
/// What runs, but not as one might think: another type, a slower kernel, a backend that decides.
void add_warnings(const Job& job, const Settings& settings, Notices& warnings);

/// The routed experts that run as NVFP4 by kernels for FP4 units, which cards of 10.0 and newer have; null: there are none. Older cards run Marlin's.
[[nodiscard]] const MoeFfn* fp4_experts(const Job& job);
/// Weights of one rank: `vllm/model_executor/layers/{linear,vocab_parallel_embedding}.py`.
[[nodiscard]] Term weights_term(const Job& job, const Settings& settings, const Stage& stage);
/// Whether what layers of the encoder hand over waits in buffers of a whole step.
[[nodiscard]] bool keeps_deepstack(const Model& model, const Settings& settings);
/// Room for adapters (`vllm/lora/layers`), allocated with the weights; no bytes without them.
[[nodiscard]] FormulaRow adapters_row(const Job& job, const Settings& settings, const Stage& stage);

struct PageKind;
struct PageLayout;  // engine/vllm/layout.hpp

/// Cache pages that the workload's requests hold: `vllm/v1/kv_cache_interface.py`.
[[nodiscard]] Term cache_term(const Job& job, const PageLayout& layout, const Settings& settings, const Stage& stage);
/// The states of recurrent layers, heads and channels split over ranks, each in a page as large as one of attention.
[[nodiscard]] Term recurrent_term(const Job& job, const PageLayout& layout, const Settings& settings, const Stage& stage);
/// Blocks that the workload holds of one group with `in_flight` tokens on their way, or with those of two batches.
[[nodiscard]] std::int64_t held_blocks(const PageKind& kind, const Settings& settings, std::int64_t in_flight);
[[nodiscard]] std::int64_t held_blocks(const PageKind& kind, const Settings& settings);
/// Tokens of a block beside recurrent layers: raised until a page of attention holds a state, in steps of the block that it would have had
/// (`vllm/model_executor/models/config.py`, HybridAttentionMambaModelConfig). `settings` has the model's ranks and cache type.
[[nodiscard]] std::int64_t hybrid_block_size(const Model& model, const Settings& settings);

/// Bytes of an indexer's key: E4M3 with one f32 scale for every 128 values, whatever the cache's type (vllm/model_executor/models/deepseek_v2.py,
/// Indexer: DeepseekV32IndexerCache; GLM-5 takes it too).
[[nodiscard]] std::int64_t indexer_key_bytes(const Indexer& indexer);
/// DeepSeek-V4, whose pages are of another kind.
[[nodiscard]] bool is_compressed(const Model& model);

/// What a pool of so many bytes is to the engine.
struct PoolReport {
  std::int64_t tokens = 0;
  double concurrency = 0;  ///< requests of max_model_len at the same time
};
[[nodiscard]] PoolReport report_pool(const Model& model, const PageLayout& layout, const Settings& settings, const Rules& rules, const Stage& stage,
                                     Bytes pool);
/// The same for DeepSeek-V4 (compressed.cpp). A module that must be small has none of it: serving_rules().compressed.
struct CompressedRules {
  Term (*cache_term)(const Job& job, const Settings& settings, const Stage& stage);
  PoolReport (*report_pool)(const Model& model, const Settings& settings, const Stage& stage, Bytes pool);
  /// What one request of `tokens` must find in such a pool.
  Bytes (*request)(const Model& model, const Settings& settings, const Stage& stage, std::int64_t tokens);
};

/// Why the ranks of decode context parallel cannot share the cache, or nothing. Such a module has it neither: serving_rules().shared_caches.
[[nodiscard]] std::optional<Notice> shared_caches_problem(const Job& job, const Parallel& parallel);

/// Why the release does not take an argument, or has no class for the model. Nor has it these: serving_rules().arguments.
[[nodiscard]] std::optional<Notice> arguments_problem(const Job& job);

/// What drafts, and a model of its own that does (draft.cpp), of which such a module has nothing either: serving_rules().drafts.
struct DraftRules {
  std::optional<Notice> (*problem)(const Job& job);
  void (*warn)(const Job& job, const Settings& settings, Notices& warnings);
  FormulaRow (*weights)(const Job& job, const Settings& settings);
};

/// Peak of one profiled step: the largest of sampler, feed-forward, experts and attention.
[[nodiscard]] Term compute_term(const Job& job, const Settings& settings, const Rules& rules, const Stage& stage);
/// Tokens of the MLA chunked-prefill workspace, 0 for other attention (`vllm/v1/attention/backends/mla/common.py`).
[[nodiscard]] std::int64_t mla_workspace_tokens(const Settings& settings, const Rules& rules);

/// What the device holds before the engine counts: driver context and libraries, and NCCL once there are peers.
[[nodiscard]] Term context_term(const Job& job, const Settings& settings, const Rules& rules);
/// What is allocated outside torch while profiling, and buffers that stay: they count against the budget.
[[nodiscard]] Term inside_term(const Job& job, const Settings& settings, const Rules& rules);
/// Captured CUDA graphs; no bytes when eager.
[[nodiscard]] Term graphs_term(const Job& job, const Settings& settings, const Rules& rules);

}  // namespace weighbridge::vllm

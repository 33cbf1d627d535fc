// SPDX-License-Identifier: Apache-2.0
// What is neither weights, cache nor activations: the driver's context, NCCL, allocations outside torch, CUDA graphs.
#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/vllm/vllm.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kContextSource{
    "free memory at start-up in public logs (A100 0.41 GiB, H100 0.61, RTX 3090 0.4, L4 0.19 before any model); NCCL: vllm-project/vllm#25359, "
    "pytorch/pytorch#175666",
    "https://github.com/vllm-project/vllm/pull/25359"};
constexpr Source kInsideSource{"vLLM start-up logs: 0.02 to 0.07 GiB outside torch with one GPU, below 0.2 with two",
                               "https://github.com/kolyangg/mlops-assignment/blob/daaf8cb3262f5daa5d099ff13a25e2a38e7cf765/logs/vllm.log"};
constexpr Source kGraphSource{"vllm-project/vllm vllm/config (cudagraph_capture_sizes); bytes per graph from start-up logs",
                              "https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/config"};

/// Ranks that talk to each other through NCCL: all of one engine, and the engines that share experts.
std::int64_t peers_of(const Settings& s) { return s.tensor * s.pipeline * s.data; }

/// FlashInfer's attention workspace, VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE (vllm-project/vllm#48428): allocated after profiling, with the first
/// graph if there is one, on the cards where FlashInfer is the default backend, and with an FP8 cache on all whose FlashAttention reads none.
constexpr Bytes kFlashInferWorkspace = 394 * kMiB;

Bytes attention_workspace(const Device& device, const Settings& settings) {
  const int capability = device.compute_capability;
  const bool reads_fp8 = settings.cache_value_bytes == 1 && device.backend == "cuda" && capability != 90;
  return capability >= 100 || capability == 75 || reads_fp8 ? kFlashInferWorkspace : Bytes();
}

std::int64_t graph_count(const Settings& s, const Rules& rules) {
  const std::int64_t step = 1 + s.drafted_tokens;  // tokens of a decoding request
  constexpr std::int64_t most = 512;               // of all, whatever the number of requests, in early V1 (vllm/config.py, cuda_graph_sizes)
  const std::int64_t largest = std::min(rules.context_inside ? most : std::min(s.max_num_seqs * step * 2, most), s.max_num_batched_tokens);
  const std::int64_t coarse_from = rules.full_decode_graphs ? 256 : 520;
  const auto sizes_up_to = [&](std::int64_t size) {
    const std::int64_t least = (size >= 1 ? 1 : 0) + (size >= 2 ? 1 : 0) + (size >= 4 ? 1 : 0);
    return least + std::min(size, coarse_from - 1) / 8 + (size < coarse_from ? 0 : (size - coarse_from) / 16 + 1);
  };
  return sizes_up_to(largest) + (rules.full_decode_graphs ? sizes_up_to(std::min(largest, s.max_num_seqs * step)) : 0);
}

}  // namespace

Term context_term(const Job& job, const Settings& settings, const Rules& rules) {
  const Device& device = job.scenario.hardware.front().device;
  const Taken nccl = rules.nccl == NcclAccount::in_budget ? Taken{}
                                                          : nccl_buffers(peers_of(settings), device.compute_capability, job.scenario.parallel.nodes);
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.records = peers_of(settings) == 1
                     ? 3
                     : 2;  // with an address: LukeJYK/AutoScientists, kolyangg/mlops-assignment, Sandermage/genesis-vllm-patches#24; the two of NCCL
  term.inside_limit = rules.context_inside;
  term.source = kContextSource;
  add_context(term, driver_context(device), nccl, job.explain);
  if (settings.enforce_eager) term.high += attention_workspace(device, settings);
  // System memory that the GPU shares with the operating system: profiling past 0.70 wedged a host (vllm-project/vllm#46307).
  if (device.unified_memory) term.high += 4 * kGiB;
  return term;
}

Term inside_term(const Job& job, const Settings& settings, const Rules& rules) {
  const Device& device = job.scenario.hardware.front().device;
  const Taken nccl = rules.nccl == NcclAccount::in_budget ? nccl_buffers(peers_of(settings), device.compute_capability, job.scenario.parallel.nodes)
                                                          : Taken{};
  const Bytes other = peers_of(settings) > 1 ? 150 * kMiB : 70 * kMiB;
  Term term;
  term.id = "non_torch";
  term.basis = Basis::modelled;
  term.records = 2;  // kolyangg/mlops-assignment (one GPU), trietnguyeminh/Submission---EXACT--IJCNN (two)
  term.source = kInsideSource;
  const LatentAttention* attention = settings.latent;
  FormulaRow workspace;
  if (attention != nullptr)
    workspace = make_row(job.explain, "latent_workspace",
                         {{"workspace_tokens", settings.mla_workspace_tokens},
                          {"latent_values", attention->kv_lora_rank + attention->qk_rope_head_dim},
                          {"bytes_per_value", 2}});
  term.bytes = other + nccl.usual + workspace.bytes;
  term.low = 20 * kMiB + nccl.low + workspace.bytes;
  term.high = (peers_of(settings) > 1 ? 1024 * kMiB : 256 * kMiB) + nccl.high + workspace.bytes;
  // System memory that the GPU shares: what the host takes while the engine profiles counts like its own.
  if (device.unified_memory) term.high += 4 * kGiB;
  if (!job.explain) return term;
  term.formula.rows.push_back({"outside_torch", {}, other, true});
  if (nccl.usual > Bytes()) term.formula.rows.push_back({"nccl", {}, nccl.usual, true});
  if (attention != nullptr) term.formula.rows.push_back(std::move(workspace));
  return term;
}

Term graphs_term(const Job& job, const Settings& settings, const Rules& rules) {
  Term term;
  term.id = "cuda_graphs";
  term.basis = Basis::modelled;
  term.inside_limit = rules.graphs_inside;
  term.source = kGraphSource;
  term.records = 6;  // abinavChandar, jayashan10, kolyangg, LukeJYK, LzyFischer, WaroonRagwongsiri: 4 to 11 MiB a graph
  const std::int64_t graphs = settings.enforce_eager ? 0 : graph_count(settings, rules);
  // DeepSeek-V4's streams and sparse attention keep more in a graph: 1.58 GiB were estimated for its 68 on two ranks.
  constexpr std::int64_t of_compressed = 24'948'868;
  const std::int64_t each = is_compressed(job.model) ? of_compressed : rules.bytes_per_graph;
  FormulaRow row = make_row(job.explain, "cuda_graphs", {{"graphs", graphs}, {"bytes_per_graph", each}});
  term.bytes = row.bytes;
  // What the first graphs bring along, kernels that are loaded and workspaces of libraries, does not grow with their number: 2 to 9 graphs took
  // 0.30 to 0.79 GiB of one card in 0.20 to 0.23. Several ranks launch NCCL's kernels in each: 18 to 52 MiB a graph were logged. What is free of
  // memory that the host shares says little.
  constexpr Bytes first = 256 * kMiB;
  const Device& device = job.scenario.hardware.front().device;
  term.low = device.unified_memory ? Bytes() : term.bytes / 3;
  term.high = term.bytes * (peers_of(settings) > 1 ? 6 : 4);
  if (graphs > 0) term.high += first + attention_workspace(device, settings);
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

}  // namespace weighbridge::vllm

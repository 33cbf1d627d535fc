// SPDX-License-Identifier: Apache-2.0
// What has to find room beside weights and cache: nothing of it is measured by the engine, which leaves a share of the free memory for it.
#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/sglang/sglang.hpp"
#include "engine/steps.hpp"

namespace weighbridge::sglang {

namespace {

constexpr Source kTableSource{"sgl-project/sglang python/sglang/srt/mem_cache/memory_pool.py (ReqToTokenPool)",
                              "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/mem_cache/memory_pool.py"};
constexpr Source kGraphSource{"sgl-project/sglang python/sglang/srt/server_args.py (batch sizes); bytes per graph from three start-up logs",
                              "https://github.com/sgl-project/sglang/issues/18263"};
constexpr Source kStepSource{"sgl-project/sglang python/sglang/srt/layers/logits_processor.py, sampler.py, moe/fused_moe_triton",
                             "https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/layers"};
constexpr Source kWorkspaceSource{
    "sgl-project/sglang python/sglang/srt/environ.py (SGLANG_FLASHINFER_WORKSPACE_SIZE), server_args.py (symmetric memory)",
    "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/environ.py"};
constexpr Source kContextSource{"free memory before loading in start-up logs; NCCL: vllm-project/vllm#25359, pytorch/pytorch#175666",
                                "https://github.com/zufayu/ClaudeSkillsE2EPerf"};

/// Captured decode batches: 1.07 and 1.34 GiB for 36 of DeepSeek-R1 on B200 (zufayu/ClaudeSkillsE2EPerf), 1.04 for 52 of Qwen3-30B-A3B
/// (sgl-project/sglang#18263), 0.6 for 8 that verify drafts (sostrowsk/dgx-spark-local-llm).
constexpr Bytes kDecodeGraph = 32 * kMiB;
constexpr Bytes kLeastDecodeGraph = 8 * kMiB;
constexpr Bytes kMostDecodeGraph = 80 * kMiB;
/// Captured prompts: 2.8 to 5.24 GiB for 58. The engine's own heuristics set 8 MiB each aside, for what lies outside torch.
constexpr Bytes kPrefillGraph = 64 * kMiB;
constexpr Bytes kLeastPrefillGraph = 8 * kMiB;
constexpr Bytes kMostPrefillGraph = 112 * kMiB;

constexpr std::int64_t kSpareTokens = 4;  // columns of the table beyond the context (kv_cache_configurator.py)

/// Bytes a logit where a batch is sampled: 16 bit, f32, scaled f32 and probabilities.
constexpr std::int64_t kSampledBytes = 14;

/// The batch sizes up to `most` (generate_decode_cuda_graph_batch_sizes).
std::int64_t decode_sizes(std::int64_t most, bool drafts) {
  std::int64_t count = 0;
  const auto add = [&](std::int64_t first, std::int64_t last, std::int64_t step) {
    for (std::int64_t size = first; size <= std::min(last, most); size += step) ++count;
  };
  if (drafts) {
    add(1, 8, 1);
    add(10, 32, 2);
    add(40, 64, 4);
    add(72, 256, 8);
    add(272, most, 16);
    return count;
  }
  add(1, 2, 1);
  add(4, 12, 4);
  add(16, 256, 8);
  add(272, 511, 16);
  add(512, most, 32);
  return count;
}

Term table_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "request_table";
  term.basis = Basis::exact;
  term.inside_limit = false;
  term.source = kTableSource;
  FormulaRow row = make_row(
      job.explain, "request_table",
      {{"requests", s.requests}, {"spare_rows", 1, Op::plus}, {"context_tokens", s.context + kSpareTokens}, {"bytes_per_value", 4}});
  term.bytes = term.low = term.high = row.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

Term graphs_term(const Job& job, const Settings& s) {
  Term term;
  term.id = "cuda_graphs";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kGraphSource;
  term.records = 3;
  // No batch is larger than the requests that may run.
  const std::int64_t decode = s.graphs ? decode_sizes(std::min(s.largest_graph, s.requests), s.draft_layers > 0) : 0;
  const std::int64_t prefill = prefill_graph_count(job.model, s);
  const auto add = [&](std::string_view label, std::int64_t graphs, Bytes each, Bytes least, Bytes most) {
    if (graphs == 0) return;
    const auto count = static_cast<std::uint64_t>(graphs);
    FormulaRow row = make_row(job.explain, label, {{"graphs", graphs}, {"bytes_per_graph", static_cast<std::int64_t>(each.count())}});
    term.bytes += row.bytes;
    term.low += least * count;
    term.high += most * count;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  add("cuda_graphs", decode, kDecodeGraph, kLeastDecodeGraph, kMostDecodeGraph);
  add("prefill_graphs", prefill, kPrefillGraph, kLeastPrefillGraph, kMostPrefillGraph);
  return term;
}

/// Only the last token of each prompt has logits; DP attention pads each group's tokens to the fullest and gathers them before the experts.
Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  const std::int64_t tokens = std::min(s.chunk, s.full_length * s.context);
  std::vector<FormulaRow> rows;
  rows.push_back(make_row(job.explain, "sampler",
                          {{"vocab_size", model.vocab_size},
                           {"sampled_rows", s.requests},
                           {"bytes_per_logit", kSampledBytes},
                           {"hidden_states_kept", 3 * s.requests * model.hidden_size * 2, Op::plus}}));
  add_feed_forward_steps(job.explain, model, {s.tensor, tokens * s.groups, s.expert_ranks(), ceil_div(tokens * s.groups, s.expert_groups)}, rows);
  Term term = largest_step_term(job.explain, std::move(rows), kStepSource);
  term.inside_limit = false;
  term.low = term.bytes / 2;
  // Kernels keep workspaces of their own, and routing that is not even sends one rank more than its part.
  term.high = term.bytes * 2 + 512 * kMiB;
  if (job.explain) term.formula.config_keys = {"vocab_size", "hidden_size", "intermediate_size"};
  return term;
}

Term workspace_term(const Job& job, const Settings& s) {
  constexpr Bytes flashinfer = 384 * kMiB;
  constexpr Bytes symmetric = 4 * kGiB;
  // FlashAttention 3, the default on Hopper, has none; TensorRT-LLM's kernels keep 512 MiB.
  const int capability = job.scenario.hardware.front().device.compute_capability;
  const Bytes usual = capability == 90 ? Bytes() : flashinfer;
  Term term;
  term.id = "non_torch";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kWorkspaceSource;
  term.bytes = usual;
  term.high = 512 * kMiB + 256 * kMiB;
  if (job.explain) term.formula.rows.push_back({"attention_workspace", {}, usual, true});
  if (!s.symmetric_memory) return term;
  term.bytes += symmetric;
  term.low += symmetric;
  term.high += symmetric;
  if (job.explain) term.formula.rows.push_back({"symmetric_memory", {}, symmetric, true});
  return term;
}

}  // namespace

std::vector<Term> slack_terms(const Job& job, const Settings& s, const Rules& rules, const Stage& stage) {
  std::vector<Term> terms;
  terms.push_back(table_term(job, s));
  if (Term draft = draft_term(job, s, rules, stage); !draft.inside_limit && draft.bytes > Bytes()) terms.push_back(std::move(draft));
  terms.push_back(graphs_term(job, s));
  terms.push_back(compute_term(job, s));
  terms.push_back(workspace_term(job, s));
  return terms;
}

Term context_term(const Job& job, const Settings& s) {
  const Device& device = job.scenario.hardware.front().device;
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.records = 2;  // zufayu/ClaudeSkillsE2EPerf (1.8 GiB on four B200), sostrowsk/dgx-spark-local-llm
  term.source = kContextSource;
  add_context(term, driver_context(device), nccl_buffers(s.tensor * s.pipeline, device.compute_capability, job.scenario.parallel.nodes), job.explain);
  // Memory that the GPU shares with the system: what the host takes while the engine starts is gone as well.
  if (device.unified_memory) term.high += 4 * kGiB;
  return term;
}

}  // namespace weighbridge::sglang

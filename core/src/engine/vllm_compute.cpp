// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/vllm.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kComputeSource{"vllm-project/vllm vllm/v1/worker/gpu_model_runner.py (profile_run), vllm/model_executor/layers/fused_moe",
                                "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/worker/gpu_model_runner.py"};
constexpr Source kGraphSource{"vllm-project/vllm vllm/config (cudagraph_capture_sizes), bytes per graph fitted on four logs",
                              "https://github.com/vllm-project/vllm/tree/v0.11.0/vllm/config"};

constexpr std::int64_t kActivationBytes = 2;      // activations are 16 bit
constexpr std::int64_t kFusedMoeChunk = 32768;    // VLLM_FUSED_MOE_CHUNK_SIZE, default
constexpr std::int64_t kMostMlaTokens = 65536;    // 64 * 1024: the workspace's cap
constexpr std::int64_t kLiveHiddenStates = 4;     // residual, normed input, block output, next hidden state

const LatentAttention* latent(const Model& model) { return std::get_if<LatentAttention>(&model.layers.front().mixer); }

Bytes value_of(const std::vector<Factor>& factors) {
  std::int64_t value = 1;
  for (const Factor& factor : factors) {
    switch (factor.op) {
      case Op::times:
        value *= factor.value;
        break;
      case Op::divide:
        value /= factor.value;
        break;
      case Op::ceil_divide:
        value = ceil_div(value, factor.value);
        break;
      case Op::plus:
        value += factor.value;
        break;
      case Op::minus:
        value -= factor.value;
        break;
    }
  }
  return Bytes(static_cast<std::uint64_t>(value));
}

FormulaRow make_row(std::string_view label, std::vector<Factor> factors) {
  const Bytes bytes = value_of(factors);
  return {label, std::move(factors), bytes, false};
}

FormulaRow sampler_row(const Model& model, const Settings& s, const Rules& rules) {
  const std::int64_t rows = std::min(s.max_num_seqs, s.max_num_batched_tokens);
  return make_row("sampler", {{"vocab_size", model.vocab_size},
                              {"sampled_rows", rows},
                              {"bytes_per_logit_tenths", rules.sampler_tenths},
                              {"tenths", 10, Op::divide},
                              {"hidden_states_kept", 3 * s.max_num_batched_tokens * model.hidden_size * kActivationBytes, Op::plus}});
}

FormulaRow dense_row(const Model& model, const Settings& s) {
  return make_row("dense_ffn", {{"ffn_size", largest_dense_ffn(model)},
                                {"gate_up_and_product", 3},
                                {"tensor_parallel", s.tensor, Op::ceil_divide},
                                {"hidden_states_4", kLiveHiddenStates * model.hidden_size, Op::plus},
                                {"batch_tokens", s.max_num_batched_tokens},
                                {"bytes_per_value", kActivationBytes}});
}

FormulaRow moe_row(const Model& model, const MoeFfn& moe, const Settings& s) {
  const std::int64_t local = ceil_div(moe.moe_ffn_size, s.tensor);
  return make_row("routed_experts", {{"widest_expert_buffer", std::max(2 * local, model.hidden_size)},
                                     {"expert_product", local, Op::plus},
                                     {"n_experts_used", moe.n_experts_used},
                                     {"hidden_states_4", kLiveHiddenStates * model.hidden_size, Op::plus},
                                     {"batch_tokens", std::min(s.max_num_batched_tokens, kFusedMoeChunk)},
                                     {"bytes_per_value", kActivationBytes}});
}

FormulaRow latent_row(const Model& model, const LatentAttention& a, const Settings& s) {
  return make_row("latent_prefill", {{"workspace_tokens", mla_workspace_tokens(model, s)},
                                     {"heads_here", ceil_div(a.n_heads, s.tensor)},
                                     {"k_and_v_dims", a.qk_nope_head_dim + a.head_dim_v},
                                     {"bytes_per_value", kActivationBytes},
                                     {"hidden_states_kept", kLiveHiddenStates * s.max_num_batched_tokens * model.hidden_size * kActivationBytes, Op::plus}});
}

/// What a real prefill adds beyond the profiled step: K joined with its rotary part, and V padded to K's width where the kernel asks for it.
Bytes unprofiled_prefill(const Model& model, const LatentAttention& a, const Settings& s, int compute_capability) {
  const std::int64_t width = a.qk_nope_head_dim + a.qk_rope_head_dim;
  const std::int64_t one = mla_workspace_tokens(model, s) * ceil_div(a.n_heads, s.tensor) * width * kActivationBytes;
  const std::int64_t copies = compute_capability == 90 ? 1 : 2;  // FlashAttention 3 on Hopper takes V as it is
  return Bytes(static_cast<std::uint64_t>(one * copies));
}

std::int64_t graph_count(const Settings& s, const Rules& rules) {
  const std::int64_t largest = std::min({s.max_num_seqs * 2, std::int64_t{512}, s.max_num_batched_tokens});
  const std::int64_t coarse_from = rules.full_decode_graphs ? 256 : 520;
  std::int64_t piecewise = 0;
  std::int64_t full = 0;
  const auto add = [&](std::int64_t size) {
    if (size > largest) return;
    ++piecewise;
    if (rules.full_decode_graphs && size <= s.max_num_seqs) ++full;
  };
  for (const std::int64_t size : {1, 2, 4}) add(size);
  for (std::int64_t size = 8; size < coarse_from; size += 8) add(size);
  for (std::int64_t size = coarse_from; size <= largest; size += 16) add(size);
  return piecewise + full;
}

}  // namespace

std::int64_t mla_workspace_tokens(const Model& model, const Settings& s) {
  if (latent(model) == nullptr) return 0;
  const std::int64_t wanted = std::min(std::max(8 * s.max_model_len, 4 * s.max_num_seqs * s.block_size), kMostMlaTokens);
  return std::max(wanted, s.max_num_seqs * s.block_size);
}

Term compute_term(const Job& job, const Settings& settings, const Rules& rules) {
  const Model& model = job.model;
  std::vector<FormulaRow> rows;
  rows.push_back(sampler_row(model, settings, rules));
  if (largest_dense_ffn(model) > 0) rows.push_back(dense_row(model, settings));
  if (const MoeFfn* moe = first_moe(model)) rows.push_back(moe_row(model, *moe, settings));
  const LatentAttention* attention = latent(model);
  if (attention != nullptr) rows.push_back(latent_row(model, *attention, settings));

  auto largest = std::max_element(rows.begin(), rows.end(), [](const FormulaRow& a, const FormulaRow& b) { return a.bytes < b.bytes; });
  largest->chosen = true;
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kComputeSource;
  term.bytes = largest->bytes;
  term.low = term.bytes - term.bytes / 4;
  term.high = term.bytes + term.bytes / 2;
  if (attention != nullptr)
    term.high += unprofiled_prefill(model, *attention, settings, job.scenario.hardware.front().device.compute_capability);
  if (!job.explain) return term;
  term.formula.is_maximum = true;
  term.formula.rows = std::move(rows);
  term.formula.config_keys = {"vocab_size", "hidden_size", "intermediate_size"};
  term.formula.note = "largest_step";
  return term;
}

Term graphs_term(const Job& job, const Settings& settings, const Rules& rules) {
  Term term;
  term.id = "cuda_graphs";
  term.basis = Basis::modelled;
  term.inside_limit = rules.graphs_inside;
  term.source = kGraphSource;
  const std::int64_t graphs = settings.enforce_eager ? 0 : graph_count(settings, rules);
  FormulaRow row = make_row("cuda_graphs", {{"graphs", graphs}, {"bytes_per_graph", rules.bytes_per_graph}});
  row.chosen = true;
  term.bytes = row.bytes;
  term.low = term.bytes / 3;
  term.high = term.bytes * 4;  // 24 MiB a graph were logged for a large MoE model
  if (job.explain) term.formula.rows.push_back(std::move(row));
  return term;
}

}  // namespace weighbridge::vllm

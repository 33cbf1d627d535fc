// SPDX-License-Identifier: Apache-2.0
// MLC LLM's server (mlc_llm serve). Its own estimate decides how many tokens the cache has, cpp/serve/config.cc EstimateMemoryUsageOnMode:
//   total memory x gpu_memory_utilization - weights - 2 x the largest planned step - workspaces, all over the bytes of a token
// and a mode sets what is not given. Here the workload gives it: max_num_sequence, context_window_size and max_total_seq_length.
#include "engine/mlc/mlc.hpp"

#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "engine/one_pool.hpp"
#include "json_text.hpp"
#include "options.hpp"

namespace weighbridge::mlc {

namespace {

constexpr double kShare = 0.85;               // gpu_memory_utilization
constexpr std::int64_t kModeTokens = 8192;    // of the mode "local"
constexpr std::int64_t kModeSequences = 4;    // likewise
constexpr std::int64_t kCompiledBatch = 128;  // gen_config --max-batch-size
constexpr std::int64_t kMetalTokens = 32768;  // of a cache that a mode sizes on Metal
constexpr Source kStepSource{"mlc-ai/mlc-llm cpp/serve/config.cc EstimateMemoryUsageOnMode; compiler_pass/estimate_memory_usage.py",
                             "https://github.com/mlc-ai/mlc-llm/blob/79d603f085f50500e9509fa01785ffa7ecfaaa93/cpp/serve/config.cc"};
constexpr Source kOutsideSource{"context and NCCL in start-up logs of other engines: MLC logs neither",
                                "https://github.com/mlc-ai/mlc-llm/blob/79d603f085f50500e9509fa01785ffa7ecfaaa93/cpp/multi_gpu/builtin.cc"};

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  const std::int64_t context = o.max_model_len.value_or(scenario.context_tokens);
  Settings s;
  s.tensor = scenario.parallel.tensor;
  const std::string mode = o.serving.mode.value_or("");
  const std::int64_t usual = mode == "local" ? kModeSequences
                                             : (mode == "interactive" ? 1 : (mode == "server" ? kCompiledBatch : scenario.sequences));
  s.sequences = o.max_num_seqs.value_or(usual);
  s.needed_tokens = pooled_tokens(scenario, scenario.sequences, kPage);
  s.cache_tokens = o.serving.max_total_tokens.value_or(s.needed_tokens);
  s.chunk = std::min(o.max_num_batched_tokens.value_or(find_architecture(job.model.architecture)->chunk), std::max<std::int64_t>(1, context));
  s.value_bytes = value_bytes(scenario.weights_format);
  return s;
}

/// The parts of kv_aux_workspace_bytes, model_workspace_bytes and logit_processor_workspace_bytes. What a step needs is counted twice "for safety".
Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  const FullAttention* a = first_grouped_attention(model.layers);
  const std::int64_t heads = attention_heads(model);
  const std::int64_t head_dim = a != nullptr ? a->head_dim_k : first_latent_attention(model.layers)->qk_nope_head_dim;
  const std::int64_t local = ceil_div(heads, s.tensor);
  const std::int64_t kv = a != nullptr ? std::max<std::int64_t>(1, a->n_kv_heads / s.tensor) : 1;
  std::vector<FormulaRow> rows;
  rows.push_back(planned_step(job, s));
  rows.back().bytes = 2 * rows.back().bytes;
  if (job.explain) rows.back().factors.push_back({"counted_twice", 2});
  rows.push_back(make_row(job.explain, "cache_workspace",
                          {{"values_of_heads", head_dim * (local + kv)},
                           {"bytes_per_value", 4},
                           {"bytes_of_positions", 8 * (local + 1), Op::plus},
                           {"batch_tokens", s.chunk},
                           {"bytes_of_tables", 48 * 1024 * 1024 + 88 * (s.sequences + 1) + s.cache_tokens * 5 / 4, Op::plus}}));
  rows.push_back(make_row(job.explain, "hidden_states",
                          {{"batch_tokens", 2 * s.chunk + s.sequences}, {"hidden_size", head_dim * heads}, {"bytes_per_value", 2}}));
  rows.push_back(
      make_row(job.explain, "logits",
               {{"vocab_size", model.vocab_size}, {"bytes_of_eight_logits", 129}, {"sequences", s.sequences}, {"logits_at_once", 8, Op::divide}}));
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kStepSource;
  for (const FormulaRow& row : rows) term.bytes += row.bytes;
  // What runs needs a step once, and the planner shares its tensors better than we can say.
  term.low = term.bytes / 2;
  term.high = term.bytes + rows.front().bytes + 64 * kMiB;
  if (!job.explain) return term;
  sort_largest_first(rows);
  term.formula.rows = std::move(rows);
  return term;
}

Term outside_term(const Job& job, const Settings& s, const Device& device) {
  const bool has_context = device.backend == "cuda" || device.backend == "rocm";
  const Taken context = has_context ? driver_context(device) : Taken{{}, {}, 256 * kMiB};
  const Taken nccl = has_context ? nccl_buffers(s.tensor, device.compute_capability) : Taken{};
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kOutsideSource;
  add_context(term, context, nccl, job.explain);
  return term;
}

std::optional<Notice> layout_problem(const Job& job) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "MLC LLM", "MLC LLM needs at least one GPU.")) return unequal;
  if (std::optional<Notice> layout = only_tensor_parallel(s, "MLC LLM")) return layout;
  return uneven_tensor_parallel(job, Settings{s.parallel.tensor}.split());
}

/// Tokens that the mode gives the cache at most, where the mode sizes it; 0: the mode does not.
std::int64_t most_tokens(const Scenario& scenario) {
  const ServingOptions& o = scenario.options.serving;
  if (!o.mode || o.max_total_tokens) return 0;
  const std::int64_t of_device = scenario.hardware.front().device.backend == "metal" ? kMetalTokens : kMostTokens;
  return std::min(of_device, o.mode == "local" ? kModeTokens : kMostTokens);
}

/// A cache or a mode that is too small for the workload.
std::optional<Notice> size_problem(const Job& job, const Settings& s, Plan& plan) {
  const Scenario& scenario = job.scenario;
  const std::optional<std::string>& mode = scenario.options.serving.mode;
  if (mode && mode != "local" && mode != "interactive" && mode != "server")
    return notice::custom("unsupported", "params.engine.options.mode", "MLC LLM has no such mode: expected local, interactive or server.", "mode",
                          *mode, "one of local, interactive, server");
  if (std::optional<Notice> small = too_small_cache("max_total_seq_length", scenario.options.serving.max_total_tokens, s.needed_tokens)) return small;
  const std::int64_t tokens = most_tokens(scenario);
  if (tokens == 0) return std::nullopt;
  if (scenario.sequences > s.sequences)
    return notice::out_of_range("params.workload.sequences", "max_num_sequence", grouped(scenario.sequences), "at most " + grouped(s.sequences));
  if (s.cache_tokens <= tokens) return std::nullopt;
  if (const std::int64_t each = tokens / kPage / scenario.sequences * kPage; each > 0 && !scenario.average_tokens) plan.nearest_context_tokens = each;
  return notice::out_of_range("params.workload.context_tokens", "max_total_seq_length", grouped(s.cache_tokens), "at most " + grouped(tokens));
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, mlc_engine());
  plan.impossible = layout_problem(job);
  if (!plan.impossible) plan.impossible = refusal(job, mlc_engine(), "MLC LLM", plan);
  if (plan.impossible) {
    if (job.explain && plan.impossible->where == "params.parallel.tensor")
      plan.nearest_tensor_parallel = nearest_tensor_parallel(job, job.scenario.parallel.tensor);
    return plan;
  }
  const Settings s = settle(job);
  plan.impossible = size_problem(job, s, plan);
  if (plan.impossible) return plan;
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  device.limit = scaled(group.device.runtime_bytes, job.scenario.options.gpu_memory_utilization.value_or(kShare));
  device.terms.push_back(weights_term(job, s));
  device.terms.push_back(cache_term(job, s));
  device.terms.push_back(compute_term(job, s));
  device.terms.push_back(outside_term(job, s, group.device));
  device.reserved = device.total();
  device.observed = device.total() + group.used;
  // A mode gives the cache what is left; tokens that are asked for are taken, whatever is left.
  if (most_tokens(job.scenario) > 0) plan.report.overlong = Overlong::refuses_request;  // cpp/serve/engine.cc AddRequest, config.cc
  plan.report.kv_cache_tokens = s.cache_tokens;
  plan.report.kv_cache_pool = device.terms[1].bytes;
  plan.report.max_concurrency = static_cast<double>(s.cache_tokens) / static_cast<double>(job.scenario.context_tokens);
  plan.devices.push_back(std::move(device));
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 4}; }

}  // namespace weighbridge::mlc

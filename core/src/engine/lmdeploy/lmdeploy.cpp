// SPDX-License-Identifier: Apache-2.0
// LMDeploy's TurboMind engine over equal GPUs. The budget of one GPU, src/turbomind/turbomind.cc CreateEngine:
//   pool = (what is free once the weights are loaded, the least of all ranks) * cache_max_entry_count
// and everything a step needs comes from the rest.
#include "engine/lmdeploy/lmdeploy.hpp"

#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/one_pool.hpp"
#include "engine/serving_rules.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::lmdeploy {

namespace {

/// lmdeploy/turbomind/supported_models.py SUPPORTED_ARCHS, by model_type. Its PyTorch engine runs more, by other rules.
constexpr std::string_view kArchitectures[] = {"glm4_moe_lite", "gpt_oss", "internlm2",   "internlm3",  "internvl",  "internvl_chat",
                                               "llama",         "mixtral", "qwen2",       "qwen2_5_vl", "qwen2_moe", "qwen2_vl",
                                               "qwen3",         "qwen3_5", "qwen3_5_moe", "qwen3_moe"};
constexpr int kLeastCapability = 70;         // kernels/attention: sm_70 is the oldest
constexpr Bytes kGemmWorkspace = 65 * kMiB;  // models/llama/LlamaLinear.cu: kPartialsSize twice, kBarriersSize
constexpr Source kOverheadSource{
    "free memory at start-up in public logs of other engines; InternLM/lmdeploy src/turbomind/models/llama/LlamaLinear.cu",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/models/llama/LlamaLinear.cu"};

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.share = o.gpu_memory_utilization.value_or(0.8);
  s.context = o.max_model_len.value_or(scenario.context_tokens);
  s.requests = o.max_num_seqs.value_or(scenario.sequences);
  s.held_requests = scenario.sequences;
  s.held = std::min(scenario.average_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  s.batch_tokens = o.max_num_batched_tokens.value_or(8192);
  s.block = o.block_size.value_or(64);
  if (scenario.kv_type.starts_with("int")) s.cache_bits = scenario.kv_type == "int4" ? 4 : 8;
  if (const std::int64_t bits = o.serving.quant_policy.value_or(0); bits > 0) s.cache_bits = bits;
  return s;
}

Term overhead_term(const Job& job, const Settings& s, const Device& device) {
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = kOverheadSource;
  add_context(term, driver_context(device), nccl_buffers(s.tensor, device.compute_capability, job.scenario.parallel.nodes), job.explain);
  term.bytes += kGemmWorkspace;
  term.high += 4 * kGemmWorkspace;
  if (job.explain) term.formula.rows.push_back({"gemm_workspace", {}, kGemmWorkspace, true});
  return term;
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "LMDeploy", "LMDeploy needs at least one NVIDIA GPU.")) return unequal;
  const Device& device = s.hardware.front().device;
  if (device.backend != "cuda")
    return notice::custom("unsupported", "params.hardware", "TurboMind runs on NVIDIA GPUs only: expected a CUDA device.", "backend", device.backend,
                          "cuda");
  if (device.compute_capability > 0 && device.compute_capability < kLeastCapability)
    return needs_capability("params.hardware", "LMDeploy", kLeastCapability, device.compute_capability);
  if (std::optional<Notice> layout = only_tensor_parallel(s, "LMDeploy")) return layout;
  const auto* end = std::end(kArchitectures);
  if (std::find(std::begin(kArchitectures), end, job.model.architecture) == end)
    return unknown_architecture("LMDeploy's TurboMind", job.model.architecture);
  const std::string_view format = stored_format(job);
  if (!lmdeploy_engine().loads(format)) {
    plan.nearest_weights_format = "awq-int4";
    return unloadable_format("LMDeploy", format, *plan.nearest_weights_format);
  }
  if (const std::int64_t bits = s.options.serving.quant_policy.value_or(0); bits != 0 && bits != 4 && bits != 8)
    return notice::out_of_range("params.engine.options.quant_policy", "quant_policy", grouped(bits), "0, 4 or 8");
  if (s.options.gpu_memory_utilization.value_or(0) >= 1)
    return notice::out_of_range("params.engine.options.cache_max_entry_count", "cache_max_entry_count", "1", "a number below 1");
  return std::nullopt;
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, lmdeploy_engine(), "LMDeploy");
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job);
  plan.impossible = uneven_tensor_parallel(job, s.split());
  if (plan.impossible) {
    if (job.explain) plan.nearest_tensor_parallel = nearest_tensor_parallel(job, s.tensor);
    return plan;
  }
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  device.terms.push_back(weights_term(job, s));
  device.terms.push_back(overhead_term(job, s, group.device));
  const Bytes before = device.total();
  const Bytes pool = scaled(device.capacity - before, s.share);
  device.terms.push_back(cache_term(job, s));
  if (Term states = state_term(job, s); states.bytes > Bytes()) device.terms.push_back(std::move(states));
  const Term step = compute_term(job, s);
  device.terms.push_back(step);
  device.limit = before + pool;
  device.reserved = device.limit + step.bytes;
  device.observed = device.reserved + group.used;
  report_pool(job, plan.report, pool, token_bytes(job.model, s), s.block, s.context);
  if (const SlidingLayers sliding = sliding_layers(job.model); job.explain && sliding.n_layers > 0)
    plan.warnings.push_back(sliding_counted_full(sliding.window));
  plan.devices.push_back(std::move(device));
  return plan;
}

}  // namespace weighbridge::lmdeploy

// SPDX-License-Identifier: Apache-2.0
// vLLM (V1 engine), tensor parallel over equal GPUs. The budget of one GPU, vllm/v1/worker/gpu_worker.py determine_available_memory:
//   requested = total * gpu_memory_utilization;  KV pool = requested - weights - activation peak - other allocations - graphs (by version)
// What the card holds before that budget starts (context, NCCL) must leave `requested` free, or the engine refuses to start.
#include "engine/vllm.hpp"

#include <algorithm>

namespace weighbridge::vllm {

namespace {

/// vllm/platforms/cuda.py check_and_update_config: FlashMLA pages hold 64 tokens (Hopper), CUTLASS MLA's 128 (Blackwell), all others 16
/// (CacheConfig.DEFAULT_BLOCK_SIZE). A card we do not know gets the largest: it only rounds up more.
std::int64_t default_block_size(const Model& model, int compute_capability) {
  if (first_latent_attention(model.layers) == nullptr) return 16;
  if (compute_capability == 0 || compute_capability / 10 == 10) return 128;
  return compute_capability == 90 ? 64 : 16;
}

void add_pool_report(EngineReport& report, const DevicePlan& device, const Model& model, const Settings& settings, const Rules& rules) {
  Bytes beside_cache;
  for (const Term& term : device.terms)
    if (term.inside_limit && term.id != "kv_cache" && term.id != "recurrent_state") beside_cache += term.bytes;
  const std::optional<std::int64_t>& given = settings.pool_bytes;
  report.kv_cache_pool = given ? Bytes(static_cast<std::uint64_t>(*given)) : device.limit - beside_cache;
  const PoolReport pool = report_pool(model, settings, rules, *report.kv_cache_pool);
  report.kv_cache_tokens = pool.tokens;
  report.max_concurrency = pool.concurrency;
}

Plan plan_vllm(const Job& job) {
  Plan plan;
  const Rules& rules = rules_for(job.scenario.engine_version);
  plan.report.name = "vllm";
  plan.report.version = rules.version;
  if (job.explain && !is_known_version(job.scenario.engine_version))
    plan.warnings.push_back(unread_version("vLLM", job.scenario.engine_version, rules.version));
  plan.impossible = refusal(job);
  if (plan.impossible) {
    if (plan.impossible->code == "unsupported") plan.nearest_weights_format = nearest_format(job.model);
    return plan;
  }
  const Settings settings = settle(job, rules);
  const bool remembered = job.memo != nullptr && job.memo->ranks == settings.tensor;
  if (!remembered && (plan.impossible = split_problem(job, settings.tensor))) {
    if (job.explain) plan.nearest_tensor_parallel = nearest_split(job, settings.tensor);
    return plan;
  }
  if (job.explain) add_warnings(job, settings, plan.warnings);

  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = group.count;
  device.capacity = group.capacity();
  device.limit = scaled(group.device.runtime_bytes, settings.gpu_memory_utilization);
  if (rules.context_inside) device.limit -= group.used;
  device.terms.reserve(7);
  device.terms.push_back(remembered && !job.explain ? job.memo->weights : weights_term(job, settings));
  if (!remembered && job.memo != nullptr) {
    job.memo->ranks = settings.tensor;
    job.memo->weights = device.terms.front();
    job.memo->weights.formula = {};
  }
  device.terms.push_back(cache_term(job, settings));
  if (Term state = recurrent_term(job, settings); state.bytes > Bytes()) device.terms.push_back(std::move(state));
  device.terms.push_back(compute_term(job, settings, rules));
  device.terms.push_back(graphs_term(job, settings, rules));
  device.terms.push_back(inside_term(job, settings, rules));
  device.terms.push_back(context_term(job, settings, rules));
  device.reserved = device.limit;
  for (const Term& term : device.terms)
    if (!term.inside_limit) device.reserved += term.bytes;
  device.observed = device.reserved + group.used;
  if (job.explain) add_pool_report(plan.report, device, job.model, settings, rules);
  plan.tight_at_best = group.device.unified_memory && settings.gpu_memory_utilization > 0.85;
  plan.devices.push_back(std::move(device));
  return plan;
}

}  // namespace

Settings settle(const Job& job, const Rules& rules) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& options = scenario.options;
  const Device& device = scenario.hardware.front().device;
  // vllm/engine/arg_utils.py get_batch_defaults, `vllm serve`: cards of 70 GiB and more except the A100 take larger batches.
  const bool large = device.runtime_bytes >= 70 * kGiB && device.id.find("a100") == std::string::npos;
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.gpu_memory_utilization = options.gpu_memory_utilization.value_or(rules.gpu_memory_utilization);
  s.max_model_len = options.max_model_len.value_or(scenario.context_tokens);
  s.max_num_seqs = options.max_num_seqs.value_or(scenario.sequences);
  // The default grows with the sequences here, since a step needs room for one token of each.
  s.max_num_batched_tokens = options.max_num_batched_tokens.value_or(std::max<std::int64_t>(large ? 8192 : 2048, s.max_num_seqs));
  s.block_size = options.block_size.value_or(default_block_size(job.model, device.compute_capability));
  const bool is_fp8 = scenario.kv_type.starts_with("fp8");
  s.cache_value_bytes = is_fp8 ? 1 : 2;
  s.block_size = hybrid_block_size(job.model, s);
  s.pool_bytes = options.vllm.kv_cache_memory_bytes;
  s.enforce_eager = options.enforce_eager.value_or(false);
  s.hybrid_cache = rules.hybrid_cache && device.backend == "cuda";  // other platforms turned it off or on by version: counted in full
  s.mla_workspace_tokens = mla_workspace_tokens(job, s, rules);
  return s;
}

}  // namespace weighbridge::vllm

namespace weighbridge {

const Engine& vllm_engine() {
  static const Engine engine{"vllm",
                             vllm::versions(),
                             {{"gpu_memory_utilization", OptionType::number, "0.92 (0.9 before 0.21)"},
                              {"max_num_batched_tokens", OptionType::integer, "8192; 2048 below 70 GiB and on A100"},
                              {"max_num_seqs", OptionType::integer, "workload.sequences"},
                              {"max_model_len", OptionType::integer, "workload.context_tokens"},
                              {"kv_cache_dtype", OptionType::text, "auto"},
                              {"enforce_eager", OptionType::flag, "false"},
                              {"kv_cache_memory_bytes", OptionType::integer, "by gpu_memory_utilization"},
                              {"block_size", OptionType::integer, "16; MLA: 64 on Hopper, 128 on Blackwell"}},
                             {"bf16", "fp16", "fp32", "fp8", "fp8-block", "int8", "int4", "awq-int4", "gptq-int4", "nf4", "bnb-int8", "nvfp4"},
                             {"bf16", "f16", "fp8", "fp8_e4m3", "fp8_e5m2"},
                             vllm::plan_vllm,
                             {"mxfp4", "mxfp8", "gptq-int2", "gptq-int3", "gptq-int8"}};
  return engine;
}

}  // namespace weighbridge

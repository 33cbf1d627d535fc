// SPDX-License-Identifier: Apache-2.0
// TensorRT-LLM (PyTorch backend) over equal GPUs. The budget of one GPU, tensorrt_llm/_torch/pyexecutor/_util.py (KvCacheCreator):
//   a dry run with prompts of max_num_tokens tokens gives the peak, outside torch included;  pool = (total - peak) * free_gpu_memory_fraction
#include "engine/tensorrt_llm/tensorrt_llm.hpp"

#include <algorithm>
#include <array>

#include "engine/gpu_notices.hpp"
#include "engine/one_pool.hpp"
#include "engine/serving_rules.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::tensorrt_llm {

namespace {

/// docs/source/legacy/reference/precision.md and support-matrix.md.
constexpr FormatRule kFormats[] = {{"bf16", 80}, {"fp16", 80},     {"fp32", 80},      {"fp8", 89},    {"fp8-block", 90}, {"int8", 80},
                                   {"int4", 80}, {"awq-int4", 80}, {"gptq-int4", 80}, {"nvfp4", 100}, {"mxfp4", 90}};

Bytes peak_of(const DevicePlan& device) {
  Bytes peak;
  for (const Term& term : device.terms)
    if (term.id != "kv_cache" && term.id != "recurrent_state") peak += term.bytes;
  return peak;
}

DevicePlan plan_stage(const Job& job, const Settings& s, const Stage& stage) {
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  device.terms.push_back(kept_weights(job, stage, [&] { return weights_term(job, s, stage); }));
  device.terms.push_back(cache_term(job, s, stage));
  if (Term states = state_term(job, s, stage); states.bytes > Bytes()) device.terms.push_back(std::move(states));
  device.terms.push_back(compute_term(job, s));
  device.terms.push_back(outside_term(job, s));
  // The share is of what the peak leaves: the limit has the peak in it, so that more of it means less for the pool.
  const Bytes peak = peak_of(device);
  device.limit = std::min(device.capacity, peak + scaled(device.capacity - peak, s.share));
  device.reserved = device.limit;
  device.observed = device.reserved + group.used;
  return device;
}

void report_pool(const Job& job, const Settings& s, const std::vector<Stage>& stages, Plan& plan) {
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Bytes pool = plan.devices[i].limit - peak_of(plan.devices[i]);
    const std::int64_t each = token_bytes(job.model, s, stages[i]);
    const std::int64_t tokens = each == 0 ? 0 : static_cast<std::int64_t>(pool.count()) / each;
    if (plan.report.kv_cache_tokens && *plan.report.kv_cache_tokens <= tokens) continue;
    plan.report.kv_cache_pool = pool;
    plan.report.kv_cache_tokens = tokens;
  }
  const std::int64_t groups = s.copies * (s.copies_attention ? s.tensor : 1);
  plan.report.max_concurrency = static_cast<double>(plan.report.kv_cache_tokens.value_or(0) * groups) / static_cast<double>(s.context);
}

}  // namespace

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.pipeline = scenario.parallel.pipeline;
  s.copies = scenario.parallel.data;
  s.node_devices = scenario.device_count() / scenario.parallel.nodes;
  s.copies_attention = o.serving.enable_dp_attention.value_or(false);
  s.expert_groups = o.serving.ep_size.value_or(scenario.parallel.expert ? s.tensor : 1);
  s.share = o.gpu_memory_utilization.value_or(0.9);
  s.context = o.max_model_len.value_or(scenario.context_tokens);
  s.requests = o.max_num_seqs.value_or(scenario.sequences);
  s.batch_tokens = o.max_num_batched_tokens.value_or(8192);
  const std::int64_t block = o.block_size.value_or(32);
  if (job.memo != nullptr) job.memo->block_tokens = block;
  s.held_tokens = pooled_tokens(scenario, ceil_div(scenario.sequences, s.copies * (s.copies_attention ? s.tensor : 1)), block);
  const std::string& type = scenario.kv_type;
  s.cache_halves = caches_fp8(job, true) ? 2 : (type == "nvfp4" ? 1 : 4);
  s.graphs = !o.enforce_eager.value_or(false);
  s.deep_gemm = o.serving.moe_runner_backend == "DEEPGEMM";
  s.draft_layers = o.serving.speculative_num_draft_tokens.value_or(0) > 0 ? static_cast<std::int64_t>(job.model.mtp_layers.size()) : 0;
  return s;
}

/// llmapi/llm_args.py MoeConfig.backend. DeepGEMM multiplies FP8 in blocks only (fused_moe_deepgemm.py _get_quant_method).
std::optional<Notice> backend_problem(const Job& job) {
  constexpr std::array known{"AUTO", "CUTLASS", "TRTLLM", "DEEPGEMM", "CUTEDSL", "WIDEEP", "TRITON", "VANILLA"};
  const std::optional<std::string>& backend = job.scenario.options.serving.moe_runner_backend;
  if (!backend) return std::nullopt;
  if (std::find(known.begin(), known.end(), *backend) == known.end())
    return notice::custom(
        "unsupported", "params.engine.options.moe_backend",
        "TensorRT-LLM has no such backend for experts: expected AUTO, CUTLASS, TRTLLM, DEEPGEMM, CUTEDSL, WIDEEP, TRITON or VANILLA.", "moe_backend",
        *backend, "one of AUTO, CUTLASS, TRTLLM, DEEPGEMM, CUTEDSL, WIDEEP, TRITON, VANILLA");
  const std::string_view stored = stored_format(job);
  if (*backend != "DEEPGEMM" || (first_moe(job.model) != nullptr && (stored == "fp8" || stored == "fp8-block"))) return std::nullopt;
  return notice::custom("unsupported", "params.engine.options.moe_backend",
                        "DeepGEMM multiplies experts in FP8 with scales for blocks only: expected AUTO.", "moe_backend", *backend, "AUTO");
}

/// docs/source/legacy/advanced/kv-cache-reuse.md: "tokens_per_block must be a power of 2".
std::optional<Notice> block_problem(const EngineOptions& o) {
  constexpr std::array<std::int64_t, 8> usual{8, 16, 32, 64, 128, 256, 512, 1024};
  const std::int64_t block = o.block_size.value_or(1);
  if ((block & (block - 1)) == 0) return std::nullopt;
  return notice::out_of_range("params.engine.options.tokens_per_block", "tokens_per_block", grouped(block), one_of(usual));
}

std::optional<Notice> refusal(const Job& job) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "TensorRT-LLM", "TensorRT-LLM needs at least one NVIDIA GPU.")) return unequal;
  const Device& device = s.hardware.front().device;
  if (device.backend != "cuda")
    return notice::custom("unknown_backend", "params.hardware[0].device", "TensorRT-LLM runs on NVIDIA GPUs only: expected a CUDA device.", "backend",
                          device.backend, "CUDA");
  if (std::optional<Notice> dense = needs_experts(job)) return dense;
  const std::string format(stored_format(job));
  const FormatRule* rule = rule_of(kFormats, format);
  if (rule == nullptr)
    return notice::custom("unsupported", "params.weights.format",
                          "TensorRT-LLM does not run weights of the format " + format + ": expected another format.", "weights.format", format,
                          "fp8");
  if (device.compute_capability != 0 && device.compute_capability < rule->capability)
    return needs_capability("params.weights.format", format, rule->capability, device.compute_capability);
  // _torch/speculative/mtp.py: drafts by the model's own layers, as many as its config has.
  if (const std::int64_t drafts = s.options.serving.speculative_num_draft_tokens.value_or(0); drafts > 0 && job.model.mtp_layers.empty())
    return notice::out_of_range("params.engine.options.num_nextn_predict_layers", "num_nextn_predict_layers", grouped(drafts), "0");
  // docs/source/features/quantization.md, hardware support matrix: sm100 and sm103, and not sm120.
  if (s.kv_type == "nvfp4" && device.compute_capability != 0 && device.compute_capability / 10 != 10)
    return notice::custom("unsupported", "params.kv_cache",
                          "TensorRT-LLM keeps an NVFP4 cache on compute capability 10.0 and 10.3 only: expected auto, bf16 or fp8.", "kv_cache",
                          s.kv_type, "one of auto, bf16, fp8");
  // The same page: "only supports FP8 weight/activation quantization when NVFP4 KV cache is enabled".
  if (s.kv_type == "nvfp4" && !format.starts_with("fp8"))
    return notice::custom("unsupported", "params.kv_cache", "TensorRT-LLM keeps an NVFP4 cache beside FP8 weights only: expected auto, bf16 or fp8.",
                          "kv_cache", s.kv_type, "one of auto, bf16, fp8");
  if (std::optional<Notice> block = block_problem(s.options)) return block;
  return backend_problem(job);
}

std::optional<Notice> layout_problem(const Job& job, const Settings& s) {
  // tensorrt_llm/mapping.py: the ranks of a world are those of one model. Copies are servers of their own, each on its machines.
  if (const Parallel& p = job.scenario.parallel; p.nodes > 1 && p.data > 1)
    return notice::custom("unsupported", "params.parallel.data",
                          "TensorRT-LLM starts one copy of a model over several machines: expected data 1, got " + grouped(p.data) + ".", "data",
                          grouped(p.data), "1");
  if (s.pipeline > std::max<std::int64_t>(1, job.model.n_layers()))
    return notice::not_divisible("params.parallel.pipeline", "num_hidden_layers", grouped(job.model.n_layers()), "at least " + grouped(s.pipeline));
  const MoeFfn* moe = first_moe(job.model);
  if (s.expert_groups > 1 && (moe == nullptr || moe->n_experts % s.expert_groups != 0 || s.tensor % s.expert_groups != 0))
    return notice::not_divisible("params.engine.options.moe_expert_parallel_size", "num_experts", grouped(moe == nullptr ? 0 : moe->n_experts),
                                 "a multiple of moe_expert_parallel_size " + grouped(s.expert_groups) + ", itself a divisor of tensor parallel");
  return uneven_tensor_parallel(job, s.split());
}

Plan plan(const Job& job) {
  Plan plan;
  plan.report.name = "tensorrt-llm";
  plan.report.version = kVersions.back();
  const std::string& asked = job.scenario.engine_version;
  const bool known = asked.empty() || std::any_of(kVersions.begin(), kVersions.end(), [&](std::string_view v) { return asked.starts_with(v); });
  if (job.explain && !known) plan.warnings.push_back(unread_version("TensorRT-LLM", asked, plan.report.version));
  plan.impossible = refusal(job);
  if (plan.impossible) return plan;
  const Settings settings = settle(job);
  plan.impossible = layout_problem(job, settings);
  if (plan.impossible) {
    if (job.explain && job.scenario.parallel.nodes == 1 && plan.impossible->where == "params.parallel.tensor")
      plan.nearest_tensor_parallel = nearest_tensor_parallel(job, settings.tensor);
    return plan;
  }
  const std::vector<Stage> stages = stages_of(job.model, settings.pipeline);
  for (const Stage& stage : stages) plan.devices.push_back(plan_stage(job, settings, stage));
  if (job.explain) report_pool(job, settings, stages, plan);
  plan.report.overlong = Overlong::refuses_request;  // _torch/pyexecutor/resource_manager.py: "Adjusted max_seq_len to …"
  const std::vector<DevicePlan> copy = plan.devices;
  if (settings.pipeline == 1) plan.devices.front().count *= settings.copies;
  for (std::int64_t i = 1; i < settings.copies && settings.pipeline > 1; ++i) plan.devices.insert(plan.devices.end(), copy.begin(), copy.end());
  return plan;
}

}  // namespace weighbridge::tensorrt_llm

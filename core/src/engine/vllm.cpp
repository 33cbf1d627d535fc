// SPDX-License-Identifier: Apache-2.0
// vLLM (V1 engine), tensor parallel over equal GPUs. The budget of one GPU, vllm/v1/worker/gpu_worker.py determine_available_memory:
//   requested = total * gpu_memory_utilization;  KV pool = requested - weights - activation peak - other allocations - graphs (by version)
// What the card holds before that budget starts (context, NCCL) must leave `requested` free, or the engine refuses to start.
#include "engine/vllm.hpp"

#include <algorithm>
#include <cmath>

#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kContextSource{"start-up logs of nine cards: 195 to 573 MiB before any model; NCCL 342 to 392 MiB in ai-dynamo/aiconfigurator", ""};
constexpr Source kInsideSource{"vLLM start-up logs: 0.02 to 0.07 GiB with one GPU, 0.61 GiB with two ranks", ""};

/// What the device holds before the engine counts: driver context and libraries, and NCCL once there are peers.
Term context_term(const Job& job, const Settings& settings, const Rules& rules) {
  const Device& device = job.scenario.hardware.front().device;
  const bool large = device.runtime_bytes >= 20 * kGiB;  // 195 to 236 MiB were seen on 16 and 24 GB inference cards, 461 to 573 on larger ones
  const Bytes context = large ? 512 * kMiB : 250 * kMiB;
  Bytes nccl;
  if (settings.tensor > 1) nccl = settings.tensor == 2 ? 342 * kMiB : 392 * kMiB;
  Term term;
  term.id = "overhead";
  term.basis = Basis::measured;
  term.records = 9;
  term.inside_limit = rules.context_inside;
  term.source = kContextSource;
  term.bytes = context + nccl;
  term.low = (large ? 195 * kMiB : 163 * kMiB) + nccl / 2;
  term.high = 640 * kMiB + nccl * 2;
  // System memory that the GPU shares with the operating system: profiling past 0.70 wedged a host (vllm-project/vllm#46307).
  if (device.unified_memory) term.high += 4 * kGiB;
  if (job.explain) {
    term.formula.rows.push_back({"driver_context", {}, context, true});
    if (settings.tensor > 1) term.formula.rows.push_back({"nccl", {}, nccl, true});
  }
  return term;
}

/// What is allocated outside torch while profiling, and buffers that stay: they count against the budget.
Term inside_term(const Job& job, const Settings& settings) {
  Term term;
  term.id = "non_torch";
  term.basis = Basis::modelled;
  term.source = kInsideSource;
  const Bytes other = settings.tensor > 1 ? 625 * kMiB : 70 * kMiB;
  const auto* attention = std::get_if<LatentAttention>(&job.model.layers.front().mixer);
  FormulaRow workspace{"latent_workspace", {}, {}, true};
  if (attention != nullptr) {
    const std::int64_t values = attention->kv_lora_rank + attention->qk_rope_head_dim;
    const std::int64_t tokens = mla_workspace_tokens(job.model, settings);
    workspace.factors = {{"workspace_tokens", tokens}, {"latent_values", values}, {"bytes_per_value", 2}};
    workspace.bytes = Bytes(static_cast<std::uint64_t>(tokens * values * 2));
  }
  term.bytes = other + workspace.bytes;
  term.low = (settings.tensor > 1 ? 200 * kMiB : 20 * kMiB) + workspace.bytes;
  term.high = (settings.tensor > 1 ? 1024 * kMiB : 256 * kMiB) + workspace.bytes;
  if (job.explain) {
    term.formula.rows.push_back({"outside_torch", {}, other, true});
    if (attention != nullptr) term.formula.rows.push_back(std::move(workspace));
  }
  return term;
}

std::int64_t attention_heads(const Model& model) {
  return std::visit([](const auto& mixer) { return mixer.n_heads; }, model.layers.front().mixer);
}

/// Why `ranks` ranks cannot share this model, or nothing. vllm/config: verify_with_parallel_config; layers/linear.py: divide();
/// quantization/fp8.py: block shapes must not be cut.
std::optional<Notice> split_problem(const Job& job, std::int64_t ranks) {
  const auto problem = [&](std::string key, std::int64_t value, std::string expected) {
    return notice::not_divisible("params.parallel.tensor", std::move(key), grouped(value), std::move(expected));
  };
  const std::string by = "a multiple of tensor parallel " + grouped(ranks);
  const std::int64_t heads = attention_heads(job.model);
  if (heads % ranks != 0) return problem("num_attention_heads", heads, by);
  for (const LayerSpec& layer : job.model.layers) {
    if (const auto* a = std::get_if<FullAttention>(&layer.mixer); a != nullptr && a->n_kv_heads % ranks != 0 && ranks % a->n_kv_heads != 0)
      return problem("num_key_value_heads", a->n_kv_heads, by + ", or a divisor of it");
    const auto* dense = std::get_if<DenseFfn>(&layer.ffn);
    const std::int64_t ffn = dense != nullptr ? dense->ffn_size : std::get<MoeFfn>(layer.ffn).moe_ffn_size;
    const char* key = dense != nullptr ? "intermediate_size" : "moe_intermediate_size";
    if (ffn % ranks != 0) return problem(key, ffn, by);
    const bool cuts_block = job.scenario.weights_format == "checkpoint" && job.model.checkpoint.quantization == WeightQuantization::fp8_block &&
                            (ffn / ranks) % job.model.checkpoint.block_rows != 0;
    if (cuts_block) return problem(key, ffn, by + " in whole blocks of " + grouped(job.model.checkpoint.block_rows));
  }
  return std::nullopt;
}

/// The working split nearest to `wanted`, smaller on a tie.
std::int64_t nearest_split(const Job& job, std::int64_t wanted) {
  for (std::int64_t distance = 1; distance <= wanted + 64; ++distance) {
    if (wanted - distance >= 1 && !split_problem(job, wanted - distance)) return wanted - distance;
    if (!split_problem(job, wanted + distance)) return wanted + distance;
  }
  return 1;
}

std::optional<Notice> refusal(const Job& job) {
  const Scenario& s = job.scenario;
  const auto unsupported = [](std::string where, std::string message, std::string key, std::string value, std::string expected) {
    return notice::custom("unsupported", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
  };
  if (s.hardware.empty())
    return unsupported("params.hardware", "vLLM needs at least one GPU here: its CPU build is not counted.", "hardware", "[]", "at least one GPU");
  if (s.hardware.size() > 1)
    return unsupported("params.hardware", "vLLM splits a model over equal GPUs: expected one kind of GPU, got " + grouped(static_cast<std::int64_t>(s.hardware.size())) + " kinds.",
                       "hardware", grouped(static_cast<std::int64_t>(s.hardware.size())), "one kind of GPU");
  if (s.parallel.pipeline != 1 || s.parallel.data != 1 || s.parallel.expert)
    return unsupported("params.parallel", "Pipeline, data and expert parallel are not counted for vLLM yet: expected tensor parallel over all GPUs.", "parallel",
                       "pipeline " + grouped(s.parallel.pipeline) + ", data " + grouped(s.parallel.data), "tensor parallel over all GPUs");
  const Device& device = s.hardware.front().device;
  if (device.compute_capability > 0 && device.compute_capability < 70)
    return unsupported("params.hardware[0].device", "vLLM needs compute capability 7.0 or newer.", "compute_capability",
                       std::to_string(device.compute_capability / 10) + "." + std::to_string(device.compute_capability % 10), "7.0 or newer");
  return std::nullopt;
}

void report_pool(EngineReport& report, const DevicePlan& device, const Model& model, const Settings& settings) {
  Bytes beside_cache;
  for (const Term& term : device.terms)
    if (term.inside_limit && term.id != "kv_cache") beside_cache += term.bytes;
  report.kv_cache_pool = device.limit - beside_cache;
  const Bytes block = block_bytes(model, settings);
  const auto blocks = static_cast<std::int64_t>(*report.kv_cache_pool / block);
  report.max_concurrency = static_cast<double>(blocks) / static_cast<double>(ceil_div(settings.max_model_len, settings.block_size));
  report.kv_cache_tokens = blocks * settings.block_size;
}

Plan plan_vllm(const Job& job) {
  Plan plan;
  const Rules& rules = rules_for(job.scenario.engine_version);
  plan.report.name = "vllm";
  plan.report.version = rules.version;
  if (!is_known_version(job.scenario.engine_version))
    plan.warnings.push_back(notice::custom("unknown_version", "params.engine.version",
                                           "We have not read vLLM " + job.scenario.engine_version + "; it was counted by the rules of " + std::string(rules.version) + ".",
                                           "engine.version", job.scenario.engine_version, std::string(rules.version)));
  plan.impossible = refusal(job);
  if (plan.impossible) return plan;
  const Settings settings = settle(job, rules);
  if ((plan.impossible = split_problem(job, settings.tensor))) {
    plan.nearest_tensor_parallel = nearest_split(job, settings.tensor);
    return plan;
  }

  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.capacity = group.capacity();
  device.limit = scaled(group.device.runtime_bytes, settings.gpu_memory_utilization);
  device.terms.push_back(weights_term(job, settings));
  device.terms.push_back(cache_term(job, settings));
  device.terms.push_back(compute_term(job, settings, rules));
  device.terms.push_back(graphs_term(job, settings, rules));
  device.terms.push_back(inside_term(job, settings));
  device.terms.push_back(context_term(job, settings, rules));
  device.reserved = device.limit;
  for (const Term& term : device.terms)
    if (!term.inside_limit) device.reserved += term.bytes;
  device.observed = device.reserved + group.used;
  report_pool(plan.report, device, job.model, settings);
  plan.tight_at_best = group.device.unified_memory && settings.gpu_memory_utilization > 0.85;
  plan.groups.push_back(std::move(device));
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
  s.max_num_batched_tokens = options.max_num_batched_tokens.value_or(large ? 8192 : 2048);
  const bool is_latent = std::holds_alternative<LatentAttention>(job.model.layers.front().mixer);
  s.block_size = options.block_size.value_or(is_latent ? 64 : 16);  // FlashMLA pages hold 64 tokens; CacheConfig.DEFAULT_BLOCK_SIZE 16
  const bool is_fp8 = scenario.kv_type.starts_with("fp8");
  s.cache_value_bytes = is_fp8 ? 1 : 2;
  s.enforce_eager = options.enforce_eager.value_or(false);
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
                              {"block_size", OptionType::integer, "16; 64 for MLA"}},
                             {"bf16", "fp16", "fp32", "fp8", "int8", "int4"},
                             {"bf16", "f16", "fp8", "fp8_e4m3", "fp8_e5m2"},
                             vllm::plan_vllm};
  return engine;
}

}  // namespace weighbridge

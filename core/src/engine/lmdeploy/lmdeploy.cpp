// SPDX-License-Identifier: Apache-2.0
// LMDeploy over equal GPUs. It has two engines: TurboMind where that has code for the model, else one of PyTorch (lmdeploy/archs.py
// autoget_backend). Both give the cache a share of what is free once the weights are loaded, each by rules of its own.
#include "engine/lmdeploy/lmdeploy.hpp"

#include <algorithm>
#include <array>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/one_pool.hpp"
#include "engine/recurrent.hpp"
#include "engine/serving_rules.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::lmdeploy {

namespace {

constexpr double kLargestShare = 0.99;  // of what is free, in hundredths: lmdeploy/messages.py asks for less than 1
constexpr int kLeastCapability = 70;    // kernels/attention: sm_70 is the oldest; Triton's, of the PyTorch engine, is the same

/// lmdeploy/messages.py QuantPolicy. TurboMind takes 0, 4 and 8; the PyTorch engine all of them.
struct Policy {
  std::int64_t number;
  CacheType cache;
  bool in_turbomind;
};
constexpr std::array kPolicies{Policy{0, {}, true},       Policy{4, {4, 4, 4, 4}, true}, Policy{8, {8, 8, 4, 4}, true},
                               Policy{16, {8, 8}, false}, Policy{17, {8, 8}, false},     Policy{42, {4, 2, 4, 2}, false}};

const Policy* find_policy(std::int64_t number) {
  const auto* found = std::find_if(kPolicies.begin(), kPolicies.end(), [&](const Policy& p) { return p.number == number; });
  return found == kPolicies.end() ? nullptr : found;
}

/// cli/serve.py: TurboMind is asked for unless PyTorch's engine is, and gives way where it has no code for the model.
bool runs_turbomind(const Job& job) { return job.scenario.options.serving.backend.value_or("auto") != "pytorch" && is_turbomind_model(job.model); }

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.experts_whole = scenario.parallel.expert;
  s.share = o.gpu_memory_utilization.value_or(0.8);
  s.context = o.max_model_len.value_or(scenario.context_tokens);
  s.requests = o.max_num_seqs.value_or(scenario.sequences);
  s.held_requests = scenario.sequences;
  s.batch_tokens = o.max_num_batched_tokens.value_or(8192);
  s.block = o.block_size.value_or(64);
  s.graphs = !o.enforce_eager.value_or(false);
  s.caches_prefixes = o.serving.enable_prefix_caching.value_or(false);
  if (const Policy* policy = find_policy(quant_policy(scenario))) s.cache = policy->cache;
  return s;
}

/// lmdeploy/cli/utils.py cache_block_seq_len: TurboMind's kernels read 32 tokens at a time, before compute capability 8.0 64; messages.py
/// PytorchEngineConfig.__post_init__: the other engine takes powers of two.
std::optional<Notice> block_problem(const Scenario& s, bool turbomind) {
  constexpr std::array<std::int64_t, 9> powers{16, 32, 64, 128, 256, 512, 1024, 2048, 4096};
  if (!s.options.block_size) return std::nullopt;
  const std::int64_t block = *s.options.block_size;
  const std::int64_t tile = s.hardware.front().device.compute_capability >= 80 ? 32 : 64;
  if (turbomind ? block % tile == 0 : std::find(powers.begin(), powers.end(), block) != powers.end()) return std::nullopt;
  return notice::out_of_range("params.engine.options.cache_block_seq_len", "cache_block_seq_len", grouped(block),
                              turbomind ? "a multiple of " + grouped(tile) : one_of(powers));
}

std::optional<Notice> option_problem(const Scenario& s, bool turbomind, Plan& plan) {
  const std::string backend = s.options.serving.backend.value_or("auto");
  if (backend != "auto" && backend != "turbomind" && backend != "pytorch")
    return notice::custom("unsupported", "params.engine.options.backend", "LMDeploy has no such backend: expected turbomind or pytorch.", "backend",
                          backend, "one of auto, turbomind, pytorch");
  const std::int64_t number = quant_policy(s);
  if (const Policy* policy = find_policy(number); policy == nullptr || (turbomind && !policy->in_turbomind)) {
    if (s.options.serving.quant_policy)
      return notice::out_of_range("params.engine.options.quant_policy", "quant_policy", grouped(number),
                                  turbomind ? "one of 0, 4, 8" : "one of 0, 4, 8, 16, 17, 42");
    return notice::custom("unsupported", "params.kv_cache",
                          "LMDeploy's TurboMind has no " + s.kv_type + " cache: expected auto, int8, int4, or `backend` pytorch.", "kv_cache",
                          s.kv_type, "auto, int8, int4, `backend` pytorch");
  }
  if (std::optional<Notice> block = block_problem(s, turbomind)) return block;
  if (s.options.gpu_memory_utilization.value_or(0) >= 1) {
    plan.nearest_share = kLargestShare;
    return notice::out_of_range("params.engine.options.cache_max_entry_count", "cache_max_entry_count", "1", "a number below 1");
  }
  return std::nullopt;
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "LMDeploy", "LMDeploy needs at least one NVIDIA GPU.")) return unequal;
  const Device& device = s.hardware.front().device;
  if (device.backend != "cuda")
    return notice::custom("unknown_backend", "params.hardware", "LMDeploy is counted on NVIDIA GPUs only: expected a CUDA device.", "backend",
                          device.backend, "CUDA");
  if (device.compute_capability > 0 && device.compute_capability < kLeastCapability)
    return needs_capability("params.hardware", "LMDeploy", kLeastCapability, device.compute_capability);
  const bool turbomind = runs_turbomind(job);
  if (std::optional<Notice> model = turbomind ? turbomind_refusal(job) : pytorch_refusal(job)) {
    if (model->where == "params.weights.format") plan.nearest_weights_format = "awq-int4";
    return model;
  }
  return option_problem(s, turbomind, plan);
}

}  // namespace

std::int64_t quant_policy(const Scenario& scenario) {
  if (scenario.options.serving.quant_policy) return *scenario.options.serving.quant_policy;
  const std::string& type = scenario.kv_type;
  if (type.starts_with("fp8")) return type == "fp8_e5m2" ? 17 : 16;
  return type == "int4" ? 4 : (type.starts_with("int") ? 8 : 0);
}

std::int64_t token_bytes(const Model& model, const Settings& s) {
  const auto bytes = [](std::int64_t values, std::int64_t bits, std::int64_t beside) { return values * bits / 8 + beside; };
  std::int64_t sum = 0;
  for (const LayerSpec& layer : model.layers) {
    if (layer.shares_cache) continue;
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer))
      sum += bytes(latent->kv_lora_rank + latent->qk_rope_head_dim, s.cache.key_bits, s.cache.key_bytes);
    if (const FullAttention* a = grouped_attention(layer.mixer))
      sum += std::max<std::int64_t>(1, a->n_kv_heads / s.tensor) *
             (bytes(a->head_dim_k, s.cache.key_bits, s.cache.key_bytes) + bytes(a->head_dim_v, s.cache.value_bits, s.cache.value_bytes));
  }
  return sum;
}

Term cache_term(const Job& job, const Settings& s, const Source& source) {
  const std::int64_t held = pooled_tokens(job.scenario, s.held_requests, s.block, s.caches_prefixes);
  FormulaRow row = make_row(job.explain, "full_sequences",
                            {{"bytes_of_a_token", token_bytes(job.model, s)}, {"pool_tokens", held + s.spare_blocks * s.block}});
  return pool_term(job, std::move(row), source, s.tensor);
}

Term state_term(const Job& job, const Settings& s, const Source& source, std::int64_t width, std::int64_t sequences) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = source;
  for (const RecurrentRun& run : recurrent_runs(job.model, [](std::size_t) { return true; }))
    add_row(job, term,
            make_row(job.explain, "recurrent_layers",
                     {{"state_values", ceil_div(run.mixer->state_values, s.tensor)},
                      {"bytes_per_value", width},
                      {"convolution_bytes", 2 * ceil_div(run.mixer->conv_channels, s.tensor) * run.mixer->conv_kernel, Op::plus},
                      {"layers_x_sequences", run.layers * sequences}}));
  return term;
}

Term context_term(const Job& job, const Settings& s, const Source& source) {
  const Device& device = job.scenario.hardware.front().device;
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = source;
  add_context(term, driver_context(device), nccl_buffers(s.tensor, device.compute_capability, job.scenario.parallel.nodes), job.explain);
  return term;
}

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, lmdeploy_engine());
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job);
  if (job.memo != nullptr) job.memo->block_tokens = s.block;
  if (!divides(job, s.split(), plan)) return plan;
  const bool turbomind = runs_turbomind(job);
  plan.devices.push_back(turbomind ? plan_turbomind(job, s, plan.report) : plan_pytorch(job, s, plan.report));
  if (!job.explain) return plan;
  if (const SlidingLayers sliding = sliding_layers(job.model); sliding.n_layers > 0) plan.warnings.push_back(sliding_counted_full(sliding.window));
  if (!turbomind && job.scenario.options.serving.backend != "pytorch")
    plan.warnings.push_back(notice::custom("lmdeploy_pytorch", "params.model",
                                           "TurboMind has no code for " + job.model.architecture + ": LMDeploy runs its PyTorch engine.",
                                           "model_type", job.model.architecture, "a model that TurboMind runs"));
  return plan;
}

}  // namespace weighbridge::lmdeploy

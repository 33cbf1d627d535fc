// SPDX-License-Identifier: Apache-2.0
// ExLlamaV3, as its own scripts and TabbyAPI load it (model.load with autosplit): layer after layer goes to the first GPU that holds it together
// with its cache and one step of a prompt, and `reserve_per_device` stays free. The embeddings stay in the host's memory.
#include "engine/exllamav3.hpp"

#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "engine/module_sizes.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::exllamav3 {

namespace {

constexpr int kLeastCapability = 80;  // exllamav3_ext: its kernels are built of Ampere's asynchronous copies
constexpr Source kOverheadSource{"turboderp-org/exllamav3 exllamav3/util/memory.py; free memory at start-up in public logs of PyTorch programs",
                                 "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/util/memory.py"};
constexpr Source kHostSource{
    "turboderp-org/exllamav3 exllamav3/modules/embedding.py prefer_cpu",
    "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/modules/embedding.py"};

Settings settle(const Job& job, const Architecture& architecture) {
  constexpr std::int64_t page = 256;    // constants.py PAGE_SIZE
  constexpr std::int64_t chunk = 2048;  // Generator max_chunk_size, load max_chunk_size
  const Scenario& scenario = job.scenario;
  const LibraryOptions& o = scenario.options.library;
  Settings s;
  s.sequences = scenario.sequences;
  const auto pages = [](std::int64_t tokens) { return ceil_div(tokens, page) * page; };
  // Pages that are full of equal tokens are shared (generator/pagetable.py).
  const std::int64_t held = std::min(scenario.average_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  const std::int64_t shared = std::min(scenario.shared_prefix_tokens, held) / page * page;
  s.needed_tokens = shared + s.sequences * pages(held - shared);
  s.cache_tokens = pages(o.cache_tokens.value_or(s.needed_tokens));
  s.chunk = o.prefill_tokens.value_or(chunk);
  if (scenario.kv_type.starts_with("q")) s.k_bits = s.v_bits = scenario.kv_type[1] - '0';
  s.k_bits = o.k_bits.value_or(s.k_bits);
  s.v_bits = o.v_bits.value_or(s.v_bits);
  s.ffn_bytes = architecture.ffn_bytes;
  s.ring_windows = architecture.has_ring_windows && !o.whole_window_cache.value_or(false);
  s.reserve = scaled(kGiB, o.reserve_gib.value_or(0.5));
  return s;
}

/// The driver's context, cuBLAS's workspace, and what the allocator holds without using it.
Term overhead_term(const Job& job, const Device& device, Bytes moving) {
  constexpr Bytes workspace = 32 * kMiB;
  constexpr Bytes spare = 22 * kMiB;
  const Taken context = driver_context(device);
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = kOverheadSource;
  term.bytes = context.usual + workspace + spare;
  term.low = context.low;
  term.high = context.high + workspace + spare + 192 * kMiB + moving / 10;
  if (!job.explain) return term;
  term.formula.rows.push_back({"driver_context", {}, context.usual, true});
  term.formula.rows.push_back({"cublas_workspace", {}, workspace, true});
  term.formula.rows.push_back({"allocator_spare", {}, spare, true});
  return term;
}

/// What each device takes of a module: its weights, and the cache and states of its layer. The last is the head.
std::vector<Bytes> loads_of(const Job& job, const Settings& s) {
  ModuleSizes scratch;
  const ModuleSizes& sizes = module_sizes(job, scratch);
  std::vector<Bytes> loads(sizes.bytes.begin() + 1, sizes.bytes.end());
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    const LayerSpec& spec = job.model.layers[layer];
    loads[layer] += cache_bytes(token_of(spec, s), s) + state_bytes(spec, s);
  }
  loads.back() += tied_head(job);
  return loads;
}

/// A GPU that does not take the next module is left for good (model_ls.py); what the last one does not hold is counted there.
std::vector<Stage> split(const Job& job, const Settings& s, Bytes step) {
  const std::vector<Bytes> loads = loads_of(job, s);
  const auto layers = static_cast<std::int64_t>(job.model.layers.size());
  const std::int64_t devices = job.scenario.device_count();
  std::vector<Stage> stages;
  std::size_t next = 0;
  for (const DeviceGroup& group : job.scenario.hardware) {
    const Bytes taken = overhead_term(job, group.device, Bytes()).bytes + step + s.reserve;
    const Bytes room = group.capacity() > taken ? group.capacity() - taken : Bytes();
    for (std::int64_t i = 0; i < group.count; ++i) {
      const std::size_t first = next;
      const bool is_last = static_cast<std::int64_t>(stages.size()) + 1 == devices;
      for (Bytes used; next < loads.size() && (is_last || used + loads[next] <= room); ++next) used += loads[next];
      const auto begin = std::min(static_cast<std::int64_t>(first), layers);
      stages.push_back({begin, std::min(static_cast<std::int64_t>(next), layers), false, first < loads.size() && next == loads.size()});
    }
  }
  return stages;
}

DevicePlan plan_device(const Job& job, const Settings& s, const Stage& stage, const Term& step, std::size_t group) {
  const DeviceGroup& kind = job.scenario.hardware[group];
  DevicePlan device;
  device.group = group;
  device.capacity = kind.capacity();
  device.limit = device.capacity > s.reserve ? device.capacity - s.reserve : Bytes();
  Bytes moving;
  if (stage.first < stage.end || stage.is_last) {
    device.terms.push_back(weights_term(job, stage));
    device.terms.push_back(cache_term(job, s, stage));
    if (Term states = state_term(job, s, stage); states.bytes > Bytes()) device.terms.push_back(std::move(states));
    device.terms.push_back(step);
    moving = step.bytes;
  }
  device.terms.push_back(overhead_term(job, kind.device, moving));
  device.reserved = device.total();
  device.observed = device.total() + kind.used;
  return device;
}

/// A GPU that is fuller than we say takes fewer layers, which go to the next: what its bounds have above its limit is the next one's.
void pass_on_excess(std::vector<DevicePlan>& devices) {
  Bytes excess;
  for (DevicePlan& device : devices) {
    device.terms.front().high += excess;
    excess = &device == &devices.back() ? Bytes() : device.high() - device.limit;
    Bytes over = excess;
    for (Term& term : device.terms) {
      const Bytes cut = std::min(over, term.high - term.bytes);
      term.high -= cut;
      over -= cut;
    }
  }
}

/// Checkpoints of rings and states, of which a generator keeps up to recurrent_cache_size for prompts that come again.
Term checkpoints_term(const Job& job) {
  Term term;
  term.id = "prompt_cache";
  term.basis = Basis::modelled;
  term.source = kHostSource;
  term.bytes = term.high = 4 * kGiB;
  if (job.explain) term.formula.rows.push_back({"earlier_prompts", {}, term.bytes, true});
  return term;
}

HostPlan plan_host(const Job& job, const Settings& s) {
  HostPlan host;
  Term term;
  term.id = "weights";
  term.source = kHostSource;
  for (const Tensor& tensor : job.tensors)
    if (tensor.role == TensorRole::embedding && tensor.part == ModelPart::text && !tensor.is_copy) term.bytes += tensor.bytes();
  term.low = term.high = term.bytes;
  if (job.explain) term.formula.rows.push_back({"embeddings", {}, term.bytes, true});
  host.terms.push_back(std::move(term));
  const bool has_states = std::any_of(job.model.layers.begin(), job.model.layers.end(),
                                      [&](const LayerSpec& layer) { return state_bytes(layer, s) > Bytes(); });
  if (has_states) host.terms.push_back(checkpoints_term(job));
  if (job.scenario.host) host.capacity = job.scenario.host->capacity();
  return host;
}

std::optional<Notice> device_problem(const Scenario& s) {
  if (s.hardware.empty())
    return notice::custom("needs_device", "params.hardware", "ExLlamaV3 needs at least one NVIDIA GPU.", "hardware", "[]", "at least one GPU");
  const Parallel& p = s.parallel;
  if (p.pipeline != 1 || p.data != 1 || p.expert)
    return notice::custom("layout_not_counted", "params.parallel",
                          "ExLlamaV3 deals whole layers out to the GPUs: expected no pipeline, data or expert parallel.", "parallel",
                          "pipeline " + grouped(p.pipeline) + ", data " + grouped(p.data), "layers over all GPUs");
  for (const DeviceGroup& group : s.hardware) {
    if (group.device.backend != "cuda")
      return notice::custom("unsupported", "params.hardware", "ExLlamaV3 runs on NVIDIA GPUs only: expected a CUDA device.", "backend",
                            group.device.backend, "cuda");
    if (const int capability = group.device.compute_capability; capability > 0 && capability < kLeastCapability)
      return needs_capability("params.hardware", "ExLlamaV3", kLeastCapability, capability);
  }
  return std::nullopt;
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  if (std::optional<Notice> problem = device_problem(job.scenario)) return problem;
  // README.md: of Gemma 4 the models with embeddings for every layer are not supported.
  const auto is_shared = [](const LayerSpec& layer) { return layer.shares_cache || std::holds_alternative<EncoderAttention>(layer.mixer); };
  if (find_architecture(job.model.architecture) == nullptr || std::any_of(job.model.layers.begin(), job.model.layers.end(), is_shared))
    return unknown_architecture("ExLlamaV3", job.model.architecture);
  const std::string_view format = stored_format(job);
  if (exllamav3_engine().loads(format)) return std::nullopt;
  plan.nearest_weights_format = "exl3-4bpw";
  return unloadable_format("ExLlamaV3", format, *plan.nearest_weights_format);
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, exllamav3_engine(), "ExLlamaV3");
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job, *find_architecture(job.model.architecture));
  plan.impossible = too_small_cache("cache_size", job.scenario.options.library.cache_tokens, s.needed_tokens);
  if (plan.impossible) return plan;
  const Term step = compute_term(job, s);
  const std::vector<Stage> stages = split(job, s, step.bytes);
  std::size_t index = 0;
  for (std::size_t group = 0; group < job.scenario.hardware.size(); ++group)
    for (std::int64_t i = 0; i < job.scenario.hardware[group].count; ++i) plan.devices.push_back(plan_device(job, s, stages[index++], step, group));
  pass_on_excess(plan.devices);
  plan.host = plan_host(job, s);
  plan.report.all_gpu_layers = job.model.n_layers() + 1;
  plan.report.kv_cache_tokens = s.cache_tokens;
  plan.report.max_concurrency = static_cast<double>(s.cache_tokens) / static_cast<double>(job.scenario.context_tokens);
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 1}; }

}  // namespace weighbridge::exllamav3

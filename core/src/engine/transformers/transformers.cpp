// SPDX-License-Identifier: Apache-2.0
// Hugging Face transformers: from_pretrained() with device_map, then generate() on `sequences` prompts of equal length. Nothing is set aside: a
// device holds weights, a growing cache and the tensors of one forward pass, and the card's memory is the only limit.
#include "engine/transformers/transformers.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/local_rules.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::transformers {

namespace {

constexpr Source kContextSource{
    "free memory at start-up in public logs of PyTorch programs (A100 0.41 GiB, H100 0.61, RTX 3090 0.4, L4 0.19 before any model); "
    "pytorch/pytorch c10/cuda/CUDACachingAllocator.cpp",
    "https://github.com/pytorch/pytorch/blob/v2.6.0/c10/cuda/CUDACachingAllocator.cpp"};
constexpr Source kWorkspaceSource{"pytorch/pytorch aten/src/ATen/cuda/CublasHandlePool.cpp",
                                  "https://github.com/pytorch/pytorch/blob/v2.6.0/aten/src/ATen/cuda/CublasHandlePool.cpp"};
constexpr int kFlashCapability = 80;
constexpr int kFp8Capability = 89;  // quantizers/quantizer_finegrained_fp8.py; older cards unpack the weights to 16 bit

/// parseChosenWorkspaceSize: 8 x 4 MiB on Hopper, else two of 4 MiB and eight of 16 KiB.
Term workspace_term(const Job& job, const Device& device) {
  const bool is_hopper = device.compute_capability / 10 == 9;
  Term term;
  term.id = "non_torch";
  term.basis = Basis::modelled;
  term.source = kWorkspaceSource;
  if (device.backend == "cuda") term.bytes = is_hopper ? 32 * kMiB : 8 * kMiB + Bytes(8 * 16 * 1024);
  if (device.backend == "rocm") term.bytes = 76 * kMiB;
  term.low = term.bytes;
  term.high = device.backend == "metal" ? Bytes() : std::max(term.bytes, 32 * kMiB) * 2;  // cuBLASLt has one of its own
  if (job.explain) term.formula.rows.push_back({"cublas_workspace", {}, term.bytes, true});
  return term;
}

/// What the driver takes, and what the allocator holds without using it: it keeps freed blocks, which only fit what is not larger.
Term overhead_term(const Job& job, const Device& device, Bytes moving) {
  const bool is_metal = device.backend == "metal";
  const Taken context = is_metal ? Taken{{}, {}, 256 * kMiB} : driver_context(device);
  const Bytes spare = 22 * kMiB;  // the rest of a segment of small blocks and of one of large ones
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.records = 3;  // LukeJYK/AutoScientists, kolyangg/mlops-assignment, Sandermage/genesis-vllm-patches#24
  term.source = kContextSource;
  term.bytes = context.usual + spare;
  term.low = context.low;
  term.high = context.high + spare + moving / 10;
  if (!job.explain) return term;
  if (context.usual > Bytes()) term.formula.rows.push_back({"driver_context", {}, context.usual, true});
  term.formula.rows.push_back({"allocator_spare", {}, spare, true});
  return term;
}

std::optional<Notice> format_problem(const Job& job, Plan& plan) {
  const std::string format(stored_format(job));
  if (!transformers_engine().loads(format)) {
    plan.nearest_weights_format = "nf4";
    return notice::custom("unsupported", "params.weights.format",
                          "transformers does not load checkpoints of the format " + format + ": expected another format, such as nf4.",
                          "weights.format", format, "nf4");
  }
  if (job.scenario.hardware.empty()) return std::nullopt;
  const Device& device = job.scenario.hardware.front().device;
  if (is_fp8(job) && device.compute_capability > 0 && device.compute_capability < kFp8Capability) {
    plan.nearest_weights_format = "bf16";
    return notice::custom("needs_capability", "params.weights.format",
                          "transformers unpacks FP8 weights to 16 bit below compute capability 8.9: expected bf16, got " + format + ".", "fp8",
                          format, "bf16");
  }
  if (is_bitsandbytes(job) && device.backend != "cuda" && device.backend != "rocm") {
    plan.nearest_weights_format = "bf16";
    return notice::custom("unsupported", "params.weights.format",
                          "bitsandbytes quantizes on CUDA and ROCm devices: expected bf16 on a " + device.backend + " device.", "weights.format",
                          format, "bf16");
  }
  return std::nullopt;
}

std::optional<Notice> device_problem(const Job& job) {
  const Scenario& s = job.scenario;
  const bool wants_flash = s.options.library.attn_implementation == "flash_attention_2";
  for (const DeviceGroup& group : s.hardware) {
    const Device& device = group.device;
    if (!is_backend(device.backend))
      return notice::custom("unknown_backend", "params.hardware",
                            "We have no rules for transformers on " + device.backend + " devices: expected a CUDA, ROCm or Metal device.", "backend",
                            device.backend, "CUDA, ROCm or Metal");
    if (device.backend == "vulkan")
      return notice::custom("unknown_backend", "params.hardware",
                            "PyTorch runs no language models through Vulkan: expected a CUDA, ROCm or Metal device.", "backend", device.backend,
                            "CUDA, ROCm or Metal");
    const bool is_old = device.backend == "cuda" && device.compute_capability > 0 && device.compute_capability < kFlashCapability;
    if (wants_flash && (is_old || device.backend == "metal"))
      return notice::custom("unsupported", "params.engine.options.attn_implementation",
                            "flash_attention_2 needs compute capability 8.0 or newer, which " + device.short_name + " has not: expected sdpa.",
                            "attn_implementation", "flash_attention_2", "sdpa");
  }
  if (wants_flash && s.hardware.empty())
    return notice::custom("unsupported", "params.engine.options.attn_implementation", "flash_attention_2 needs a GPU: expected sdpa.",
                          "attn_implementation", "flash_attention_2", "sdpa");
  return std::nullopt;
}

/// Words of from_pretrained() and generate() that were read.
std::optional<Notice> word_problem(const LibraryOptions& o) {
  constexpr std::array<std::string_view, 3> attentions{"sdpa", "eager", "flash_attention_2"};
  constexpr std::array<std::string_view, 4> caches{"dynamic", "static", "offloaded", "quantized"};
  constexpr std::array<std::string_view, 4> maps{"auto", "balanced", "balanced_low_0", "sequential"};
  const auto other_than = [](const std::optional<std::string>& word, const char* option, std::span<const std::string_view> known) {
    if (!word || std::find(known.begin(), known.end(), *word) != known.end()) return std::optional<Notice>();
    const std::string expected = one_of(known);
    return std::optional(
        notice::custom("unsupported", "params.engine.options." + std::string(option),
                       "We have not read what transformers does with " + std::string(option) + " " + excerpt(*word) + ": expected " + expected + ".",
                       option, excerpt(*word), expected));
  };
  if (std::optional<Notice> attention = other_than(o.attn_implementation, "attn_implementation", attentions)) return attention;
  if (std::optional<Notice> cache = other_than(o.cache_implementation, "cache_implementation", caches)) return cache;
  return other_than(o.device_map, "device_map", maps);
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  if (std::optional<Notice> word = word_problem(job.scenario.options.library)) return word;
  const Parallel& p = job.scenario.parallel;
  if (p.pipeline != 1 || p.data != 1 || p.expert)
    return notice::custom("layout_not_counted", "params.parallel",
                          "transformers deals whole layers out to the devices (device_map): expected no pipeline, data or expert parallel.",
                          "parallel", "pipeline " + grouped(p.pipeline) + ", data " + grouped(p.data), "device_map over all devices");
  for (const LayerSpec& layer : job.model.layers.kinds())
    if (std::holds_alternative<CompressedAttention>(layer.mixer))
      return notice::custom("not_counted", "params.model", "We have not read how transformers caches compressed attention: expected another model.",
                            "model", job.model.architecture, "a model without compressed attention");
  if (std::optional<Notice> problem = device_problem(job)) return problem;
  return format_problem(job, plan);
}

/// The largest matrix of the modules that the host holds: hooks bring each to the first device while it is used.
Bytes borrowed_matrix(const Job& job, const Part& host) {
  Bytes most;
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_copy) continue;
    const bool is_head = tensor.layers.first < 0 && tensor.role == TensorRole::output_head;
    const bool is_borrowed = is_head ? host.holds(job.model.n_layers() + 1) : tensor.layers.first >= 0 && !host.empty();
    if (is_borrowed) most = std::max(most, tensor.bytes() / static_cast<std::uint64_t>(tensor.copies()));
  }
  return most;
}

void add_terms(const Job& job, const Rules& rules, const Settings& settings, const Share& share, bool on_device, std::vector<Term>& terms) {
  terms.push_back(weights_term(job, rules, share.part, on_device));
  if (const Bytes matrix = borrowed_matrix(job, share.borrowed); on_device && matrix > Bytes()) {
    Term& weights = terms.back();
    weights.bytes += matrix;
    weights.low += matrix;
    weights.high += matrix * 2;
    if (job.explain) weights.formula.rows.push_back({"matrix_copy", {}, matrix, true});
  }
  terms.push_back(cache_term(job, rules, settings, share));
  if (Term state = recurrent_term(job, settings, share); state.bytes > Bytes()) terms.push_back(std::move(state));
  terms.push_back(compute_term(job, rules, settings, share));
}

/// All modules, on the processor.
HostPlan plan_host_alone(const Job& job, const Rules& rules, const Settings& settings) {
  HostPlan host;
  const Part all{0, job.model.n_layers() + 2};
  add_terms(job, rules, settings, {all, {}, true}, false, host.terms);
  return host;
}

HostPlan plan_host_beside(const Job& job, const Rules& rules, const Settings& settings, const Placement& placement) {
  HostPlan host;
  if (!placement.host.empty()) host.terms.push_back(weights_term(job, rules, placement.host, false));
  if (settings.cache == CacheKind::offloaded) {
    Settings whole = settings;
    whole.cache = CacheKind::dynamic;
    host.terms.push_back(cache_term(job, rules, whole, {{0, job.model.n_layers() + 2}, {}, true}));
  }
  return host;
}

void plan_devices(const Job& job, const Rules& rules, const Settings& settings, const Placement& placement, Plan& plan) {
  std::size_t index = 0;
  for (std::size_t group = 0; group < job.scenario.hardware.size(); ++group) {
    const DeviceGroup& kind = job.scenario.hardware[group];
    for (std::int64_t i = 0; i < kind.count; ++i, ++index) {
      const Share share{placement.devices[index], index == 0 ? placement.host : Part{}, index == 0};
      DevicePlan device;
      device.group = group;
      device.capacity = device.limit = kind.capacity();
      if (!share.part.empty() || !share.borrowed.empty()) {
        add_terms(job, rules, settings, share, true, device.terms);
        device.terms.push_back(workspace_term(job, kind.device));
      }
      Bytes moving;
      for (const Term& term : device.terms)
        if (term.id == "kv_cache" || term.id == "compute") moving += term.bytes;
      device.terms.push_back(overhead_term(job, kind.device, moving));
      device.reserved = device.total();
      device.observed = device.total() + kind.used;
      plan.devices.push_back(std::move(device));
    }
  }
}

void add_warnings(const Job& job, const Rules& rules, const Settings& settings, const Placement& placement, Plan& plan) {
  const std::string& version = job.scenario.engine_version;
  if (!is_known_version(version)) plan.warnings.push_back(unread_version("transformers", version, rules.version));
  if (!placement.host.empty() && !placement.devices.empty())
    plan.warnings.push_back(notice::custom("modules_on_host", "params.hardware",
                                           "device_map leaves " + grouped(placement.host.end - placement.host.first) + " of " +
                                               grouped(job.model.n_layers() + 2) +
                                               " modules to the host's memory, and brings them to the first GPU for every token, which is slow.",
                                           "device_map", grouped(placement.host.end - placement.host.first), grouped(job.model.n_layers() + 2)));
  if (settings.attention == Attention::eager)
    plan.warnings.push_back(notice::custom("eager_scores", "params.engine.options.attn_implementation",
                                           "eager attention holds the scores of all pairs of tokens at once: sdpa does not.", "attn_implementation",
                                           "eager", "sdpa"));
}

}  // namespace

Settings settle(const Job& job, const Rules& rules) {
  const LibraryOptions& o = job.scenario.options.library;
  Settings s;
  if (o.attn_implementation == "eager") s.attention = Attention::eager;
  if (o.attn_implementation == "flash_attention_2") s.attention = Attention::flash;
  if (o.cache_implementation == "static") s.cache = CacheKind::fixed;
  if (o.cache_implementation == "offloaded") s.cache = CacheKind::offloaded;
  if (o.cache_implementation == "quantized") s.cache = CacheKind::quantized;
  s.sequences = job.scenario.sequences;
  s.total_tokens = job.scenario.context_tokens;
  // The longest prompt unless it is said how much of the context is generated.
  s.prompt_tokens = std::max<std::int64_t>(1, s.total_tokens - o.new_tokens.value_or(0));
  s.step_tokens = std::min(s.prompt_tokens, o.prefill_tokens.value_or(s.prompt_tokens));
  const std::int64_t kept = o.logits_to_keep.value_or(rules.all_logits ? 0 : 1);
  s.logit_rows = kept == 0 || rules.all_logits ? s.step_tokens : std::min(kept, s.step_tokens);
  s.logit_bytes = rules.all_logits || !rules.warm_allocator ? 6 : 2;
  if (stored_format(job) == "fp32") s.value_bytes = 4;
  return s;
}

Plan plan(const Job& job) {
  Plan plan;
  const Rules& rules = rules_for(job.scenario.engine_version);
  plan.report.name = "transformers";
  plan.report.version = rules.version;
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings settings = settle(job, rules);
  if (job.scenario.hardware.empty()) {
    plan.host = plan_host_alone(job, rules, settings);
    if (job.scenario.host) plan.host->capacity = job.scenario.host->capacity();
    return plan;
  }
  ModuleSizes scratch;
  const Placement placement = place(job, module_sizes(job, scratch));
  if (!placement.host.empty() && is_bitsandbytes(job)) {
    plan.impossible = notice::custom("unsupported", "params.hardware",
                                     "bitsandbytes keeps no layer in the host's memory, and device_map finds no room for all of them on the GPUs: "
                                     "expected more or larger GPUs.",
                                     "hardware", grouped(job.scenario.device_count()), "more GPU memory");
    return plan;
  }
  plan_devices(job, rules, settings, placement, plan);
  HostPlan host = plan_host_beside(job, rules, settings, placement);
  plan.report.all_gpu_layers = job.model.n_layers() + 1;
  plan.report.tensors_on_host = !placement.host.empty();
  if (!host.terms.empty()) {
    if (job.scenario.host) host.capacity = job.scenario.host->capacity();
    plan.host = std::move(host);
  }
  if (job.explain) add_warnings(job, rules, settings, placement, plan);
  return plan;
}

UsualWorkload usual_workload(const Model& model, const Scenario&) { return {std::min<std::int64_t>(8192, model.max_context_tokens), 1}; }

}  // namespace weighbridge::transformers

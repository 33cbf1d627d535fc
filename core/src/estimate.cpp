// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/estimate.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "engine/serving_rules.hpp"
#include "fit_trial.hpp"
#include "json_text.hpp"
#include "verdict.hpp"
#include "weighbridge/fit.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

bool contains(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string join(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

constexpr std::string_view kNodes = "params.parallel.nodes";

/// Machines that the engine does not spread a model over, or that would hold unlike numbers of devices.
std::optional<Notice> nodes_problem(const Engine& engine, const Scenario& scenario) {
  if (scenario.parallel.nodes == 1) return std::nullopt;
  const std::string nodes = grouped(scenario.parallel.nodes);
  if (engine.machines == Machines::one)
    return notice::custom("one_machine", std::string(kNodes), std::string(engine.title) + " is counted on one machine: expected nodes 1.", "nodes",
                          nodes, "1");
  if (scenario.device_count() % scenario.parallel.nodes == 0) return std::nullopt;
  return notice::not_divisible(std::string(kNodes), "devices", grouped(scenario.device_count()), "a multiple of " + nodes + ", nodes");
}

/// Drivers before R570 show a process one MIG slice only (NVIDIA, MIG user guide, "CUDA device enumeration"); no slice reaches another's memory, and
/// NCCL refuses two ranks on slices of one GPU without settings that no engine makes (NVIDIA/nccl#1716). Copies of a slice each are fine; but the
/// experts of one model lie on all copies together (vLLM).
std::optional<Notice> slices_problem(const Model& model, const Scenario& scenario) {
  const Parallel& p = scenario.parallel;
  const bool has_slices = std::any_of(scenario.hardware.begin(), scenario.hardware.end(), [](const DeviceGroup& group) { return group.device.mig; });
  if (!has_slices || scenario.device_count() == 1 || (p.data == scenario.device_count() && first_moe(model) == nullptr)) return std::nullopt;
  return notice::custom("mig_slices", "params.parallel",
                        "One model over several MIG slices is not counted: drivers before R570 show a process one slice only, and no slice reaches "
                        "the memory of another. Expected one slice for each copy of the model.",
                        "hardware", grouped(scenario.device_count()), "1");
}

/// What the engine as such cannot run, whatever the hardware.
std::optional<Notice> unsupported(const Engine& engine, const Model& model, const Scenario& scenario) {
  if (model.from_gguf && engine.loads_checkpoint_as == nullptr)
    return notice::custom("unsupported", "params.model",
                          "GGUF files are counted with llama.cpp, not with " + std::string(engine.title) + ": expected llama.cpp.", "engine.name",
                          std::string(engine.name), "llama.cpp");
  const Parallel& p = scenario.parallel;
  // Of a layout that follows from the machines alone, they are what does not divide.
  if (!scenario.hardware.empty() && p.nodes > 1 && scenario.device_count() % p.nodes != 0)
    if (std::optional<Notice> uneven = nodes_problem(engine, scenario)) return uneven;
  if (!scenario.hardware.empty() && p.tensor * p.pipeline * p.data != scenario.device_count())
    return notice::custom("parallel_mismatch", "params.parallel",
                          "tensor " + grouped(p.tensor) + " x pipeline " + grouped(p.pipeline) + " x data " + grouped(p.data) + " makes " +
                              grouped(p.tensor * p.pipeline * p.data) + " devices: expected " + grouped(scenario.device_count()) +
                              ", the devices given.",
                          "parallel", grouped(p.tensor * p.pipeline * p.data), grouped(scenario.device_count()));
  if (std::optional<Notice> uneven = nodes_problem(engine, scenario)) return uneven;
  if (std::optional<Notice> apart = slices_problem(model, scenario)) return apart;
  if (scenario.weights_format != "checkpoint" && !contains(engine.weights_formats, scenario.weights_format))
    return notice::custom("unsupported", "params.weights.format",
                          std::string(engine.title) + " does not run " + scenario.weights_format + " weights: expected checkpoint, " +
                              join(engine.weights_formats) + ".",
                          "weights.format", scenario.weights_format, "checkpoint, " + join(engine.weights_formats));
  const auto no_cache = [&](const std::string& type) {
    return notice::custom("unsupported", "params.kv_cache",
                          std::string(engine.title) + " has no " + type + " cache: expected auto, " + join(engine.kv_types) + ".", "kv_cache", type,
                          "auto, " + join(engine.kv_types));
  };
  if (engine.kv_types.empty()) return std::nullopt;
  if (!engine.splits_kv_types && scenario.kv_type != scenario.kv_value_type)
    return no_cache(scenario.kv_type + " keys with " + scenario.kv_value_type + " values");
  for (const std::string& type : {scenario.kv_type, scenario.kv_value_type})
    if (type != "auto" && !contains(engine.kv_types, type)) return no_cache(type);
  return std::nullopt;
}

bool is_partly_on_host(const Model& model, const Scenario& scenario, const EngineReport& report) {
  return report.tensors_on_host || (scenario.cpu_moe_layers > 0 && first_moe(model) != nullptr) ||
         (report.gpu_layers && report.all_gpu_layers && *report.gpu_layers < *report.all_gpu_layers);
}

/// Where devices and processor share one memory, what the devices take of it is gone for the host; its size is the machine's.
void share_memory(const Scenario& scenario, const std::vector<DevicePlan>& devices, HostPlan& host) {
  Bytes taken;
  Bytes size;
  for (const DevicePlan& device : devices) {
    const Device& kind = scenario.hardware[device.group].device;
    if (!kind.unified_memory) continue;
    taken += (device.total() + scenario.hardware[device.group].used) * static_cast<std::uint64_t>(device.count);
    size = std::max(size, kind.driver_bytes);
  }
  if (taken == Bytes()) return;
  host.capacity = std::min(host.capacity.value_or(size), size) - taken;
}

/// Whether this module counts such a model with `engine`: some rules may be in another (serving_rules.hpp).
bool has_rules(const Engine& engine, const Model& model, const Scenario& scenario) {
  if (engine.plan == nullptr) return false;
  if (serving_rules().compressed != nullptr) return true;
  const VllmOptions& options = scenario.options.vllm;
  if (scenario.options.draft_model || options.speculative_method || options.num_speculative_tokens || options.decode_context_parallel_size ||
      options.max_lora_rank || options.mamba_ssm_cache_dtype || scenario.options.block_size || scenario.kv_type == "fp8_e5m2")
    return false;
  if (scenario.engine == "vllm" && !scenario.engine_version.empty() && scenario.engine_version != engine.versions.back()) return false;
  return std::none_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                      [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); });
}

/// Whether a share of more than the whole memory is asked for.
bool exceeds_memory(const Engine& engine, const Scenario& scenario) {
  return scenario.options.gpu_memory_utilization.value_or(0) > 1 && engine.has_option(engine.share_option);
}

/// The same with the whole memory at most: what the needs of a refused share are counted with.
Scenario within_memory(const Scenario& scenario) {
  Scenario capped = scenario;
  capped.options.gpu_memory_utilization = 1;
  return capped;
}

/// More than the whole memory: with the share that the engine starts with, or as much as it may be.
void refuse_share(const Engine& engine, const Scenario& scenario, Plan& plan) {
  const std::string name(engine.share_option);
  const std::string where = "params.engine.options." + name;
  if (plan.impossible && plan.impossible->where != where) return;
  if (!plan.impossible && engine.shares_total && !plan.devices.empty())
    plan.nearest_share = largest_utilization(plan.devices.front(), scenario.hardware.front());
  if (!plan.impossible && !plan.nearest_share) plan.nearest_share = 1;
  plan.impossible = notice::out_of_range(where, name, excerpt(Json(*scenario.options.gpu_memory_utilization)), "a number above 0, up to 1");
}

Result<Estimate> run(const Engine& engine, Prepared& prepared, const Scenario& scenario, bool explain) {
  Result<Estimate> answer;
  Estimate& result = *answer;
  std::optional<Notice> reason = unsupported(engine, prepared.model(), scenario);
  if (reason) {
    result.engine.name = engine.name;
    result.engine.version = engine.versions.back();
  } else {
    std::optional<Scenario> capped;
    if (exceeds_memory(engine, scenario)) capped.emplace(within_memory(scenario));
    Plan plan = engine.plan({prepared.model(), prepared.tensors(), capped ? *capped : scenario, explain, &prepared.memo()});
    if (capped) refuse_share(engine, scenario, plan);
    result.engine = std::move(plan.report);
    result.warnings = std::move(plan.warnings);
    result.verdict.nearest_tensor_parallel = plan.nearest_tensor_parallel;
    result.verdict.nearest_weights_format = plan.nearest_weights_format;
    reason = std::move(plan.impossible);
    if (!reason || !plan.devices.empty()) {
      result.devices = std::move(plan.devices);
      result.host = std::move(plan.host);
      result.verdict = judge(result.devices, plan.tight_at_best);
      if (has_local_rules() && result.host) {
        share_memory(scenario, result.devices, *result.host);
        result.host->holds_model = result.devices.empty() || is_partly_on_host(prepared.model(), scenario, result.engine);
        weigh_host(result.verdict, *result.host, result.devices.empty());
      }
      const Verdict& v = result.verdict;
      result.verdict.nearest_share = v.kind == VerdictClass::no ? plan.nearest_share : std::nullopt;
      if ((v.card_binds || plan.tight_at_best) && v.kind != VerdictClass::fits && engine.shares_total && engine.has_option(engine.share_option) &&
          !scenario.options.vllm.kv_cache_memory_bytes) {
        const DevicePlan& device = result.devices[v.device];
        const DeviceGroup& group = scenario.hardware[device.group];
        const double most = plan.tight_at_best ? kSafeShareOfSystemMemory : 1;
        result.verdict.nearest_share = sure_utilization(device, group, most);
        if (v.kind == VerdictClass::no && !result.verdict.nearest_share) result.verdict.nearest_share = largest_utilization(device, group);
      }
    }
    if (!reason) return answer;
    result.verdict.nearest_parallel = plan.nearest_parallel;
    result.verdict.nearest_context_tokens = plan.nearest_context_tokens;
    result.verdict.nearest_share = plan.nearest_share;
  }
  result.verdict.kind = VerdictClass::impossible;
  result.verdict.reason = std::move(reason);
  return answer;
}

Result<Estimate> run(Prepared& prepared, const Scenario& scenario, bool explain) {
  const Engine* engine = find_engine(scenario.engine);
  if (engine == nullptr) return fail(notice::unknown("unknown_engine", "params.engine.name", "engine", scenario.engine, engine_names()));
  if (!has_rules(*engine, prepared.model(), scenario)) return fail(rules_elsewhere(scenario.engine));
  return run(*engine, prepared, scenario, explain);
}

}  // namespace

std::string_view loaded_format(const Model& model, const Scenario& scenario) {
  const Engine* engine = find_engine(scenario.engine);
  const bool translates = scenario.weights_format == "checkpoint" && engine != nullptr && engine->loads_checkpoint_as != nullptr;
  return translates ? engine->loads_checkpoint_as(model) : std::string_view(scenario.weights_format);
}

Prepared::Prepared(const Model& model, std::string_view weights_format, const Prepared* like)
    : model_(model), is_gguf_(!model.from_gguf && weights_format.starts_with("gguf:")), tensors_(&model.tensors), memo_(std::make_unique<Memo>()) {
  if (is_as_published(model, weights_format)) return;
  if (is_gguf_ && like != nullptr && like->is_gguf_) {
    derived_ = like->derived_;
    change_gguf_format(model, weights_format, derived_);
  } else {
    derived_ = tensors_in(model, weights_format);
  }
  tensors_ = &derived_;
}

Prepared::~Prepared() = default;

Result<Estimate> evaluate(Prepared& prepared, const Scenario& scenario) { return run(prepared, scenario, false); }
Result<Estimate> evaluate_with_rows(Prepared& prepared, const Scenario& scenario) { return run(prepared, scenario, true); }

namespace {

/// By the best figure, whether or not a device may just hold it.
bool is_beyond_devices(const Verdict& verdict) {
  return !verdict.host_binds && (verdict.kind == VerdictClass::no || (verdict.kind == VerdictClass::tight && verdict.need > verdict.limit));
}

/// Whether the command is to have the layers that are offered: the engine's own fit changes nothing, or that number alone (it keeps some memory free,
/// and so another one).
bool names_layers(const EngineReport& engine) {
  if (engine.command.empty() || !engine.fitted) return false;
  return !engine.fitted->is_changed || (engine.fitted->gpu_layers < *engine.gpu_layers && engine.fitted->override_tensor.empty());
}

/// What does not fit on the devices may run with some layers in the host's memory.
void offer_offload(Prepared& prepared, const Scenario& scenario, Estimate& result) {
  const std::int64_t layers = result.engine.gpu_layers.value_or(0);
  if (!is_beyond_devices(result.verdict)) return;
  if (!result.engine.fitted_command.empty()) result.engine.command = result.engine.fitted_command;
  if (layers == 0) return;
  const std::optional<std::int64_t> most = solve_gpu_layers(prepared, scenario, layers - 1);
  if (!most) return;
  Scenario trial = scenario;
  trial.options.llama_cpp.n_gpu_layers = *most;
  const bool is_named = names_layers(result.engine);
  const Result<Estimate> partial = is_named ? evaluate_with_rows(prepared, trial) : evaluate(prepared, trial);
  if (!partial || !partial->host) return;
  if (is_named) result.engine.command = partial->engine.command;
  result.verdict.nearest_gpu_layers = most;
  result.verdict.offload_host_bytes = partial->host->total();
  const VerdictClass host = judge_host(*partial->host);
  if (result.verdict.kind == VerdictClass::no && (host == VerdictClass::fits || host == VerdictClass::tight))
    result.verdict.kind = VerdictClass::offload;
}

/// Unified memory: what does not fit as delivered may fit once the system's limit is raised.
void offer_raised_limit(Prepared& prepared, const Scenario& scenario, Estimate& result) {
  const VerdictClass kind = result.verdict.kind;
  if (kind == VerdictClass::fits || kind == VerdictClass::impossible) return;
  Scenario trial = scenario;
  bool is_raised = false;
  for (DeviceGroup& group : trial.hardware) {
    if (group.raised_limit || group.device.raised_limit_bytes <= group.device.runtime_bytes) continue;
    group.raised_limit = is_raised = true;
    group.device.runtime_bytes = group.device.raised_limit_bytes;
  }
  if (!is_raised) return;
  const Result<Estimate> raised = evaluate(prepared, trial);
  if (!raised || raised->verdict.kind >= kind) return;
  result.verdict.with_raised_limit = raised->verdict.kind;
  const auto group = std::find_if(trial.hardware.begin(), trial.hardware.end(), [](const DeviceGroup& g) { return g.raised_limit; });
  result.warnings.push_back(notice::custom("raise_limit", "params.hardware",
                                           "The system lets the GPU take a part of the memory. `" + group->device.raise_command +
                                               "` raises that part, and then the model has room.",
                                           "raised_limit", group->device.raise_command, "true"));
}

/// What runs with a part of it on the host does run: that nothing of it lies on the devices whole is no limit of it, and how far that goes is not
/// looked for.
void leave_out_nothing(Estimate& result) {
  const VerdictClass kind = result.verdict.kind;
  const bool has_some_there = result.host && result.host->holds_model && !result.devices.empty();
  if (kind != VerdictClass::offload && !(kind == VerdictClass::tight && has_some_there)) return;
  if (result.max_context_tokens == 0) result.max_context_tokens = result.safe_context_tokens = std::nullopt;
  if (result.max_sequences == 0) result.max_sequences = result.safe_sequences = std::nullopt;
}

}  // namespace

void offer_ways_out(Prepared& prepared, const Scenario& scenario, Estimate& result) {
  if (has_local_rules()) offer_offload(prepared, scenario, result);
  offer_raised_limit(prepared, scenario, result);
  if (const auto offer = serving_rules().offer_nearest) offer(prepared, scenario, result.verdict);
}

Result<Estimate> estimate(const Model& model, const Scenario& scenario) {
  Prepared prepared(model, loaded_format(model, scenario));
  return estimate(prepared, scenario);
}

Result<Estimate> estimate(Prepared& prepared, const Scenario& scenario) {
  Result<Estimate> result = run(prepared, scenario, true);
  if (!result) return result;
  if (result->verdict.kind == VerdictClass::impossible && serving_rules().offer_nearest == nullptr) return fail(rules_elsewhere(scenario.engine));
  if (const auto refuse = serving_rules().refuse_overlong) refuse(prepared, scenario, *result);
  offer_ways_out(prepared, scenario, *result);
  const bool has_needs = result->verdict.kind != VerdictClass::impossible || !result->devices.empty();
  if (has_needs && result->verdict.kind != VerdictClass::unknown) {
    const bool exceeds = exceeds_memory(*find_engine(scenario.engine), scenario);
    const Scenario counted = exceeds ? within_memory(scenario) : scenario;
    const Estimate* known = exceeds || is_replayed(scenario) || result->verdict.kind == VerdictClass::impossible ? nullptr : &*result;
    const Limit tokens = solve_context(prepared, counted, prepared.model().max_context_tokens, known);
    const Limit sequences = solve_sequences(prepared, counted, kMaxSequences, known);
    result->max_context_tokens = tokens.best;
    result->safe_context_tokens = tokens.safe;
    result->max_sequences = sequences.best;
    result->safe_sequences = sequences.safe;
    if (const std::optional<Parallel> fewest = solve_fewest_devices(prepared, counted, known)) {
      result->fewest_devices = fewest->tensor * fewest->pipeline;
      result->fewest_stages = fewest->pipeline;
    }
    leave_out_nothing(*result);
  }
  return result;
}

}  // namespace weighbridge

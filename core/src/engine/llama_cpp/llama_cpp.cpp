// SPDX-License-Identifier: Apache-2.0
// llama.cpp: weights, cache and graph buffers device by device, and what stays on the host. The engine sets itself no limit: each device's
// bound is what its card has left.
#include "engine/llama_cpp/llama_cpp.hpp"

#include <algorithm>

#include "engine/local_rules.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::llama_cpp {

namespace {

/// `--mmproj-offload`; llama-server takes the first device (tools/mtmd/clip.cpp, ggml_backend_init_by_type).
bool encodes_on_device(const Job& job) { return !job.scenario.hardware.empty() && job.scenario.options.llama_cpp.mmproj_offload.value_or(true); }

/// All weights on any device and the host.
Bytes all_weights(const Loads& loads) {
  Bytes sum = loads.output.plain + (loads.head == TiedHead::none ? Bytes() : loads.embedding.plain);
  for (const std::vector<Load>* parts : {&loads.layers, &loads.experts})
    for (const Load& load : *parts) sum += load.plain;
  return sum;
}

/// All but the graph's buffer, whose place is behind the cache.
DevicePlan plan_device(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement, int index, std::size_t group_index) {
  const DeviceGroup& group = job.scenario.hardware[group_index];
  const bool padded = pads_rows(group.device);
  DevicePlan device;
  device.group = group_index;
  device.capacity = device.limit = group.capacity();
  device.terms.reserve(5);
  device.terms.push_back(weights_term(job, loads, placement, index, padded));
  device.terms.push_back(cache_term(job, settings, placement, index, padded));
  if (Term state = recurrent_term(job, settings, placement, index); state.bytes > Bytes()) device.terms.push_back(std::move(state));
  return device;
}

void complete(const Job& job, const Settings& settings, const Loads& loads, int index, Term graph, DevicePlan& device) {
  const DeviceGroup& group = job.scenario.hardware[device.group];
  device.terms.push_back(std::move(graph));
  if (device.terms.back().bytes > Bytes()) device.terms.push_back(runtime_pool_term(job, settings, group.device));
  if (auto adapters = adapter_term(job, device.terms.front().bytes, all_weights(loads))) device.terms.push_back(std::move(*adapters));
  if (index == 0 && encodes_on_device(job)) add_projector(job, &group.device, device.terms);
  device.terms.push_back(context_term(job, group.device));
  device.reserved = device.total();
  device.observed = device.reserved + group.used;
}

Bytes whole_cache(const Job& job, const Settings& settings) {
  Bytes cache;
  for (const LayerSpec& layer : job.model.layers)
    if (!layer.shares_cache) cache += cache_bytes(layer.mixer, settings, false);
  return cache;
}

/// Weights, cache and states on the host.
std::vector<Term> held_on_host(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement) {
  std::vector<Term> terms;
  terms.reserve(6);
  terms.push_back(weights_term(job, loads, placement, Placement::kHost, false));
  Term cache = cache_term(job, settings, placement, Placement::kHost, false);
  if (cache.bytes > Bytes()) terms.push_back(std::move(cache));
  if (Term state = recurrent_term(job, settings, placement, Placement::kHost); state.bytes > Bytes()) terms.push_back(std::move(state));
  return terms;
}

HostPlan plan_host(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement, Term graph) {
  HostPlan host;
  if (job.scenario.host) host.capacity = job.scenario.host->capacity();
  host.terms = held_on_host(job, settings, loads, placement);
  host.terms.push_back(std::move(graph));
  host.terms.push_back(output_term(job, settings));
  if (auto adapters = adapter_term(job, host.terms.front().bytes - loads.embedding.plain - loads.tables, all_weights(loads)))
    host.terms.push_back(std::move(*adapters));
  if (encodes_on_device(job))
    add_projector_inputs(job, job.scenario.hardware[device_groups(job.scenario).front()].device, host.terms);
  else
    add_projector(job, nullptr, host.terms);
  if (auto checkpoints = checkpoints_term(job, settings)) host.terms.push_back(std::move(*checkpoints));
  host.terms.push_back(prompt_cache_term(job, whole_cache(job, settings)));
  weigh_loading(job, loads, host);
  return host;
}

/// What the engine accepts, with a line in its log or without.
void add_bad_input_warnings(const Job& job, const Settings& settings, Notices& warnings) {
  const std::int64_t trained = job.model.max_context_tokens;
  const std::int64_t tokens = settings.n_streams == 1 ? settings.n_ctx : settings.cells;
  const auto& n_ctx = job.scenario.options.llama_cpp.n_ctx;
  if (tokens > padded_cells(trained) && n_ctx.value_or(1) > 0 && (settings.n_streams > 1 || settings.n_seq_max == 1))
    warnings.push_back(notice::custom("context_beyond_training", "params.engine.options.n_ctx",
                                      "A sequence may grow to " + grouped(tokens) + " tokens, and the model was trained for " + grouped(trained) +
                                          ": llama.cpp warns of a possible training context overflow and goes on.",
                                      "n_ctx", grouped(tokens), "at most " + grouped(trained)));
  const auto shares = static_cast<std::int64_t>(job.scenario.options.llama_cpp.tensor_split.size());
  const std::int64_t devices = job.scenario.device_count();
  if (shares > devices)
    warnings.push_back(notice::custom("tensor_split_long", "params.engine.options.tensor_split",
                                      "`tensor_split` names " + grouped(shares) + " shares for " + grouped(devices) +
                                          " devices: llama.cpp reads as many as there are devices and goes on.",
                                      "tensor_split", grouped(shares), grouped(devices)));
  if (shares > 0 && shares < devices)
    warnings.push_back(notice::custom("tensor_split_short", "params.engine.options.tensor_split",
                                      "`tensor_split` names " + grouped(shares) + " shares for " + grouped(devices) +
                                          " devices: llama.cpp puts nothing on the others.",
                                      "tensor_split", grouped(shares), grouped(devices)));
}

/// Options that nothing comes of.
void add_idle_warnings(const Job& job, Notices& warnings) {
  const auto warn = [&](std::string where, std::string key, std::string value, std::string message, std::string expected) {
    warnings.push_back(notice::custom("no_effect", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected)));
  };
  const Scenario& scenario = job.scenario;
  const std::int64_t moved = scenario.cpu_moe_layers;
  if (moved > 0 && first_moe(job.model) == nullptr)
    warn("params.offload.cpu_moe_layers", "cpu_moe_layers", grouped(moved),
         "The model has no routed experts: `--n-cpu-moe` leaves everything where it is, and llama.cpp says nothing of it. Fewer layers on the GPU "
         "(`-ngl`) would make room.",
         "0");
  else if (moved > job.model.n_layers())
    warnings.push_back(notice::custom("cpu_moe_layers_capped", "params.offload.cpu_moe_layers",
                                      "The model has " + grouped(job.model.n_layers()) + " layers: `--n-cpu-moe` " + grouped(moved) +
                                          " means the experts of all of them.",
                                      "cpu_moe_layers", grouped(moved), "0 to " + grouped(job.model.n_layers())));
  if (scenario.options.llama_cpp.mmproj.value_or(false) && projector_bytes(job) == Bytes())
    warn("params.engine.options.mmproj", "mmproj", "true", "We know of no image or audio encoder of this model: nothing was counted for `--mmproj`.",
         "a model with an encoder");
  const bool has_rules = !scenario.options.llama_cpp.override_tensor.empty() && !scenario.options.llama_cpp.fit.value_or(false);
  if (has_rules && scenario.options.llama_cpp.moved.empty())
    warn("params.engine.options.override_tensor", "override_tensor", scenario.options.llama_cpp.override_tensor.front().pattern,
         "No tensor of the model has a name that `override_tensor` matches: all stay where they are.", "a pattern such as ffn_.*_exps");
}

void add_warnings(const Job& job, const Settings& settings, Plan& plan) {
  if (settings.attends_on_host) {
    const std::string types = std::string(settings.type_k.name) + ", " + std::string(settings.type_v.name);
    plan.warnings.push_back(notice::custom("slow_cache", "params.kv_cache",
                                           "The GPU has no flash attention for these heads with a cache of " + types +
                                               " (keys, values): attention runs on the processor, which is slow.",
                                           "kv_cache", types, "f16 for both, or q8_0"));
  }
  if (!knows_file_of(job.model))
    plan.warnings.push_back(notice::custom("no_gguf_of_architecture", "params.model",
                                           "We do not know a GGUF file of the architecture `" + job.model.architecture +
                                               "`: its tensors are counted as the checkpoint names them, and llama.cpp may not load it.",
                                           "architecture", job.model.architecture, "an architecture that llama.cpp converts"));
  const std::string& version = job.scenario.engine_version;
  if (!version.empty() && version != kVersion) plan.warnings.push_back(unread_version("llama.cpp", version, kVersion));
  add_bad_input_warnings(job, settings, plan.warnings);
  add_idle_warnings(job, plan.warnings);
  const std::int64_t wanted = job.scenario.options.llama_cpp.n_gpu_layers.value_or(-1);
  const std::int64_t all = layers_of_file(job) + 1;
  if (wanted > all && settings.gpu_layers == all)
    plan.warnings.push_back(
        notice::custom("gpu_layers_capped", "params.offload.gpu_layers",
                       "The model has " + grouped(all) + " layers to offload, the output included; " + grouped(wanted) + " means all of them.",
                       "gpu_layers", grouped(wanted), "-1 to " + grouped(all)));
}

/// What a checkpoint of another kind is converted to with the least loss at about its size.
std::string_view nearest_format(const Model& model) {
  const std::string_view format = checkpoint_format(model);
  if (format == "mxfp4") return "gguf:MXFP4_MOE";
  return format.ends_with("4") || format == "mlx-4bit" ? "gguf:Q4_K_M" : "gguf:Q8_0";
}

void add_draft(DraftTerms draft, Plan& plan) {
  for (std::size_t index = 0; index < plan.devices.size(); ++index) {
    DevicePlan& device = plan.devices[index];
    if (draft.devices[index].high == Bytes()) continue;
    device.reserved += draft.devices[index].bytes;
    device.observed += draft.devices[index].bytes;
    device.terms.push_back(std::move(draft.devices[index]));
  }
  plan.host->terms.push_back(std::move(draft.host));
}

/// Memo::forms
ComputeTerms ample_terms(ComputeTerms terms) {
  const auto form = [&](Term& term) { term.bytes = term.low = term.high = term.high * 2; };
  for (Term& device : terms.devices) form(device);
  form(terms.host);
  return terms;
}

ComputeTerms graph_terms(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement, bool is_hopeless) {
  if (job.memo != nullptr && job.memo->graphs) {
    ComputeTerms given = *job.memo->graphs;
    given.devices.resize(static_cast<std::size_t>(placement.n_devices));
    return given;
  }
  if (job.memo != nullptr && job.memo->forms && !has_poor_forms(job)) return ample_terms(bounded_compute_terms(job, settings, loads, placement));
  return is_hopeless ? bounded_compute_terms(job, settings, loads, placement) : compute_terms(job, settings, loads, placement);
}

Bytes held_bytes(const std::vector<Term>& terms) {
  Bytes sum;
  for (const Term& term : terms)
    if (term.id == "weights" || term.id == "kv_cache" || term.id == "recurrent_state") sum += term.bytes;
  return sum;
}

/// A file with layers that predict further tokens is split as if they were layers of its own: a device, or the host, may be given a layer more.
void widen_for_predictions(const Job& job, const Loads& loads, Plan& plan) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  if (gguf::predictions_of(job.model) != gguf::Predictions::unknown || o.has_predictions || drafts(job)) return;
  Scenario with_predictions = job.scenario;
  with_predictions.options.llama_cpp.has_predictions = true;
  const Job other{job.model, job.tensors, with_predictions, false, nullptr};
  const Settings settings = settle(other);
  const Placement placement = place(other, settings);
  const auto widen = [](Bytes held, std::vector<Term>& terms) {
    const Bytes before = held_bytes(terms);
    if (held > before) terms.front().high += held - before;
  };
  for (std::size_t device = 0; device < plan.devices.size(); ++device)
    widen(held_bytes(plan_device(other, settings, loads, placement, static_cast<int>(device), plan.devices[device].group).terms),
          plan.devices[device].terms);
  widen(held_bytes(held_on_host(other, settings, loads, placement)), plan.host->terms);
}

/// Plans one way of running in which nothing is left to choose.
void plan_settled(const Job& job, const Settings& settings, Plan& plan) {
  std::shared_ptr<const void> kept;
  const Loads& loads = loads_of(job, job.memo != nullptr ? job.memo->loads : kept);
  const Placement placement = place(job, settings);
  if (job.explain) add_warnings(job, settings, plan);
  const std::vector<std::size_t> groups = device_groups(job.scenario);
  for (std::size_t device = 0; device < groups.size(); ++device)
    plan.devices.push_back(plan_device(job, settings, loads, placement, static_cast<int>(device), groups[device]));
  // A solver that passes by needs no exact figure of what does not fit anyway.
  const bool is_shown = job.explain || (job.memo != nullptr && job.memo->is_shown);
  const bool is_hopeless = !is_shown && std::any_of(plan.devices.begin(), plan.devices.end(),
                                                    [](const DevicePlan& device) { return device.total() > device.limit; });
  ComputeTerms graphs = graph_terms(job, settings, loads, placement, is_hopeless);
  for (std::size_t device = 0; device < groups.size(); ++device)
    complete(job, settings, loads, static_cast<int>(device), std::move(graphs.devices[device]), plan.devices[device]);
  plan.host = plan_host(job, settings, loads, placement, std::move(graphs.host));
  widen_for_predictions(job, loads, plan);
  if (auto draft = draft_terms(job, settings, placement)) add_draft(std::move(*draft), plan);
  std::vector<Bytes> taken;
  for (const DevicePlan& device : plan.devices) taken.push_back(device.total());
  if (auto draft = draft_model_terms(job, settings, taken)) add_draft(std::move(*draft), plan);

  plan.report.kv_cache_pool = whole_cache(job, settings);
  plan.report.kv_cache_tokens = settings.cells * settings.n_streams;
  plan.report.gpu_layers = settings.gpu_layers;
  plan.report.all_gpu_layers = layers_of_file(job) + 1;
  plan.report.tensors_on_host = placement.experts_on_host;
  if (!job.explain || !placement.experts_on_host) return;
  for (std::size_t layer = 0; layer < placement.layer_device.size(); ++layer)
    if (placement.layer_device[layer] != Placement::kHost && std::holds_alternative<MoeFfn>(job.model.layers[layer].ffn) &&
        experts_stay(job, static_cast<std::int64_t>(layer)))
      ++plan.report.host_expert_layers;
}

/// The scenario with everything filled in that the engine chooses itself.
Result<Scenario> settled_scenario(const Job& job, EngineReport& report) {
  const auto tell = [&](const Scenario& best, std::string& command) {
    const Job told{job.model, job.tensors, best, false, job.memo};
    if (job.explain && job.scenario.engine == "llama.cpp") command = command_line(told, settle(told));
  };
  Scenario scenario = job.scenario;
  LlamaCppOptions& o = scenario.options.llama_cpp;
  if (!o.override_tensor.empty()) {
    Result<std::vector<MovedTensor>> moved = moved_tensors(job);
    if (!moved) return fail(moved.error());
    o.moved = std::move(*moved);
  }
  const bool fits = o.fit.value_or(false);
  if (!fits) tell(scenario, report.command);
  if (scenario.hardware.empty() || !(fits || job.explain)) return scenario;
  Scenario fitted = scenario;
  report.fitted = fit_to_devices({job.model, job.tensors, scenario, job.explain, job.memo}, fitted);
  tell(fitted, fits ? report.command : report.fitted_command);
  return fits ? fitted : scenario;
}

Plan plan_file(const Job& job) {
  Plan plan;
  plan.report.name = "llama.cpp";
  plan.report.version = kVersion;
  const auto refuse = [&](Notice reason) {
    if (reason.key == "weights.format") plan.nearest_weights_format = nearest_format(job.model);
    plan.impossible = std::move(reason);
    return plan;
  };
  const Settings settings = settle(job);
  if (std::optional<Notice> reason = refusal(job, settings)) return refuse(std::move(*reason));
  if (std::optional<Notice> reason = draft_refusal(job)) return refuse(std::move(*reason));
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  if (!job.explain && o.override_tensor.empty() && !o.fit.value_or(false)) {
    plan_settled(job, settings, plan);
    return plan;
  }
  const Result<Scenario> scenario = settled_scenario(job, plan.report);
  if (!scenario) return refuse(scenario.error());
  if (job.memo != nullptr && job.memo->whole && plan.report.fitted && plan.report.fitted->is_partial) return refuse(Notice());
  const Job settled{job.model, job.tensors, *scenario, job.explain, job.memo};
  plan_settled(settled, settle(settled), plan);
  return plan;
}

}  // namespace

void widen_graphs(Plan& plan, std::uint64_t most) {
  constexpr std::uint64_t whole = 100;
  const auto widen = [&](std::vector<Term>& terms) {
    for (Term& term : terms) {
      if (term.id != "compute" && term.id != "projector_compute") continue;
      term.basis = Basis::modelled;
      term.records = 0;
      term.low = std::min(term.low, term.bytes / 2);
      term.high = std::max(term.high, term.bytes * most / whole);
    }
  };
  for (DevicePlan& device : plan.devices) widen(device.terms);
  if (plan.host) widen(plan.host->terms);
}

Plan plan(const Job& job) {
  if (!drafts(job) || job.model.from_gguf || gguf::keeps_predictions(job.model)) return plan_file(job);
  // The file is another one than the converter's. What is remembered of the job is of the one without prediction layers.
  const std::vector<Tensor> tensors = gguf_tensors_with_predictions(job.model, loaded_format(job.model, job.scenario));
  Memo memo;
  return plan_file({job.model, tensors, job.scenario, job.explain, &memo});
}

}  // namespace weighbridge::llama_cpp

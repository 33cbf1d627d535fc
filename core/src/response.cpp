// SPDX-License-Identifier: Apache-2.0
#include "response.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "engine/serving_rules.hpp"
#include "options.hpp"
#include "solve/running.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// Records from which a band counts as measured.
constexpr int kEnoughRecords = 10;

JsonValue text_or_null(std::string_view text) { return text.empty() ? JsonValue() : JsonValue(text); }
JsonValue bytes_or_null(const std::optional<Bytes>& bytes) { return bytes ? JsonValue(bytes->count()) : JsonValue(); }

std::string_view name_of(Basis basis) {
  switch (basis) {
    case Basis::exact:
      return "exact";
    case Basis::modelled:
      return "modelled";
    case Basis::measured:
      return "measured";
  }
  return "modelled";
}

std::string_view name_of(Op op) {
  switch (op) {
    case Op::times:
      return "times";
    case Op::divide:
      return "divide";
    case Op::ceil_divide:
      return "cdiv";
    case Op::plus:
      return "plus";
    case Op::minus:
      return "minus";
  }
  return "times";
}

void add_factor(JsonOut& factors, const Factor& factor) {
  factors.push_back({{"name", factor.name}, {"value", factor.value}, {"op", name_of(factor.op)}});
}

void add_row(JsonOut& rows, const FormulaRow& row) {
  rows.push_back({{"label", row.label}, {"factors", JsonList{row.factors, add_factor}}, {"bytes", row.bytes.count()}, {"chosen", row.chosen}});
}

/// `explained`: with formula and source; the later devices of a group repeat the figures only.
void add_term(JsonOut& terms, const Term& term, bool explained) {
  const Formula& formula = term.formula;
  const auto if_explained = [explained](std::initializer_list<JsonField> fields) { return explained ? JsonValue(fields) : JsonValue::absent(); };
  terms.push_back({{"id", term.id},
                   {"bytes", term.bytes.count()},
                   {"low_bytes", term.low.count()},
                   {"high_bytes", term.high.count()},
                   {"inside_limit", term.inside_limit},
                   {"basis", name_of(term.basis)},
                   {"records", term.records},
                   {"formula", if_explained({{"combine", formula.is_maximum ? "max" : "sum"},
                                             {"rows", JsonList{formula.rows, add_row}},
                                             {"keys", formula.config_keys},
                                             {"note", text_or_null(formula.note)}})},
                   {"source", if_explained({{"text", term.source.text}, {"url", text_or_null(term.source.url)}})}});
}

auto list_of(const std::vector<Term>& terms, bool explained) {
  return JsonList{terms, [explained](JsonOut& list, const Term& term) { add_term(list, term, explained); }};
}

bool is_measured(const std::vector<Term>& terms) {
  return std::all_of(terms.begin(), terms.end(), [](const Term& term) { return term.basis == Basis::exact || term.records >= kEnoughRecords; });
}

/// All but the device's number, which is what devices of a group differ in.
JsonOut describe_plan(const DevicePlan& plan, const Scenario& scenario, const Verdict& verdict, bool explained) {
  const DeviceGroup& group = scenario.hardware[plan.group];
  const Bytes inside = plan.inside();
  JsonOut json{{"device", group.device.id},
               {"device_name", group.device.short_name},
               {"driver_bytes", group.device.driver_bytes.count()},
               {"runtime_bytes", group.device.runtime_bytes.count()},
               {"used_bytes", group.used.count()},
               {"capacity_bytes", plan.capacity.count()},
               {"limit_bytes", plan.limit.count()},
               {"total_bytes", plan.total().count()},
               {"low_bytes", plan.low().count()},
               {"high_bytes", plan.high().count()},
               {"need_bytes", plan.total().count()},
               {"need_inside_bytes", inside.count()},
               {"free_bytes", difference(plan.limit, inside)},
               {"reserved_bytes", plan.reserved.count()},
               {"observed_bytes", plan.observed.count()},
               {"binding", verdict.card_binds ? "card" : "engine"},
               {"measured", is_measured(plan.terms)},
               {"terms", list_of(plan.terms, explained)}};
  describe_running_on_device(scenario, plan.group, json);
  return json;
}

/// The number of the first device that `plan` describes.
std::int64_t first_index(const Estimate& estimate, std::size_t plan) {
  std::int64_t index = 0;
  for (std::size_t i = 0; i < plan; ++i) index += estimate.devices[i].count;
  return index;
}

}  // namespace

JsonOut describe_group(const DeviceGroup& group, std::int64_t count) {
  const Device& device = group.device;
  JsonOut row{{"device", device.id}, {"count", count}, {"used_bytes", (group.used - group.by_running).count()}};
  if (group.raised_limit) row.add("raised_limit", true);
  if (device.kind == "custom") {
    row.add("memory_bytes", device.runtime_bytes.count());
    row.add("backend", device.backend);
    if (device.bandwidth_gb_s > 0) row.add("bandwidth_gb_s", device.bandwidth_gb_s);
    if (device.tflops.fp16 > 0) row.add("fp16_tflops", device.tflops.fp16);
  }
  return row;
}

template <class Out>
Out describe_parallel(const Parallel& p) {
  if (p.nodes == 1) return {{"tensor", p.tensor}, {"pipeline", p.pipeline}, {"data", p.data}, {"expert", p.expert}};
  return {{"tensor", p.tensor}, {"pipeline", p.pipeline}, {"data", p.data}, {"expert", p.expert}, {"nodes", p.nodes}};
}
template Json describe_parallel(const Parallel&);
template JsonOut describe_parallel(const Parallel&);

JsonOut describe_verdict(const Estimate& estimate, const std::vector<DeviceGroup>& hardware) {
  const Verdict& v = estimate.verdict;
  const bool is_counted = !estimate.devices.empty() || estimate.host;
  const auto counted = [&](const JsonValue& value) { return is_counted ? value : JsonValue(); };
  JsonOut nearest;
  if (v.nearest_share) nearest = {{find_engine(estimate.engine.name)->share_option.data(), *v.nearest_share}};
  if (const auto describe = serving_rules().describe_nearest) describe(v, hardware, nearest);
  JsonOut json{{"class", name_of(v.kind)},
               {"device", is_counted && !v.host_binds ? JsonValue(first_index(estimate, v.device)) : JsonValue()},
               {"need_bytes", counted(v.need.count())},
               {"low_bytes", counted(v.low.count())},
               {"high_bytes", counted(v.high.count())},
               {"limit_bytes", counted(v.limit.count())},
               {"limit", counted(v.host_binds ? "host" : (v.card_binds ? "card" : "engine"))},
               {"free_bytes", counted(difference(v.limit, v.need))},
               {"shortfall_bytes", is_counted ? (v.need - v.limit).count() : 0},
               {"measured", is_counted && is_measured(v.host_binds ? estimate.host->terms : estimate.devices[v.device].terms)},
               {"nearest", nearest},
               {"reason", v.reason ? to_json(*v.reason) : Json()}};
  if (v.with_raised_limit)
    for (const DeviceGroup& group : hardware)
      if (!group.device.raise_command.empty()) {
        json.add("raise", {{"class", name_of(*v.with_raised_limit)}, {"command", group.device.raise_command}});
        break;
      }
  return json;
}

namespace {

JsonOut describe_host(const std::optional<HostPlan>& host, const Scenario& scenario) {
  if (!has_local_rules() || !host) return {{"total_bytes", 0}, {"terms", JsonOut::array()}};
  JsonOut json{{"total_bytes", host->total().count()}, {"low_bytes", host->low().count()},
               {"high_bytes", host->high().count()},   {"capacity_bytes", bytes_or_null(host->capacity)},
               {"class", name_of(judge_host(*host))},  {"load_peak_bytes", host->load_peak.count()},
               {"mapped_bytes", host->mapped.count()}, {"terms", list_of(host->terms, true)}};
  describe_running_on_host(scenario, json);
  return json;
}

JsonOut describe_fitted(const Fitted& fitted) {
  const auto add_rule = [](JsonOut& rules, const TensorOverride& rule) { rules.push_back(rule.pattern + "=" + rule.buffer); };
  return {{"changed", fitted.is_changed},
          {"whole", fitted.is_whole},
          {"n_ctx", fitted.n_ctx},
          {"n_gpu_layers", fitted.gpu_layers},
          {"tensor_split", fitted.tensor_split},
          {"override_tensor", JsonList{fitted.override_tensor, add_rule}},
          {"flags", fitted.flags}};
}

JsonOut describe_engine_report(const EngineReport& engine) {
  const auto if_known = [](const std::optional<std::int64_t>& number) { return number ? JsonValue(*number) : JsonValue::absent(); };
  JsonOut json{{"name", engine.name},
               {"version", engine.version},
               {"kv_cache_tokens", engine.kv_cache_tokens},
               {"kv_cache_pool_bytes", bytes_or_null(engine.kv_cache_pool)},
               {"max_concurrency", engine.max_concurrency},
               {"gpu_layers", if_known(engine.gpu_layers)},
               {"all_gpu_layers", if_known(engine.all_gpu_layers)},
               {"default_context_tokens", if_known(engine.default_context_tokens)}};
  if (has_local_rules() && engine.host_expert_layers > 0) json.add("host_expert_layers", engine.host_expert_layers);
  if (has_local_rules() && engine.fitted) json.add("fit", describe_fitted(*engine.fitted));
  if (!engine.command.empty()) json.add("command", engine.command);
  return json;
}

Bytes loaded_bytes(const std::vector<Tensor>& tensors, bool speech) {
  Bytes bytes;
  for (const Tensor& tensor : tensors)
    if (tensor.part != ModelPart::mtp && (speech || tensor.part != ModelPart::speech) && !tensor.is_copy) bytes += tensor.bytes();
  return bytes;
}

/// The formats a person is offered: the checkpoint, and what the engine runs beside it. 32-bit weights are nobody's choice.
JsonOut describe_formats(const Model& model, const Engine& engine) {
  const bool loads_gguf = engine.loads_checkpoint_as != nullptr;
  const std::string_view published = model.from_gguf ? "checkpoint" : loads_gguf ? engine.loads_checkpoint_as(model) : checkpoint_format(model);
  JsonOut formats = JsonOut::array();
  const auto holds = [](const std::vector<std::string_view>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto add = [&](std::string_view format, std::string_view resolved, bool runs) {
    formats.push_back({{"format", format},
                       {"resolved", resolved},
                       {"bytes", loaded_bytes(tensors_in(model, format), engine.loads_speech).count()},
                       {"supported", runs},
                       {"reason", runs ? JsonValue() : JsonValue("unsupported")}});
  };
  const bool runs_published = holds(engine.weights_formats, published) || holds(engine.checkpoint_formats, published);
  add("checkpoint", published, model.from_gguf ? loads_gguf : runs_published);
  const bool has_bf16 = holds(engine.weights_formats, "bf16");
  for (const std::string_view format : engine.weights_formats) {
    const bool same_width = (format == "fp16" || format == "bf16") && (published == "fp16" || published == "bf16");
    if (format == published || same_width || format == "fp32" || (format == "fp16" && has_bf16)) continue;
    add(format, format, true);
  }
  return formats;
}

JsonOut describe_devices(const Request& request, const Estimate& estimate, JsonOut& groups) {
  JsonOut devices = JsonOut::array();
  std::int64_t index = 0;
  for (const DevicePlan& plan : estimate.devices) {
    const DeviceGroup& group = request.scenario.hardware[plan.group];
    groups.push_back({{"first", index}, {"count", plan.count}, {"device", group.device.id}, {"device_index", index}});
    JsonOut described = describe_plan(plan, request.scenario, estimate.verdict, true);
    for (std::int64_t i = 0; i < plan.count; ++i, ++index) {
      if (i == 1) described = describe_plan(plan, request.scenario, estimate.verdict, false);
      devices.push_back({"name", "GPU " + std::to_string(index)}, described);
    }
  }
  return devices;
}

/// The request with everything filled in: what was counted.
JsonOut describe_request(const Request& request, const Estimate& estimate) {
  const Scenario& s = request.scenario;
  JsonOut hardware = JsonOut::array();
  for (const DeviceGroup& group : s.hardware) hardware.push_back(describe_group(group, group.count));
  JsonOut described{{"model", {{"id", request.model().id}}},
                    {"weights", {{"format", s.weights_format}}},
                    {"kv_cache", {{"k", s.kv_type}, {"v", s.kv_value_type}}},
                    {"engine", {{"name", s.engine}, {"version", estimate.engine.version}, {"options", describe_options(s.options, s.engine)}}},
                    {"workload", {{"context_tokens", s.context_tokens}, {"sequences", s.sequences}}},
                    {"hardware", hardware},
                    {"parallel", describe_parallel<JsonOut>(s.parallel)}};
  if (s.host || s.host_gb_s) {
    JsonOut host = JsonOut::object();
    if (s.host) {
      host.add("memory_bytes", s.host->memory.count());
      host.add("used_bytes", (s.host->used - s.host->by_running).count());
    }
    if (s.host_gb_s) host.add("bandwidth_gb_s", *s.host_gb_s);
    described.add("host", host);
  }
  if (!request.running.empty()) described.add("running", request.running);
  if (s.cpu_moe_layers > 0) described.add("offload", {{"cpu_moe_layers", s.cpu_moe_layers}});
  return described;
}

}  // namespace

std::string_view name_of(VerdictClass kind) {
  switch (kind) {
    case VerdictClass::fits:
      return "fits";
    case VerdictClass::tight:
      return "tight";
    case VerdictClass::offload:
      return "offload";
    case VerdictClass::no:
      return "no";
    case VerdictClass::impossible:
      return "impossible";
    case VerdictClass::unknown:
      return "unknown";
  }
  return "unknown";
}

Json to_json(const Notice& notice) {
  return {{"code", notice.code},
          {"where", notice.where},
          {"message", notice.message},
          {"values", {{"key", notice.key}, {"value", notice.value}, {"expected", notice.expected}}}};
}

Json to_json(const Notices& notices) {
  Json list = Json::array();
  for (const Notice& notice : notices) list.push_back(to_json(notice));
  return list;
}

JsonOut describe_model(const Model& model) {
  const ParameterCounts counts = count_parameters(model.tensors);
  const MoeFfn* moe = first_moe(model);
  const SlidingLayers windows = sliding_layers(model);
  return {{"id", model.id},
          {"slug", model.slug},
          {"name", model.name},
          {"architecture", model.architecture},
          {"parameters",
           {{"text", counts.text},
            {"mtp", counts.mtp},
            {"multimodal", counts.multimodal},
            {"total", counts.text + counts.mtp + counts.multimodal},
            {"stored", counts.stored}}},
          {"active_parameters", count_active_parameters(model)},
          {"checkpoint_bytes", total_bytes(model.tensors).count()},
          {"checkpoint_format", checkpoint_format(model)},
          {"max_context_tokens", model.max_context_tokens},
          {"n_layers", model.n_layers()},
          {"hidden_size", model.hidden_size},
          {"n_experts", moe != nullptr ? moe->n_experts : 0},
          {"n_experts_used", moe != nullptr ? moe->n_experts_used : 0},
          {"attention", attention_kind(model)},
          {"sliding_window", windows.window},
          {"n_sliding_layers", windows.n_layers}};
}

JsonOut describe_host_bytes(const Estimate& estimate) { return estimate.host ? JsonOut(estimate.host->total().count()) : JsonOut(); }

JsonOut describe_estimate(const Request& request, const Estimate& estimate, KeptFormats& formats) {
  const EngineReport& engine = estimate.engine;
  JsonOut groups = JsonOut::array();
  JsonOut devices = describe_devices(request, estimate, groups);
  JsonOut result{{"model", describe_model(request.model())},
                 {"engine", describe_engine_report(engine)},
                 {"devices", devices},
                 {"groups", groups},
                 {"host", describe_host(estimate.host, request.scenario)},
                 {"verdict", describe_verdict(estimate, request.scenario.hardware)},
                 {"max_context_tokens", estimate.max_context_tokens},
                 {"safe_context_tokens", estimate.safe_context_tokens},
                 {"max_sequences", estimate.max_sequences},
                 {"safe_sequences", estimate.safe_sequences},
                 {"fewest_devices", estimate.fewest_devices},
                 {"request", describe_request(request, estimate)}};
  if (estimate.fewest_stages > 1) result.add("fewest_stages", estimate.fewest_stages);
  const Engine* known = find_engine(engine.name);
  if (known != nullptr && request.own) result.add("weights_formats", describe_formats(*request.own, *known));
  if (known != nullptr && !request.own) {
    if (formats.model != &request.model() || formats.engine != known) formats = {&request.model(), known, describe_formats(request.model(), *known)};
    result.add("weights_formats", formats.list);
  }
  return result;
}

}  // namespace weighbridge

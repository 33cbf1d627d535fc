// SPDX-License-Identifier: Apache-2.0
#include "request.hpp"

#include <algorithm>

#include "engine/engine.hpp"
#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"
#include "key_reader.hpp"
#include "options.hpp"
#include "share_text.hpp"
#include "solve/running.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

const Json& empty_object() {
  static const Json empty = Json::object();
  return empty;
}

/// The object under `key`, an empty one if it is absent; anything else is an error.
Result<const Json*> object_under(const Json& params, const char* key) {
  const auto found = params.find(key);
  if (found == params.end() || found->is_null()) return &empty_object();
  if (!found->is_object()) return fail(notice::wrong_type(std::string("params.") + key, key, excerpt(*found), "an object"));
  return &*found;
}

/// The first names of a list, and how many more there are: a sentence is not a catalogue.
std::string slugs_of(const std::vector<std::string>& entries) {
  constexpr std::size_t most = 12;
  std::string names;
  for (std::size_t i = 0; i < entries.size() && i < most; ++i) names += (names.empty() ? "" : ", ") + entries[i];
  if (entries.size() > most) names += " and " + std::to_string(entries.size() - most) + " more in `catalogue`";
  return names.empty() ? "a loaded catalogue" : names;
}

std::string known_models(const Catalogue& catalogue) {
  std::vector<std::string> names;
  for (const CatalogueModel& entry : catalogue.models()) names.push_back(entry.slug);
  return slugs_of(names);
}

std::string known_devices(const Catalogue& catalogue) {
  std::vector<std::string> names;
  for (const CatalogueDevice& entry : catalogue.devices()) names.push_back(entry.device.slug);
  return slugs_of(names);
}

/// What is in use of `memory`: no more than there is, and then with a warning.
Bytes used_of(Bytes memory, KeyReader& keys, const std::string& where, const std::string& name, Notices& warnings) {
  const Bytes used(static_cast<std::uint64_t>(keys.count_or_zero("used_bytes", kMostBytes)));
  if (keys.error() || used <= memory) return used;
  warnings.push_back(notice::custom("used_capped", where + ".used_bytes",
                                    name + " has " + gib_text(memory) + " GiB: so much was counted as in use, not " + gib_text(used) + ".", name,
                                    gib_text(used), gib_text(memory)));
  return memory;
}

Result<DeviceGroup> read_group(const Json& row, const std::string& where, const Catalogue& catalogue, Notices& warnings) {
  if (!row.is_object()) return fail(notice::wrong_type(where, "hardware", excerpt(row), "an object with device and count"));
  KeyReader keys(row, where, warnings);
  keys.warn_of_other_keys({"device", "count", "used_bytes", "raised_limit", "memory_bytes", "bandwidth_gb_s", "fp16_tflops", "backend", "name"});
  DeviceGroup group;
  group.count = keys.positive_or("count", kMaxDevices, 1, "");
  const std::optional<std::string> name = keys.text_if_given("device");
  if (name) {
    const CatalogueDevice* known = catalogue.find_device(*name);
    if (known == nullptr && !keys.has("memory_bytes"))
      return fail(notice::unknown("unknown_device", where + ".device", "GPU", *name, "one of " + known_devices(catalogue) + ", or memory_bytes"));
    if (known != nullptr) group.device = known->device;
  } else if (!keys.has("memory_bytes")) {
    return fail(notice::missing_key(where + ".device", "device", "a device id, or memory_bytes"));
  }
  if (group.device.id.empty()) {
    group.device.id = name.value_or("custom");
    group.device.slug = group.device.id;
    group.device.kind = "custom";
    group.device.backend = lower_case(keys.text_if_given("backend").value_or("cuda"));
    if (!is_backend(group.device.backend))
      return fail(notice::unknown("unknown_backend", where + ".backend", "backend", group.device.backend, std::string(kBackendNames)));
    group.device.runtime_bytes = group.device.driver_bytes = Bytes(static_cast<std::uint64_t>(keys.positive("memory_bytes", kMostBytes)));
    const std::string size = decimal_text(static_cast<double>(group.device.runtime_bytes.count()) / kGiBytes);
    group.device.name = group.device.short_name = keys.text_if_given("name").value_or(group.device.id == "custom" ? size + " GiB GPU"
                                                                                                                  : group.device.id);
    group.device.bandwidth_gb_s = keys.fraction("bandwidth_gb_s", kMostBandwidth).value_or(0);
    group.device.tflops.fp16 = keys.fraction("fp16_tflops", kMostTflops).value_or(0);
  }
  group.raised_limit = keys.flag_or("raised_limit", false);
  if (group.raised_limit && group.device.raised_limit_bytes == Bytes())
    return fail(notice::custom("no_raised_limit", where + ".raised_limit",
                               group.device.short_name + " has no limit that can be raised: expected raised_limit false.", "raised_limit",
                               group.device.short_name, "false"));
  if (group.raised_limit) group.device.runtime_bytes = group.device.raised_limit_bytes;
  group.used = used_of(group.device.runtime_bytes, keys, where, group.device.short_name, warnings);
  if (keys.error()) return fail(*keys.error());
  return group;
}

Result<void> read_hardware(const Json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings) {
  constexpr std::size_t most_groups = 64;
  const auto found = params.find("hardware");
  if (found == params.end()) return fail(notice::missing_key("params.hardware", "hardware", "a list of devices, [] for CPU only"));
  if (!found->is_array()) return fail(notice::wrong_type("params.hardware", "hardware", excerpt(*found), "a list of devices"));
  if (found->size() > most_groups)
    return fail(
        notice::out_of_range("params.hardware", "hardware", grouped(static_cast<std::int64_t>(found->size())), "at most 64 kinds of devices"));
  for (std::size_t i = 0; i < found->size(); ++i) {
    Result<DeviceGroup> group = read_group((*found)[i], "params.hardware[" + std::to_string(i) + "]", catalogue, warnings);
    if (!group) return fail(group.error());
    scenario.hardware.push_back(std::move(*group));
  }
  if (scenario.device_count() > kMaxDevices)
    return fail(
        notice::out_of_range("params.hardware", "count", grouped(scenario.device_count()), "at most " + grouped(kMaxDevices) + " devices in all"));
  return {};
}

Result<void> read_engine(const Json& params, Scenario& scenario, Notices& warnings) {
  const Result<const Json*> engine = object_under(params, "engine");
  if (!engine) return fail(engine.error());
  KeyReader keys(**engine, "params.engine", warnings);
  keys.warn_of_other_keys({"name", "version", "options"});
  scenario.engine = keys.text_if_given("name").value_or("vllm");
  scenario.engine_version = keys.text_if_given("version").value_or("");
  const Json& options = (*engine)->contains("options") ? (**engine)["options"] : empty_object();
  if (!options.is_object()) return fail(notice::wrong_type("params.engine.options", "options", excerpt(options), "an object"));
  KeyReader reader(options, "params.engine.options", warnings);
  read_options(reader, scenario);
  for (const auto& error : {keys.error(), reader.error()})
    if (error) return fail(*error);
  return {};
}

/// The workload, in which the engine's own options win; what neither gives is the engine's setting or the page's default.
Result<void> read_workload(const Json& params, const Model& model, Scenario& scenario, Notices& warnings) {
  const Result<const Json*> workload = object_under(params, "workload");
  if (!workload) return fail(workload.error());
  KeyReader keys(**workload, "params.workload", warnings);
  keys.warn_of_other_keys({"context_tokens", "sequences", "average_tokens", "shared_prefix_tokens", "prompt_tokens"});
  const std::optional<std::int64_t> context = keys.positive_if_given("context_tokens", model.max_context_tokens);
  const std::optional<std::int64_t> sequences = keys.positive_if_given("sequences", kMaxSequences);
  scenario.average_tokens = keys.positive_if_given("average_tokens", model.max_context_tokens);
  scenario.prompt_tokens = keys.positive_if_given("prompt_tokens", model.max_context_tokens);
  scenario.shared_prefix_tokens = keys.count_or_zero("shared_prefix_tokens", model.max_context_tokens);
  if (keys.error()) return fail(*keys.error());
  const EngineOptions& o = scenario.options;
  const Engine* engine = find_engine(scenario.engine);
  const bool is_llama_cpp = engine != nullptr && engine->is_llama_cpp();
  UsualWorkload usual{std::min<std::int64_t>(32768, model.max_context_tokens), engine != nullptr ? engine->usual.sequences : UsualChoice().sequences};
  if (engine != nullptr && engine->usual_workload != nullptr) usual = engine->usual_workload(model, scenario);
  if (is_llama_cpp && engine->usual_workload == nullptr) {
    // n_ctx is the total over all sequences; the workload counts each one.
    scenario.sequences = o.llama_cpp.n_seq_max.value_or(sequences.value_or(usual.sequences));
    if (scenario.sequences < 0) scenario.sequences = kServerSlots;
    const std::int64_t given = o.llama_cpp.n_ctx.value_or(0);
    const std::int64_t total = given > 0 ? given : model.max_context_tokens;
    scenario.context_tokens = o.llama_cpp.n_ctx ? std::max<std::int64_t>(1, total / scenario.sequences) : context.value_or(usual.context_tokens);
    return {};
  }
  if (is_llama_cpp) {
    // What runs llama.cpp makes caches of the length and for the number that it is told, whatever the requests need of them.
    const std::int64_t tokens = o.llama_cpp.n_ctx.value_or(context.value_or(usual.context_tokens));
    if (o.llama_cpp.n_ctx && tokens > model.max_context_tokens)
      warnings.push_back(notice::custom("context_capped", "params.engine.options",
                                        "The model was trained for " + grouped(model.max_context_tokens) + " tokens: so many were counted, not " +
                                            grouped(tokens) + ".",
                                        "n_ctx", grouped(tokens), grouped(model.max_context_tokens)));
    scenario.context_tokens = std::min(tokens, model.max_context_tokens);
    scenario.sequences = o.llama_cpp.n_seq_max.value_or(sequences.value_or(usual.sequences));
    return {};
  }
  const std::optional<std::int64_t>& longest = o.max_model_len;
  const std::optional<std::int64_t>& slots = o.max_num_seqs;
  if (longest && *longest > model.max_context_tokens) {
    const auto name_of = serving_rules().longest_sequence_option;
    const std::string name(name_of != nullptr ? name_of(scenario.engine) : "max_model_len");
    return fail(notice::out_of_range("params.engine.options." + name, name, grouped(*longest),
                                     "a whole number from 1 to " + grouped(model.max_context_tokens)));
  }
  scenario.context_tokens = std::min(context.value_or(longest.value_or(usual.context_tokens)), model.max_context_tokens);
  if (longest) scenario.context_tokens = std::min(scenario.context_tokens, *longest);
  scenario.sequences = sequences.value_or(slots.value_or(usual.sequences));
  if (slots) scenario.sequences = std::min(scenario.sequences, *slots);
  return {};
}

/// Torch's names for what others call bf16 and f16.
std::string cache_type_name(const std::string& name) {
  if (name == "bfloat16") return "bf16";
  return name == "float16" ? "f16" : name;
}

Result<void> read_formats(const Json& params, Scenario& scenario, Notices& warnings) {
  const Result<const Json*> weights = object_under(params, "weights");
  if (!weights) return fail(weights.error());
  const Result<const Json*> cache = object_under(params, "kv_cache");
  if (!cache) return fail(cache.error());
  KeyReader weight_keys(**weights, "params.weights", warnings);
  KeyReader cache_keys(**cache, "params.kv_cache", warnings);
  weight_keys.warn_of_other_keys({"format"});
  cache_keys.warn_of_other_keys({"k", "v"});
  const std::string format = weight_keys.text_if_given("format").value_or("checkpoint");
  std::string k = lower_case(cache_keys.text_if_given("k").value_or("auto"));
  std::string v = lower_case(cache_keys.text_if_given("v").value_or(k));
  if (scenario.options.kv_cache_dtype) k = v = *scenario.options.kv_cache_dtype;
  scenario.kv_type = cache_type_name(scenario.options.llama_cpp.type_k.value_or(k));
  scenario.kv_value_type = cache_type_name(scenario.options.llama_cpp.type_v.value_or(v));
  for (const auto& error : {weight_keys.error(), cache_keys.error()})
    if (error) return fail(*error);
  const std::optional<std::string_view> known = find_weights_format(format);
  if (!known) {
    std::string names = "checkpoint";
    for (const WeightsFormat& other : weights_formats()) names += ", " + std::string(other.name);
    names += ", or a GGUF file type such as gguf:Q4_K_M";
    return fail(notice::unknown("unknown_format", "params.weights.format", "weights format", format, names));
  }
  scenario.weights_format = *known;
  return {};
}

Result<void> read_parallel(const Json& params, Scenario& scenario, Notices& warnings) {
  scenario.parallel.tensor = std::max<std::int64_t>(1, scenario.device_count());
  const Result<const Json*> parallel = object_under(params, "parallel");
  if (!parallel) return fail(parallel.error());
  if ((*parallel)->empty()) return {};
  KeyReader keys(**parallel, "params.parallel", warnings);
  keys.warn_of_other_keys({"tensor", "pipeline", "data", "expert", "nodes"});
  scenario.parallel.nodes = keys.positive_or("nodes", kMaxDevices, 1, "");
  const Engine* engine = find_engine(scenario.engine);
  const bool is_staged = engine != nullptr && engine->machines == Machines::staged && !keys.has("tensor") && !keys.has("data");
  scenario.parallel.pipeline = keys.positive_or("pipeline", kMaxDevices, is_staged ? scenario.parallel.nodes : 1, "");
  scenario.parallel.data = keys.positive_or("data", kMaxDevices, 1, "");
  const std::int64_t others = scenario.parallel.pipeline * scenario.parallel.data;
  if (!keys.error())
    scenario.parallel.tensor = keys.positive_or("tensor", kMaxDevices, std::max<std::int64_t>(1, scenario.device_count() / others), "");
  scenario.parallel.expert = keys.flag_or("expert", false);
  if (keys.error()) return fail(*keys.error());
  return {};
}

Result<void> read_host(const Json& params, Scenario& scenario, Notices& warnings) {
  const Result<const Json*> host = object_under(params, "host");
  if (!host) return fail(host.error());
  KeyReader keys(**host, "params.host", warnings);
  keys.warn_of_other_keys({"memory_bytes", "used_bytes", "bandwidth_gb_s", "os"});
  scenario.host_gb_s = keys.fraction("bandwidth_gb_s", kMostBandwidth);
  if (keys.text_if_given("os") == "windows")
    warnings.push_back(notice::custom("os_not_counted", "params.host.os",
                                      "Devices were counted with what Linux leaves of their memory; what Windows takes is not known: name it as "
                                      "memory in use.",
                                      "os", "windows", "memory in use"));
  if (keys.has("memory_bytes")) {
    const Bytes memory(static_cast<std::uint64_t>(keys.positive("memory_bytes", kMostBytes)));
    scenario.host = Host{memory, used_of(memory, keys, "params.host", "The system memory", warnings), {}};
  }
  const Result<const Json*> offload = object_under(params, "offload");
  if (!offload) return fail(offload.error());
  KeyReader parts(**offload, "params.offload", warnings);
  parts.warn_of_other_keys({"gpu_layers", "cpu_moe_layers"});
  scenario.cpu_moe_layers = parts.count_or_zero("cpu_moe_layers", kMostLayers);
  std::optional<std::int64_t>& layers = scenario.options.llama_cpp.n_gpu_layers;
  if (!layers) layers = parts.whole_number_if_given("gpu_layers", -1, kMostLayers);
  for (const auto& error : {keys.error(), parts.error()})
    if (error) return fail(*error);
  return {};
}

}  // namespace

namespace {

/// A spec wins over the config that it was read from.
Result<Model> read_own_model(const Json& choice, const std::string& where, ConfigReader reader, Notices& warnings) {
  if (const auto spec = choice.find("spec"); spec != choice.end()) return read_spec_alone(*spec, where + ".spec");
  if (reader == nullptr) return fail(notice::missing_key(where + ".spec", "spec", "the spec that read_config answers"));
  return reader(*choice.find("config"), where + ".config", warnings);
}

}  // namespace

Result<Request> read_model_choice(const Json& choice, const std::string& where, const Catalogue& catalogue, Notices& warnings) {
  if (!choice.is_object()) return fail(notice::wrong_type(where, "model", excerpt(choice), "an object with id or config"));
  KeyReader keys(choice, where, warnings);
  keys.warn_of_other_keys({"id", "config", "spec", "name", "hub"});
  const std::optional<std::string> id = keys.text_if_given("id");
  const std::optional<std::string> name = keys.text_if_given("name");
  if (keys.error()) return fail(*keys.error());
  Request request;
  if (choice.contains("spec") || choice.contains("config")) {
    Result<Model> model = read_own_model(choice, where, catalogue.config_reader(), warnings);
    if (!model) return fail(model.error());
    request.own = std::move(*model);
    request.own->id = id.value_or("");
    request.own->name = name.value_or(id.value_or(""));
    const CatalogueModel* known = id && choice.contains("spec") ? catalogue.find_model(*id) : nullptr;
    if (known != nullptr) name_model(*known, *request.own);
    return request;
  }
  if (const std::optional<std::string> hub = keys.text_if_given("hub"); hub && !id)
    return fail(notice::custom("not_read_yet", where + ".hub",
                               "`" + *hub + "` of Hugging Face has to be read first: expected its spec or its config.", "hub", *hub,
                               "its spec or its config"));
  if (!id) return fail(notice::missing_key(where + ".id", "id", "the id of a model, or its config"));
  request.entry = catalogue.find_model(*id);
  if (request.entry == nullptr)
    return fail(notice::unknown("unknown_model", where + ".id", "model", *id, "one of " + known_models(catalogue) + ", or a config.json"));
  if (!request.entry->model) return fail(notice::missing_key(where + ".spec", "spec", "the spec of `" + *id + "`, which the catalogue only lists"));
  return request;
}

Result<Scenario> read_scenario(const Json& params, const Model& model, const Catalogue& catalogue, Notices& warnings) {
  Scenario scenario;
  if (auto read = read_engine(params, scenario, warnings); !read) return fail(read.error());
  if (auto read = read_hardware(params, catalogue, scenario, warnings); !read) return fail(read.error());
  if (auto read = read_workload(params, model, scenario, warnings); !read) return fail(read.error());
  if (auto read = read_formats(params, scenario, warnings); !read) return fail(read.error());
  if (auto read = read_parallel(params, scenario, warnings); !read) return fail(read.error());
  if (auto read = read_host(params, scenario, warnings); !read) return fail(read.error());
  if (const auto read_draft = local_rules().read_draft; read_draft != nullptr)
    if (auto read = read_draft(params, catalogue, scenario, warnings); !read) return fail(read.error());
  if (const auto running = params.find("running"); running != params.end() && (!running->is_array() || !running->empty())) {
    const auto place_running = local_rules().place_running;
    if (place_running == nullptr) return fail(rules_elsewhere("running models"));
    if (auto read = place_running(params, catalogue, scenario, warnings); !read) return fail(read.error());
  }
  return scenario;
}

Result<Request> read_request(const Json& params, const Catalogue& catalogue, Notices& warnings) {
  if (!params.is_object()) return fail(notice::wrong_type("params", "params", excerpt(params), "an object"));
  KeyReader keys(params, "params", warnings);
  keys.warn_of_other_keys({"model", "weights", "kv_cache", "engine", "workload", "hardware", "host", "parallel", "offload", "draft", "running"});
  const auto choice = params.find("model");
  if (choice == params.end()) return fail(notice::missing_key("params.model", "model", "an object with id or config"));
  Result<Request> request = read_model_choice(*choice, "params.model", catalogue, warnings);
  if (!request) return request;
  Result<Scenario> scenario = read_scenario(params, request->model(), catalogue, warnings);
  if (!scenario) return fail(scenario.error());
  return Request{std::move(request->own), request->entry, std::move(*scenario), running_as_given(params)};
}

}  // namespace weighbridge

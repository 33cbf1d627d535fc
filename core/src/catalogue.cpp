// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/catalogue.hpp"

#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "weighbridge/model_spec.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

std::string text_of(const Json& row, std::string_view key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> texts_of(const Json& row, std::string_view key) {
  std::vector<std::string> texts;
  const auto found = row.find(key);
  if (found == row.end() || !found->is_array()) return texts;
  for (const Json& item : *found)
    if (item.is_string()) texts.push_back(item.get<std::string>());
  return texts;
}

double number_of(const Json& row, std::string_view key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_number() ? found->get<double>() : 0.0;
}

bool flag_of(const Json& row, std::string_view key) {
  const auto found = row.find(key);
  return found != row.end() && found->is_boolean() && found->get<bool>();
}

/// A row's model, from its spec or, in a build that reads configs, from its config; nothing if the row only lists it.
Result<std::optional<Model>> model_of_row(const Json& row, const std::string& where, const NameTable& names, ConfigReader reader) {
  Notices ignored;  // defaults that HF leaves out are part of the published config
  const auto spec = row.find("spec");
  const auto config = row.find("config");
  if (spec == row.end() && (config == row.end() || reader == nullptr)) return std::optional<Model>();
  Result<Model> model = spec != row.end() ? read_spec(*spec, where + ".spec", names) : reader(*config, where + ".config", ignored);
  if (!model) return fail(model.error());
  return std::optional<Model>(std::move(*model));
}

/// `[parameters, n_experts, max_context_tokens, attention, checkpoint_format]`, as catalogue.pack writes it.
bool read_summary(const Json& row, ModelSummary& summary) {
  const auto found = row.find("summary");
  if (found == row.end() || !found->is_array() || found->size() != 5 || !(*found)[3].is_string() || !(*found)[4].is_string()) return false;
  const auto number = [&](std::size_t at) { return whole_number_of((*found)[at]).value_or(0); };
  summary = {number(0), number(1), number(2), (*found)[3].get<std::string>(), (*found)[4].get<std::string>()};
  return summary.max_context_tokens > 0;
}

Result<CatalogueModel> read_model(const Json& row, const std::string& where, const NameTable& names, ConfigReader reader) {
  if (!row.is_object()) return fail(notice::wrong_type(where, "models", excerpt(row), "an object for each model"));
  Result<std::optional<Model>> model = model_of_row(row, where, names, reader);
  if (!model) return fail(model.error());
  CatalogueModel entry;
  entry.id = text_of(row, "id");
  entry.slug = text_of(row, "slug");
  entry.name = text_of(row, "name");
  entry.aliases = texts_of(row, "aliases");
  entry.kind = text_of(row, "kind");
  entry.relation = text_of(row, "relation");
  entry.released = text_of(row, "released");
  entry.license = text_of(row, "license");
  if (entry.id.empty() || entry.slug.empty()) return fail(notice::missing_key(where, "id", "an id and a slug"));
  entry.model = std::move(*model);
  if (entry.model) {
    entry.summary = summary_of(*entry.model);
    name_model(entry, *entry.model);
  } else if (!read_summary(row, entry.summary)) {
    return fail(notice::missing_key(where + ".summary", "summary", "the model's spec, or its summary"));
  }
  return entry;
}

/// "9.0" -> 90; 0 if there is none.
int capability_of(const std::string& text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string::npos || dot == 0 || dot > 2 || dot + 1 >= text.size()) return 0;
  int major = 0;
  for (std::size_t i = 0; i < dot; ++i) major = major * 10 + (text[i] - '0');
  return major * 10 + (text[dot + 1] - '0');
}

/// Runtimes of accelerators that the catalogue lists and no engine is counted for: Ascend, TPU, Trainium, Gaudi, Moore Threads, Cambricon, Hygon
/// and Tenstorrent.
constexpr std::array<std::string_view, 8> kListedBackends{"cann", "xla", "neuron", "synapse", "musa", "cnrt", "dtk", "metalium"};

bool is_listed_backend(std::string_view name) { return std::find(kListedBackends.begin(), kListedBackends.end(), name) != kListedBackends.end(); }

Result<CatalogueDevice> read_device(const Json& row, const std::string& where) {
  if (!row.is_object()) return fail(notice::wrong_type(where, "devices", excerpt(row), "an object for each device"));
  const auto memory = row.find("memory");
  if (memory == row.end() || !memory->is_object()) return fail(notice::missing_key(where + ".memory", "memory", "an object with runtime_mib"));
  CatalogueDevice entry;
  Device& device = entry.device;
  device.id = text_of(row, "id");
  device.slug = text_of(row, "slug");
  device.name = text_of(row, "name");
  device.short_name = text_of(row, "short_name");
  device.vendor = text_of(row, "vendor");
  device.backend = text_of(row, "backend");
  device.kind = text_of(row, "kind");
  device.architecture = text_of(row, "architecture");
  device.compute_capability = capability_of(text_of(row, "compute_capability"));
  device.marketed_gb = number_of(*memory, "marketed_gb");
  device.driver_bytes = scaled(kMiB, number_of(*memory, "driver_mib"));
  device.runtime_bytes = scaled(kMiB, number_of(*memory, "runtime_mib"));
  device.runtime_measured = text_of(*memory, "runtime_basis") != "estimated";
  device.unified_memory = flag_of(row, "unified_memory");
  device.mig = flag_of(row, "mig");
  device.default_limit_bytes = scaled(kMiB, number_of(*memory, "default_limit_mib"));
  device.raised_limit_bytes = scaled(kMiB, number_of(*memory, "raised_limit_mib"));
  device.raise_command = text_of(*memory, "raise_command");
  device.formats = texts_of(row, "formats");
  device.bandwidth_gb_s = number_of(row, "bandwidth_gb_s");
  device.link_gb_s = number_of(row, "link_gb_s");
  const auto tflops = row.find("tflops");
  if (tflops != row.end() && tflops->is_object())
    device.tflops = {number_of(*tflops, "fp32"), number_of(*tflops, "fp16"), number_of(*tflops, "fp16_fp16acc"),
                     number_of(*tflops, "int8"), number_of(*tflops, "fp8"),  number_of(*tflops, "fp4")};
  entry.aliases = texts_of(row, "aliases");
  if (!is_backend(device.backend) && !is_listed_backend(device.backend))
    return fail(notice::unknown("unknown_backend", where + ".backend", "backend", device.backend, std::string(kBackendNames)));
  if (device.id.empty() || device.slug.empty() || device.runtime_bytes == Bytes())
    return fail(notice::missing_key(where, "id", "an id, a slug and memory.runtime_mib"));
  return entry;
}

/// Whether `name` is `wanted`, which is in lower case. Hundreds of names are asked for each request, and a copy of one takes as long as all of them.
bool is_called(const std::string& name, const std::string& wanted) {
  if (name.size() != wanted.size()) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (name[i] != wanted[i] && !(name[i] >= 'A' && name[i] <= 'Z' && (name[i] | 0x20) == wanted[i])) return false;
  return true;
}

bool is_named(const std::string& id, const std::string& slug, const std::vector<std::string>& aliases, const std::string& wanted) {
  if (is_called(id, wanted) || is_called(slug, wanted)) return true;
  for (const std::string& alias : aliases)
    if (is_called(alias, wanted)) return true;
  return false;
}

Result<const Json*> rows_of(const Json& file, const char* key) {
  const auto rows = file.is_object() ? file.find(key) : file.end();
  if (rows == file.end() || !rows->is_array())
    return fail(notice::missing_key(std::string("params.") + key, key, std::string("a catalogue file with an array of ") + key));
  return &*rows;
}

}  // namespace

ModelSummary summary_of(const Model& model) {
  const MoeFfn* moe = first_moe(model);
  return {count_parameters(model.tensors).text, moe != nullptr ? moe->n_experts : 0, model.max_context_tokens, std::string(attention_kind(model)),
          std::string(checkpoint_format(model))};
}

void name_model(const CatalogueModel& entry, Model& model) {
  model.id = entry.id;
  model.slug = entry.slug;
  model.name = entry.name;
}

Result<void> Catalogue::load(const Json& models, const Json& devices) {
  const Result<const Json*> model_rows = rows_of(models, "models");
  if (!model_rows) return fail(model_rows.error());
  const Result<const Json*> device_rows = rows_of(devices, "devices");
  if (!device_rows) return fail(device_rows.error());

  Catalogue next(config_reader_);
  const Result<NameTable> names = read_names(models.value("names", Json::array()), "params.models.names");
  if (!names) return fail(names.error());
  next.version_ = text_of(models, "version");
  for (std::size_t i = 0; i < (*model_rows)->size(); ++i) {
    Result<CatalogueModel> model = read_model((**model_rows)[i], "params.models[" + std::to_string(i) + "]", *names, config_reader_);
    if (!model) return fail(model.error());
    next.models_.push_back(std::move(*model));
  }
  for (std::size_t i = 0; i < (*device_rows)->size(); ++i) {
    Result<CatalogueDevice> device = read_device((**device_rows)[i], "params.devices[" + std::to_string(i) + "]");
    if (!device) return fail(device.error());
    next.devices_.push_back(std::move(*device));
  }
  *this = std::move(next);
  return {};
}

Result<void> Catalogue::take_spec(std::string_view id, const Json& spec) {
  const auto entry = std::find_if(models_.begin(), models_.end(), [id](const CatalogueModel& model) { return model.id == id; });
  if (entry == models_.end())
    return fail(notice::unknown("unknown_model", "params.id", "model", std::string(id), "the id of a model of the catalogue"));
  Result<Model> model = read_spec_alone(spec, "params.spec");
  if (!model) return fail(model.error());
  name_model(*entry, *model);
  entry->model = std::move(*model);
  return {};
}

const CatalogueModel* Catalogue::find_model(std::string_view name) const {
  const std::string wanted = lower_case(name);
  for (const CatalogueModel& entry : models_)
    if (is_named(entry.id, entry.slug, entry.aliases, wanted)) return &entry;
  return nullptr;
}

const CatalogueDevice* Catalogue::find_device(std::string_view name) const {
  const std::string wanted = lower_case(name);
  for (const CatalogueDevice& entry : devices_)
    if (is_named(entry.device.id, entry.device.slug, entry.aliases, wanted)) return &entry;
  return nullptr;
}

}  // namespace weighbridge

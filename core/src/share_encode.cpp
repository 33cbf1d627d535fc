// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <span>
#include <vector>

#include "engine/engine.hpp"
#include "json_text.hpp"
#include "share_text.hpp"
#include "weighbridge/share.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// The member under a path of keys, or null. Tolerant by design: a link is written from whatever is there.
const Json& at(const Json& json, std::initializer_list<std::string_view> path) {
  static const Json none;
  const Json* value = &json;
  for (const std::string_view key : path) {
    if (!value->is_object()) return none;
    const auto found = value->find(key);
    if (found == value->end()) return none;
    value = &*found;
  }
  return *value;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); }

class LinkWriter {
 public:
  void add(std::string_view key, std::string_view value) { add_raw(key, escape_link_value(value)); }
  void add_raw(std::string_view key, std::string_view value) {
    text_ += (text_.empty() ? "" : "&") + std::string(key) + (value.empty() ? "" : "=" + std::string(value));
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// "24gib", "24gib@936" with its bandwidth, "24gib@936,71" with what it calculates in 16 bits.
std::string own_device_text(const Json& row) {
  std::string text = decimal_text(at(row, {"memory_bytes"}).get<double>() / kGiBytes) + "gib";
  const Json& bandwidth = at(row, {"bandwidth_gb_s"});
  const Json& tflops = at(row, {"fp16_tflops"});
  if (bandwidth.is_number() || tflops.is_number()) text += "@" + decimal_text(bandwidth.is_number() ? bandwidth.get<double>() : 0);
  if (tflops.is_number()) text += "," + decimal_text(tflops.get<double>());
  return text;
}

std::string hardware_text(const Json& hardware, const Catalogue& catalogue) {
  std::string text;
  for (const Json& row : hardware) {
    const std::string id = text_of(at(row, {"device"}));
    const CatalogueDevice* known = catalogue.find_device(id);
    std::string name = known != nullptr ? known->device.slug : id;
    if (known == nullptr && at(row, {"memory_bytes"}).is_number()) name = own_device_text(row);
    text += (text.empty() ? "" : "+") + std::to_string(whole_number_of(at(row, {"count"})).value_or(1)) + "x" + name;
  }
  return text.empty() ? "none" : text;
}

std::string used_text(const Json& hardware) {
  std::string text;
  bool any = false;
  for (const Json& row : hardware) {
    const Json& used = at(row, {"used_bytes"});
    const double bytes = used.is_number() ? used.get<double>() : 0;
    any = any || bytes > 0;
    text += (text.empty() ? "" : "+") + decimal_text(bytes / kGiBytes);
  }
  return any ? text : std::string();
}

std::int64_t device_count(const Json& hardware) {
  std::int64_t count = 0;
  for (const Json& row : hardware) count += whole_number_of(at(row, {"count"})).value_or(1);
  return count;
}

/// Links write `gguf:Q4_K_M` as `q4_k_m`; the three names that other formats have too keep their prefix.
std::string link_format(const std::string& format) {
  std::string lower = lower_case(format);
  if (!lower.starts_with("gguf:")) return lower;
  std::string bare = lower.substr(5);
  const std::span<const WeightsFormat> others = weights_formats();
  const bool taken = std::any_of(others.begin(), others.end(), [&](const WeightsFormat& other) { return other.name == bare; });
  return taken ? lower : bare;
}

void write_model(LinkWriter& link, const Json& request, const Catalogue& catalogue, bool complete) {
  if (const std::string hub = text_of(at(request, {"model", "hub"})); !hub.empty()) return link.add("hf", hub);
  if (at(request, {"model", "config"}).is_object()) return;  // the caller carries it as `custom`
  const std::string id = text_of(at(request, {"model", "id"}));
  const CatalogueModel* known = catalogue.find_model(id);
  if (known != nullptr && known->id == link_default::model && !complete) return;
  if (!id.empty()) link.add("m", known != nullptr ? known->slug : id);
}

void write_engine(LinkWriter& link, const Json& request, bool complete) {
  const std::string name = text_of(at(request, {"engine", "name"}));
  const std::string version = text_of(at(request, {"engine", "version"}));
  const Engine* engine = find_engine(name);
  const bool is_newest = version.empty() || (engine != nullptr && version == engine->versions.back());
  if ((name.empty() || name == link_default::engine) && is_newest && !complete) return;
  const std::string shown = name.empty() ? std::string(link_default::engine) : name;
  link.add("e", version.empty() || (is_newest && !complete) ? shown : shown + "@" + version);
}

/// What a link with this engine means by itself. A model that the link brings along may be a file, which has a format of its own.
UsualChoice usual_of(const Json& request) {
  const std::string name = text_of(at(request, {"engine", "name"}));
  const Engine* engine = find_engine(name.empty() ? link_default::engine : std::string_view(name));
  UsualChoice usual = engine != nullptr ? engine->usual : UsualChoice();
  if (text_of(at(request, {"model", "id"})).empty()) usual.format = UsualChoice().format;
  return usual;
}

void write_count(LinkWriter& link, std::string_view key, const Json& value, std::int64_t fallback, bool complete) {
  const std::optional<std::int64_t> number = whole_number_of(value);
  if (number && (*number != fallback || complete)) link.add(key, std::to_string(*number));
}

void write_options(LinkWriter& link, const Json& request) {
  const Json& utilization = at(request, {"engine", "options", "gpu_memory_utilization"});
  if (utilization.is_number()) link.add("util", decimal_text(utilization.get<double>()));
  const std::string keys = text_of(at(request, {"kv_cache", "k"}));
  const std::string values = text_of(at(request, {"kv_cache", "v"}));
  const bool is_apart = !values.empty() && values != keys;
  if (is_apart || (!keys.empty() && keys != "auto")) link.add("kv", is_apart ? keys + "," + values : keys);
  if (const auto batch = whole_number_of(at(request, {"engine", "options", "max_num_batched_tokens"}))) link.add("bt", std::to_string(*batch));
  std::optional<std::int64_t> layers = whole_number_of(at(request, {"engine", "options", "n_gpu_layers"}));
  if (!layers) layers = whole_number_of(at(request, {"offload", "gpu_layers"}));
  if (layers && *layers >= 0) link.add("ngl", std::to_string(*layers));
  if (const auto batch = whole_number_of(at(request, {"engine", "options", "n_ubatch"}))) link.add("ub", std::to_string(*batch));
  if (const std::string attention = text_of(at(request, {"engine", "options", "flash_attn"})); attention == "on" || attention == "off")
    link.add("fa", attention);
  const Json& eager = at(request, {"engine", "options", "enforce_eager"});
  if (eager.is_boolean()) link.add("graphs", eager.get<bool>() ? "0" : "1");
}

std::string option_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  if (const auto whole = whole_number_of(value)) return std::to_string(*whole);
  return value.is_number() ? decimal_text(value.get<double>()) : text_of(value);
}

/// Options that have no key of their own, by the engine's names: `o.swa_full=1`.
void write_other_options(LinkWriter& link, const Json& request) {
  if (const auto layers = whole_number_of(at(request, {"offload", "cpu_moe_layers"})); layers && *layers > 0)
    link.add("cmoe", std::to_string(*layers));
  const Json& options = at(request, {"engine", "options"});
  if (!options.is_object()) return;
  for (const auto& [name, value] : options.items()) {
    if (is_any_of(name, {"gpu_memory_utilization", "max_num_batched_tokens", "n_gpu_layers", "n_ubatch", "flash_attn", "enforce_eager"})) continue;
    std::string text;
    for (const Json& item : value.is_array() ? value : Json::array({value})) text += (text.empty() ? "" : ",") + option_text(item);
    link.add("o." + name, text);
  }
}

void write_parallel(LinkWriter& link, const Json& request) {
  const std::int64_t devices = device_count(at(request, {"hardware"}));
  write_count(link, "tp", at(request, {"parallel", "tensor"}), devices, false);
  write_count(link, "pp", at(request, {"parallel", "pipeline"}), 1, false);
  write_count(link, "dp", at(request, {"parallel", "data"}), 1, false);
  if (at(request, {"parallel", "expert"}) == true) link.add("ep", "1");
  write_count(link, "nodes", at(request, {"parallel", "nodes"}), 1, false);
}

/// What requests hold less than at full length.
void write_paging(LinkWriter& link, const Json& request) {
  write_count(link, "avg", at(request, {"workload", "average_tokens"}), 0, false);
  write_count(link, "prefix", at(request, {"workload", "shared_prefix_tokens"}), 0, false);
}

void write_view(LinkWriter& link, const Json& view) {
  const std::string unit = text_of(at(view, {"unit"}));
  if (!unit.empty() && unit != "gib") link.add("unit", unit);
  if (const std::string language = text_of(at(view, {"lang"})); !language.empty()) link.add("lang", language);
  if (const std::string theme = text_of(at(view, {"theme"})); !theme.empty()) link.add("th", theme);
}

}  // namespace

namespace {

/// Other models on the same devices: each a link of its own, as a value. One without an id cannot be carried.
void write_running(LinkWriter& link, const Json& request, const Catalogue& catalogue) {
  const Json& running = at(request, {"running"});
  std::size_t number = 0;
  for (const Json& item : running.is_array() ? running : Json::array()) {
    if (text_of(at(item, {"model", "id"})).empty() && text_of(at(item, {"model", "hub"})).empty()) continue;
    const Result<Json> own = encode_link({{"request", item}}, catalogue);
    if (own) link.add("run." + std::to_string(++number), (*own)["hash"].get_ref<const std::string&>());
  }
}

}  // namespace

Result<Json> encode_link(const Json& params, const Catalogue& catalogue) {
  const Json& request = at(params, {"request"});
  if (!request.is_object()) return fail(notice::wrong_type("params.request", "request", excerpt(request), "the params of an estimate"));
  const bool complete = at(params, {"complete"}) == true;
  LinkWriter link;
  write_model(link, request, catalogue, complete);
  const UsualChoice meant = usual_of(request);
  // A request without a format means the checkpoint; a link, what the engine is usually given.
  std::string format = text_of(at(request, {"weights", "format"}));
  if (format.empty()) format = UsualChoice().format;
  if (format != meant.format || (complete && format != UsualChoice().format)) link.add("w", link_format(format));
  if (const auto context = whole_number_of(at(request, {"workload", "context_tokens"}));
      context && (complete || *context != link_default::context_tokens))
    link.add("ctx", tokens_text(*context));
  write_count(link, "n", at(request, {"workload", "sequences"}), meant.sequences, complete);
  if (const Json& hardware = at(request, {"hardware"}); hardware.is_array()) {
    const std::string text = hardware_text(hardware, catalogue);
    const CatalogueDevice* usual = catalogue.find_device(link_default::device);
    const std::string usual_text = std::to_string(link_default::device_count) + "x" +
                                   (usual != nullptr ? usual->device.slug : std::string(link_default::device));
    if (text != usual_text || complete) link.add("g", text);
    if (const std::string used = used_text(hardware); !used.empty()) link.add("used", used);
  }
  if (const Json& hardware = at(request, {"hardware"}); hardware.is_array())
    if (std::any_of(hardware.begin(), hardware.end(), [](const Json& row) { return at(row, {"raised_limit"}) == true; })) link.add("raised", "1");
  if (const Json& memory = at(request, {"host", "memory_bytes"}); memory.is_number()) link.add("ram", decimal_text(memory.get<double>() / kGiBytes));
  if (const Json& rate = at(request, {"host", "bandwidth_gb_s"}); rate.is_number()) link.add("rambw", decimal_text(rate.get<double>()));
  write_engine(link, request, complete);
  write_paging(link, request);
  write_parallel(link, request);
  write_options(link, request);
  write_other_options(link, request);
  write_running(link, request, catalogue);
  if (const std::string custom = text_of(at(params, {"custom"})); !custom.empty()) link.add("c", custom);
  write_view(link, at(params, {"view"}));
  if (const Json& shared = at(params, {"shared"}); shared.is_object()) {
    link.add("d", text_of(at(shared, {"data"})));
    if (at(shared, {"total_gib"}).is_number()) link.add("t", decimal_text(at(shared, {"total_gib"}).get<double>()));
  }
  if (const Json& kept = at(params, {"kept"}); kept.is_array())
    for (const Json& pair : kept)
      if (pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string())
        link.add_raw(pair[0].get_ref<const std::string&>(), pair[1].get_ref<const std::string&>());
  if (link.text().empty()) return Json{{"hash", ""}};
  return Json{{"hash", "v=" + std::to_string(link_default::version) + "&" + link.text()}};
}

}  // namespace weighbridge

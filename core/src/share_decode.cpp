// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "engine/engine.hpp"
#include "json_text.hpp"
#include "options.hpp"
#include "share_text.hpp"
#include "weighbridge/scenario.hpp"
#include "weighbridge/share.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// Reads one link: each key has a small function; what none of them understands stays in `kept` or becomes a notice.
class LinkReader {
 public:
  explicit LinkReader(const Catalogue& catalogue) : catalogue_(catalogue) {
    // Assigned one by one: as one list they are a kilobyte of the module that a first view loads.
    request_["model"]["id"] = link_default::model;
    request_["weights"] = Json::object();
    request_["kv_cache"]["k"] = "auto";
    request_["kv_cache"]["v"] = "auto";
    request_["engine"]["name"] = link_default::engine;
    request_["engine"]["options"] = Json::object();
    request_["workload"]["context_tokens"] = link_default::context_tokens;
    request_["hardware"].push_back(counted("device", link_default::device, link_default::device_count));
  }

  Json read(std::string_view text) && {
    if (text.starts_with("#")) text.remove_prefix(1);
    if (text.size() > kMostLinkText) {
      reject("link", grouped(static_cast<std::int64_t>(text.size())) + " characters",
             "at most " + grouped(static_cast<std::int64_t>(kMostLinkText)) + " characters");
      text = {};
    }
    split(text);
    // The model comes first: it bounds the context. A used amount needs its devices.
    for (const Handler& handler : kHandlers)
      for (const Entry& entry : entries_)
        if (entry.key == handler.key) (this->*handler.read)(unescape_link_value(entry.raw));
    clamp_default_context();
    take_usual();
    for (const Entry& entry : entries_)
      if (!read_option(entry) && !read_running(entry) &&
          std::none_of(kHandlers.begin(), kHandlers.end(), [&](const Handler& h) { return h.key == entry.key; }))
        keep(entry);
    return {{"request", std::move(request_)}, {"view", std::move(view_)},     {"kept", std::move(kept_)},
            {"custom", std::move(custom_)},   {"shared", std::move(shared_)}, {"notices", std::move(notices_)}};
  }

 private:
  struct Entry {
    std::string key;
    std::string raw;
  };
  struct Handler {
    std::string_view key;
    void (LinkReader::*read)(const std::string& value);
  };

  void split(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('&');
      const std::string_view part = text.substr(0, end);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
      if (part.empty()) continue;
      const std::size_t equals = part.find('=');
      Entry entry{std::string(part.substr(0, equals)), equals == std::string_view::npos ? "" : std::string(part.substr(equals + 1))};
      const auto earlier = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == entry.key; });
      if (earlier == entries_.end()) {
        entries_.push_back(std::move(entry));
        continue;
      }
      reject(entry.key, earlier->raw, "each key once; the last one counts");
      *earlier = std::move(entry);
    }
  }

  static Json counted(Json row, std::int64_t count) {
    row["count"] = count;
    row["used_bytes"] = 0;
    return row;
  }
  static Json counted(const char* key, std::string_view name, std::int64_t count) {
    Json row;
    row[key] = name;
    return counted(std::move(row), count);
  }

  void note(std::string_view code, std::string_view key, std::string_view value, std::string_view expected, std::string message) {
    Json notice;
    notice["code"] = code;
    notice["where"] = "link." + std::string(key);
    notice["message"] = std::move(message);
    Json& values = notice["values"];
    values["key"] = key;
    values["value"] = value;
    values["expected"] = expected;
    notices_.push_back(std::move(notice));
  }

  void keep(const Entry& entry) {
    kept_.push_back(Json::array({entry.key, entry.raw}));
    if (entry.key.compare(0, 2, "b.") == 0 || entry.key.compare(0, 2, "c.") == 0) return;  // what is compared with this, for the page that does
    note("unknown_key", entry.key, entry.raw, "",
         "This link has a setting that this version does not know: `" + entry.key + "=" + entry.raw + "`. It stays in the link but is not counted.");
  }

  void reject(std::string_view key, std::string_view value, std::string_view expected, const char* code = "invalid_value") {
    std::string message = "`";
    message.append(key).append("=").append(value).append("` in this link: expected ").append(expected).append(".");
    note(code, key, value, expected, std::move(message));
  }

  void read_version(const std::string& value) {
    const std::optional<std::int64_t> version = digits_of(value);
    if (!version) return reject("v", value, "a whole number");
    if (*version > link_default::version)
      reject("v", value,
             "version " + std::to_string(link_default::version) + ": this link was made with a newer version, some settings may be missing",
             "newer_link");
  }

  void read_model(const std::string& value) {
    if (request_["model"].contains("hub")) return reject("m", value, "no other model beside hf");
    const CatalogueModel* known = catalogue_.find_model(value);
    if (known == nullptr)
      return reject("m", value, "a model of the catalogue; " + std::string(link_default::model) + " was counted", "unknown_model");
    request_["model"]["id"] = known->id;
  }

  void read_weights(const std::string& value) {
    std::optional<std::string_view> format = find_weights_format(value);
    if (!format) format = find_weights_format("gguf:" + value);
    if (!format)
      return reject("w", value, "checkpoint, bf16, fp16, fp32, fp8, int8, int4 or a GGUF file type such as q4_k_m; the usual one was counted",
                    "unknown_format");
    request_["weights"]["format"] = *format;
  }

  [[nodiscard]] std::int64_t most_context() const {
    if (request_["model"].contains("hub") || !custom_.is_null()) return kMaxContextTokens;
    const CatalogueModel* known = catalogue_.find_model(request_["model"]["id"].get_ref<const std::string&>());
    return known != nullptr ? known->summary.max_context_tokens : kMaxContextTokens;
  }

  void read_context(const std::string& value) {
    context_given_ = true;
    const std::optional<std::int64_t> tokens = tokens_of(value);
    const std::int64_t most = most_context();
    if (tokens && *tokens >= 1 && *tokens <= most) {
      request_["workload"]["context_tokens"] = *tokens;
      return;
    }
    const std::int64_t counted = tokens && *tokens > most ? most : std::min(link_default::context_tokens, most);
    request_["workload"]["context_tokens"] = counted;
    reject("ctx", value, "1 to " + grouped(most) + " tokens; " + grouped(counted) + " were counted", "out_of_range");
  }

  void clamp_default_context() {
    if (!context_given_) request_["workload"]["context_tokens"] = std::min(link_default::context_tokens, most_context());
  }

  [[nodiscard]] UsualChoice usual() const {
    const Engine* engine = find_engine(request_["engine"]["name"].get_ref<const std::string&>());
    return engine != nullptr ? engine->usual : UsualChoice();
  }

  /// What the engine's people start from. A model that the link brings along may be a file, which has a format of its own.
  void take_usual() {
    const bool is_own = !custom_.is_null() || request_["model"].contains("hub");
    if (Json& weights = request_["weights"]; weights.empty()) weights["format"] = is_own ? UsualChoice().format : usual().format;
    if (Json& workload = request_["workload"]; !workload.contains("sequences")) workload["sequences"] = usual().sequences;
  }

  void read_sequences(const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number < 1 || *number > kMaxSequences)
      return reject("n", value,
                    "1 to " + grouped(kMaxSequences) + " requests; " + grouped(usual().sequences) +
                        (usual().sequences == 1 ? " was counted" : " were counted"),
                    "out_of_range");
    request_["workload"]["sequences"] = *number;
  }

  void read_tokens(std::string_view key, const char* member, const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number < 1 || *number > kMaxContextTokens) return reject(key, value, "1 to " + grouped(kMaxContextTokens), "out_of_range");
    request_["workload"][member] = *number;
  }
  void read_average(const std::string& value) { read_tokens("avg", "average_tokens", value); }
  void read_prefix(const std::string& value) { read_tokens("prefix", "shared_prefix_tokens", value); }

  /// A device that is known by its memory, as own_device_text() writes it; nothing if it is none. 0: not known.
  [[nodiscard]] static Json own_device_row(std::string_view text) {
    const std::size_t sign = text.find('@');
    const std::string memory = lower_case(text.substr(0, sign));
    if (!memory.ends_with("gib")) return {};
    const std::optional<double> gib = decimal_of(std::string_view(memory).substr(0, memory.size() - 3));
    if (!gib || *gib <= 0 || *gib > kMostGiBytes) return {};
    Json row;
    row["memory_bytes"] = static_cast<std::int64_t>(*gib * kGiBytes);
    if (sign == std::string_view::npos) return row;
    const std::string_view rates = text.substr(sign + 1);
    const std::size_t comma = rates.find(',');
    const std::optional<double> bandwidth = decimal_of(rates.substr(0, comma));
    const std::optional<double> tflops = comma == std::string_view::npos ? 0 : decimal_of(rates.substr(comma + 1));
    if (!bandwidth || *bandwidth > kMostBandwidth || !tflops || *tflops > kMostTflops) return {};
    if (*bandwidth > 0) row["bandwidth_gb_s"] = *bandwidth;
    if (*tflops > 0) row["fp16_tflops"] = *tflops;
    return row;
  }

  /// "8xh200", "h200", "2x24gib"; nothing if it is none of these.
  [[nodiscard]] Json device_row(std::string_view text) {
    std::int64_t count = 1;
    if (const std::size_t x = text.find('x'); x != std::string_view::npos)
      if (const std::optional<std::int64_t> given = digits_of(text.substr(0, x))) {
        count = *given;
        text.remove_prefix(x + 1);
      }
    if (count < 1 || count > kMaxDevices) {
      reject("g", std::to_string(count), "1 to " + grouped(kMaxDevices) + " devices", "out_of_range");
      return {};
    }
    if (const CatalogueDevice* known = catalogue_.find_device(text)) return counted("device", known->device.id, count);
    if (Json own = own_device_row(text); !own.is_null()) return counted(std::move(own), count);
    reject("g", text, "a GPU of the catalogue, or its memory such as 24gib; the default was counted", "unknown_device");
    return {};
  }

  void read_hardware(const std::string& value) {
    constexpr std::size_t most_kinds = 64;
    Json rows = Json::array();
    std::string_view rest = value == "none" ? std::string_view() : std::string_view(value);
    while (!rest.empty()) {
      const std::size_t plus = rest.find('+');
      Json row = device_row(rest.substr(0, plus));
      if (row.is_null() || rows.size() == most_kinds) return;
      rows.push_back(std::move(row));
      rest = plus == std::string_view::npos ? std::string_view() : rest.substr(plus + 1);
    }
    request_["hardware"] = std::move(rows);
  }

  void read_used(const std::string& value) {
    std::string_view rest = value;
    for (Json& row : request_["hardware"]) {
      const std::size_t plus = rest.find('+');
      const std::optional<double> gib = decimal_of(rest.substr(0, plus));
      if (!gib || *gib > kMostGiBytes) return reject("used", value, "GiB for each kind of GPU, such as 2.1");
      row["used_bytes"] = static_cast<std::int64_t>(*gib * kGiBytes);
      if (plus == std::string_view::npos) return;
      rest = rest.substr(plus + 1);
    }
  }

  /// Holds for every device that has a limit to raise.
  void read_raised(const std::string& value) {
    if (value != "0" && value != "1") return reject("raised", value, "0 or 1");
    if (value == "0") return;
    for (Json& row : request_["hardware"]) {
      const CatalogueDevice* known = row.contains("device") ? catalogue_.find_device(row["device"].get_ref<const std::string&>()) : nullptr;
      if (known != nullptr && known->device.raised_limit_bytes > Bytes()) row["raised_limit"] = true;
    }
  }

  void read_host_memory(const std::string& value) {
    const std::optional<double> gib = decimal_of(value);
    if (!gib || *gib <= 0 || *gib > kMostGiBytes) return reject("ram", value, "GiB of system memory, such as 64");
    request_["host"]["memory_bytes"] = static_cast<std::int64_t>(*gib * kGiBytes);
  }

  void read_host_bandwidth(const std::string& value) {
    const std::optional<double> rate = decimal_of(value);
    if (!rate || *rate <= 0 || *rate > kMostBandwidth) return reject("rambw", value, "GB/s of system memory, such as 80");
    request_["host"]["bandwidth_gb_s"] = *rate;
  }

  void read_engine(const std::string& value) {
    const std::size_t sign = value.find('@');
    const std::string name = lower_case(value.substr(0, sign));
    if (find_engine(name) == nullptr) return reject("e", value, "one of " + engine_names() + "; vllm was counted", "unknown_engine");
    request_["engine"]["name"] = name;
    if (sign != std::string::npos) request_["engine"]["version"] = value.substr(sign + 1);
  }

  void read_split(std::string_view key, const char* member, const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number < 1 || *number > kMaxDevices) return reject(key, value, "1 to " + grouped(kMaxDevices), "out_of_range");
    request_["parallel"][member] = *number;
  }
  void read_tensor(const std::string& value) { read_split("tp", "tensor", value); }
  void read_pipeline(const std::string& value) { read_split("pp", "pipeline", value); }
  void read_data(const std::string& value) { read_split("dp", "data", value); }
  void read_nodes(const std::string& value) { read_split("nodes", "nodes", value); }
  void read_expert(const std::string& value) {
    if (value != "0" && value != "1") return reject("ep", value, "0 or 1");
    if (value == "1") request_["parallel"]["expert"] = true;
  }

  void read_utilization(const std::string& value) {
    const std::optional<double> share = decimal_of(value);
    if (!share || *share <= 0 || *share > 1) return reject("util", value, "a number above 0, up to 1", "out_of_range");
    request_["engine"]["options"]["gpu_memory_utilization"] = *share;
  }

  void read_cache(const std::string& value) {
    if (value.empty() || value.size() > 32) return reject("kv", value, "a cache type such as fp8");
    const std::string type = lower_case(value);
    const std::size_t comma = type.find(',');
    request_["kv_cache"] = {{"k", type.substr(0, comma)}, {"v", comma == std::string::npos ? type : type.substr(comma + 1)}};
  }

  void read_expert_layers(const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number > kMostLayers) return reject("cmoe", value, "0 to " + grouped(kMostLayers) + " layers; 0 were counted", "out_of_range");
    request_["offload"]["cpu_moe_layers"] = *number;
  }

  void reject_option(const Entry& entry, const std::string& value, const char* expected) {
    request_["engine"]["options"].erase(entry.key.substr(2));
    reject(entry.key, value.substr(0, 40), expected);
  }

  /// `o.name=value`: an option of the link's engine. False if it is none; then it is kept.
  bool read_option(const Entry& entry) {
    if (!entry.key.starts_with("o.")) return false;
    const std::string name = entry.key.substr(2);
    const std::string value = unescape_link_value(entry.raw);
    const Engine* engine = find_engine(request_["engine"]["name"].get_ref<const std::string&>());
    const auto is_it = [&](const OptionInfo& option) { return option.name == name; };
    if (engine == nullptr) return false;
    const auto option = std::find_if(engine->options.begin(), engine->options.end(), is_it);
    if (option == engine->options.end()) return false;
    Json& chosen = request_["engine"]["options"][name];
    const std::optional<std::int64_t> whole = value == "-1" ? -1 : digits_of(value);
    const bool is_flag = option->type == OptionType::flag && (value == "0" || value == "1");
    if (is_flag)
      chosen = value == "1";
    else if (option->type == OptionType::text && !value.empty() && value.size() <= kMostOptionText)
      chosen = value;
    else if (option->type == OptionType::integer && whole)
      chosen = *whole;
    else if (const std::optional<double> number = decimal_of(value); option->type == OptionType::number && number)
      chosen = *number;
    else
      reject_option(entry, value, option->type == OptionType::flag ? "0 or 1" : "a value of this setting");
    return true;
  }

  /// `run.1=…`: another model on the same devices, a link of its own.
  [[nodiscard]] bool read_running(const Entry& entry) {
    if (!entry.key.starts_with("run.") || !digits_of(entry.key.substr(4))) return false;
    Json own = LinkReader(catalogue_).read(unescape_link_value(entry.raw));
    Json& item = own["request"];
    for (const char* key : {"hardware", "host", "running"}) item.erase(key);
    request_["running"].push_back(std::move(item));
    for (Json& notice : own["notices"]) notices_.push_back(std::move(notice));
    return true;
  }

  void read_batch(const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number < 1 || *number > (std::int64_t{1} << 24)) return reject("bt", value, "1 to 16,777,216 tokens", "out_of_range");
    request_["engine"]["options"]["max_num_batched_tokens"] = *number;
  }

  void read_gpu_layers(const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number > kMostLayers) return reject("ngl", value, "0 to " + grouped(kMostLayers) + " layers; all were counted", "out_of_range");
    request_["offload"]["gpu_layers"] = *number;
  }

  void read_micro_batch(const std::string& value) {
    const std::optional<std::int64_t> number = digits_of(value);
    if (!number || *number < 1 || *number > (std::int64_t{1} << 24)) return reject("ub", value, "1 to 16,777,216 tokens", "out_of_range");
    request_["engine"]["options"]["n_ubatch"] = *number;
  }

  void read_flash_attention(const std::string& value) {
    if (value != "on" && value != "off") return reject("fa", value, "on or off");
    request_["engine"]["options"]["flash_attn"] = value;
  }

  void read_graphs(const std::string& value) {
    if (value != "0" && value != "1") return reject("graphs", value, "0 or 1");
    request_["engine"]["options"]["enforce_eager"] = value == "0";
  }

  void read_custom(const std::string& value) {
    if (value == kNotCarried) {
      const std::string model(link_default::model);
      return note("not_carried", "c", value, model,
                  "The model of this link came from a file that a link cannot carry: give that file again. Until then " + model + " is counted.");
    }
    if (value.size() > kMostCustomText)
      return reject("c", grouped(static_cast<std::int64_t>(value.size())) + " characters",
                    "at most " + grouped(static_cast<std::int64_t>(kMostCustomText)) + " characters", "too_large");
    custom_ = value;
  }

  /// A model of Hugging Face, by the path of its page. Without its config beside it, estimate() says that it has to be read.
  void read_hub(const std::string& value) {
    if (value.find('/') == std::string::npos || value.size() > kMostHubText)
      return reject("hf", value.substr(0, kMostHubText), "a model of Hugging Face such as owner/name");
    request_["model"] = {{"hub", value}};
  }

  void read_choice(const char* key, const char* member, const std::string& value, std::initializer_list<std::string_view> choices) {
    if (std::find(choices.begin(), choices.end(), value) != choices.end())
      view_[member] = value;
    else
      reject(key, value, "one of the page's choices");
  }
  void read_unit(const std::string& value) { read_choice("unit", "unit", value, {"gib", "gb"}); }
  void read_language(const std::string& value) { read_choice("lang", "lang", value, {"en", "zh"}); }
  void read_theme(const std::string& value) { read_choice("th", "theme", value, {"light", "dark"}); }

  void read_data_version(const std::string& value) {
    if (value.size() <= 16) shared_["data"] = value;
  }
  void read_total(const std::string& value) {
    if (const std::optional<double> total = decimal_of(value)) shared_["total_gib"] = *total;
  }

  /// In the order they must be read; share.encode writes them in the order of the link's grammar.
  static constexpr std::array<Handler, 33> kHandlers{{
      {"v", &LinkReader::read_version},
      {"c", &LinkReader::read_custom},
      {"hf", &LinkReader::read_hub},
      {"m", &LinkReader::read_model},
      {"e", &LinkReader::read_engine},
      {"w", &LinkReader::read_weights},
      {"ctx", &LinkReader::read_context},
      {"n", &LinkReader::read_sequences},
      {"avg", &LinkReader::read_average},
      {"prefix", &LinkReader::read_prefix},
      {"g", &LinkReader::read_hardware},
      {"used", &LinkReader::read_used},
      {"raised", &LinkReader::read_raised},
      {"ram", &LinkReader::read_host_memory},
      {"rambw", &LinkReader::read_host_bandwidth},
      {"tp", &LinkReader::read_tensor},
      {"pp", &LinkReader::read_pipeline},
      {"dp", &LinkReader::read_data},
      {"ep", &LinkReader::read_expert},
      {"nodes", &LinkReader::read_nodes},
      {"util", &LinkReader::read_utilization},
      {"kv", &LinkReader::read_cache},
      {"bt", &LinkReader::read_batch},
      {"graphs", &LinkReader::read_graphs},
      {"ngl", &LinkReader::read_gpu_layers},
      {"ub", &LinkReader::read_micro_batch},
      {"fa", &LinkReader::read_flash_attention},
      {"cmoe", &LinkReader::read_expert_layers},
      {"unit", &LinkReader::read_unit},
      {"lang", &LinkReader::read_language},
      {"th", &LinkReader::read_theme},
      {"d", &LinkReader::read_data_version},
      {"t", &LinkReader::read_total},
  }};

  const Catalogue& catalogue_;
  std::vector<Entry> entries_;
  Json request_;
  Json view_ = Json::object();
  Json kept_ = Json::array();
  Json custom_;
  Json shared_;
  Json notices_ = Json::array();
  bool context_given_ = false;
};

}  // namespace

Result<Json> decode_link(const Json& params, const Catalogue& catalogue) {
  const auto hash = params.is_object() ? params.find("hash") : params.end();
  if (hash == params.end() || !hash->is_string()) return fail(notice::missing_key("params.hash", "hash", "the text behind # of a link"));
  return LinkReader(catalogue).read(hash->get_ref<const std::string&>());
}

}  // namespace weighbridge

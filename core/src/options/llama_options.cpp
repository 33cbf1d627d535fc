// SPDX-License-Identifier: Apache-2.0
#include "options/llama_options.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "options.hpp"
#include "share_text.hpp"
#include "weighbridge/ggml_type.hpp"

namespace weighbridge {

namespace {

constexpr std::size_t kMostOverrides = 256;  // more than one for each layer of any model; each is matched with every tensor
constexpr std::array<std::string_view, 4> kSplitModes{"none", "layer", "row", "tensor"};  // in the order of SplitMode
constexpr std::array<std::string_view, 4> kPoolingTypes{"none", "mean", "cls", "last"};   // in the order of PoolingType

/// `flash_attn`: true, false, 1, 0, "on", "off"; -1 and "auto" leave the choice to the engine.
std::optional<bool> read_flash_attention(KeyReader& reader) {
  if (!reader.has("flash_attn")) return std::nullopt;
  const Json& value = *reader.json().find("flash_attn");
  if (value.is_boolean()) return value.get<bool>();
  if (value == 1 || value == "on") return true;
  if (value == 0 || value == "off") return false;
  if (value != -1 && value != "auto")
    reader.fail(notice::wrong_type(reader.path("flash_attn"), "flash_attn", excerpt(value), "\"on\", \"off\" or \"auto\""));
  return std::nullopt;
}

/// The enumerator whose name stands in `names` at its place.
template <class Choice, std::size_t N>
std::optional<Choice> read_choice(KeyReader& reader, std::string_view key, const std::array<std::string_view, N>& names, std::string_view expected) {
  const std::optional<std::string> name = reader.text_if_given(key);
  if (!name) return std::nullopt;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (*name == names[i]) return static_cast<Choice>(i);
  reader.fail(notice::wrong_type(reader.path(key), std::string(key), excerpt(*name), std::string(expected)));
  return std::nullopt;
}

std::optional<std::string> read_cache_type(KeyReader& reader, std::string_view key) {
  std::optional<std::string> name = reader.text_if_given(key);
  if (name && !ggml_cache_type(*name)) reader.fail(notice::wrong_type(reader.path(key), std::string(key), excerpt(*name), "a type such as \"q8_0\""));
  return name;
}

/// "3,1" or "3/1", as on the command line; null if a part is no number.
Json numbers_in(std::string_view text) {
  Json list = Json::array();
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find_first_of(",/"));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const std::optional<double> number = decimal_of(part);
    if (!number) return {};
    list.push_back(*number);
  }
  return list;
}

std::vector<double> read_tensor_split(KeyReader& reader) {
  constexpr double most = 1e9;
  std::vector<double> shares;
  if (!reader.has("tensor_split")) return shares;
  const Json& value = *reader.json().find("tensor_split");
  const Json list = value.is_string() ? numbers_in(value.get_ref<const std::string&>()) : value;
  bool valid = list.is_array() && list.size() <= static_cast<std::size_t>(kMaxDevices);
  double sum = 0;
  for (const Json& share : valid ? list : Json::array()) {
    const double number = share.is_number() ? share.get<double>() : -1;
    valid = valid && number >= 0 && number <= most;
    sum += number;
    shares.push_back(number);
  }
  if (!valid) {
    reader.fail(
        notice::wrong_type(reader.path("tensor_split"), "tensor_split", excerpt(value), "a list of numbers from 0 to 1,000,000,000, one per device"));
    return {};
  }
  return sum > 0 ? shares : std::vector<double>{};  // nothing but zeros means the default
}

/// `override_tensor`: "pattern=buffer,pattern=buffer", as on the command line, or a list of such texts.
std::vector<TensorOverride> read_overrides(KeyReader& reader) {
  std::vector<TensorOverride> rules;
  if (!reader.has("override_tensor")) return rules;
  const Json& value = *reader.json().find("override_tensor");
  const Json list = value.is_string() ? Json::array({value}) : value;
  bool valid = list.is_array();
  for (const Json& item : valid ? list : Json::array()) {
    if (valid) valid = item.is_string();
    std::string_view rest = valid ? std::string_view(item.get_ref<const std::string&>()) : std::string_view();
    while (!rest.empty() && valid) {
      const std::string_view rule = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), rule.size() + 1));
      const std::size_t equals = rule.find('=');  // common/arg.cpp, parse_tensor_buffer_overrides: the first one
      valid = equals != std::string_view::npos && equals > 0 && rules.size() < kMostOverrides;
      if (valid) rules.push_back({std::string(rule.substr(0, equals)), std::string(rule.substr(equals + 1))});
    }
  }
  if (valid) return rules;
  reader.fail(notice::wrong_type(reader.path("override_tensor"), "override_tensor", excerpt(value), "rules such as \"ffn_.*_exps=CPU\""));
  return {};
}

constexpr std::int64_t kMostDrafts = 64;

/// Most of an option in MiB, and in bytes.
constexpr std::int64_t kMostMib = std::int64_t{1} << 33;

/// An option and where it is kept. `also`: a second one that an engine sets with it.
struct NumberOption {
  std::string_view name;
  std::optional<std::int64_t> LlamaCppOptions::*kept;
  std::int64_t least;
  std::int64_t most;
  std::optional<std::int64_t> LlamaCppOptions::*also = nullptr;
};
struct FlagOption {
  std::string_view name;
  std::optional<bool> LlamaCppOptions::*kept;
};

using L = LlamaCppOptions;
constexpr NumberOption kLlamaCppNumbers[] = {{"n_ctx", &L::n_ctx, -1, kMaxContextTokens},
                                             {"n_batch", &L::n_batch, 1, kMostBatchTokens},
                                             {"n_ubatch", &L::n_ubatch, 1, kMostBatchTokens},
                                             {"n_seq_max", &L::n_seq_max, -1, kMaxSequences},
                                             {"n_outputs", &L::n_outputs, 1, kMostBatchTokens},
                                             {"n_rs_seq", &L::n_rs_seq, 0, kMostDrafts},
                                             {"n_gpu_layers", &L::n_gpu_layers, -1, kMostLayers},
                                             {"main_gpu", &L::main_gpu, 0, kMaxDevices - 1},
                                             {"fit_target", &L::fit_target_mib, 0, kMostMib},
                                             {"cache_ram", &L::cache_ram, -1, kMostMib},
                                             {"ctx_checkpoints", &L::ctx_checkpoints, 0, kMaxSequences},
                                             {"lora_bytes", &L::lora_bytes, 0, kMostBytes},
                                             {"n_gpu_layers_draft", &L::n_gpu_layers_draft, -1, kMostLayers}};
constexpr FlagOption kLlamaCppFlags[] = {{"kv_unified", &L::kv_unified},         {"swa_full", &L::swa_full}, {"offload_kqv", &L::offload_kqv},
                                         {"op_offload", &L::op_offload},         {"fit", &L::fit},           {"mmproj", &L::mmproj},
                                         {"mmproj_offload", &L::mmproj_offload}, {"mtp", &L::mtp},           {"mmap", &L::mmap},
                                         {"embeddings", &L::embeddings}};

/// Ollama's own names: fields of a request's `options`, else those of its environment without OLLAMA_.
constexpr NumberOption kOllamaNumbers[] = {
    {"num_ctx", &L::n_ctx, 1, kMaxContextTokens},      {"num_batch", &L::n_batch, 1, kMostBatchTokens, &L::n_ubatch},
    {"num_gpu", &L::n_gpu_layers, -1, kMostLayers},    {"main_gpu", &L::main_gpu, 0, kMaxDevices - 1},
    {"num_parallel", &L::n_seq_max, 1, kMaxSequences}, {"gpu_overhead", &L::gpu_overhead, 0, kMostBytes}};
constexpr FlagOption kOllamaFlags[] = {{"flash_attention", &L::flash_attn},
                                       {"sched_spread", &L::sched_spread},
                                       {"mtp", &L::mtp}};  // draft_num_predict

/// The names of LM Studio's load configuration.
constexpr NumberOption kLmStudioNumbers[] = {{"context_length", &L::n_ctx, 1, kMaxContextTokens},
                                             {"eval_batch_size", &L::n_batch, 1, kMostBatchTokens, &L::n_ubatch},
                                             {"parallel", &L::n_seq_max, 1, kMaxSequences}};
constexpr FlagOption kLmStudioFlags[] = {{"flash_attention", &L::flash_attn}, {"offload_kv_cache_to_gpu", &L::offload_kqv}, {"try_mmap", &L::mmap}};

struct Known {
  std::span<const NumberOption> numbers;
  std::span<const FlagOption> flags;
};

Known known_of(std::string_view engine) {
  if (engine == "ollama") return {kOllamaNumbers, kOllamaFlags};
  if (engine == "lm-studio") return {kLmStudioNumbers, kLmStudioFlags};
  return {kLlamaCppNumbers, kLlamaCppFlags};
}

void read_known(KeyReader& reader, const Known& known, LlamaCppOptions& o) {
  for (const NumberOption& option : known.numbers) {
    o.*option.kept = reader.whole_number_if_given(option.name, option.least, option.most);
    if (option.also != nullptr) o.*option.also = o.*option.kept;
  }
  for (const FlagOption& option : known.flags) o.*option.kept = reader.flag_if_given(option.name);
}

void read_llama_cpp(KeyReader& reader, LlamaCppOptions& o) {
  if (o.n_seq_max == 0)
    reader.fail(notice::out_of_range(reader.path("n_seq_max"), "n_seq_max", "0", "-1 for llama-server's choice, or 1 to " + grouped(kMaxSequences)));
  o.flash_attn = read_flash_attention(reader);
  o.split_mode = read_choice<SplitMode>(reader, "split_mode", kSplitModes, "\"layer\", \"none\", \"row\" or \"tensor\"");
  o.pooling_type = read_choice<PoolingType>(reader, "pooling_type", kPoolingTypes, "\"none\", \"mean\", \"cls\" or \"last\"");
  o.tensor_split = read_tensor_split(reader);
  o.type_k = reader.text_if_given("type_k");
  o.type_v = reader.text_if_given("type_v");
  o.type_k_draft = read_cache_type(reader, "type_k_draft");
  o.type_v_draft = read_cache_type(reader, "type_v_draft");
  o.draft_weights = reader.text_if_given("draft_weights");
  o.override_tensor = read_overrides(reader);
}

}  // namespace

void read_llama_options(KeyReader& reader, Scenario& scenario) {
  LlamaCppOptions& o = scenario.options.llama_cpp;
  const Known known = known_of(scenario.engine);
  read_known(reader, known, o);
  if (!is_preset(scenario.engine)) return read_llama_cpp(reader, o);
  std::vector<std::string_view> names{"kv_cache_type"};
  for (const NumberOption& option : known.numbers) names.push_back(option.name);
  for (const FlagOption& option : known.flags) names.push_back(option.name);
  reader.warn_of_other_keys(std::span(names));
  o.type_k = o.type_v = reader.text_if_given("kv_cache_type");
}

void describe_llama_options(const LlamaCppOptions& l, std::string_view engine, Json& json) {
  if (!is_preset(engine)) {
    if (l.flash_attn) json["flash_attn"] = *l.flash_attn ? "on" : "off";
    if (l.split_mode) json["split_mode"] = kSplitModes[static_cast<std::size_t>(*l.split_mode)];
    if (l.pooling_type) json["pooling_type"] = kPoolingTypes[static_cast<std::size_t>(*l.pooling_type)];
    if (!l.tensor_split.empty()) json["tensor_split"] = l.tensor_split;
    for (const TensorOverride& rule : l.override_tensor) json["override_tensor"].push_back(rule.pattern + "=" + rule.buffer);
  }
  add_if_given(json, "type_k_draft", l.type_k_draft);
  add_if_given(json, "type_v_draft", l.type_v_draft);
  add_if_given(json, "draft_weights", l.draft_weights);
  const Known known = known_of(engine);
  for (const NumberOption& option : known.numbers) add_if_given(json, option.name, l.*option.kept);
  for (const FlagOption& option : known.flags) add_if_given(json, option.name, l.*option.kept);
}

}  // namespace weighbridge

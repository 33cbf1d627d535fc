// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <algorithm>
#include <array>

#include "share_text.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostBatchTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostBlockSize = 4096;
constexpr std::size_t kMostOverrides = 256;  // more than one for each layer of any model; each is matched with every tensor
constexpr std::array<std::string_view, 4> kSplitModes{"none", "layer", "row", "tensor"};  // in the order of SplitMode

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

std::optional<SplitMode> read_split_mode(KeyReader& reader) {
  const std::optional<std::string> name = reader.text_if_given("split_mode");
  if (!name) return std::nullopt;
  for (std::size_t i = 0; i < kSplitModes.size(); ++i)
    if (*name == kSplitModes[i]) return static_cast<SplitMode>(i);
  reader.fail(notice::wrong_type(reader.path("split_mode"), "split_mode", excerpt(*name), "\"layer\", \"none\", \"row\" or \"tensor\""));
  return std::nullopt;
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

/// What llama-server adds to a context.
void read_server(KeyReader& reader, LlamaCppOptions& o) {
  constexpr std::int64_t most_mib = std::int64_t{1} << 33;
  o.fit = reader.flag_if_given("fit");
  if (const auto room = reader.whole_number_if_given("fit_target", 0, most_mib)) o.fit_target_bytes = *room << 20;
  o.cache_ram = reader.whole_number_if_given("cache_ram", -1, most_mib);
  o.ctx_checkpoints = reader.whole_number_if_given("ctx_checkpoints", 0, kMaxSequences);
  o.mmproj = reader.flag_if_given("mmproj");
  o.mmproj_offload = reader.flag_if_given("mmproj_offload");
  o.mtp = reader.flag_if_given("mtp");
  o.mmap = reader.flag_if_given("mmap");
  o.lora_bytes = reader.whole_number_if_given("lora_bytes", 0, most_mib << 20);
}

/// Ollama's own names: fields of a request's `options`, else those of its environment without OLLAMA_.
void read_ollama(KeyReader& reader, EngineOptions& o) {
  o.max_model_len = reader.positive_if_given("num_ctx", kMaxContextTokens);
  o.llama_cpp.n_ubatch = o.llama_cpp.n_batch = reader.positive_if_given("num_batch", kMostBatchTokens);
  o.llama_cpp.n_gpu_layers = reader.whole_number_if_given("num_gpu", -1, kMostLayers);
  o.llama_cpp.main_gpu = reader.whole_number_if_given("main_gpu", 0, kMaxDevices - 1);
  o.llama_cpp.n_seq_max = reader.positive_if_given("num_parallel", kMaxSequences);
  o.llama_cpp.type_k = o.llama_cpp.type_v = reader.text_if_given("kv_cache_type");
  o.llama_cpp.flash_attn = reader.flag_if_given("flash_attention");
  o.ollama.sched_spread = reader.flag_if_given("sched_spread");
  o.ollama.gpu_overhead = reader.count_or_zero("gpu_overhead", std::int64_t{1} << 50);
}

/// The names of LM Studio's load configuration.
void read_lm_studio(KeyReader& reader, EngineOptions& o) {
  o.max_model_len = reader.positive_if_given("context_length", kMaxContextTokens);
  o.llama_cpp.n_batch = o.llama_cpp.n_ubatch = reader.positive_if_given("eval_batch_size", kMostBatchTokens);
  o.llama_cpp.n_seq_max = reader.positive_if_given("parallel", kMaxSequences);
  o.llama_cpp.flash_attn = reader.flag_if_given("flash_attention");
  o.llama_cpp.offload_kqv = reader.flag_if_given("offload_kv_cache_to_gpu");
  o.llama_cpp.mmap = reader.flag_if_given("try_mmap");
}

void read_llama_cpp(KeyReader& reader, LlamaCppOptions& o) {
  o.n_ctx = reader.whole_number_if_given("n_ctx", -1, kMaxContextTokens);
  o.n_batch = reader.positive_if_given("n_batch", kMostBatchTokens);
  o.n_ubatch = reader.positive_if_given("n_ubatch", kMostBatchTokens);
  o.n_seq_max = reader.whole_number_if_given("n_seq_max", -1, kMaxSequences);
  if (o.n_seq_max == 0)
    reader.fail(notice::out_of_range(reader.path("n_seq_max"), "n_seq_max", "0", "-1 for llama-server's choice, or 1 to " + grouped(kMaxSequences)));
  o.n_outputs = reader.positive_if_given("n_outputs", kMostBatchTokens);
  o.n_gpu_layers = reader.whole_number_if_given("n_gpu_layers", -1, kMostLayers);
  o.kv_unified = reader.flag_if_given("kv_unified");
  o.flash_attn = read_flash_attention(reader);
  o.swa_full = reader.flag_if_given("swa_full");
  o.offload_kqv = reader.flag_if_given("offload_kqv");
  o.op_offload = reader.flag_if_given("op_offload");
  o.split_mode = read_split_mode(reader);
  o.tensor_split = read_tensor_split(reader);
  o.type_k = reader.text_if_given("type_k");
  o.type_v = reader.text_if_given("type_v");
  o.main_gpu = reader.whole_number_if_given("main_gpu", 0, kMaxDevices - 1);
  o.override_tensor = read_overrides(reader);
  read_server(reader, o);
}

template <class T>
void add(Json& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = *value;
}

}  // namespace

void read_options(KeyReader& reader, Scenario& scenario) {
  EngineOptions& o = scenario.options;
  if (scenario.engine == "ollama") {
    reader.warn_of_other_keys(
        {"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_parallel", "kv_cache_type", "flash_attention", "sched_spread", "gpu_overhead"});
    return read_ollama(reader, o);
  }
  if (scenario.engine == "lm-studio") {
    reader.warn_of_other_keys({"context_length", "eval_batch_size", "parallel", "flash_attention", "offload_kv_cache_to_gpu", "try_mmap"});
    return read_lm_studio(reader, o);
  }
  reader.warn_of_other_keys({"gpu_memory_utilization",
                             "max_model_len",
                             "max_num_seqs",
                             "max_num_batched_tokens",
                             "kv_cache_dtype",
                             "enforce_eager",
                             "block_size",
                             "n_ctx",
                             "n_batch",
                             "n_ubatch",
                             "n_seq_max",
                             "n_outputs",
                             "n_gpu_layers",
                             "kv_unified",
                             "flash_attn",
                             "swa_full",
                             "offload_kqv",
                             "op_offload",
                             "split_mode",
                             "tensor_split",
                             "type_k",
                             "type_v",
                             "main_gpu",
                             "override_tensor",
                             "fit",
                             "fit_target",
                             "cache_ram",
                             "ctx_checkpoints",
                             "mmproj",
                             "mmproj_offload",
                             "mtp",
                             "mmap",
                             "lora_bytes"});
  o.gpu_memory_utilization = reader.fraction("gpu_memory_utilization", 1.0);
  o.max_model_len = reader.positive_if_given("max_model_len", kMaxContextTokens);
  o.max_num_seqs = reader.positive_if_given("max_num_seqs", kMaxSequences);
  o.max_num_batched_tokens = reader.positive_if_given("max_num_batched_tokens", kMostBatchTokens);
  o.kv_cache_dtype = reader.text_if_given("kv_cache_dtype");
  o.enforce_eager = reader.flag_if_given("enforce_eager");
  o.block_size = reader.positive_if_given("block_size", kMostBlockSize);
  read_llama_cpp(reader, o.llama_cpp);
}

namespace {

Json describe_ollama(const EngineOptions& o) {
  Json json = Json::object();
  const LlamaCppOptions& l = o.llama_cpp;
  add(json, "num_ctx", o.max_model_len);
  add(json, "num_batch", l.n_ubatch);
  add(json, "num_gpu", l.n_gpu_layers);
  add(json, "main_gpu", l.main_gpu);
  add(json, "num_parallel", l.n_seq_max);
  add(json, "kv_cache_type", l.type_k);
  add(json, "flash_attention", l.flash_attn);
  add(json, "sched_spread", o.ollama.sched_spread);
  if (o.ollama.gpu_overhead > 0) json["gpu_overhead"] = o.ollama.gpu_overhead;
  return json;
}

Json describe_lm_studio(const EngineOptions& o) {
  Json json = Json::object();
  const LlamaCppOptions& l = o.llama_cpp;
  add(json, "context_length", o.max_model_len);
  add(json, "eval_batch_size", l.n_ubatch);
  add(json, "parallel", l.n_seq_max);
  add(json, "flash_attention", l.flash_attn);
  add(json, "offload_kv_cache_to_gpu", l.offload_kqv);
  add(json, "try_mmap", l.mmap);
  return json;
}

void describe_server(Json& json, const LlamaCppOptions& l) {
  add(json, "main_gpu", l.main_gpu);
  add(json, "fit", l.fit);
  if (l.fit_target_bytes) json["fit_target"] = *l.fit_target_bytes >> 20;
  add(json, "cache_ram", l.cache_ram);
  add(json, "ctx_checkpoints", l.ctx_checkpoints);
  add(json, "mmproj", l.mmproj);
  add(json, "mmproj_offload", l.mmproj_offload);
  add(json, "mtp", l.mtp);
  add(json, "mmap", l.mmap);
  add(json, "lora_bytes", l.lora_bytes);
  for (const TensorOverride& rule : l.override_tensor) json["override_tensor"].push_back(rule.pattern + "=" + rule.buffer);
}

}  // namespace

Json describe_options(const EngineOptions& o, std::string_view engine) {
  if (engine == "ollama") return describe_ollama(o);
  if (engine == "lm-studio") return describe_lm_studio(o);
  Json json = Json::object();
  add(json, "gpu_memory_utilization", o.gpu_memory_utilization);
  add(json, "max_model_len", o.max_model_len);
  add(json, "max_num_seqs", o.max_num_seqs);
  add(json, "max_num_batched_tokens", o.max_num_batched_tokens);
  add(json, "enforce_eager", o.enforce_eager);
  add(json, "block_size", o.block_size);
  const LlamaCppOptions& l = o.llama_cpp;
  add(json, "n_ctx", l.n_ctx);
  add(json, "n_batch", l.n_batch);
  add(json, "n_ubatch", l.n_ubatch);
  add(json, "n_seq_max", l.n_seq_max);
  add(json, "n_outputs", l.n_outputs);
  add(json, "n_gpu_layers", l.n_gpu_layers);
  add(json, "kv_unified", l.kv_unified);
  if (l.flash_attn) json["flash_attn"] = *l.flash_attn ? "on" : "off";
  add(json, "swa_full", l.swa_full);
  add(json, "offload_kqv", l.offload_kqv);
  add(json, "op_offload", l.op_offload);
  if (l.split_mode) json["split_mode"] = kSplitModes[static_cast<std::size_t>(*l.split_mode)];
  if (!l.tensor_split.empty()) json["tensor_split"] = l.tensor_split;
  describe_server(json, l);
  return json;
}

}  // namespace weighbridge

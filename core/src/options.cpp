// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <array>

namespace weighbridge {

namespace {

constexpr std::int64_t kMostBatchTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostBlockSize = 4096;
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

std::vector<double> read_tensor_split(KeyReader& reader) {
  constexpr double most = 1e9;
  std::vector<double> shares;
  if (!reader.has("tensor_split")) return shares;
  const Json& value = *reader.json().find("tensor_split");
  bool valid = value.is_array() && value.size() <= static_cast<std::size_t>(kMaxDevices);
  double sum = 0;
  for (const Json& share : valid ? value : Json::array()) {
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

void read_llama_cpp(KeyReader& reader, LlamaCppOptions& o) {
  o.n_ctx = reader.positive_if_given("n_ctx", kMaxContextTokens);
  o.n_batch = reader.positive_if_given("n_batch", kMostBatchTokens);
  o.n_ubatch = reader.positive_if_given("n_ubatch", kMostBatchTokens);
  o.n_seq_max = reader.positive_if_given("n_seq_max", kMaxSequences);
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
}

template <class T>
void add(Json& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = *value;
}

}  // namespace

void read_options(KeyReader& reader, Scenario& scenario) {
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
                             "type_v"});
  EngineOptions& o = scenario.options;
  o.gpu_memory_utilization = reader.fraction("gpu_memory_utilization", 1.0);
  o.max_model_len = reader.positive_if_given("max_model_len", kMaxContextTokens);
  o.max_num_seqs = reader.positive_if_given("max_num_seqs", kMaxSequences);
  o.max_num_batched_tokens = reader.positive_if_given("max_num_batched_tokens", kMostBatchTokens);
  o.kv_cache_dtype = reader.text_if_given("kv_cache_dtype");
  o.enforce_eager = reader.flag_if_given("enforce_eager");
  o.block_size = reader.positive_if_given("block_size", kMostBlockSize);
  read_llama_cpp(reader, o.llama_cpp);
}

Json describe_options(const EngineOptions& o) {
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
  return json;
}

}  // namespace weighbridge

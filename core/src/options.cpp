// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <span>

#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"
#include "options/llama_options.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostBlockSize = 4096;

using V = VllmOptions;
constexpr std::pair<std::string_view, std::optional<std::int64_t> V::*> kVllmNumbers[] = {{"kv_cache_memory_bytes", &V::kv_cache_memory_bytes},
                                                                                          {"decode_context_parallel_size",
                                                                                           &V::decode_context_parallel_size},
                                                                                          {"num_speculative_tokens", &V::num_speculative_tokens},
                                                                                          {"max_loras", &V::max_loras},
                                                                                          {"max_lora_rank", &V::max_lora_rank}};
constexpr std::pair<std::string_view, std::optional<bool> V::*> kVllmFlags[] = {{"enable_lora", &V::enable_lora},
                                                                                {"enable_prefix_caching", &V::enable_prefix_caching},
                                                                                {"language_model_only", &V::language_model_only},
                                                                                {"offline_inference", &V::offline_inference},
                                                                                {"flashinfer_sampler", &V::flashinfer_sampler}};
constexpr std::pair<std::string_view, std::optional<std::string> V::*> kVllmTexts[] = {{"speculative_method", &V::speculative_method},
                                                                                       {"mamba_ssm_cache_dtype", &V::mamba_ssm_cache_dtype}};

}  // namespace

void read_options(KeyReader& reader, Scenario& scenario) {
  const Engine* engine = find_engine(scenario.engine);
  if (engine != nullptr && engine->plan == nullptr) return;  // the module with its rules reads them
  const LocalRules rules = local_rules();
  const ServingRules serving = serving_rules();
  if (serving.read_options != nullptr && serving.read_options(reader, scenario)) return;
  if (rules.read_library_options != nullptr && rules.read_library_options(reader, scenario)) return;
  EngineOptions& o = scenario.options;
  if (engine != nullptr && engine->is_llama_cpp() && rules.read_options != nullptr) rules.read_options(reader, scenario);
  if (is_preset(scenario.engine)) return;
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all{"gpu_memory_utilization", "max_model_len", "max_num_seqs", "max_num_batched_tokens",
                                      "kv_cache_dtype",         "enforce_eager", "block_size"};
    for (const OptionInfo& option : llama_cpp_engine().options) all.push_back(option.name);
    for (const auto& [name, kept] : kVllmNumbers) all.push_back(name);
    for (const auto& [name, kept] : kVllmFlags) all.push_back(name);
    for (const auto& [name, kept] : kVllmTexts) all.push_back(name);
    return all;
  }();
  reader.warn_of_other_keys(std::span(names));
  o.gpu_memory_utilization = reader.fraction("gpu_memory_utilization", 100.0, "a number above 0, up to 1");  // above 1 the engine refuses
  o.max_model_len = reader.positive_if_given("max_model_len", kMaxContextTokens);
  o.max_num_seqs = reader.positive_if_given("max_num_seqs", kMaxSequences);
  o.max_num_batched_tokens = reader.positive_if_given("max_num_batched_tokens", kMostBatchTokens);
  o.kv_cache_dtype = reader.text_if_given("kv_cache_dtype");
  o.enforce_eager = reader.flag_if_given("enforce_eager");
  o.block_size = reader.positive_if_given("block_size", kMostBlockSize);
  o.draft_model = reader.text_if_given("draft_model");
  for (const auto& [name, kept] : kVllmNumbers) o.vllm.*kept = reader.positive_if_given(name, kMostBytes);
  for (const auto& [name, kept] : kVllmFlags) o.vllm.*kept = reader.flag_if_given(name);
  for (const auto& [name, kept] : kVllmTexts) o.vllm.*kept = reader.text_if_given(name);
}

Json describe_options(const EngineOptions& o, std::string_view engine) {
  Json json = Json::object();
  const LocalRules rules = local_rules();
  const ServingRules serving = serving_rules();
  if (serving.describe_options != nullptr && serving.describe_options(o, engine, json)) return json;
  if (rules.describe_library_options != nullptr && rules.describe_library_options(o.library, engine, json)) return json;
  if (!is_preset(engine)) {
    add_if_given(json, "gpu_memory_utilization", o.gpu_memory_utilization);
    add_if_given(json, "max_model_len", o.max_model_len);
    add_if_given(json, "max_num_seqs", o.max_num_seqs);
    add_if_given(json, "max_num_batched_tokens", o.max_num_batched_tokens);
    add_if_given(json, "enforce_eager", o.enforce_eager);
    add_if_given(json, "block_size", o.block_size);
    add_if_given(json, "draft_model", o.draft_model);
    for (const auto& [name, kept] : kVllmNumbers) add_if_given(json, name, o.vllm.*kept);
    for (const auto& [name, kept] : kVllmFlags) add_if_given(json, name, o.vllm.*kept);
    for (const auto& [name, kept] : kVllmTexts) add_if_given(json, name, o.vllm.*kept);
  }
  if (rules.describe_options != nullptr) rules.describe_options(o.llama_cpp, engine, json);
  return json;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "options/serving_options.hpp"

#include <vector>

#include "options.hpp"

namespace weighbridge {

namespace {

constexpr double kMostRatio = 1000;

/// An option by the engine's name, and where it is kept: with vLLM's of the same meaning, or among those that only others have. Numbers have
/// bounds.
template <class T>
struct Option {
  std::string_view name;
  std::optional<T> EngineOptions::*shared;
  std::optional<T> ServingOptions::*own;
  T least = {};
  T most = {};
};

using E = EngineOptions;
using S = ServingOptions;

/// The options of one engine.
struct Names {
  std::string_view engine;
  std::vector<Option<std::int64_t>> wholes;
  std::vector<Option<double>> fractions;
  std::vector<Option<bool>> flags;
  std::vector<Option<std::string>> texts;
};

const std::vector<Names>& all_names() {
  static const std::vector<Names> all{
      {"sglang",
       {{"context_length", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"max_running_requests", &E::max_num_seqs, nullptr, 1, kMaxSequences},
        {"chunked_prefill_size", &E::max_num_batched_tokens, nullptr, -1, kMostBatchTokens},
        {"page_size", &E::block_size, nullptr, 1, 4096},
        {"max_total_tokens", nullptr, &S::max_total_tokens, 1, kMostTokens},
        {"cuda_graph_max_bs", nullptr, &S::cuda_graph_max_bs, 1, kMaxSequences},
        {"dp_size", nullptr, &S::dp_size, 1, kMaxDevices},
        {"ep_size", nullptr, &S::ep_size, 1, kMaxDevices},
        {"speculative_num_draft_tokens", nullptr, &S::speculative_num_draft_tokens, 1, 1024}},
       {{"mem_fraction_static", &E::gpu_memory_utilization, nullptr, 0, 1},
        {"swa_full_tokens_ratio", nullptr, &S::swa_full_tokens_ratio, 0, 1},
        {"mamba_full_memory_ratio", nullptr, &S::mamba_full_memory_ratio, 0, kMostRatio}},
       {{"disable_cuda_graph", &E::enforce_eager, nullptr},
        {"enable_dp_attention", nullptr, &S::enable_dp_attention},
        {"disable_radix_cache", nullptr, &S::disable_radix_cache},
        {"enable_symm_mem", nullptr, &S::enable_symm_mem}},
       {{"kv_cache_dtype", &E::kv_cache_dtype, nullptr},
        {"speculative_algorithm", nullptr, &S::speculative_algorithm},
        {"moe_runner_backend", nullptr, &S::moe_runner_backend}}},
      {"tensorrt-llm",
       {{"max_seq_len", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"max_batch_size", &E::max_num_seqs, nullptr, 1, kMaxSequences},
        {"max_num_tokens", &E::max_num_batched_tokens, nullptr, 1, kMostBatchTokens},
        {"tokens_per_block", &E::block_size, nullptr, 1, 4096},
        {"moe_expert_parallel_size", nullptr, &S::ep_size, 1, kMaxDevices},
        {"num_nextn_predict_layers", nullptr, &S::speculative_num_draft_tokens, 0, 64}},
       {{"free_gpu_memory_fraction", &E::gpu_memory_utilization, nullptr, 0, 1}},
       {{"enable_attention_dp", nullptr, &S::enable_dp_attention}},
       {{"kv_cache_dtype", &E::kv_cache_dtype, nullptr}, {"moe_backend", nullptr, &S::moe_runner_backend}}},
      {"mlc-llm",
       {{"context_window_size", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"max_num_sequence", &E::max_num_seqs, nullptr, 1, kMaxSequences},
        {"prefill_chunk_size", &E::max_num_batched_tokens, nullptr, 1, kMostBatchTokens},
        {"max_total_seq_length", nullptr, &S::max_total_tokens, 1, kMostTokens}},
       {{"gpu_memory_utilization", &E::gpu_memory_utilization, nullptr, 0, 1}},
       {},
       {{"mode", nullptr, &S::mode}}},
      {"web-llm",
       {{"context_window_size", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"prefill_chunk_size", &E::max_num_batched_tokens, nullptr, 1, kMostBatchTokens}},
       {},
       {},
       {}},
      {"lmdeploy",
       {{"session_len", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"max_batch_size", &E::max_num_seqs, nullptr, 1, kMaxSequences},
        {"max_prefill_token_num", &E::max_num_batched_tokens, nullptr, 1, kMostBatchTokens},
        {"cache_block_seq_len", &E::block_size, nullptr, 1, 4096},
        {"quant_policy", nullptr, &S::quant_policy, 0, 42}},
       {{"cache_max_entry_count", &E::gpu_memory_utilization, nullptr, 0, 1}},
       {{"eager_mode", &E::enforce_eager, nullptr}, {"enable_prefix_caching", nullptr, &S::enable_prefix_caching}},
       {{"backend", nullptr, &S::backend}}},
      {"tgi",
       {{"max_total_tokens", &E::max_model_len, nullptr, 1, kMaxContextTokens},
        {"max_batch_prefill_tokens", &E::max_num_batched_tokens, nullptr, 1, kMostBatchTokens},
        {"cuda_graphs", nullptr, &S::cuda_graph_max_bs, 0, kMaxSequences}},
       {{"cuda_memory_fraction", &E::gpu_memory_utilization, nullptr, 0, 1}},
       {},
       {{"kv_cache_dtype", &E::kv_cache_dtype, nullptr}, {"attention", nullptr, &S::attention}}},
  };
  return all;
}

const Names* names_of(std::string_view engine) {
  for (const Names& names : all_names())
    if (names.engine == engine) return &names;
  return nullptr;
}

/// The place in `options` that `option` is kept in.
template <class T, class Options>
auto& place_of(const Option<T>& option, Options& options) {
  return option.shared != nullptr ? options.*option.shared : options.serving.*option.own;
}

std::optional<std::int64_t> read(KeyReader& reader, const Option<std::int64_t>& option) {
  return reader.whole_number_if_given(option.name, option.least, option.most);
}
std::optional<double> read(KeyReader& reader, const Option<double>& option) {
  // The share of memory, which all engines have in one place: above 1 the answer says what is possible.
  return option.shared != nullptr ? reader.fraction(option.name, 100.0, "a number above 0, up to 1") : reader.fraction(option.name, option.most);
}
std::optional<bool> read(KeyReader& reader, const Option<bool>& option) { return reader.flag_if_given(option.name); }
std::optional<std::string> read(KeyReader& reader, const Option<std::string>& option) { return reader.text_if_given(option.name); }

}  // namespace

bool read_serving_options(KeyReader& reader, Scenario& scenario) {
  const Names* names = names_of(scenario.engine);
  if (names == nullptr) return false;
  std::vector<std::string_view> known;
  const auto read_all = [&](const auto& list) {
    for (const auto& option : list) {
      known.push_back(option.name);
      place_of(option, scenario.options) = read(reader, option);
    }
  };
  read_all(names->wholes);
  read_all(names->fractions);
  read_all(names->flags);
  read_all(names->texts);
  reader.warn_of_other_keys(std::span<const std::string_view>(known));
  return true;
}

bool describe_serving_options(const EngineOptions& options, std::string_view engine, Json& json) {
  const Names* names = names_of(engine);
  if (names == nullptr) return false;
  const auto add_all = [&](const auto& list) {
    for (const auto& option : list)
      if (const auto& value = place_of(option, options)) json[std::string(option.name)] = *value;
  };
  add_all(names->wholes);
  add_all(names->fractions);
  add_all(names->flags);
  for (const Option<std::string>& option : names->texts)  // what the others say is said by the request's kv_cache
    if (option.own != nullptr && options.serving.*option.own) json[std::string(option.name)] = *(options.serving.*option.own);
  return true;
}

std::string_view longest_sequence_option(std::string_view engine) {
  if (const Names* names = names_of(engine))
    for (const Option<std::int64_t>& option : names->wholes)
      if (option.shared == &EngineOptions::max_model_len) return option.name;
  return "max_model_len";
}

}  // namespace weighbridge

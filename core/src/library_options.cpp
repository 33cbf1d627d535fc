// SPDX-License-Identifier: Apache-2.0
#include "library_options.hpp"

#include <algorithm>
#include <span>

namespace weighbridge {

namespace {

using L = LibraryOptions;

struct NumberOption {
  std::string_view name;
  std::optional<std::int64_t> L::*kept;
  std::int64_t least;
  std::int64_t most;
};

/// One of a few words, of which `expected` tells.
struct WordOption {
  std::string_view name;
  std::optional<std::string> L::*kept;
  std::span<const std::string_view> words;
  std::string_view expected;
};

struct Known {
  std::span<const NumberOption> numbers;
  std::span<const WordOption> words;
  std::string_view max_memory;  ///< what the engine calls the most that a GPU takes, in GiB; empty: it has no such option
};

constexpr std::string_view kAttention[] = {"sdpa", "eager", "flash_attention_2"};
constexpr std::string_view kCaches[] = {"dynamic", "static", "offloaded", "quantized"};
constexpr std::string_view kDeviceMaps[] = {"auto", "balanced", "balanced_low_0", "sequential"};

constexpr NumberOption kTransformersNumbers[] = {{"max_new_tokens", &L::new_tokens, 1, kMaxContextTokens},
                                                 {"prefill_chunk_size", &L::prefill_tokens, 1, kMaxContextTokens},
                                                 {"logits_to_keep", &L::logits_to_keep, 0, kMaxContextTokens}};
constexpr WordOption kTransformersWords[] = {
    {"attn_implementation", &L::attn_implementation, kAttention, "\"sdpa\", \"eager\" or \"flash_attention_2\""},
    {"cache_implementation", &L::cache_implementation, kCaches, "\"dynamic\", \"static\", \"offloaded\" or \"quantized\""},
    {"device_map", &L::device_map, kDeviceMaps, "\"auto\", \"balanced\", \"balanced_low_0\" or \"sequential\""}};
constexpr NumberOption kMlxNumbers[] = {{"max_tokens", &L::new_tokens, 1, kMaxContextTokens},
                                        {"prefill_step_size", &L::prefill_tokens, 1, kMaxContextTokens},
                                        {"max_kv_size", &L::max_kv_size, 1, kMaxContextTokens},
                                        {"kv_group_size", &L::kv_group_size, 32, 128},
                                        {"prompt_cache_size", &L::prompt_caches, 0, kMaxSequences}};

std::optional<Known> known_of(std::string_view engine) {
  if (engine == "transformers") return Known{kTransformersNumbers, kTransformersWords, "max_memory"};
  if (engine == "mlx") return Known{kMlxNumbers, {}, ""};
  return std::nullopt;
}

}  // namespace

bool read_library_options(KeyReader& reader, Scenario& scenario) {
  constexpr double most_gib = 1 << 20;
  const std::optional<Known> known = known_of(scenario.engine);
  if (!known) return false;
  LibraryOptions& o = scenario.options.library;
  std::vector<std::string_view> names;
  for (const NumberOption& option : known->numbers) {
    names.push_back(option.name);
    o.*option.kept = reader.whole_number_if_given(option.name, option.least, option.most);
  }
  for (const WordOption& option : known->words) {
    names.push_back(option.name);
    std::optional<std::string> word = reader.text_if_given(option.name);
    if (word && std::find(option.words.begin(), option.words.end(), *word) == option.words.end())
      reader.fail(notice::wrong_type(reader.path(option.name), std::string(option.name), excerpt(*word), std::string(option.expected)));
    o.*option.kept = std::move(word);
  }
  if (!known->max_memory.empty()) {
    names.push_back(known->max_memory);
    o.max_memory_gib = reader.fraction(known->max_memory, most_gib);
  }
  reader.warn_of_other_keys(std::span<const std::string_view>(names));
  return true;
}

bool describe_library_options(const LibraryOptions& options, std::string_view engine, Json& json) {
  const std::optional<Known> known = known_of(engine);
  if (!known) return false;
  for (const NumberOption& option : known->numbers)
    if (const std::optional<std::int64_t>& number = options.*option.kept) json[std::string(option.name)] = *number;
  for (const WordOption& option : known->words)
    if (const std::optional<std::string>& word = options.*option.kept) json[std::string(option.name)] = *word;
  if (options.max_memory_gib && !known->max_memory.empty()) json[std::string(known->max_memory)] = *options.max_memory_gib;
  return true;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "options/library_options.hpp"

#include <span>

#include "options.hpp"

namespace weighbridge {

namespace {

using L = LibraryOptions;

struct NumberOption {
  std::string_view name;
  std::optional<std::int64_t> L::*kept;
  std::int64_t least;
  std::int64_t most;
};

struct FractionOption {
  std::string_view name;
  std::optional<double> L::*kept;
  double most;
};

struct FlagOption {
  std::string_view name;
  std::optional<bool> L::*kept;
};

struct WordOption {
  std::string_view name;
  std::optional<std::string> L::*kept;
};

struct Known {
  std::span<const NumberOption> numbers;
  std::span<const WordOption> words;
  std::span<const FractionOption> fractions;
  std::span<const FlagOption> flags;
};

constexpr double kMostGib = 1 << 20;

constexpr NumberOption kTransformersNumbers[] = {{"max_new_tokens", &L::new_tokens, 1, kMaxContextTokens},
                                                 {"prefill_chunk_size", &L::prefill_tokens, 1, kMaxContextTokens},
                                                 {"logits_to_keep", &L::logits_to_keep, 0, kMaxContextTokens}};
constexpr WordOption kTransformersWords[] = {{"attn_implementation", &L::attn_implementation},
                                             {"cache_implementation", &L::cache_implementation},
                                             {"device_map", &L::device_map}};
constexpr FractionOption kTransformersFractions[] = {{"max_memory", &L::max_memory_gib, kMostGib}};
constexpr NumberOption kMlxNumbers[] = {{"max_tokens", &L::new_tokens, 1, kMaxContextTokens},
                                        {"prefill_step_size", &L::prefill_tokens, 1, kMaxContextTokens},
                                        {"max_kv_size", &L::max_kv_size, 1, kMaxContextTokens},
                                        {"kv_group_size", &L::kv_group_size, 1, 4096},
                                        {"prompt_cache_size", &L::prompt_caches, 0, kMaxSequences}};

constexpr NumberOption kExLlamaNumbers[] = {{"cache_size", &L::cache_tokens, 1, kMostTokens},
                                            {"k_bits", &L::k_bits, 2, 16},
                                            {"v_bits", &L::v_bits, 2, 16},
                                            {"max_chunk_size", &L::prefill_tokens, 1, kMaxContextTokens}};
constexpr FractionOption kExLlamaFractions[] = {{"reserve_per_device", &L::reserve_gib, kMostGib}};
constexpr FlagOption kExLlamaFlags[] = {{"swa_full", &L::whole_window_cache}};

constexpr NumberOption kExLlamaV2Numbers[] = {{"cache_size", &L::cache_tokens, 1, kMostTokens},
                                              {"max_input_len", &L::prefill_tokens, 1, kMaxContextTokens},
                                              {"reserve_vram", &L::reserve_bytes, 0, kMostBytes}};
constexpr FlagOption kExLlamaV2Flags[] = {{"last_id_only", &L::last_logits_only}, {"tensor_parallel", &L::tensor_parallel}};

std::optional<Known> known_of(std::string_view engine) {
  if (engine == "transformers") return Known{kTransformersNumbers, kTransformersWords, kTransformersFractions, {}};
  if (engine == "mlx") return Known{kMlxNumbers, {}, {}, {}};
  if (engine == "exllamav2") return Known{kExLlamaV2Numbers, {}, {}, kExLlamaV2Flags};
  if (engine == "exllamav3") return Known{kExLlamaNumbers, {}, kExLlamaFractions, kExLlamaFlags};
  return std::nullopt;
}

}  // namespace

bool read_library_options(KeyReader& reader, Scenario& scenario) {
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
    o.*option.kept = reader.text_if_given(option.name);
  }
  for (const FractionOption& option : known->fractions) {
    names.push_back(option.name);
    o.*option.kept = reader.fraction(option.name, option.most);
  }
  for (const FlagOption& option : known->flags) {
    names.push_back(option.name);
    o.*option.kept = reader.flag_if_given(option.name);
  }
  reader.warn_of_other_keys(std::span<const std::string_view>(names));
  return true;
}

bool describe_library_options(const LibraryOptions& options, std::string_view engine, Json& json) {
  const std::optional<Known> known = known_of(engine);
  if (!known) return false;
  const auto add_all = [&](const auto& list) {
    for (const auto& option : list)
      if (const auto& value = options.*option.kept) json[std::string(option.name)] = *value;
  };
  add_all(known->numbers);
  add_all(known->words);
  add_all(known->fractions);
  add_all(known->flags);
  return true;
}

}  // namespace weighbridge

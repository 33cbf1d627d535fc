// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/layout.hpp"

namespace weighbridge::mlc {

/// What python/mlc_llm/model says of a model_type.
struct Architecture {
  std::string_view name;
  std::int64_t chunk = 8192;       ///< prefill_chunk_size at most, unless one is given
  bool context_is_window = false;  ///< compiled for no more context than its window, or than 8,192 tokens if the window is shorter
};
/// Null for a model that it has no class for.
[[nodiscard]] const Architecture* find_architecture(std::string_view model_type);

/// The settings in force.
struct Settings {
  std::int64_t tensor = 1;         ///< tensor_parallel_shards
  std::int64_t sequences = 0;      ///< max_num_sequence
  std::int64_t needed_tokens = 0;  ///< of all sequences, in whole pages
  std::int64_t cache_tokens = 0;   ///< that the cache has: as many, or max_total_seq_length
  std::int64_t chunk = 0;          ///< prefill_chunk_size
  std::int64_t value_bytes = 2;    ///< of what is not quantized, cache and activations

  [[nodiscard]] Split split() const { return {tensor, tensor, tensor, 1}; }
};

/// Tokens of a page (serve/engine.cc and WebLLM's llm_chat.ts have the same).
inline constexpr std::int64_t kPage = 16;

/// Bytes of what is not quantized under weights of `format`.
[[nodiscard]] inline std::int64_t value_bytes(std::string_view format) { return format == "q4f32_1" || format == "fp32" ? 4 : 2; }

/// The weights of one shard. Embeddings and head are whole on each.
[[nodiscard]] Term weights_term(const Job& job, const Settings& settings);
/// Bytes of one token in the pages of one shard.
[[nodiscard]] std::int64_t token_bytes(const Model& model, const Settings& settings);
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings);
/// What the compiler plans for the tensors of a step of the prompt.
[[nodiscard]] FormulaRow planned_step(const Job& job, const Settings& settings);
/// The largest tensor that a shard holds.
[[nodiscard]] Bytes largest_tensor(const Job& job, const Settings& settings);

/// What it does not run on any device.
[[nodiscard]] std::optional<Notice> refusal(const Job& job, const Engine& engine, const std::string& name, Plan& plan);

}  // namespace weighbridge::mlc

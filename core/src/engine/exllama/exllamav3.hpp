// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/layout.hpp"

namespace weighbridge::exllamav3 {

/// What exllamav3/architecture says of a model_type.
struct Architecture {
  std::string_view name;
  std::int64_t ffn_bytes =
      0;  ///< of gate, up and their product, for each value: by MLP's interm_dtype and the 16 bits that its down projection takes
  bool has_ring_windows = false;  ///< layers with a window are SlidingAttention, each sequence with a ring of its own, unless swa_full is set
};
/// Null for a model that it has no class for.
[[nodiscard]] const Architecture* find_architecture(std::string_view model_type);

/// Dense models that were measured in all: turboderp-org/exllamav3#50, oobabooga/textgen#6903.
inline constexpr int kRecords = 2;

/// The settings in force.
struct Settings {
  std::int64_t sequences = 0;
  std::int64_t needed_tokens = 0;  ///< of all sequences, in whole pages
  std::int64_t cache_tokens = 0;   ///< that the cache has: as many, or `cache_size`
  std::int64_t chunk = 0;          ///< max_chunk_size: tokens of a prompt in one step
  std::int64_t k_bits = 16;        ///< of a cached key; 16: not quantized
  std::int64_t v_bits = 16;
  std::int64_t ffn_bytes = 0;  ///< Architecture::ffn_bytes
  bool ring_windows = false;
  Bytes reserve;  ///< that loading leaves free on each GPU
};

/// What a token leaves in the cache of one layer. An unquantized cache has no scales.
struct TokenBits {
  std::int64_t keys = 0;    ///< values of keys; of latent attention, the latent
  std::int64_t values = 0;  ///< of values
  std::int64_t plain = 0;   ///< that are never quantized: the rotated key of latent attention

  friend bool operator==(const TokenBits&, const TokenBits&) = default;
};
[[nodiscard]] TokenBits token_of(const LayerSpec& layer, const Settings& settings);
[[nodiscard]] Bytes cache_bytes(const TokenBits& token, const Settings& settings);
/// What one layer keeps whatever the context: rings of windows and recurrent states of all sequences.
[[nodiscard]] Bytes state_bytes(const LayerSpec& layer, const Settings& settings);

[[nodiscard]] Term cache_term(const Job& job, const Settings& settings, const Stage& stage);
[[nodiscard]] Term state_term(const Job& job, const Settings& settings, const Stage& stage);
/// The largest step of any layer: loading runs each of them once, on the device it goes to.
[[nodiscard]] Term compute_term(const Job& job, const Settings& settings);

}  // namespace weighbridge::exllamav3

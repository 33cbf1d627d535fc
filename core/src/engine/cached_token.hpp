// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weighbridge/model.hpp"

namespace weighbridge {

/// How a serving engine stores what its cache holds.
struct CacheFormat {
  std::int64_t halves = 4;      ///< half bytes of a value: 4 for 16 bit, 2 for FP8, 1 for FP4, which has a scale byte for every 16 values
  bool scaled_latents = false;  ///< FP8 latents of a sparse attention have f32 scales for every 128 values, and a rotated part of 16 bits
};

/// Bytes that one token leaves in one layer on one of the `ranks` ranks that share attention: whole heads, at least one; a latent is the same on
/// every rank; an indexer's keys are E4M3 with an f32 scale for every 128 values beside latents, and of 16 bits beside heads.
[[nodiscard]] std::int64_t cached_bytes(const Mixer& mixer, const CacheFormat& format, std::int64_t ranks);

/// Tokens that a layer looks back on; 0: all.
[[nodiscard]] std::int64_t window_of(const Mixer& mixer);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "engine/cached_token.hpp"

#include <algorithm>

#include "overloaded.hpp"

namespace weighbridge {

namespace {

std::int64_t bytes_of(std::int64_t values, const CacheFormat& format) {
  const std::int64_t scales = format.halves == 1 ? values / 16 : 0;
  return (values * format.halves + 1) / 2 + scales;
}

}  // namespace

std::int64_t cached_bytes(const Mixer& mixer, const CacheFormat& format, std::int64_t ranks) {
  const auto heads = [&](const FullAttention& a) {
    return bytes_of(std::max<std::int64_t>(1, a.n_kv_heads / ranks) * (a.head_dim_k + a.head_dim_v), format) + 2 * a.indexer.cached_values();
  };
  const auto latent = [&](const LatentAttention& a) {
    if (a.indexer.top_k == 0) return bytes_of(a.kv_lora_rank + a.qk_rope_head_dim, format);
    const std::int64_t index = a.indexer.head_dim + 4 * (a.indexer.head_dim / 128);
    const bool scaled = format.scaled_latents && format.halves == 2;
    const std::int64_t layout = a.kv_lora_rank + 4 * (a.kv_lora_rank / 128) + 2 * a.qk_rope_head_dim;
    return index + (scaled ? layout : bytes_of(a.kv_lora_rank + a.qk_rope_head_dim, format));
  };
  return std::visit(Overloaded{[&](const FullAttention& a) { return heads(a); }, [&](const SlidingAttention& a) { return heads(a.heads); },
                               [&](const ChunkedAttention& a) { return heads(a.heads); }, [&](const CrossAttention& a) { return heads(a.heads); },
                               [&](const LatentAttention& a) { return latent(a); }, [](const CompressedAttention&) { return std::int64_t{0}; },
                               [](const EncoderAttention&) { return std::int64_t{0}; }, [](const RecurrentMixer&) { return std::int64_t{0}; },
                               [](const NoMixer&) { return std::int64_t{0}; }},
                    mixer);
}

std::int64_t window_of(const Mixer& mixer) {
  if (const auto* sliding = std::get_if<SlidingAttention>(&mixer)) return sliding->window;
  const auto* chunked = std::get_if<ChunkedAttention>(&mixer);
  return chunked != nullptr ? chunked->chunk : 0;
}

}  // namespace weighbridge

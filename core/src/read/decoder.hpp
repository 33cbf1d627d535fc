// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// Limits of what a config may claim: each several times the largest model known, and small enough that no product of them overflows int64.
namespace config_limit {
inline constexpr std::int64_t layers = 4096;
inline constexpr std::int64_t hidden = std::int64_t{1} << 18;
inline constexpr std::int64_t ffn = std::int64_t{1} << 20;
inline constexpr std::int64_t moe_ffn = std::int64_t{1} << 17;
inline constexpr std::int64_t heads = std::int64_t{1} << 14;
inline constexpr std::int64_t head_dim = std::int64_t{1} << 14;
inline constexpr std::int64_t experts = std::int64_t{1} << 14;
inline constexpr std::int64_t vocab = std::int64_t{1} << 24;
inline constexpr std::int64_t context = std::int64_t{1} << 27;
}  // namespace config_limit

/// What most decoders share. Readers of one family call these and add what is their own.

/// hidden_size, vocab_size, max_position_embeddings, tie_word_embeddings.
void read_common(KeyReader& config, Model& model);

/// Attention as the llama-like families write it: num_attention_heads, num_key_value_heads, head_dim.
[[nodiscard]] FullAttention read_full_attention(KeyReader& config, const Model& model);

/// `quantization_config` and the base type. Errors: unsupported for methods that are not counted.
[[nodiscard]] WeightsLayout read_weights_layout(KeyReader& config);

}  // namespace weighbridge

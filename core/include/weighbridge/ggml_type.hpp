// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weighbridge/dtype.hpp"

namespace weighbridge {

/// The block types of ggml: elements and bytes of one block. Source: the block structs of ggml-org/llama.cpp ggml/src/ggml-common.h (v0.5.0),
/// which asserts these sizes itself.
namespace dtype {
inline constexpr DType q4_0{"q4_0", 32, 18};
inline constexpr DType q4_1{"q4_1", 32, 20};
inline constexpr DType q5_0{"q5_0", 32, 22};
inline constexpr DType q5_1{"q5_1", 32, 24};
inline constexpr DType q8_0{"q8_0", 32, 34};
inline constexpr DType q8_1{"q8_1", 32, 36};
inline constexpr DType q2_k{"q2_K", 256, 84};
inline constexpr DType q3_k{"q3_K", 256, 110};
inline constexpr DType q4_k{"q4_K", 256, 144};
inline constexpr DType q5_k{"q5_K", 256, 176};
inline constexpr DType q6_k{"q6_K", 256, 210};
inline constexpr DType q8_k{"q8_K", 256, 292};
inline constexpr DType iq1_s{"iq1_s", 256, 50};
inline constexpr DType iq1_m{"iq1_m", 256, 56};
inline constexpr DType iq2_xxs{"iq2_xxs", 256, 66};
inline constexpr DType iq2_xs{"iq2_xs", 256, 74};
inline constexpr DType iq2_s{"iq2_s", 256, 82};
inline constexpr DType iq3_xxs{"iq3_xxs", 256, 98};
inline constexpr DType iq3_s{"iq3_s", 256, 110};
inline constexpr DType iq4_nl{"iq4_nl", 32, 18};
inline constexpr DType iq4_xs{"iq4_xs", 256, 136};
inline constexpr DType tq1_0{"tq1_0", 256, 54};
inline constexpr DType tq2_0{"tq2_0", 256, 66};
inline constexpr DType mxfp4{"mxfp4", 32, 17};
inline constexpr DType nvfp4{"nvfp4", 64, 36};
inline constexpr DType q1_0{"q1_0", 128, 18};
inline constexpr DType q2_0{"q2_0", 64, 18};
}  // namespace dtype

/// A type that ggml stores as blocks of more than one element.
[[nodiscard]] constexpr bool is_ggml_quantized(DType type) { return type.block_size > 1; }

/// The type of a cache (`--cache-type-k`, `--cache-type-v`) by its name, or nothing. Source: common/arg.cpp, kv_cache_types.
[[nodiscard]] std::optional<DType> ggml_cache_type(std::string_view name);

/// The type behind the number that a GGUF file stores, or nothing: unknown, or one that llama.cpp removed.
/// Source: ggml-org/llama.cpp ggml/include/ggml.h, enum ggml_type.
[[nodiscard]] std::optional<DType> ggml_type_by_id(std::uint32_t id);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "weighbridge/units.hpp"

namespace weighbridge {

/// A stored element type as a block: `block_size` elements take `block_bytes` bytes. Plain types are blocks of one.
struct DType {
  std::string_view name;
  std::int32_t block_size = 1;
  std::int32_t block_bytes = 1;
  std::int32_t hub_count = 0;  ///< what Hugging Face counts for a block; 0: every element

  friend constexpr bool operator==(const DType& a, const DType& b) { return a.name == b.name; }
};

namespace dtype {
inline constexpr DType f32{"f32", 1, 4};
inline constexpr DType f16{"f16", 1, 2};
inline constexpr DType bf16{"bf16", 1, 2};
inline constexpr DType fp8{"fp8", 1, 1};
inline constexpr DType int8{"int8", 1, 1};
/// Eight 4-bit values packed in one 32-bit word, as GPTQ, AWQ and compressed-tensors store them.
inline constexpr DType int4{"int4", 8, 4};
/// A scale that was quantized itself (bitsandbytes).
inline constexpr DType u8{"u8", 1, 1};
/// E2M1, two in a byte; the scales of MXFP4 (OCP microscaling formats 1.0) are a tensor of their own, of type e8m0.
inline constexpr DType fp4{"fp4", 2, 1};
inline constexpr DType e8m0{"e8m0", 1, 1};
/// Tables of token ids, such as the experts of DeepSeek-V4's first layers.
inline constexpr DType int64{"int64", 1, 8};
/// The same two values in a byte, as NVFP4 stores them: a byte is counted as one.
inline constexpr DType e2m1_pair{"e2m1-pair", 2, 1, 1};
/// The 16 levels of bitsandbytes' NF4 (or its FP4), two in a byte.
inline constexpr DType nf4{"nf4", 2, 1};
/// Bookkeeping of packed formats; a 32-bit word is counted as eight 4-bit values whatever it holds.
inline constexpr DType word32{"word32", 1, 4, 8};
inline constexpr DType f64{"f64", 1, 8};
inline constexpr DType int16{"int16", 1, 2};
inline constexpr DType int32{"int32", 1, 4};
inline constexpr DType uint8{"uint8", 1, 1};
inline constexpr DType uint16{"uint16", 1, 2};
inline constexpr DType uint32{"uint32", 1, 4};
inline constexpr DType uint64{"uint64", 1, 8};
inline constexpr DType boolean{"bool", 1, 1};
inline constexpr DType fp8_e5m2{"fp8_e5m2", 1, 1};

/// Integers of 2, 3, 4 or 8 bits packed into 32-bit words by GPTQ, AWQ or compressed-tensors. Words are counted as 32 / bits values, rounded down.
[[nodiscard]] constexpr DType packed_int(std::int64_t bits) {
  switch (bits) {
    case 2:
      return {"int2", 16, 4};
    case 3:
      return {"int3", 32, 12, 30};
    case 8:
      return {"int8-packed", 4, 4};
    default:
      return int4;
  }
}

/// Integers of 2 to 8 bits as MLX packs them: 32 of them in `bits` words, each counted as one.
[[nodiscard]] constexpr DType mlx_int(std::int64_t bits) {
  constexpr std::string_view names[] = {"mlx-2bit", "mlx-3bit", "mlx-4bit", "mlx-5bit", "mlx-6bit", "mlx-7bit", "mlx-8bit"};
  return {names[bits - 2], 32, static_cast<std::int32_t>(4 * bits), static_cast<std::int32_t>(bits)};
}

/// Integers of 3 or 4 bits as MLC packs them: whole ones in 32-bit words, four words for a group of 40 or 32.
[[nodiscard]] constexpr DType mlc_int(std::int64_t bits) { return bits == 3 ? DType{"mlc-3bit", 40, 16} : DType{"mlc-4bit", 32, 16}; }

/// Tiles of 16 x 16 values at `bits` bits each, as ExLlama 3 stores them.
[[nodiscard]] constexpr DType exl3_int(std::int64_t bits) {
  constexpr std::string_view names[] = {"exl3-1bit", "exl3-2bit", "exl3-3bit", "exl3-4bit", "exl3-5bit", "exl3-6bit", "exl3-7bit", "exl3-8bit"};
  return {names[bits - 1], 16, static_cast<std::int32_t>(2 * bits)};
}
}  // namespace dtype

/// Bytes of `elements` elements; a last, partial block takes a whole one.
[[nodiscard]] constexpr Bytes size_of(DType type, std::int64_t elements) {
  return Bytes(static_cast<std::uint64_t>(ceil_div(elements, type.block_size))) * static_cast<std::uint64_t>(type.block_bytes);
}

/// The type of an HF `torch_dtype` / `dtype` value ("bfloat16", "float16", "float32"), or nothing.
[[nodiscard]] std::optional<DType> dtype_of_torch_name(std::string_view name);

/// Any stored type by its own name ("bf16", "fp8", "q4_K"), or nothing.
[[nodiscard]] std::optional<DType> find_dtype(std::string_view name);

}  // namespace weighbridge

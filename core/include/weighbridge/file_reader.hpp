// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weighbridge/dtype.hpp"
#include "weighbridge/units.hpp"

namespace weighbridge {

/// One tensor as the header of a file declares it.
struct StoredTensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< outermost dimension first, as PyTorch writes it (GGUF stores them the other way round); empty: one element
  DType type;
  std::uint64_t offset = 0;  ///< bytes from the start of the tensor data
  Bytes bytes;

  /// Elements; readers only let those through that fit.
  [[nodiscard]] std::int64_t elements() const;

  friend bool operator==(const StoredTensor&, const StoredTensor&) = default;
};

/// The value types of GGUF metadata, by the numbers in the file. Source: ggml-org/llama.cpp ggml/include/gguf.h, enum gguf_type.
enum class GgufType : std::uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

/// One metadata value. A scalar keeps its bits; a text or an array that is longer than we need keeps its length only.
struct GgufValue {
  GgufType type = GgufType::u8;
  GgufType item_type = GgufType::u8;  ///< of an array
  std::uint64_t length = 0;           ///< bytes of a text, items of an array
  std::uint64_t bits = 0;             ///< of a scalar: integers extended to 64 bits by their sign, floating point as stored
  std::string text;                   ///< empty where it was not kept
  std::vector<std::uint64_t> items;   ///< as `bits`; empty where they were not kept

  /// An integer or boolean that int64 holds.
  [[nodiscard]] std::optional<std::int64_t> whole_number() const;
  [[nodiscard]] std::optional<double> number() const;
  /// The items of an array of integers or booleans that was kept.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> whole_numbers() const;

  friend bool operator==(const GgufValue&, const GgufValue&) = default;
};

/// The header of one GGUF file, version 2 or 3: everything in front of the tensor data. Source: ggml-org/ggml docs/gguf.md.
struct GgufHeader {
  std::string file;
  std::uint32_t version = 0;
  std::uint64_t alignment = 32;
  std::uint64_t header_bytes = 0;  ///< where the tensor data begins, padding included
  std::vector<std::pair<std::string, GgufValue>> metadata;
  std::vector<StoredTensor> tensors;

  [[nodiscard]] const GgufValue* find(std::string_view key) const;
  /// Empty where the key is missing or not a text.
  [[nodiscard]] std::string_view text(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> whole_number(std::string_view key) const;

  friend bool operator==(const GgufHeader&, const GgufHeader&) = default;
};

/// The header of one safetensors file. Source: huggingface/safetensors README.md and safetensors/src/tensor.rs.
struct SafetensorsHeader {
  std::string file;
  std::uint64_t header_bytes = 0;                             ///< where the tensor data begins
  std::vector<std::pair<std::string, std::string>> metadata;  ///< `__metadata__`; long values are empty
  std::vector<StoredTensor> tensors;

  friend bool operator==(const SafetensorsHeader&, const SafetensorsHeader&) = default;
};

/// `model.safetensors.index.json`: which shard holds which tensor.
struct ShardIndex {
  std::string file;
  std::optional<Bytes> total_bytes;                            ///< metadata.total_size
  std::vector<std::string> shards;                             ///< by first mention
  std::vector<std::pair<std::string, std::uint32_t>> tensors;  ///< name, place in `shards`

  friend bool operator==(const ShardIndex&, const ShardIndex&) = default;
};

}  // namespace weighbridge

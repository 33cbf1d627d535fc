// SPDX-License-Identifier: Apache-2.0
// Model files for tests: headers built byte by byte, as well-formed or as hostile as a test wants them.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "read/header_reader.hpp"
#include "weighbridge/file_reader.hpp"

namespace weighbridge::testing {

/// `value` as the file holds it. The machines that run the tests are little-endian too.
template <class T>
[[nodiscard]] std::string raw(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}
/// A length and the text.
[[nodiscard]] std::string gguf_text(std::string_view text);

/// Builds a GGUF file's header in order of the calls. Counts and offsets are right unless a test sets them otherwise.
class GgufWriter {
 public:
  GgufWriter& number(std::string_view key, std::uint32_t value);
  GgufWriter& text(std::string_view key, std::string_view value);
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values);
  GgufWriter& numbers(std::string_view key, const std::vector<std::int32_t>& values);
  /// Any value: `bytes` follow the type as they are.
  GgufWriter& value(std::string_view key, GgufType type, std::string_view bytes);
  /// `dimensions` innermost first, as the file has them.
  GgufWriter& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint32_t type, std::uint64_t bytes);

  /// The header, padded to where the data begins.
  [[nodiscard]] std::string header() const;
  /// Size of the whole file.
  [[nodiscard]] std::uint64_t file_bytes() const { return header().size() + data_bytes; }

  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;
  std::uint64_t n_tensors = 0;
  std::uint64_t n_values = 0;
  std::uint64_t data_bytes = 0;  ///< of the tensors so far: the offset of the next one

 private:
  std::string values_;
  std::string tensors_;
};

/// A header with the meaning of `header`; what its reader did not keep is filled with zeros.
[[nodiscard]] std::string write_gguf(const GgufHeader& header);

/// Eight bytes of length and `json`.
[[nodiscard]] std::string safetensors_file(std::string_view json);
[[nodiscard]] std::string write_safetensors(const SafetensorsHeader& header);
[[nodiscard]] std::string write_index(const ShardIndex& index);

/// Serves `reader` from `file` in pieces of `piece` bytes, from where it asks, until it is done, fails or the file ends.
void serve(HeaderReader& reader, std::string_view file, std::size_t piece);

/// A header like that of a model with `n_tokens` tokens, as many merges and `n_tensors` tensors.
[[nodiscard]] GgufWriter large_gguf(std::size_t n_tokens, std::size_t n_tensors);

}  // namespace weighbridge::testing

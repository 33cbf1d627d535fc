// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/header_reader.hpp"

namespace weighbridge {

/// Arrays up to this many numbers are kept: those that hold one value a layer (models have at most a few hundred layers). Longer ones are by
/// token, and skipped.
inline constexpr std::uint64_t kMostKeptItems = 8192;
/// Longest key of the format (ggml docs/gguf.md: at most 2^16 - 1 bytes).
inline constexpr std::uint64_t kLongestKey = 65'535;
/// ggml keeps 63 bytes (GGML_MAX_NAME); builds may raise that.
inline constexpr std::uint64_t kLongestTensorName = 1024;
/// Longest text and array that llama.cpp reads (ggml/src/gguf.cpp, GGUF_MAX_STRING_LENGTH and GGUF_MAX_ARRAY_ELEMENTS).
inline constexpr std::uint64_t kMostGgufItems = std::uint64_t{1} << 30;
/// Real files have 20 to 60 keys.
inline constexpr std::uint64_t kMostGgufKeys = 65'536;
/// All texts and numbers that are kept of one header, so that a hostile one cannot fill the memory of a page.
inline constexpr std::uint64_t kMostKeptBytes = std::uint64_t{64} << 20;

/// Reads a GGUF header. Lists of texts (tokens, merges) are passed over without keeping anything; long arrays of numbers are skipped, bytes and
/// all. Refuses what llama.cpp refuses (ggml/src/gguf.cpp), and what lies beyond the end of the file.
class GgufReader : public HeaderReader {
 public:
  GgufReader(std::string file, std::optional<std::uint64_t> file_bytes);

  [[nodiscard]] std::uint64_t wanted() const override { return wanted_ - carry_.size(); }
  /// Requires done().
  [[nodiscard]] GgufHeader take() { return std::move(header_); }

 protected:
  void read(std::string_view bytes) override;

 private:
  /// What the next `wanted_` bytes are.
  enum class State { start, key_length, key, scalar, text_length, text, array_start, items, list_length, name_length, name, tensor };

  void expect(State state, std::uint64_t bytes) {
    state_ = state;
    wanted_ = bytes;
  }
  /// Steps over `bytes` that begin at `at_`.
  void pass_over(std::uint64_t bytes);
  void step(const char* bytes);
  void read_start(const char* bytes);
  void read_key(const char* bytes);
  void read_array_start(const char* bytes);
  void read_items(const char* bytes);
  void read_name(const char* bytes);
  void read_tensor(const char* bytes);
  std::size_t pass_over_list(std::string_view bytes);
  void next_value();
  void next_tensor();
  void read_alignment();
  void finish_header();
  [[nodiscard]] bool is_length(std::uint64_t length, std::uint64_t least, std::uint64_t most, const char* what);
  [[nodiscard]] bool keep(std::uint64_t bytes);
  GgufValue& value() { return header_.metadata.back().second; }

  GgufHeader header_;
  State state_ = State::start;
  std::uint64_t wanted_ = 0;
  std::uint64_t at_ = 0;      ///< offset in the file of the first byte that was not understood yet
  std::uint64_t over_ = 0;    ///< bytes to pass over first
  std::string carry_;         ///< the beginning of what `wanted_` bytes are awaited for
  std::uint64_t length_ = 0;  ///< of the key or name that comes
  std::uint64_t list_left_ = 0;
  std::uint64_t values_left_ = 0;
  std::uint64_t tensors_left_ = 0;
  std::uint64_t kept_ = 0;
  std::uint64_t data_end_ = 0;  ///< where the next tensor must begin
};

}  // namespace weighbridge

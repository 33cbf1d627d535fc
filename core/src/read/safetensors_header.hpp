// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/header_reader.hpp"
#include "read/json_push.hpp"

namespace weighbridge {

/// Longest header of the format. Source: huggingface/safetensors safetensors/src/tensor.rs, MAX_HEADER_SIZE.
inline constexpr std::uint64_t kMostSafetensorsHeader = 100'000'000;
/// The format sets no limit; weights of language models have up to five dimensions (3-D convolutions).
inline constexpr std::size_t kMostSafetensorsDimensions = 8;

/// Reads a safetensors header: eight bytes of length, then JSON. Refuses what the safetensors library refuses: tensors that overlap, leave holes
/// or do not have the size of their shape.
class SafetensorsReader : public HeaderReader, private JsonEvents {
 public:
  SafetensorsReader(std::string file, std::optional<std::uint64_t> file_bytes) : HeaderReader(std::move(file), file_bytes), json_(*this) {
    header_.file = this->file();
  }

  [[nodiscard]] std::uint64_t wanted() const override { return start_.size() < kLengthBytes ? kLengthBytes - start_.size() : left_; }
  /// Requires done().
  [[nodiscard]] SafetensorsHeader take() { return std::move(header_); }

 protected:
  void read(std::string_view bytes) override;

 private:
  static constexpr std::size_t kLengthBytes = 8;
  /// Where in a tensor's entry the JSON is.
  enum class Field { none, dtype, shape, offsets };

  bool on_open(char bracket) override;
  bool on_close() override;
  bool on_key(std::string& key) override;
  bool on_string(std::string& text) override;
  bool on_other(std::string_view token) override;

  void read_length();
  [[nodiscard]] bool begin_entry(std::string& name);
  [[nodiscard]] bool end_tensor();
  void finish_header();
  bool refuse(const char* code, const std::string& what);

  JsonPush json_;
  SafetensorsHeader header_;
  std::string start_;       ///< the eight bytes of length, as far as they came
  std::uint64_t left_ = 0;  ///< bytes of JSON to come
  int level_ = 0;
  bool in_metadata_ = false;
  Field field_ = Field::none;
  unsigned fields_ = 0;  ///< bits: which of a tensor's three keys were seen
  std::vector<std::uint64_t> offsets_;
};

/// The type that a safetensors header calls `name` ("BF16", "F8_E4M3"), or nothing.
[[nodiscard]] std::optional<DType> safetensors_type(std::string_view name);

}  // namespace weighbridge

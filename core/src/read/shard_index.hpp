// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "read/header_reader.hpp"
#include "read/json_push.hpp"

namespace weighbridge {

/// Larger than any index: DeepSeek-R1's, with 91,991 tensors, has 8.9 MB.
inline constexpr std::uint64_t kMostIndexBytes = 100'000'000;
/// DeepSeek-R1 has 163.
inline constexpr std::size_t kMostShards = 4096;

/// Reads `model.safetensors.index.json`. Other keys than `metadata.total_size` and `weight_map` are passed over.
class ShardIndexReader : public HeaderReader, private JsonEvents {
 public:
  ShardIndexReader(std::string file, std::optional<std::uint64_t> file_bytes);

  [[nodiscard]] std::uint64_t wanted() const override;
  /// Requires done().
  [[nodiscard]] ShardIndex take() { return std::move(index_); }

 protected:
  void read(std::string_view bytes) override;
  void read_end() override;

 private:
  enum class Part { other, metadata, weight_map };

  bool on_open(char bracket) override;
  bool on_close() override;
  bool on_key(std::string& key) override;
  bool on_string(std::string& text) override;
  bool on_other(std::string_view token) override;
  void begin();
  void parse(std::string_view text);
  bool refuse(const char* code, const std::string& what);
  [[nodiscard]] std::uint32_t place_of(std::string& shard);

  JsonPush json_;
  ShardIndex index_;
  std::string start_;  ///< the first bytes, until they are enough to tell what kind of file this is
  bool begun_ = false;
  int level_ = 0;
  Part part_ = Part::other;
  bool saw_map_ = false;
  bool is_total_ = false;   ///< the value of metadata.total_size comes
  std::uint32_t last_ = 0;  ///< the shard of the tensor before: most often the same
};

/// Reads a small JSON file whole, as `config.json`.
class TextReader : public HeaderReader {
 public:
  /// As json_parse.hpp: far beyond any config.
  static constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 20;

  TextReader(std::string file, std::optional<std::uint64_t> file_bytes);

  [[nodiscard]] std::uint64_t wanted() const override;
  /// Requires done(); JSON without an error.
  [[nodiscard]] std::string take() { return std::move(text_); }

 protected:
  void read(std::string_view bytes) override;
  void read_end() override;

 private:
  std::string text_;
};

}  // namespace weighbridge

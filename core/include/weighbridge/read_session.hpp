// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// A file that somebody offers. `name` may have folders, separated by `/`.
struct NamedFile {
  std::string name;
  std::optional<std::uint64_t> bytes;  ///< its size, where that is known
};

/// A piece of a file that the session asks for. A file may be shorter, if its size is not known.
struct FileNeed {
  std::string file;
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Where the bytes of the weights come from.
enum class WeightsFrom {
  headers,  ///< every tensor is known
  index,    ///< shards are missing: names, and the total if the index has it
  nothing,  ///< no file of weights was there
};

/// What the files said, unjudged. Either GGUF parts, or any of config, index and safetensors shards.
struct FilesRead {
  std::vector<GgufHeader> gguf;  ///< in the order of the parts; the first holds the model's metadata
  std::vector<SafetensorsHeader> safetensors;
  std::optional<ShardIndex> index;
  std::string config;  ///< the text of config.json, JSON for certain; empty if there was none
  WeightsFrom weights_from = WeightsFrom::nothing;
  Notices warnings;

  /// Calls `use` for every tensor of every header.
  template <class Use>
  void for_each_tensor(Use use) const {
    for (const GgufHeader& header : gguf)
      for (const StoredTensor& tensor : header.tensors) use(tensor);
    for (const SafetensorsHeader& header : safetensors)
      for (const StoredTensor& tensor : header.tensors) use(tensor);
  }
  /// Of all tensors, or what the index says; nothing if neither is known.
  [[nodiscard]] std::optional<Bytes> weights_bytes() const;
};

enum class FileKind;

/// Reads a model that is spread over several files: asks for the pieces it needs, and only for those. Files dropped together may be a GGUF or
/// all its parts, a folder with config.json, index and shards, or any of these alone; others are passed over. With `remote`, the files are the
/// names to try in a repository: shards are asked for as the index names them, and `model.safetensors` only if there is no index.
class ReadSession {
 public:
  /// Errors: wrong_type (nothing we read is among the files), several_models, parts_missing, too_many_files.
  [[nodiscard]] static Result<ReadSession> open(const std::vector<NamedFile>& files, bool remote);
  ReadSession(ReadSession&&) noexcept;
  ReadSession& operator=(ReadSession&&) noexcept;
  ~ReadSession();

  /// What is needed next, several files at once; empty when all is read or reading has failed.
  [[nodiscard]] std::vector<FileNeed> needs() const;
  /// Bytes of `file` from `offset` on; `size` is the whole file's, where that is known. A piece shorter than was asked for ends a file of unknown
  /// size. Errors: those of the file, which end the session, and unknown_file or wrong_offset, which do not.
  [[nodiscard]] Result<void> push(std::string_view file, std::optional<std::uint64_t> size, std::uint64_t offset, std::string_view bytes);
  /// The file does not exist.
  [[nodiscard]] Result<void> absent(std::string_view file);

  [[nodiscard]] bool done() const;
  [[nodiscard]] std::size_t n_files() const;
  [[nodiscard]] std::size_t n_files_done() const;
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

  /// All that was read. Requires done(), once. Errors: parts that do not belong together, a model without weights or config.
  [[nodiscard]] Result<FilesRead> take();

 private:
  struct Entry;
  ReadSession();

  void add(const NamedFile& file, FileKind kind);
  [[nodiscard]] Entry* find(std::string_view file);
  [[nodiscard]] Result<void> settle(Entry& entry);
  void follow_index();
  [[nodiscard]] bool waits(const Entry& entry) const;
  [[nodiscard]] static std::uint64_t need_bytes(const Entry& entry);

  std::vector<std::unique_ptr<Entry>> entries_;
  std::optional<ShardIndex> index_;
  std::vector<std::string> missing_;  ///< shards of the index that are not there
  std::string folder_;                ///< of the files, with the slash
  std::optional<Error> error_;
  Notices warnings_;
  std::uint64_t bytes_read_ = 0;
  bool remote_ = false;
};

}  // namespace weighbridge

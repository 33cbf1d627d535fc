// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// More tensors than any checkpoint has: DeepSeek-R1 stores 91,991 in 163 files, Kimi-K2 about 140,000.
inline constexpr std::uint64_t kMostTensors = std::uint64_t{1} << 19;
/// Texts beyond this are templates, licences and descriptions: nothing we count by.
inline constexpr std::uint64_t kLongestKeptText = 4096;

/// Reads the front of one file from pieces of any size, and keeps only what was understood. The caller pushes the bytes from `next()` on; a
/// reader that skips a long value moves `next()` past it.
class HeaderReader {
 public:
  /// `file` is the name in messages; `file_bytes` is the whole file's size where it is known: nothing may be declared beyond it.
  HeaderReader(std::string file, std::optional<std::uint64_t> file_bytes) : file_(std::move(file)), file_bytes_(file_bytes) {}
  HeaderReader(const HeaderReader&) = delete;
  HeaderReader& operator=(const HeaderReader&) = delete;
  virtual ~HeaderReader() = default;

  /// `bytes` begin at `next()`. Does nothing once the reader is done or has failed.
  void push(std::string_view bytes);
  /// There are no bytes from `next()` on.
  void end();
  /// The size of the file became known.
  void learn_size(std::uint64_t file_bytes) { file_bytes_ = file_bytes; }

  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] std::uint64_t next() const { return next_; }
  /// How many bytes from `next()` on are certain to be needed; at least 1 while there is work.
  [[nodiscard]] virtual std::uint64_t wanted() const = 0;
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::optional<std::uint64_t> file_bytes() const { return file_bytes_; }

 protected:
  /// Takes all of `bytes`; a reader that wants to go on further behind calls skip().
  virtual void read(std::string_view bytes) = 0;
  /// The file ended: by default a header that is cut off.
  virtual void read_end() { fail_cut_off(next_); }

  void skip(std::uint64_t bytes) { next_ += bytes; }
  void finish() { done_ = true; }
  void fail(std::string code, std::string message, std::string expected = {});
  /// The header needs more bytes than the file has.
  void fail_cut_off(std::uint64_t at);
  /// `bytes` from `at` on must lie in the file; fails if they do not.
  [[nodiscard]] bool lies_in_file(std::uint64_t at, std::uint64_t bytes);

 private:
  std::string file_;
  std::optional<std::uint64_t> file_bytes_;
  std::uint64_t next_ = 0;
  bool done_ = false;
  std::optional<Error> error_;
};

/// A refusal if the first bytes are those of another kind of file: a Git LFS pointer, a web page, a PyTorch archive or pickle, a compressed
/// file. `bytes` are the first of the file, up to 64.
[[nodiscard]] std::optional<Error> foreign_file(std::string_view bytes, const std::string& file);

/// "512 bytes", "12.0 MiB", "61.2 GiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);

/// A name out of a file, as a message may show it: in backquotes, shortened, valid UTF-8.
[[nodiscard]] std::string in_quotes(std::string_view name);

/// The product of the dimensions, or nothing if int64 cannot hold it.
[[nodiscard]] std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& shape);

/// The first name that occurs twice, or null.
[[nodiscard]] const std::string* repeated_name(const std::vector<StoredTensor>& tensors);

}  // namespace weighbridge

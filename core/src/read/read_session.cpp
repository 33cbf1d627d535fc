// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/read_session.hpp"

#include <algorithm>

#include "read/choose_files.hpp"
#include "read/files_read.hpp"
#include "read/gguf_header.hpp"
#include "read/safetensors_header.hpp"
#include "read/shard_index.hpp"

namespace weighbridge {

namespace {

/// A GGUF header has 5 to 15 MiB, most of it tokens: few pieces, each soon copied.
constexpr std::uint64_t kLargestPiece = std::uint64_t{1} << 20;
/// Holds the whole header of most shards, whose length is not known before.
constexpr std::uint64_t kFirstSafetensorsPiece = std::uint64_t{1} << 16;
/// More requests at a time than a browser sends to one server.
constexpr std::size_t kMostNeeds = 16;

std::unique_ptr<HeaderReader> reader_for(FileKind kind, const NamedFile& file) {
  switch (kind) {
    case FileKind::gguf:
      return std::make_unique<GgufReader>(file.name, file.bytes);
    case FileKind::safetensors:
      return std::make_unique<SafetensorsReader>(file.name, file.bytes);
    case FileKind::index:
      return std::make_unique<ShardIndexReader>(file.name, file.bytes);
    default:
      return std::make_unique<TextReader>(file.name, file.bytes);
  }
}

}  // namespace

struct ReadSession::Entry {
  std::unique_ptr<HeaderReader> reader;
  FileKind kind = FileKind::other;
  bool absent = false;

  [[nodiscard]] bool settled() const { return absent || reader->done(); }
};

ReadSession::ReadSession() = default;
ReadSession::ReadSession(ReadSession&&) noexcept = default;
ReadSession& ReadSession::operator=(ReadSession&&) noexcept = default;
ReadSession::~ReadSession() = default;

Result<ReadSession> ReadSession::open(const std::vector<NamedFile>& files, bool remote) {
  Result<ChosenFiles> chosen = choose_files(files, remote);
  if (!chosen) return fail(chosen.error());
  ReadSession session;
  session.remote_ = remote;
  session.folder_ = chosen->folder;
  session.warnings_ = std::move(chosen->warnings);
  for (const ChosenFile& file : chosen->files) session.add(file.file, file.kind);
  for (const auto& entry : session.entries_) {
    if (entry->reader->file_bytes() == std::uint64_t{0}) entry->reader->end();
    if (entry->reader->error()) return fail(*entry->reader->error());
  }
  return session;
}

void ReadSession::add(const NamedFile& file, FileKind kind) {
  auto entry = std::make_unique<Entry>();
  entry->kind = kind;
  entry->reader = reader_for(entry->kind, file);
  entries_.push_back(std::move(entry));
}

ReadSession::Entry* ReadSession::find(std::string_view file) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry->reader->file() == file; });
  return found == entries_.end() ? nullptr : found->get();
}

/// Shards come after the index that names them.
bool ReadSession::waits(const Entry& entry) const {
  return entry.kind == FileKind::safetensors &&
         std::any_of(entries_.begin(), entries_.end(), [](const auto& other) { return other->kind == FileKind::index && !other->settled(); });
}

std::uint64_t ReadSession::need_bytes(const Entry& entry) {
  const HeaderReader& reader = *entry.reader;
  std::uint64_t bytes = reader.wanted();
  if (entry.kind == FileKind::gguf) bytes = kLargestPiece;
  if (entry.kind == FileKind::safetensors && reader.next() == 0) bytes = kFirstSafetensorsPiece;
  bytes = std::min(bytes, kLargestPiece);
  const std::optional<std::uint64_t> size = reader.file_bytes();
  return size && *size > reader.next() ? std::min(bytes, *size - reader.next()) : bytes;
}

std::vector<FileNeed> ReadSession::needs() const {
  std::vector<FileNeed> list;
  if (error_) return list;
  for (const auto& entry : entries_) {
    if (entry->settled() || waits(*entry)) continue;
    list.push_back({entry->reader->file(), entry->reader->next(), need_bytes(*entry)});
    if (list.size() == kMostNeeds) break;
  }
  return list;
}

Result<void> ReadSession::push(std::string_view file, std::optional<std::uint64_t> size, std::uint64_t offset, std::string_view bytes) {
  if (error_) return fail(*error_);
  Entry* entry = find(file);
  const std::string name(file);
  if (entry == nullptr || waits(*entry))
    return fail(notice::custom("unknown_file", "push.file", in_quotes(file) + " was not asked for: expected a file of `needs`.", "file", name,
                               "a file of `needs`"));
  if (entry->settled()) return {};
  HeaderReader& reader = *entry->reader;
  const std::uint64_t next = reader.next();
  if (offset > next || next - offset > bytes.size())
    return fail(notice::custom("wrong_offset", "push.offset",
                               in_quotes(file) + ": got " + std::to_string(bytes.size()) + " bytes from byte " + std::to_string(offset) +
                                   ", expected those from byte " + std::to_string(next) + " on.",
                               "offset", std::to_string(offset), std::to_string(next)));
  if (size && reader.file_bytes() && *size != *reader.file_bytes()) {
    error_ = notice::custom("file_changed", "files." + name, in_quotes(file) + " has changed while it was read: expected the same size throughout.",
                            "file", name);
    return fail(*error_);
  }
  if (size) reader.learn_size(*size);
  const std::uint64_t asked = need_bytes(*entry);
  bytes.remove_prefix(static_cast<std::size_t>(next - offset));
  bytes_read_ += bytes.size();
  reader.push(bytes);
  const bool ended = reader.file_bytes() ? reader.next() >= *reader.file_bytes() : bytes.size() < asked;
  if (ended) reader.end();
  return settle(*entry);
}

Result<void> ReadSession::absent(std::string_view file) {
  if (error_) return fail(*error_);
  Entry* entry = find(file);
  if (entry == nullptr || entry->settled()) return {};
  entry->absent = true;
  if (entry->kind == FileKind::gguf)
    error_ = notice::custom("file_missing", "files." + std::string(file), in_quotes(file) + " is not there: expected all files of the model.", "file",
                            std::string(file), "all files of the model");
  if (index_ && entry->kind == FileKind::safetensors) missing_.emplace_back(file);
  if (error_) return fail(*error_);
  return {};
}

Result<void> ReadSession::settle(Entry& entry) {
  if (entry.reader->error()) {
    error_ = *entry.reader->error();
    return fail(*error_);
  }
  if (entry.kind == FileKind::index && entry.reader->done()) follow_index();
  return {};
}

/// From here on the shards are those of the index, whatever else lies beside it.
void ReadSession::follow_index() {
  for (const auto& entry : entries_)
    if (entry->kind == FileKind::index && entry->reader->done()) index_ = static_cast<ShardIndexReader&>(*entry->reader).take();
  std::vector<std::string> shards;
  for (const std::string& shard : index_->shards) shards.push_back(folder_ + shard);
  const auto is_foreign = [&](const std::unique_ptr<Entry>& entry) {
    return entry->kind == FileKind::safetensors && std::find(shards.begin(), shards.end(), entry->reader->file()) == shards.end();
  };
  for (const auto& entry : entries_)
    if (is_foreign(entry) && !remote_)
      warnings_.push_back(notice::custom("file_ignored", "files." + entry->reader->file(),
                                         in_quotes(entry->reader->file()) + " was not counted: the index does not name it.", "file",
                                         entry->reader->file()));
  entries_.erase(std::remove_if(entries_.begin(), entries_.end(), is_foreign), entries_.end());
  for (const std::string& shard : shards) {
    if (find(shard) != nullptr) continue;
    if (remote_)
      add({shard, std::nullopt}, FileKind::safetensors);
    else
      missing_.push_back(shard);
  }
}

bool ReadSession::done() const {
  return !error_ && std::all_of(entries_.begin(), entries_.end(), [](const auto& entry) { return entry->settled(); });
}
std::size_t ReadSession::n_files() const { return entries_.size(); }
std::size_t ReadSession::n_files_done() const {
  return static_cast<std::size_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) { return entry->settled(); }));
}

Result<FilesRead> ReadSession::take() {
  FilesRead read;
  read.warnings = std::move(warnings_);
  read.index = std::move(index_);
  for (const auto& entry : entries_) {
    if (entry->absent) continue;
    if (entry->kind == FileKind::gguf) read.gguf.push_back(static_cast<GgufReader&>(*entry->reader).take());
    if (entry->kind == FileKind::safetensors) read.safetensors.push_back(static_cast<SafetensorsReader&>(*entry->reader).take());
    if (entry->kind == FileKind::config) read.config = static_cast<TextReader&>(*entry->reader).take();
  }
  if (auto checked = check_files(read, missing_); !checked) {
    error_ = checked.error();
    return fail(*error_);
  }
  return read;
}

}  // namespace weighbridge

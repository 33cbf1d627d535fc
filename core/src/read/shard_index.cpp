// SPDX-License-Identifier: Apache-2.0
#include "read/shard_index.hpp"

#include <algorithm>

#include "json_parse.hpp"

namespace weighbridge {

namespace {

/// Texts whose size is not known are asked for in pieces of this.
constexpr std::uint64_t kPiece = std::uint64_t{1} << 18;
/// Enough for every kind that foreign_file() tells apart.
constexpr std::size_t kSniffedBytes = 8;

std::uint64_t rest_of(std::optional<std::uint64_t> file_bytes, std::uint64_t next) {
  return file_bytes && *file_bytes > next ? *file_bytes - next : kPiece;
}

}  // namespace

ShardIndexReader::ShardIndexReader(std::string file, std::optional<std::uint64_t> file_bytes)
    : HeaderReader(std::move(file), file_bytes), json_(*this) {
  index_.file = this->file();
  if (file_bytes && *file_bytes > kMostIndexBytes) refuse("too_large", "is larger than 100 MB: expected an index of shards.");
}

std::uint64_t ShardIndexReader::wanted() const { return rest_of(file_bytes(), next()); }

void ShardIndexReader::read(std::string_view bytes) {
  if (!begun_) {
    // Held back until it is sure that this is no other kind of file: the sentence must not depend on how the bytes are cut.
    const std::size_t taken = std::min(kSniffedBytes - start_.size(), bytes.size());
    start_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (start_.size() == kSniffedBytes) begin();
  }
  if (next() > kMostIndexBytes) {
    refuse("too_large", "is larger than 100 MB: expected an index of shards.");
  } else if (begun_) {
    parse(bytes);
  }
  if (!error() && file_bytes() && next() >= *file_bytes()) read_end();
}

void ShardIndexReader::begin() {
  begun_ = true;
  if (std::optional<Error> foreign = foreign_file(start_, file())) return fail(foreign->code, foreign->message, foreign->expected);
  parse(start_);
}

void ShardIndexReader::parse(std::string_view text) {
  if (!error() && !json_.push(text)) refuse("invalid_json", "is not the JSON of an index at byte " + std::to_string(json_.position()) + ".");
}

void ShardIndexReader::read_end() {
  if (!begun_) begin();
  if (error()) return;
  if (!json_.end()) return fail_cut_off(next());
  if (!saw_map_) {
    refuse("missing_key", "has no `weight_map`: expected an index of shards.");
    return;
  }
  std::vector<std::string_view> names;
  names.reserve(index_.tensors.size());
  for (const auto& [name, place] : index_.tensors) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    refuse("duplicate", "lists the tensor " + in_quotes(*twice) + " twice.");
  else
    finish();
}

bool ShardIndexReader::refuse(const char* code, const std::string& what) {
  fail(code, in_quotes(file()) + " " + what, "an index of shards");
  return false;
}

bool ShardIndexReader::on_open(char bracket) {
  ++level_;
  if (level_ == 1) return bracket == '{' || refuse("wrong_type", "is not an object: expected an index of shards.");
  if (part_ != Part::weight_map) return true;
  saw_map_ = true;
  return (level_ == 2 && bracket == '{') || refuse("wrong_type", "has a `weight_map` that is not a list of names: expected tensor and file.");
}

bool ShardIndexReader::on_close() {
  --level_;
  return true;
}

bool ShardIndexReader::on_key(std::string& key) {
  is_total_ = false;
  if (level_ == 1) {
    part_ = key == "metadata" ? Part::metadata : key == "weight_map" ? Part::weight_map : Part::other;
    if (part_ == Part::weight_map && saw_map_) return refuse("duplicate", "has two keys `weight_map`.");
  } else if (level_ == 2 && part_ == Part::weight_map) {
    if (index_.tensors.size() == kMostTensors) return refuse("too_large", "lists more tensors than any model has.");
    index_.tensors.emplace_back(std::move(key), 0);
  } else {
    is_total_ = level_ == 2 && part_ == Part::metadata && key == "total_size";
  }
  return true;
}

bool ShardIndexReader::on_string(std::string& text) {
  if (part_ != Part::weight_map) return true;
  if (level_ != 2) return refuse("wrong_type", "has a `weight_map` that is not a list of names: expected tensor and file.");
  // A name leads to no other folder: it is what a page would fetch next.
  if (text.empty() || text.size() > 255 || text.find('/') != std::string::npos || text.find('\\') != std::string::npos ||
      text.find("..") != std::string::npos)
    return refuse("out_of_range", "names the file " + in_quotes(text) + ": expected a file of the same folder.");
  if (index_.shards.empty() || index_.shards[last_] != text) last_ = place_of(text);
  if (index_.shards.size() > kMostShards) return refuse("too_large", "names more than " + std::to_string(kMostShards) + " files.");
  index_.tensors.back().second = last_;
  return true;
}

std::uint32_t ShardIndexReader::place_of(std::string& shard) {
  const auto found = std::find(index_.shards.begin(), index_.shards.end(), shard);
  const auto place = static_cast<std::uint32_t>(found - index_.shards.begin());
  if (found == index_.shards.end()) index_.shards.push_back(std::move(shard));
  return place;
}

bool ShardIndexReader::on_other(std::string_view token) {
  if (part_ == Part::weight_map) return refuse("wrong_type", "has a `weight_map` that is not a list of names: expected tensor and file.");
  if (!is_total_) return true;
  is_total_ = false;
  // Some tools write it as a float.
  const Result<Json> number = parse_json(token, "total_size");
  const std::optional<std::int64_t> total = number ? whole_number_of(*number) : std::nullopt;
  if (total && *total >= 0) index_.total_bytes = Bytes(static_cast<std::uint64_t>(*total));
  return true;
}

TextReader::TextReader(std::string file, std::optional<std::uint64_t> file_bytes) : HeaderReader(std::move(file), file_bytes) {
  if (file_bytes && *file_bytes > kMostBytes)
    fail("too_large", in_quotes(this->file()) + " is larger than 4 MiB: expected a config.json.", "a config.json");
}

std::uint64_t TextReader::wanted() const { return rest_of(file_bytes(), next()); }

void TextReader::read(std::string_view bytes) {
  text_.append(bytes);
  if (text_.size() > kMostBytes)
    fail("too_large", in_quotes(file()) + " is larger than 4 MiB: expected a config.json.", "a config.json");
  else if (file_bytes() && next() >= *file_bytes())
    read_end();
}

void TextReader::read_end() {
  if (std::optional<Error> foreign = foreign_file(text_, file())) return fail(foreign->code, foreign->message, foreign->expected);
  const Result<Json> parsed = parse_json(text_, "files." + file());
  if (!parsed) return fail(parsed.error().code, parsed.error().message, parsed.error().expected);
  if (!parsed->is_object()) return fail("wrong_type", in_quotes(file()) + " is not a JSON object: expected a config.json.", "a config.json");
  finish();
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/header_reader.hpp"

#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "read/choose_files.hpp"

namespace weighbridge {

void HeaderReader::push(std::string_view bytes) {
  if (done_ || error_ || bytes.empty()) return;
  next_ += bytes.size();
  read(bytes);
}

void HeaderReader::end() {
  if (!done_ && !error_) read_end();
}

void HeaderReader::fail(std::string code, std::string message, std::string expected) {
  if (!error_) error_ = notice::custom(std::move(code), "files." + file_, std::move(message), "file", file_, std::move(expected));
}

void HeaderReader::fail_cut_off(std::uint64_t at) {
  // One of many parts has to be named.
  const std::string which = part_name(file_).n_parts > 1 ? "The header of " + in_quotes(file_) : "The header";
  fail("file_cut_off", which + " ends early at " + size_text(at) + ". The file may still be downloading. Nothing was changed.", "the whole file");
}

bool HeaderReader::lies_in_file(std::uint64_t at, std::uint64_t bytes) {
  if (!file_bytes_ || (at <= *file_bytes_ && bytes <= *file_bytes_ - at)) return true;
  fail_cut_off(*file_bytes_);
  return false;
}

std::optional<Error> foreign_file(std::string_view bytes, const std::string& file) {
  struct Kind {
    std::string_view start;
    std::string_view code;
    std::string_view is;
  };
  using namespace std::string_view_literals;
  // At most eight bytes each: so many of a safetensors file are at hand when its length is read.
  constexpr std::array kKinds{
      Kind{"version "sv, "git_lfs_pointer", "is a Git LFS pointer, not the model: expected the file itself (`git lfs pull` fetches it)."},
      Kind{"<!DOCTYP"sv, "web_page",
           "is a web page, not the model: expected the file itself. A page that asks to log in may have been saved instead."},
      Kind{"<!doctyp"sv, "web_page",
           "is a web page, not the model: expected the file itself. A page that asks to log in may have been saved instead."},
      Kind{"<html"sv, "web_page", "is a web page, not the model: expected the file itself. A page that asks to log in may have been saved instead."},
      Kind{"PK\x03\x04"sv, "pytorch_archive", "is a zip archive, as PyTorch saves (.bin, .pt, .pth): expected .gguf or .safetensors."},
      Kind{"\x80\x02"sv, "pytorch_archive", "is a Python pickle, as PyTorch saved (.bin, .pt, .pth): expected .gguf or .safetensors."},
      Kind{"\x1f\x8b"sv, "compressed", "is compressed with gzip: expected the file unpacked."},
  };
  for (const Kind& kind : kKinds)
    if (bytes.starts_with(kind.start))
      return notice::custom(std::string(kind.code), "files." + file, in_quotes(file) + " " + std::string(kind.is), "file", file,
                            "the model's own file");
  return std::nullopt;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array kUnits{"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return std::to_string(bytes) + " bytes";
  std::size_t unit = 0;
  std::uint64_t base = 1024;
  while (unit + 1 < kUnits.size() && bytes / 1024 >= base) {
    base *= 1024;
    ++unit;
  }
  const std::uint64_t tenths = bytes / base * 10 + bytes % base * 10 / base;
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " + kUnits[unit];
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t most = 80;
  std::string text = Json(std::string(name.substr(0, most))).dump(-1, ' ', false, Json::error_handler_t::replace);
  text.front() = text.back() = '`';
  if (name.size() > most) text.insert(text.size() - 1, "...");
  return text;
}

std::optional<std::int64_t> element_count(const std::vector<std::int64_t>& shape) {
  std::int64_t product = 1;
  for (const std::int64_t dimension : shape)
    if (__builtin_mul_overflow(product, dimension, &product)) return std::nullopt;
  return product;
}

const std::string* repeated_name(const std::vector<StoredTensor>& tensors) {
  std::vector<const std::string*> names;
  names.reserve(tensors.size());
  for (const StoredTensor& tensor : tensors) names.push_back(&tensor.name);
  std::sort(names.begin(), names.end(), [](const std::string* a, const std::string* b) { return *a < *b; });
  const auto twice = std::adjacent_find(names.begin(), names.end(), [](const std::string* a, const std::string* b) { return *a == *b; });
  return twice == names.end() ? nullptr : *twice;
}

std::int64_t StoredTensor::elements() const { return element_count(shape).value_or(0); }

}  // namespace weighbridge

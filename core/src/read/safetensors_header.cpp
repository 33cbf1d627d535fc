// SPDX-License-Identifier: Apache-2.0
#include "read/safetensors_header.hpp"

#include <algorithm>
#include <array>

namespace weighbridge {

namespace {

/// A whole number without sign, fraction or exponent, as sizes are written; nothing above 2^63 - 1.
std::optional<std::uint64_t> whole_number(std::string_view token) {
  constexpr std::size_t most_digits = 18;
  if (token.size() > most_digits) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : token) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

}  // namespace

std::optional<DType> safetensors_type(std::string_view name) {
  struct Row {
    std::string_view name;
    DType type;
  };
  // huggingface/safetensors safetensors/src/tensor.rs, enum Dtype and bitsize().
  constexpr std::array kTypes{
      Row{"F32", dtype::f32},
      Row{"F16", dtype::f16},
      Row{"BF16", dtype::bf16},
      Row{"F8_E4M3", dtype::fp8},
      Row{"I8", dtype::int8},
      Row{"U8", dtype::uint8},
      Row{"I32", dtype::int32},
      Row{"I64", dtype::int64},
      Row{"F8_E5M2", dtype::fp8_e5m2},
      Row{"F8_E8M0", dtype::e8m0},
      Row{"F4", dtype::fp4},
      Row{"F64", dtype::f64},
      Row{"I16", dtype::int16},
      Row{"U16", dtype::uint16},
      Row{"U32", dtype::uint32},
      Row{"U64", dtype::uint64},
      Row{"BOOL", dtype::boolean},
      Row{"F8_E4M3FNUZ", {"fp8_e4m3fnuz", 1, 1}},
      Row{"F8_E5M2FNUZ", {"fp8_e5m2fnuz", 1, 1}},
      Row{"F6_E2M3", {"fp6_e2m3", 4, 3}},
      Row{"F6_E3M2", {"fp6_e3m2", 4, 3}},
      Row{"C64", {"complex64", 1, 8}},
  };
  for (const Row& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

bool SafetensorsReader::refuse(const char* code, const std::string& what) {
  fail(code, in_quotes(file()) + " " + what, "a safetensors header");
  return false;
}

void SafetensorsReader::read(std::string_view bytes) {
  if (start_.size() < kLengthBytes) {
    const std::size_t taken = std::min(kLengthBytes - start_.size(), bytes.size());
    start_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
    if (start_.size() < kLengthBytes) return;
    if (left_ == 0) read_length();
    if (error()) return;
  }
  if (bytes.empty()) return;
  if (left_ + kLengthBytes == header_.header_bytes && bytes.front() != '{') {
    refuse("wrong_type", "does not hold JSON where a safetensors header has it: expected `{` at byte 8.");
    return;
  }
  bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)));
  left_ -= bytes.size();
  if (!json_.push(bytes) || (left_ == 0 && !json_.end())) {
    refuse("invalid_json", "has a header that is not the JSON of one, at byte " + std::to_string(json_.position() + kLengthBytes) + ".");
    return;
  }
  if (left_ == 0) finish_header();
}

void SafetensorsReader::read_length() {
  if (std::optional<Error> foreign = foreign_file(start_, file())) return fail(foreign->code, foreign->message, foreign->expected);
  for (std::size_t i = 0; i < kLengthBytes; ++i) left_ |= std::uint64_t{static_cast<unsigned char>(start_[i])} << (8 * i);
  if (left_ < 2 || left_ > kMostSafetensorsHeader) {
    refuse("wrong_type", "is not a safetensors file: its header would have " + std::to_string(left_) + " bytes, expected 2 to 100,000,000.");
    return;
  }
  header_.header_bytes = kLengthBytes + left_;
  (void)lies_in_file(kLengthBytes, left_);
}

bool SafetensorsReader::on_open(char bracket) {
  ++level_;
  if (level_ == 1) return bracket == '{';
  if (level_ == 2) return bracket == '{' || refuse("wrong_type", "has an entry that is not an object.");
  const bool list = level_ == 3 && bracket == '[' && (field_ == Field::shape || field_ == Field::offsets);
  return list || refuse("wrong_type", "has a value where none is expected.");
}

bool SafetensorsReader::on_close() {
  --level_;
  if (level_ != 1) return true;
  if (!in_metadata_) return end_tensor();
  in_metadata_ = false;
  return true;
}

bool SafetensorsReader::on_key(std::string& key) {
  if (level_ == 1) return begin_entry(key);
  if (in_metadata_) {
    header_.metadata.emplace_back(std::move(key), std::string());
    return true;
  }
  field_ = key == "dtype" ? Field::dtype : key == "shape" ? Field::shape : key == "data_offsets" ? Field::offsets : Field::none;
  const unsigned bit = field_ == Field::none ? 0U : 1U << static_cast<unsigned>(field_);
  if (bit == 0 || (fields_ & bit) != 0)
    return refuse("wrong_type", "gives the tensor " + in_quotes(header_.tensors.back().name) + " the key " + in_quotes(key) +
                                    ": expected `dtype`, `shape` and `data_offsets`, once each.");
  fields_ |= bit;
  return true;
}

bool SafetensorsReader::begin_entry(std::string& name) {
  field_ = Field::none;
  fields_ = 0;
  offsets_.clear();
  in_metadata_ = name == "__metadata__";
  if (in_metadata_) return true;
  if (header_.tensors.size() == kMostTensors)
    return refuse("too_large", "holds more than " + std::to_string(kMostTensors) + " tensors: expected those of a model.");
  header_.tensors.emplace_back();
  header_.tensors.back().name = std::move(name);
  return true;
}

bool SafetensorsReader::on_string(std::string& text) {
  if (level_ == 2 && in_metadata_) {
    if (text.size() <= kLongestKeptText) header_.metadata.back().second = std::move(text);
    return true;
  }
  if (level_ != 2 || field_ != Field::dtype) return refuse("wrong_type", "has the text " + in_quotes(text) + " where none is expected.");
  const std::optional<DType> type = safetensors_type(text);
  if (!type)
    return refuse("unknown_type",
                  "stores the tensor " + in_quotes(header_.tensors.back().name) + " as " + in_quotes(text) + ", a type we do not know.");
  header_.tensors.back().type = *type;
  return true;
}

bool SafetensorsReader::on_other(std::string_view token) {
  const bool in_list = level_ == 3;
  const std::optional<std::uint64_t> number = whole_number(token);
  if (!in_list || !number) return refuse("wrong_type", "has " + in_quotes(token) + " where it is not expected.");
  StoredTensor& tensor = header_.tensors.back();
  if (field_ == Field::offsets)
    offsets_.push_back(*number);
  else
    tensor.shape.push_back(static_cast<std::int64_t>(*number));
  if (offsets_.size() <= 2 && tensor.shape.size() <= kMostSafetensorsDimensions) return true;
  return refuse("out_of_range", "gives the tensor " + in_quotes(tensor.name) + " too long a list: expected at most 8 dimensions and 2 offsets.");
}

bool SafetensorsReader::end_tensor() {
  constexpr unsigned all = 1U << static_cast<unsigned>(Field::dtype) | 1U << static_cast<unsigned>(Field::shape) |
                           1U << static_cast<unsigned>(Field::offsets);
  StoredTensor& tensor = header_.tensors.back();
  const std::string name = "gives the tensor " + in_quotes(tensor.name);
  if (fields_ != all || offsets_.size() != 2) return refuse("missing_key", name + " no dtype, shape or data_offsets: expected all three.");
  if (offsets_[0] > offsets_[1]) return refuse("out_of_range", name + " an end before its beginning.");
  tensor.offset = offsets_[0];
  tensor.bytes = Bytes(offsets_[1] - offsets_[0]);
  const std::optional<std::int64_t> elements = element_count(tensor.shape);
  const bool whole = elements && *elements % tensor.type.block_size == 0;
  std::uint64_t size = 0;
  if (!whole ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*elements / tensor.type.block_size), static_cast<std::uint64_t>(tensor.type.block_bytes),
                             &size) ||
      Bytes(size) != tensor.bytes)
    return refuse("out_of_range", name + " " + std::to_string(tensor.bytes.count()) + " bytes, which is not what its shape takes as " +
                                      std::string(tensor.type.name) + ".");
  return true;
}

void SafetensorsReader::finish_header() {
  if (const std::string* twice = repeated_name(header_.tensors)) {
    refuse("duplicate", "is damaged: the tensor " + in_quotes(*twice) + " occurs twice.");
    return;
  }
  std::sort(header_.tensors.begin(), header_.tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return a.offset != b.offset ? a.offset < b.offset : a.bytes != b.bytes ? a.bytes < b.bytes : a.name < b.name;
  });
  std::uint64_t end = 0;
  for (const StoredTensor& tensor : header_.tensors) {
    if (tensor.offset != end) {
      refuse("out_of_range", "is damaged: the tensor " + in_quotes(tensor.name) + " begins at byte " + std::to_string(tensor.offset) +
                                 " of the data, expected " + std::to_string(end) + ".");
      return;
    }
    end += tensor.bytes.count();
  }
  end += header_.header_bytes;
  if (const std::optional<std::uint64_t> size = file_bytes(); size && end > *size)
    return fail("file_cut_off",
                in_quotes(file()) + " ends early: it has " + size_text(*size) + ", and its tensors reach to " + size_text(end) +
                    ". The file may still be downloading. Nothing was changed.",
                "the whole file");
  finish();
}

}  // namespace weighbridge

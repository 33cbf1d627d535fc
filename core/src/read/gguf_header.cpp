// SPDX-License-Identifier: Apache-2.0
#include "read/gguf_header.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "weighbridge/ggml_type.hpp"

namespace weighbridge {

namespace {

constexpr std::uint64_t kStartBytes = 24;        // magic, version, tensor count, key count
constexpr std::uint64_t kLengthBytes = 8;        // in front of every text
constexpr std::uint64_t kTypeBytes = 4;          // of a value, a tensor, or the number of dimensions
constexpr std::uint64_t kArrayStartBytes = 12;   // type and number of the items
constexpr std::uint64_t kLeastValueBytes = 14;   // a key of one letter with one byte
constexpr std::uint64_t kLeastTensorBytes = 24;  // no name, no dimensions
constexpr std::uint32_t kMostDimensions = 4;     // GGML_MAX_DIMS

/// Little-endian, whatever the machine.
std::uint64_t read_uint(const char* bytes, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < size; ++i) number |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return number;
}
std::uint32_t read_u32(const char* bytes) { return static_cast<std::uint32_t>(read_uint(bytes, 4)); }
std::uint64_t read_u64(const char* bytes) { return read_uint(bytes, 8); }

constexpr std::uint32_t kTypes = 13;

/// Bytes of one scalar; 0 for texts and arrays.
std::size_t size_of_type(GgufType type) {
  constexpr std::array<std::uint8_t, kTypes> kSizes{1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<std::size_t>(type)];
}

std::uint64_t read_scalar(const char* bytes, GgufType type) {
  const std::size_t size = size_of_type(type);
  const std::uint64_t bits = read_uint(bytes, size);
  const bool is_signed = type == GgufType::i8 || type == GgufType::i16 || type == GgufType::i32;
  const bool negative = is_signed && (bits >> (8 * size - 1)) != 0;
  return negative ? bits | ~std::uint64_t{0} << (8 * size) : bits;
}

std::optional<std::int64_t> as_whole_number(std::uint64_t bits, GgufType type) {
  if (type == GgufType::f32 || type == GgufType::f64 || type == GgufType::string || type == GgufType::array) return std::nullopt;
  if (type == GgufType::boolean) return bits != 0 ? 1 : 0;
  const auto number = static_cast<std::int64_t>(bits);
  if (type == GgufType::u64 && number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::int64_t> GgufValue::whole_number() const { return as_whole_number(bits, type); }

std::optional<double> GgufValue::number() const {
  if (type == GgufType::f32) {
    const auto narrow = static_cast<std::uint32_t>(bits);
    float number = 0;
    std::memcpy(&number, &narrow, sizeof number);
    return static_cast<double>(number);
  }
  if (type == GgufType::f64) {
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    return number;
  }
  const std::optional<std::int64_t> whole = whole_number();
  return whole ? std::optional<double>(static_cast<double>(*whole)) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> GgufValue::whole_numbers() const {
  if (type != GgufType::array || items.size() != length) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const std::uint64_t item : items) {
    const std::optional<std::int64_t> number = as_whole_number(item, item_type);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

const GgufValue* GgufHeader::find(std::string_view key) const {
  for (const auto& [name, value] : metadata)
    if (name == key) return &value;
  return nullptr;
}

std::string_view GgufHeader::text(std::string_view key) const {
  const GgufValue* value = find(key);
  return value != nullptr ? std::string_view(value->text) : std::string_view();
}

std::optional<std::int64_t> GgufHeader::whole_number(std::string_view key) const {
  const GgufValue* value = find(key);
  return value != nullptr ? value->whole_number() : std::nullopt;
}

GgufReader::GgufReader(std::string file, std::optional<std::uint64_t> file_bytes) : HeaderReader(std::move(file), file_bytes) {
  header_.file = this->file();
  expect(State::start, kStartBytes);
}

void GgufReader::read(std::string_view bytes) {
  const auto consume = [&](std::uint64_t count) {
    bytes.remove_prefix(static_cast<std::size_t>(count));
    at_ += count;
  };
  while (!done() && !error()) {
    if (over_ > 0) {
      const std::uint64_t passed = std::min<std::uint64_t>(over_, bytes.size());
      over_ -= passed;
      consume(passed);
    }
    if (bytes.empty()) break;
    if (state_ == State::list_length && carry_.empty()) {
      if (const std::size_t used = pass_over_list(bytes); used > 0) {
        consume(used);
        if (list_left_ == 0) next_value();
        continue;
      }
    }
    if (carry_.empty() && bytes.size() >= wanted_) {
      const char* unit = bytes.data();
      consume(wanted_);
      step(unit);
    } else {
      const std::uint64_t taken = std::min<std::uint64_t>(wanted_ - carry_.size(), bytes.size());
      carry_.append(bytes.substr(0, static_cast<std::size_t>(taken)));
      consume(taken);
      if (carry_.size() < wanted_) break;
      const std::string unit = std::move(carry_);
      carry_.clear();
      step(unit.data());
    }
  }
  if (!done() && !error()) skip(over_);
  at_ += over_;
  over_ = 0;
}

void GgufReader::pass_over(std::uint64_t bytes) {
  if (lies_in_file(at_, bytes)) over_ = bytes;
}

/// The hot loop of a header: texts of a list that lie whole in `bytes`. Returns how many bytes they take.
std::size_t GgufReader::pass_over_list(std::string_view bytes) {
  std::size_t used = 0;
  while (list_left_ > 0 && bytes.size() - used >= kLengthBytes) {
    const std::uint64_t length = read_u64(bytes.data() + used);
    if (length > bytes.size() - used - kLengthBytes) break;
    used += static_cast<std::size_t>(kLengthBytes + length);
    --list_left_;
  }
  return used;
}

bool GgufReader::is_length(std::uint64_t length, std::uint64_t least, std::uint64_t most, const char* what) {
  if (length < least || length > most) {
    fail("out_of_range",
         in_quotes(file()) + " is damaged: " + what + " at byte " + std::to_string(at_) + " is said to have length " + std::to_string(length) +
             ", expected " + std::to_string(least) + " to " + std::to_string(most) + ".",
         "a length up to " + std::to_string(most));
    return false;
  }
  return lies_in_file(at_, length);
}

bool GgufReader::keep(std::uint64_t bytes) {
  kept_ += bytes;
  if (kept_ <= kMostKeptBytes) return true;
  fail("too_large", "The header of " + in_quotes(file()) + " holds more than 64 MiB of names and values: expected those of a model.",
       "at most 64 MiB");
  return false;
}

void GgufReader::step(const char* bytes) {
  switch (state_) {
    case State::start:
      return read_start(bytes);
    case State::key_length:
      length_ = read_u64(bytes);
      if (is_length(length_, 1, kLongestKey, "a key") && keep(length_)) expect(State::key, length_ + kTypeBytes);
      return;
    case State::key:
      return read_key(bytes);
    case State::scalar:
      value().bits = read_scalar(bytes, value().type);
      return next_value();
    case State::text_length:
      value().length = read_u64(bytes);
      if (!is_length(value().length, 0, kMostGgufItems, "a text")) return;
      if (value().length > kLongestKeptText || value().length == 0) {
        pass_over(value().length);
        return next_value();
      }
      if (keep(value().length)) expect(State::text, value().length);
      return;
    case State::text:
      value().text.assign(bytes, static_cast<std::size_t>(value().length));
      return next_value();
    case State::array_start:
      return read_array_start(bytes);
    case State::items:
      return read_items(bytes);
    case State::list_length: {
      const std::uint64_t length = read_u64(bytes);
      if (!is_length(length, 0, kMostGgufItems, "a text")) return;
      pass_over(length);
      if (--list_left_ == 0) next_value();
      return;
    }
    case State::name_length:
      length_ = read_u64(bytes);
      if (is_length(length_, 0, kLongestTensorName, "a tensor's name") && keep(length_ + sizeof(StoredTensor)))
        expect(State::name, length_ + kTypeBytes);
      return;
    case State::name:
      return read_name(bytes);
    case State::tensor:
      return read_tensor(bytes);
  }
}

void GgufReader::read_start(const char* bytes) {
  if (std::optional<Error> foreign = foreign_file({bytes, kStartBytes}, file())) return fail(foreign->code, foreign->message, foreign->expected);
  if (std::string_view(bytes, 4) != "GGUF")
    return fail("wrong_type",
                in_quotes(file()) +
                    " does not begin with `GGUF`: expected a GGUF file. Files of llama.cpp before August 2023 (GGML, GGJT) are not read.",
                "a GGUF file");
  header_.version = read_u32(bytes + 4);
  if ((header_.version & 0xFFFFU) == 0)
    return fail("unsupported", in_quotes(file()) + " is a big-endian GGUF file, for machines such as IBM Z: expected a little-endian one.",
                "a little-endian file");
  if (header_.version < 2 || header_.version > 3)
    return fail("unsupported",
                in_quotes(file()) + " is GGUF version " + std::to_string(header_.version) + ": expected version 2 or 3, the ones llama.cpp reads.",
                "version 2 or 3");
  tensors_left_ = read_u64(bytes + 8);
  values_left_ = read_u64(bytes + 16);
  if (tensors_left_ > kMostTensors || values_left_ > kMostGgufKeys)
    return fail("out_of_range",
                in_quotes(file()) + " is damaged: it is said to hold " + std::to_string(tensors_left_) + " tensors and " +
                    std::to_string(values_left_) + " keys, expected those of a model.",
                "at most " + std::to_string(kMostTensors) + " tensors and " + std::to_string(kMostGgufKeys) + " keys");
  if (lies_in_file(at_, tensors_left_ * kLeastTensorBytes + values_left_ * kLeastValueBytes)) {
    ++values_left_;
    next_value();
  }
}

void GgufReader::next_value() {
  if (error()) return;
  if (--values_left_ > 0) return expect(State::key_length, kLengthBytes);
  read_alignment();
  next_tensor();
}

void GgufReader::read_key(const char* bytes) {
  const std::uint32_t type = read_u32(bytes + length_);
  header_.metadata.emplace_back(std::string(bytes, static_cast<std::size_t>(length_)), GgufValue{});
  if (type >= kTypes)
    return fail("wrong_type",
                in_quotes(file()) + ": the key " + in_quotes(header_.metadata.back().first) + " has the unknown value type " + std::to_string(type) +
                    ".",
                "a type from 0 to 12");
  value().type = static_cast<GgufType>(type);
  if (value().type == GgufType::string)
    expect(State::text_length, kLengthBytes);
  else if (value().type == GgufType::array)
    expect(State::array_start, kArrayStartBytes);
  else
    expect(State::scalar, size_of_type(value().type));
}

void GgufReader::read_array_start(const char* bytes) {
  const std::uint32_t type = read_u32(bytes);
  GgufValue& array = value();
  array.length = read_u64(bytes + kTypeBytes);
  if (type >= kTypes || static_cast<GgufType>(type) == GgufType::array)
    return fail("wrong_type",
                in_quotes(file()) + ": the list " + in_quotes(header_.metadata.back().first) + " has items of type " + std::to_string(type) +
                    ": expected numbers or texts.",
                "numbers or texts");
  array.item_type = static_cast<GgufType>(type);
  const std::size_t item = size_of_type(array.item_type);
  if (array.length > kMostGgufItems || !lies_in_file(at_, array.length * (item == 0 ? kLengthBytes : item))) {
    (void)is_length(array.length, 0, kMostGgufItems, "a list");
    return;
  }
  if (item == 0 && array.length > 0) {
    list_left_ = array.length;
    return expect(State::list_length, kLengthBytes);
  }
  if (array.length > kMostKeptItems || array.length == 0) {
    pass_over(array.length * item);
    return next_value();
  }
  if (keep(array.length * sizeof(std::uint64_t))) expect(State::items, array.length * item);
}

void GgufReader::read_items(const char* bytes) {
  GgufValue& array = value();
  const std::size_t size = size_of_type(array.item_type);
  array.items.reserve(static_cast<std::size_t>(array.length));
  for (std::size_t i = 0; i < array.length; ++i) array.items.push_back(read_scalar(bytes + i * size, array.item_type));
  next_value();
}

void GgufReader::read_alignment() {
  const GgufValue* alignment = header_.find("general.alignment");
  if (alignment == nullptr) return;
  if (alignment->type != GgufType::u32 || alignment->bits == 0 || (alignment->bits & (alignment->bits - 1)) != 0)
    return fail("out_of_range", in_quotes(file()) + ": `general.alignment` is not a power of two of type uint32.", "a power of two");
  header_.alignment = alignment->bits;
}

void GgufReader::next_tensor() {
  if (error()) return;
  if (tensors_left_ == 0) return finish_header();
  --tensors_left_;
  expect(State::name_length, kLengthBytes);
}

void GgufReader::read_name(const char* bytes) {
  header_.tensors.emplace_back();
  StoredTensor& tensor = header_.tensors.back();
  tensor.name.assign(bytes, static_cast<std::size_t>(length_));
  const std::uint32_t dimensions = read_u32(bytes + length_);
  if (dimensions > kMostDimensions)
    return fail("out_of_range",
                in_quotes(file()) + ": the tensor " + in_quotes(tensor.name) + " has " + std::to_string(dimensions) +
                    " dimensions, expected at most 4.",
                "at most 4 dimensions");
  tensor.shape.resize(dimensions);
  expect(State::tensor, dimensions * kLengthBytes + kTypeBytes + kLengthBytes);
}

void GgufReader::read_tensor(const char* bytes) {
  StoredTensor& tensor = header_.tensors.back();
  const auto refuse = [&](const char* code, const std::string& what) {
    fail(code, in_quotes(file()) + ": the tensor " + in_quotes(tensor.name) + " " + what, "a tensor that ggml can hold");
  };
  const std::size_t dimensions = tensor.shape.size();
  bool negative = false;
  for (std::size_t i = 0; i < dimensions; ++i) {
    tensor.shape[dimensions - 1 - i] = static_cast<std::int64_t>(read_u64(bytes + i * kLengthBytes));
    negative = negative || tensor.shape[dimensions - 1 - i] < 0;
  }
  bytes += dimensions * kLengthBytes;
  const std::uint32_t id = read_u32(bytes);
  const std::optional<DType> type = ggml_type_by_id(id);
  if (!type) return refuse("unknown_type", "has the type " + std::to_string(id) + ", which we do not know: llama.cpp never had or has removed it.");
  tensor.type = *type;
  tensor.offset = read_u64(bytes + kTypeBytes);
  const std::optional<std::int64_t> elements = negative ? std::nullopt : element_count(tensor.shape);
  const std::int64_t row = dimensions == 0 ? 1 : tensor.shape.back();
  std::uint64_t size = 0;
  if (!elements ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*elements / type->block_size), static_cast<std::uint64_t>(type->block_bytes), &size) ||
      size > static_cast<std::uint64_t>(INT64_MAX))
    return refuse("out_of_range", "has dimensions whose product is no size.");
  if (row % type->block_size != 0)
    return refuse("not_divisible", "has rows of " + std::to_string(row) + " elements, not a multiple of the " + std::to_string(type->block_size) +
                                       " in a block of " + std::string(type->name) + ".");
  tensor.bytes = Bytes(size);
  // llama.cpp wants tensors one after the other, each padded (ggml/src/gguf.cpp): so none overlaps.
  if (tensor.offset != data_end_)
    return refuse("out_of_range", "begins at byte " + std::to_string(tensor.offset) + " of the data, expected " + std::to_string(data_end_) + ".");
  if (__builtin_add_overflow(data_end_, size, &data_end_) || __builtin_add_overflow(data_end_, header_.alignment - 1, &data_end_))
    return refuse("out_of_range", "ends beyond any file.");
  data_end_ = data_end_ / header_.alignment * header_.alignment;
  next_tensor();
}

void GgufReader::finish_header() {
  std::vector<std::string_view> keys;
  for (const auto& [key, value] : header_.metadata) keys.emplace_back(key);
  std::sort(keys.begin(), keys.end());
  if (const auto twice = std::adjacent_find(keys.begin(), keys.end()); twice != keys.end())
    return fail("duplicate", in_quotes(file()) + " is damaged: the key " + in_quotes(*twice) + " occurs twice.", "each key once");
  if (const std::string* twice = repeated_name(header_.tensors))
    return fail("duplicate", in_quotes(file()) + " is damaged: the tensor " + in_quotes(*twice) + " occurs twice.", "each tensor once");
  header_.header_bytes = at_;
  if (!header_.tensors.empty()) {
    header_.header_bytes = (at_ + header_.alignment - 1) / header_.alignment * header_.alignment;
    const StoredTensor& last = header_.tensors.back();
    const std::optional<std::uint64_t> size = file_bytes();
    const std::uint64_t end = (Bytes(header_.header_bytes) + Bytes(last.offset) + last.bytes).count();
    if (size && end > *size)
      return fail("file_cut_off",
                  in_quotes(file()) + " ends early: it has " + size_text(*size) + ", and its tensors reach to " + size_text(end) +
                      ". The file may still be downloading. Nothing was changed.",
                  "the whole file");
  }
  finish();
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "file_writer.hpp"

#include <nlohmann/json.hpp>

#include "read/safetensors_header.hpp"
#include "weighbridge/ggml_type.hpp"

namespace weighbridge::testing {

namespace {

using Json = nlohmann::ordered_json;

std::string type_number(GgufType type) { return raw(static_cast<std::uint32_t>(type)); }

std::size_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean:
      return 1;
    case GgufType::u16:
    case GgufType::i16:
      return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32:
      return 4;
    default:
      return 8;
  }
}

std::string array_bytes(const GgufValue& array) {
  std::string bytes = type_number(array.item_type) + raw(array.length);
  const std::size_t size = scalar_bytes(array.item_type);
  for (std::uint64_t i = 0; i < array.length; ++i)
    bytes += array.items.empty() ? std::string(size, '\0') : raw(array.items[static_cast<std::size_t>(i)]).substr(0, size);
  return bytes;
}

std::string value_bytes(const GgufValue& value) {
  if (value.type == GgufType::array) return array_bytes(value);
  if (value.type == GgufType::string) return gguf_text(value.text.empty() ? std::string(static_cast<std::size_t>(value.length), '\0') : value.text);
  return raw(value.bits).substr(0, scalar_bytes(value.type));
}

std::uint32_t id_of(DType type) {
  for (std::uint32_t id = 0; id < 64; ++id)
    if (const auto known = ggml_type_by_id(id); known && *known == type) return id;
  return 0xFFFF;
}

const char* safetensors_name(DType type) {
  for (const char* name : {"F32", "F16", "BF16", "F8_E4M3", "I8",  "U8",   "I32",         "I64",         "F8_E5M2", "F8_E8M0", "F4",
                           "F64", "I16", "U16",  "U32",     "U64", "BOOL", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F6_E2M3", "F6_E3M2", "C64"})
    if (const auto known = safetensors_type(name); known && *known == type) return name;
  return "?";
}

}  // namespace

std::string gguf_text(std::string_view text) { return raw(std::uint64_t{text.size()}) + std::string(text); }

GgufWriter& GgufWriter::value(std::string_view key, GgufType type, std::string_view bytes) {
  values_ += gguf_text(key) + type_number(type);
  values_ += bytes;
  ++n_values;
  return *this;
}

GgufWriter& GgufWriter::number(std::string_view key, std::uint32_t number) { return value(key, GgufType::u32, raw(number)); }
GgufWriter& GgufWriter::text(std::string_view key, std::string_view text) { return value(key, GgufType::string, gguf_text(text)); }

GgufWriter& GgufWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = type_number(GgufType::string) + raw(std::uint64_t{values.size()});
  for (const std::string& text : values) bytes += gguf_text(text);
  return value(key, GgufType::array, bytes);
}

GgufWriter& GgufWriter::numbers(std::string_view key, const std::vector<std::int32_t>& values) {
  std::string bytes = type_number(GgufType::i32) + raw(std::uint64_t{values.size()});
  for (const std::int32_t number : values) bytes += raw(number);
  return value(key, GgufType::array, bytes);
}

GgufWriter& GgufWriter::tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions, std::uint32_t type, std::uint64_t bytes) {
  tensors_ += gguf_text(name) + raw(static_cast<std::uint32_t>(dimensions.size()));
  for (const std::uint64_t dimension : dimensions) tensors_ += raw(dimension);
  tensors_ += raw(type) + raw(data_bytes);
  data_bytes += (bytes + alignment - 1) / alignment * alignment;
  ++n_tensors;
  return *this;
}

std::string GgufWriter::header() const {
  std::string bytes = magic + raw(version) + raw(n_tensors) + raw(n_values) + values_ + tensors_;
  if (!tensors_.empty()) bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
  return bytes;
}

std::string write_gguf(const GgufHeader& header) {
  GgufWriter writer;
  writer.version = header.version;
  writer.alignment = header.alignment;
  for (const auto& [key, value] : header.metadata) {
    if (value.type == GgufType::array && value.item_type == GgufType::string)
      writer.texts(key, std::vector<std::string>(static_cast<std::size_t>(value.length)));
    else
      writer.value(key, value.type, value_bytes(value));
  }
  for (const StoredTensor& tensor : header.tensors)
    writer.tensor(tensor.name, {tensor.shape.rbegin(), tensor.shape.rend()}, id_of(tensor.type), tensor.bytes.count());
  return writer.header();
}

std::string safetensors_file(std::string_view json) { return raw(std::uint64_t{json.size()}) + std::string(json); }

std::string write_safetensors(const SafetensorsHeader& header) {
  // Written by hand: an object of the library would drop a second key of the same name.
  std::string json = "{\"__metadata__\":{";
  for (std::size_t i = 0; i < header.metadata.size(); ++i)
    json += (i > 0 ? "," : "") + Json(header.metadata[i].first).dump() + ":" + Json(header.metadata[i].second).dump();
  json += "}";
  for (const StoredTensor& tensor : header.tensors) {
    const Json entry{{"dtype", safetensors_name(tensor.type)},
                     {"shape", tensor.shape},
                     {"data_offsets", {tensor.offset, tensor.offset + tensor.bytes.count()}}};
    json += "," + Json(tensor.name).dump() + ":" + entry.dump();
  }
  return safetensors_file(json + "}");
}

std::string write_index(const ShardIndex& index) {
  Json json{{"metadata", Json::object()}, {"weight_map", Json::object()}};
  if (index.total_bytes) json["metadata"]["total_size"] = index.total_bytes->count();
  for (const auto& [name, place] : index.tensors) json["weight_map"][name] = index.shards[place];
  return json.dump();
}

void serve(HeaderReader& reader, std::string_view file, std::size_t piece) {
  while (!reader.done() && !reader.error()) {
    if (reader.next() >= file.size()) return reader.end();
    reader.push(file.substr(static_cast<std::size_t>(reader.next()), piece));
  }
}

GgufWriter large_gguf(std::size_t n_tokens, std::size_t n_tensors) {
  std::vector<std::string> tokens, merges;
  for (std::size_t i = 0; i < n_tokens; ++i) {
    tokens.push_back("token" + std::to_string(i));
    merges.push_back("tok en" + std::to_string(i));
  }
  GgufWriter writer;
  writer.text("general.architecture", "llama").number("llama.block_count", 80).texts("tokenizer.ggml.tokens", tokens);
  writer.numbers("tokenizer.ggml.token_type", std::vector<std::int32_t>(n_tokens, 1)).texts("tokenizer.ggml.merges", merges);
  for (std::size_t i = 0; i < n_tensors; ++i) writer.tensor("blk." + std::to_string(i) + ".ffn_down_exps.weight", {256, 4}, 12, 576);
  return writer;
}

}  // namespace weighbridge::testing

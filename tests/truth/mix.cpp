// SPDX-License-Identifier: Apache-2.0
// The type of every tensor and the bytes of the whole file, for every GGUF file type, against the engine's own choice.
#include "truth.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge::truth {

namespace {

/// "attn_v"; empty for what has no class of its own (vectors, router, convolutions and states).
std::string class_of(const Tensor& tensor) {
  const bool is_kept = tensor.cols == 1 || tensor.role == TensorRole::router || tensor.role == TensorRole::recurrent_state;
  return is_kept ? std::string() : std::string(tensor.name);
}

/// "0-3,6" holds 2 and 6, not 5.
bool holds_layer(const std::string& ranges, std::int64_t layer) {
  for (std::size_t begin = 0; begin < ranges.size();) {
    const std::size_t end = std::min(ranges.find(',', begin), ranges.size());
    const std::string range = ranges.substr(begin, end - begin);
    const std::size_t dash = range.find('-');
    const std::int64_t first = std::stoll(range.substr(0, dash));
    const std::int64_t last = dash == std::string::npos ? first : std::stoll(range.substr(dash + 1));
    if (layer >= first && layer <= last) return true;
    begin = end + 1;
  }
  return false;
}

/// What the record says of the tensor: a type for all layers, or layers by type.
std::string recorded_type(const Json& types, const Tensor& tensor) {
  const auto found = types.find(class_of(tensor));
  if (found == types.end()) return "none";
  if (found->is_string()) return found->get<std::string>();
  for (const auto& [type, ranges] : found->items())
    if (holds_layer(ranges.get<std::string>(), tensor.layers.first)) return type;
  return "none";
}

/// Names the first tensor of another type, or nothing.
std::string first_difference(const std::vector<Tensor>& tensors, const Json& types) {
  for (const Tensor& tensor : tensors) {
    if (class_of(tensor).empty()) continue;
    const std::string expected = recorded_type(types, tensor);
    if (expected != tensor.type.name)
      return std::string(tensor.name) + " of layer " + std::to_string(tensor.layers.first) + ": " + std::string(tensor.type.name) + ", recorded " +
             expected;
  }
  return {};
}

}  // namespace

bool check_mix(const std::string& folder, const Models& models) {
  std::size_t records = 0;
  std::size_t wrong = 0;
  for (const Json& record : read_lines(folder + "/llama_cpp_mix.jsonl")) {
    const auto model = models.find(record["model"].get<std::string>());
    if (model == models.end()) continue;
    ++records;
    const std::vector<Tensor> tensors = gguf_tensors(model->second, record["format"].get<std::string>());
    std::string difference = first_difference(tensors, record["types"]);
    const auto bytes = record["bytes"].get<std::uint64_t>() + record.value("left_out_bytes", std::uint64_t{0});
    if (difference.empty() && total_bytes(tensors).count() != bytes)
      difference = std::to_string(total_bytes(tensors).count()) + " bytes, recorded " + std::to_string(bytes);
    if (difference.empty()) continue;
    ++wrong;
    std::printf("  %s %s: %s\n", model->first.c_str(), record["format"].get<std::string>().c_str(), difference.c_str());
  }
  std::printf("llama.cpp tensor types   %5zu files, %zu differ\n", records, wrong);
  return records > 0 && wrong == 0;
}

}  // namespace weighbridge::truth

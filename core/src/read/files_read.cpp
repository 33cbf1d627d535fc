// SPDX-License-Identifier: Apache-2.0
#include "read/files_read.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/choose_files.hpp"
#include "read/header_reader.hpp"

namespace weighbridge {

namespace {

Error refusal(std::string code, std::string message, std::string expected) {
  return notice::custom(std::move(code), "files", std::move(message), "files", "", std::move(expected));
}

void warn(FilesRead& read, const char* code, std::string message, std::string value = {}) {
  read.warnings.push_back(notice::custom(code, "files", std::move(message), "files", std::move(value)));
}

/// The keys of a split file. Source: ggml-org/llama.cpp src/llama-arch.cpp, LLM_KV_SPLIT_*.
Result<void> check_parts(std::vector<GgufHeader>& parts) {
  std::sort(parts.begin(), parts.end(), [](const GgufHeader& a, const GgufHeader& b) { return part_name(a.file).part < part_name(b.file).part; });
  const auto n_parts = static_cast<std::int64_t>(parts.size());
  std::int64_t tensors = 0;
  for (std::int64_t i = 0; i < n_parts; ++i) {
    const GgufHeader& part = parts[static_cast<std::size_t>(i)];
    const std::int64_t count = part.whole_number("split.count").value_or(n_parts == 1 ? 1 : 0);
    const std::int64_t number = part.whole_number("split.no").value_or(0);
    tensors += static_cast<std::int64_t>(part.tensors.size());
    if (count > 1 && n_parts == 1)
      return fail(
          refusal("parts_missing",
                  in_quotes(part.file) + " is part " + grouped(number + 1) + " of " + grouped(count) + ": expected all parts, named as they were.",
                  "all parts of the file"));
    if (n_parts > 1 && (count != n_parts || number != i))
      return fail(refusal("parts_differ",
                          in_quotes(part.file) + " says it is part " + grouped(number + 1) + " of " + grouped(count) + ", its name says part " +
                              grouped(i + 1) + " of " + grouped(n_parts) + ": expected the parts of one file.",
                          "the parts of one file"));
  }
  const std::int64_t said = parts.front().whole_number("split.tensors.count").value_or(tensors);
  if (said != tensors)
    return fail(refusal("parts_differ",
                        "The parts hold " + grouped(tensors) + " tensors, and the first says " + grouped(said) + ": expected the parts of one file.",
                        "the parts of one file"));
  return {};
}

template <class Header>
Result<void> check_names(const std::vector<Header>& headers) {
  if (headers.size() < 2) return {};
  std::vector<std::string_view> names;
  for (const Header& header : headers)
    for (const StoredTensor& tensor : header.tensors) names.emplace_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return {};
  return fail(refusal("duplicate", "The tensor " + in_quotes(*twice) + " is in two of the files: expected each once.", "each tensor once"));
}

void check_index(FilesRead& read, const std::vector<std::string>& missing) {
  const std::string total = read.weights_bytes() ? "" : " It has no total size.";
  if (read.safetensors.empty() && read.config.empty()) {
    const std::string n_files = std::to_string(read.index->shards.size());
    warn(read, "index_only",
         "This index lists " + n_files + (n_files == "1" ? " file" : " files") + ". Drop config.json too, and we can count the cache." + total,
         n_files);
  } else if (!missing.empty()) {
    std::vector<int> parts;
    int n_parts = 1;
    for (const std::string& name : missing) {
      parts.push_back(part_name(name).part);
      n_parts = part_name(name).n_parts;
    }
    const std::string sentence = n_parts > 1 ? missing_parts_text(parts, n_parts) : in_quotes(missing.front()) + " is missing";
    warn(read, "parts_missing", sentence + ". Weights are counted from the index instead." + total);
  }
}

/// Shards and index of one download agree; where they do not, the headers are what an engine loads.
void compare_with_index(FilesRead& read) {
  std::size_t tensors = 0;
  for (const SafetensorsHeader& header : read.safetensors) tensors += header.tensors.size();
  if (tensors != read.index->tensors.size())
    warn(read, "index_differs",
         "The index lists " + std::to_string(read.index->tensors.size()) + " tensors, and the files hold " + std::to_string(tensors) +
             ". Those of the files are counted.");
}

}  // namespace

std::optional<Bytes> FilesRead::weights_bytes() const {
  if (weights_from == WeightsFrom::index) return index->total_bytes;
  if (weights_from == WeightsFrom::nothing) return std::nullopt;
  Bytes sum;
  for_each_tensor([&](const StoredTensor& tensor) { sum += tensor.bytes; });
  return sum;
}

Result<void> check_files(FilesRead& read, const std::vector<std::string>& missing) {
  if (!read.gguf.empty()) {
    read.weights_from = WeightsFrom::headers;
    if (auto checked = check_parts(read.gguf); !checked) return checked;
    return check_names(read.gguf);
  }
  if (auto checked = check_names(read.safetensors); !checked) return checked;
  if (read.index && (!missing.empty() || read.safetensors.empty())) {
    read.weights_from = WeightsFrom::index;
    check_index(read, missing);
    return {};
  }
  if (read.safetensors.empty() && read.config.empty())
    return fail(refusal("nothing_found", "There is no config.json, no index and no model.safetensors here: expected the files of a model.",
                        "the files of a model"));
  if (read.safetensors.empty()) return {};
  read.weights_from = WeightsFrom::headers;
  if (read.index) compare_with_index(read);
  if (read.config.empty())
    warn(read, "no_config", "There is no config.json. Weights are exact, from the tensor list. Drop config.json too, and we can count the cache.");
  return {};
}

}  // namespace weighbridge

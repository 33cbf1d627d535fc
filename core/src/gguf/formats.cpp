// SPDX-License-Identifier: Apache-2.0
// The file types that a model may be written in: names alone, for those who never make the tensors.
#include "gguf/recipe.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

const std::vector<std::string_view>& gguf_formats() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const gguf::Recipe& recipe : gguf::recipes()) all.push_back(recipe.format);
    return all;
  }();
  return names;
}

std::optional<std::string_view> find_gguf_format(std::string_view format) {
  const std::string wanted = lower_case(format);
  for (const std::string_view name : gguf_formats())
    if (lower_case(name) == wanted) return name;
  return std::nullopt;
}

}  // namespace weighbridge

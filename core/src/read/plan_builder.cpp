// SPDX-License-Identifier: Apache-2.0
#include "read/plan_builder.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

void PlanBuilder::refuse(std::string_view key, std::string what, std::string value, std::string expected) {
  config.fail(notice::unknown("unsupported", config.path(key), std::move(what), std::move(value), std::move(expected)));
}

void PlanBuilder::add_pattern(const KeyReader& from, std::string_view key, const std::string& text, ModulePatterns& patterns, bool is_regex) {
  if (is_regex ? patterns.add_regex(text) : patterns.add(text)) return;
  config.fail(notice::unknown("unsupported", from.path(key), "pattern", excerpt(Json(text)),
                              "a name, a glob, or a regular expression of literals and . * + ? | ( ) [ ] ^ $"));
}

void PlanBuilder::read_list(const KeyReader& from, std::string_view key, ModulePatterns& patterns) {
  if (!from.has(key)) return;
  const Json& list = *from.json().find(key);
  const std::string expected = "a list of module names";
  if (!list.is_array()) return config.fail(notice::wrong_type(from.path(key), std::string(key), excerpt(list), expected));
  for (const Json& item : list) {
    if (!item.is_string()) return config.fail(notice::wrong_type(from.path(key), std::string(key), excerpt(item), expected));
    add_pattern(from, key, item.get<std::string>(), patterns);
  }
}

std::int64_t PlanBuilder::read_bits(KeyReader& from, std::string_view key, bool mlx) {
  const std::optional<std::int64_t> bits = from.whole_number_if_given(key, 2, 8);
  if (from.error() || !bits) {
    if (!from.error()) from.fail(notice::missing_key(from.path(key), std::string(key), "a whole number of bits"));
    return 4;
  }
  const bool known = mlx ? *bits != 7 : (*bits <= 4 || *bits == 8);
  if (!known) from.fail(notice::out_of_range(from.path(key), std::string(key), grouped(*bits), mlx ? "2, 3, 4, 5, 6 or 8" : "2, 3, 4 or 8"));
  return known ? *bits : 4;
}

std::int64_t PlanBuilder::read_group(KeyReader& from, std::string_view key, std::int64_t fallback) {
  return std::max<std::int64_t>(0, from.whole_number_if_given(key, -1, config_limit::ffn).value_or(fallback));
}

void PlanBuilder::read_block(const KeyReader& from, std::string_view key, WeightsLayout& layout) {
  const Json& block = *from.json().find(key);
  if (!block.is_array() || block.size() != 2)
    return config.fail(notice::wrong_type(from.path(key), std::string(key), excerpt(block), "two whole numbers such as [128, 128]"));
  layout.block_rows = whole_number_of(block[0]).value_or(0);
  layout.block_cols = whole_number_of(block[1]).value_or(0);
  if (layout.block_rows >= 1 && layout.block_cols >= 1 && layout.block_rows <= config_limit::hidden && layout.block_cols <= config_limit::hidden)
    return;
  config.fail(notice::out_of_range(from.path(key), std::string(key), excerpt(block), "two whole numbers from 1 to " + grouped(config_limit::hidden)));
}

WeightsLayout PlanBuilder::layout_of(WeightQuantization quantization, std::int64_t block_cols) const {
  WeightsLayout layout;
  layout.base = base;
  layout.quantization = quantization;
  layout.block_cols = block_cols;
  return layout;
}

void PlanBuilder::add_usual(const WeightsLayout& layout, bool heeds_ignored) { plan.groups.push_back({layout, {}, true, false, heeds_ignored}); }

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "read/quantization_plan.hpp"

namespace weighbridge {

/// A plan while its config is read, with what several methods have in common. The first problem is kept in `config`.
struct PlanBuilder {
  KeyReader& config;
  DType base;
  QuantizationPlan plan{};

  /// Error unsupported: `value` is no `what` that we know.
  void refuse(std::string_view key, std::string what, std::string value, std::string expected);

  void add_pattern(const KeyReader& from, std::string_view key, const std::string& text, ModulePatterns& patterns, bool is_regex = false);
  void read_list(const KeyReader& from, std::string_view key, ModulePatterns& patterns);

  /// 2, 3, 4 or 8; MLX: 2 to 6, or 8.
  [[nodiscard]] std::int64_t read_bits(KeyReader& from, std::string_view key, bool mlx = false);
  /// Inputs that share a scale; -1 and 0 mean all of them, and so 0 is answered.
  [[nodiscard]] static std::int64_t read_group(KeyReader& from, std::string_view key, std::int64_t fallback);
  /// [rows, columns] of a block.
  void read_block(const KeyReader& from, std::string_view key, WeightsLayout& layout);

  [[nodiscard]] WeightsLayout layout_of(WeightQuantization quantization, std::int64_t block_cols = 0) const;
  /// The recipe of everything that no other group takes.
  void add_usual(const WeightsLayout& layout, bool heeds_ignored = true);
};

/// Methods whose configs have groups of schemes or a list of modules: quantization_schemes.cpp.
void read_compressed_tensors(PlanBuilder& builder);
void read_modelopt(PlanBuilder& builder);
/// modelopt's `quantized_layers`: every module by its name, with its own algorithm.
void read_quantized_layers(PlanBuilder& builder);

}  // namespace weighbridge

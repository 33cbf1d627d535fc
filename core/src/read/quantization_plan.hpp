// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "key_reader.hpp"
#include "read/module_patterns.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// A recipe and the modules that take it.
struct QuantizationGroup {
  WeightsLayout layout;
  ModulePatterns targets;
  bool all_usual = true;      ///< every tensor that usually takes the recipe (takes(), quantize.hpp); else only the targets
  bool usual_only = false;    ///< targets count only where the recipe is usual
  bool heeds_ignored = true;  ///< the list of modules that stay as they are holds for it
};

/// What a quantization_config says. The first group that a tensor belongs to is its recipe.
struct QuantizationPlan {
  std::vector<QuantizationGroup> groups;
  ModulePatterns ignored;
};

/// Reads `quantization`, the value of quantization_config. `architecture` is the model_type and `expert_type` the config's own expert_dtype.
/// Error (of the reader) unsupported: a method or a scheme that is not counted, with those that are.
[[nodiscard]] QuantizationPlan read_plan(KeyReader& quantization, DType base, std::string_view architecture, std::string_view expert_type);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "gguf/recipe.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge::gguf {

/// Gives every tensor of a GGUF inventory its type under `recipe`. `tensors` stand in the quantizer's order: by layer, then by name.
void assign_types(const Model& model, const Recipe& recipe, std::vector<Tensor>& tensors);

}  // namespace weighbridge::gguf

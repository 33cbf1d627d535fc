// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "weighbridge/file_reader.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// Puts the tensors of safetensors headers in place of those that were derived for `model`: names, shapes and types are the files'. What a
/// tensor does follows from its name. False, and nothing done, if the names are not those of a model.
[[nodiscard]] bool store_tensors(const std::vector<SafetensorsHeader>& headers, Model& model);

/// Whether a tensor of this role can belong to a layer of this kind; where a file has one nevertheless, it is counted without a role.
[[nodiscard]] bool fits(TensorRole role, const LayerSpec& layer);

}  // namespace weighbridge

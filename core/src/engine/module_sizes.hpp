// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "engine/engine.hpp"

namespace weighbridge {

/// What the modules of a model weigh that engines deal out whole: the embeddings, each layer, then the last norm with the head.
struct ModuleSizes {
  std::vector<Bytes> bytes;
};

/// Kept in the job's memo between evaluations, else in `scratch`. Layers that predict further tokens are left out.
[[nodiscard]] const ModuleSizes& module_sizes(const Job& job, ModuleSizes& scratch);

}  // namespace weighbridge

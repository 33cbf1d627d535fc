// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "engine/llama_cpp.hpp"
#include "weighbridge/units.hpp"

namespace weighbridge::llama_graph {

/// Compute buffers as the engine reserves them for its largest batch.
struct Buffers {
  std::vector<Bytes> devices;  ///< by device, in the order of the hardware
  Bytes host;
};

/// Builds the graph of `job`, splits and allocates it as the engine does (src/llama-context.cpp, llama_context::sched_reserve); nothing for an
/// architecture whose graph we have not read.
[[nodiscard]] std::optional<Buffers> simulate(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement);

}  // namespace weighbridge::llama_graph

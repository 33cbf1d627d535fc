// SPDX-License-Identifier: Apache-2.0
// Replays ggml's graph allocator: ggml-org/llama.cpp v0.5.0 ggml/src/ggml-alloc.c.
#pragma once

#include <cstdint>
#include <vector>

#include "llama_graph/backend.hpp"
#include "llama_graph/graph.hpp"

namespace weighbridge::llama_graph {

/// A node or leaf with the backend in whose buffer it is allocated.
struct Placed {
  Node* tensor = nullptr;
  int backend = 0;
};

/// What the scheduler hands to the allocator, in order.
struct Schedule {
  std::vector<Placed> nodes;
  std::vector<Placed> leafs;
};

/// The compute buffer of one backend.
struct Reserved {
  std::uint64_t bytes = 0;
  int fullest = 0;  ///< the node of the schedule at which it grew last; before the first: kNowhere
};

/// By backend.
[[nodiscard]] std::vector<Reserved> allocate(const Schedule& schedule, const std::vector<Backend>& backends);

/// What lies in the buffer of `backend` while the node `step` of the schedule is computed.
[[nodiscard]] std::vector<const Node*> living_at(const Schedule& schedule, const std::vector<Backend>& backends, int backend, int step);

}  // namespace weighbridge::llama_graph

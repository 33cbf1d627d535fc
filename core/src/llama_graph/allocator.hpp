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

/// Bytes of the compute buffer of each backend.
[[nodiscard]] std::vector<std::uint64_t> allocate(const Schedule& schedule, const std::vector<Backend>& backends);

}  // namespace weighbridge::llama_graph

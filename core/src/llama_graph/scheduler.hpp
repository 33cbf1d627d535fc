// SPDX-License-Identifier: Apache-2.0
// Replays ggml's scheduler: which backend computes what, and what is copied between them. ggml-org/llama.cpp v0.5.0 ggml/src/ggml-backend.cpp,
// ggml_backend_sched_split_graph.
#pragma once

#include <vector>

#include "llama_graph/allocator.hpp"

namespace weighbridge::llama_graph {

struct Machine {
  std::vector<Backend> backends;  ///< devices in order of priority; the host's processor comes last
  int copies = 1;                 ///< of every input: 4 when the devices work as a pipeline
  bool op_offload = true;         ///< devices compute with weights that lie on the host

  [[nodiscard]] int host() const { return static_cast<int>(backends.size()) - 1; }
};

/// Decides where each node of `graph` is computed (Node::backend; nodes that have one keep it), makes the copies that this needs in `graph`, and
/// gives the order in which the allocator sees it all.
[[nodiscard]] Schedule split(Graph& graph, const Machine& machine);

}  // namespace weighbridge::llama_graph

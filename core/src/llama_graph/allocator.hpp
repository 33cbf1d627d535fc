// SPDX-License-Identifier: Apache-2.0
// Replays ggml's graph allocator: ggml-org/llama.cpp v0.5.0 ggml/src/ggml-alloc.c.
#pragma once

#include <cstddef>
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
  std::vector<std::size_t> marks;  ///< the first node behind each layer (Graph::marks)

  /// A copy that a node of the graph needs, made where its split begins.
  struct Arrival {
    std::size_t node = 0;
    std::size_t split = 0;  ///< its first node
  };
  std::vector<Arrival> arrivals;
};

/// The compute buffer of one backend.
struct Reserved {
  std::uint64_t bytes = 0;
  int fullest = 0;  ///< the node of the schedule at which it grew last; before the first: kNowhere
};

/// A free part of a buffer.
struct Block {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;

  friend bool operator==(const Block&, const Block&) = default;
};

/// What the allocator did, and what was free at each mark of the schedule.
struct Trace {
  enum class Kind : std::uint8_t { take, give, take_over };
  struct Event {
    Kind kind;
    int backend;
    Block block;

    friend bool operator==(const Event&, const Event&) = default;
  };
  struct Stop {
    std::size_t events = 0;  ///< that happened before
    std::size_t first = 0;   ///< of the free blocks
    std::size_t last = 0;    ///< one past the end
  };
  std::vector<Event> events;
  std::vector<Stop> stops;
  std::vector<Block> free;  ///< of all stops, and for each of all backends
};

/// By backend. `trace`: null if nobody asks what the allocator did.
[[nodiscard]] std::vector<Reserved> allocate(const Schedule& schedule, const std::vector<Backend>& backends, Trace* trace);

/// By backend: what lies in its buffer while the node is computed at which it grew last.
[[nodiscard]] std::vector<std::vector<const Node*>> living_at_fullest(const Schedule& schedule, const std::vector<Backend>& backends,
                                                                      const std::vector<Reserved>& reserved);

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// What serving engines find taken on a card before they load anything: low, usual and high.
struct Taken {
  Bytes usual, low, high;
};

/// The driver's context and the libraries of a process.
[[nodiscard]] Taken driver_context(const Device& device);

/// NCCL's buffers on one of `ranks` ranks over `nodes` machines; nothing where there are no peers.
[[nodiscard]] Taken nccl_buffers(std::int64_t ranks, int compute_capability, std::int64_t nodes = 1);

/// Adds both to `term`, with their rows if someone reads them.
void add_context(Term& term, const Taken& context, const Taken& nccl, bool explain);

/// What NCCL may take more of a device where a model leaves its machine, at most.
[[nodiscard]] Bytes network_buffers(std::int64_t nodes);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// What one step does with a model: `sequences` x `new_tokens` tokens go through it, each seeing `context_tokens` at most.
struct Step {
  std::int64_t sequences = 1;
  std::int64_t new_tokens = 1;      ///< of each sequence: 1 when generating, the prompt when reading it
  std::int64_t context_tokens = 1;  ///< of each sequence at the end of the step
};

/// Bytes that a step reads in one place, as real numbers: experts are chosen at random.
struct Reads {
  double weights = 0;
  double cache = 0;

  [[nodiscard]] double total() const { return weights + cache; }
};

/// What it reads on the devices of each DevicePlan, one of them, and on the host.
struct StepReads {
  std::vector<Reads> devices;
  Reads host;
};

/// The estimate must have its formulas.
[[nodiscard]] StepReads reads_of(const Prepared& prepared, const Estimate& estimate, const Step& step);

/// Share of the routed experts of a layer that `tokens` tokens choose together, if each chooses at random: 1 - (1 - used / all)^tokens.
[[nodiscard]] double share_of_experts(const Model& model, std::int64_t tokens);

/// Values of the cache that one more token of a sequence of `context_tokens` reads, as a share of those that are stored for it. Below 1 where an
/// indexer chooses what is read; above 1 where layers read what others store.
[[nodiscard]] double share_of_cache(const Model& model, std::int64_t context_tokens);

/// Whether a token follows the last one: attention in both directions makes a vector of a text instead.
[[nodiscard]] bool generates(const Model& model);

/// Multiplications and additions of a step, of all devices together.
[[nodiscard]] double operations_of(const Model& model, const Step& step);

}  // namespace weighbridge

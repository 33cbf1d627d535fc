// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The solvers ask evaluate() only, so they are exact by construction: the answer holds, one step more does not. Where the engine itself chooses what
/// lies on the devices, it holds only with all of it there.

/// How far a setting goes: the largest value that holds, and the largest that surely does, by the high bounds; 0 where not even one holds.
struct Limit {
  std::int64_t best = 0;
  std::int64_t safe = 0;
};

/// Longest context per sequence, in tokens up to `most`, at `scenario.sequences`. `counted`: the answer to the scenario itself, if it is there and its
/// figures are those of evaluate().
[[nodiscard]] Limit solve_context(Prepared& prepared, const Scenario& scenario, std::int64_t most, const Estimate* counted = nullptr);

/// Most sequences, up to `most` and to as many as the engine takes, at `scenario.context_tokens`; the same.
[[nodiscard]] Limit solve_sequences(Prepared& prepared, const Scenario& scenario, std::int64_t most = kMaxSequences,
                                    const Estimate* counted = nullptr);

/// The layout over the fewest devices of the first group's kind that hold the scenario; nothing if no count up to 64 does. `counted`: as above.
[[nodiscard]] std::optional<Parallel> solve_fewest_devices(Prepared& prepared, const Scenario& scenario, const Estimate* counted = nullptr);

/// Most layers that the devices hold, by the high bound, when the rest stays on the host; for an engine that can split so. Nothing if not even
/// none holds.
[[nodiscard]] std::optional<std::int64_t> solve_gpu_layers(Prepared& prepared, const Scenario& scenario, std::int64_t most);

/// Fewest layers, at least `least`, whose routed experts have to stay on the host so that the devices surely hold the rest, by the high bound; for
/// an engine that can split so. Nothing if that is not enough for all layers.
[[nodiscard]] std::optional<std::int64_t> solve_cpu_moe_layers(Prepared& prepared, const Scenario& scenario, std::int64_t least);

}  // namespace weighbridge

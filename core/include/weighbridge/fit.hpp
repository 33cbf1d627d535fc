// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The solvers ask evaluate() only, so they are exact by construction: the answer holds, one step more does not. Where the engine itself chooses what
/// lies on the devices, it holds only with all of it there.

/// Longest context per sequence, in tokens, at `scenario.sequences`; at most the model's trained length; 0 when not even one token holds.
[[nodiscard]] std::int64_t solve_max_context(Prepared& prepared, const Scenario& scenario);

/// The same by the high bounds: no reading of the band exceeds a limit. `best` is the answer of solve_max_context().
[[nodiscard]] std::int64_t solve_safe_context(Prepared& prepared, const Scenario& scenario, std::int64_t best);

/// Most sequences at `scenario.context_tokens`; 0 when not even one holds; at most kMaxSequences.
[[nodiscard]] std::int64_t solve_max_sequences(Prepared& prepared, const Scenario& scenario);

/// The same by the high bounds. `best` is the answer of solve_max_sequences().
[[nodiscard]] std::int64_t solve_safe_sequences(Prepared& prepared, const Scenario& scenario, std::int64_t best);

/// The layout over the fewest devices of the first group's kind that hold the scenario; nothing if no count up to 64 does.
[[nodiscard]] std::optional<Parallel> solve_fewest_devices(Prepared& prepared, const Scenario& scenario);

/// Most layers that the devices hold, by the high bound, when the rest stays on the host; for an engine that can split so. Nothing if not even
/// none holds.
[[nodiscard]] std::optional<std::int64_t> solve_gpu_layers(Prepared& prepared, const Scenario& scenario, std::int64_t most);

/// Fewest layers, at least `least`, whose routed experts have to stay on the host so that the devices surely hold the rest, by the high bound; for
/// an engine that can split so. Nothing if that is not enough for all layers.
[[nodiscard]] std::optional<std::int64_t> solve_cpu_moe_layers(Prepared& prepared, const Scenario& scenario, std::int64_t least);

}  // namespace weighbridge

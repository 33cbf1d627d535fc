// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// What a machine makes of a model whose weights format is free.
struct BestWeights {
  std::string format;  ///< as a request names it; where nothing holds, the smallest that the engine runs
  std::string loaded;  ///< what the engine loads: `gguf:BF16` for the checkpoint under llama.cpp
  Bytes weights;       ///< of the language model, on devices and host together
  /// What was asked, with this format; where layers stay on the host, with the number of the others; where the engine surely starts only with a
  /// smaller share of the memory than its default, with that.
  Scenario scenario;
  Estimate answer;                  ///< to it, without formulas
  std::int64_t context_tokens = 0;  ///< longest context per sequence that surely holds that way, at most the trained length; 0 = none
};

/// The format that loses least among those that surely hold `scenario`, whose own format does not count: by the high bounds, so that no reading of
/// the band runs out of memory. Formats come in the order of what they lose, the checkpoint first, and each is smaller than the one before.
/// If none holds on the devices, the engine can split and the host's memory is known: the same with the most layers that the devices hold, by
/// no format wider than Q4_K_M, since what lies on the host is read at its speed. If that does not hold either, the smallest format, with what
/// it needs. `smallest` is the last format to try; if the engine runs none by that name, all are tried.
/// Fails as estimate() does. `kept`, which may be null, has what was found for other contexts, and makes the answer quicker, not another one; it
/// borrows the model.
[[nodiscard]] Result<BestWeights> solve_best_weights(const Model& model, const Scenario& scenario, std::string_view smallest,
                                                     class KeptSearches* kept = nullptr);

/// The formats that are tried after the checkpoint, those of all engines; an engine is asked for those that it runs.
[[nodiscard]] const std::vector<std::string_view>& loss_order();

}  // namespace weighbridge

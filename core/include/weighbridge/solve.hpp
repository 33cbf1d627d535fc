// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "weighbridge/compare.hpp"

namespace weighbridge {

/// The setting of a request that is looked for.
enum class Unknown {
  context,         ///< most tokens of a sequence, at most the trained length
  sequences,       ///< most at the same time
  cache_type,      ///< the type of the cache that loses least, in the order of advice
  devices,         ///< fewest of the request's first kind, as the only ones, up to 64
  gpu_layers,      ///< most layers on the devices, for engines that leave some to the host
  cpu_moe_layers,  ///< fewest layers whose routed experts stay on the host (llama.cpp)
};

/// A value, and what comes of it.
struct Solved {
  nlohmann::ordered_json value;  ///< a number or the name of a cache type
  MovedJob job;
};

/// What surely holds, so that the step behind it does not.
struct Solution {
  std::optional<Solved> best;  ///< empty: nothing holds
  std::optional<Solved> next;  ///< one step further; empty where the scale ends
  MovedJob asked;              ///< the request as it is, if nothing holds
};

/// The best value of one setting of a request, whose own value does not count, by the high bounds: no reading of the band runs out of memory.
/// The verdict is then `fits`, but for the layers it is the devices that hold their part, whatever the host has.
/// `params` are those of `estimate`. Fails as estimate() does; `unsupported` at `params.find` if the engine or the model has no such setting.
[[nodiscard]] Result<Solution> solve_setting(const nlohmann::ordered_json& params, const Model& model, const Catalogue& catalogue, Unknown find);

/// Machines in the order of their price, and how far down it holds.
struct CheapestMachine {
  std::optional<OnMachine> best;     ///< empty: none holds
  std::optional<OnMachine> cheaper;  ///< the one before it, which does not hold
  MovedJob asked;                    ///< the request as it is, if none holds
};

/// The cheapest of the machines with a price in `currency` on which the request surely fits (verdict `fits`), each tried as compare_machines() does.
[[nodiscard]] Result<CheapestMachine> solve_machine(const nlohmann::ordered_json& params, const Model& model, const Catalogue& catalogue,
                                                    const std::vector<Machine>& machines, std::string_view currency);

[[nodiscard]] std::string_view name_of(Unknown find);
/// Nothing if there is none by that name.
[[nodiscard]] std::optional<Unknown> find_unknown(std::string_view name);

}  // namespace weighbridge

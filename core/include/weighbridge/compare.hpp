// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "weighbridge/catalogue.hpp"
#include "weighbridge/estimate.hpp"
#include "weighbridge/machine.hpp"

namespace weighbridge {

/// A job where it was moved to.
struct MovedJob {
  nlohmann::ordered_json patch;  ///< of the request: a JSON merge patch (RFC 7396), with which estimate() gives this verdict
  Scenario scenario;             ///< that the patched request describes
  Estimate answer;               ///< to it, without formulas and solved limits
};

/// A job on devices of one kind.
struct OnDevice {
  const Device* device = nullptr;
  std::int64_t count = 1;                ///< as many as the request has; one where it has none, or where the device shares its memory with the system
  MovedJob asked;                        ///< with so many
  std::optional<MovedJob> fewest;        ///< with the fewest, up to 16, on which it surely fits: verdict `fits`, in a layout that the engine can run
  std::vector<const Machine*> machines;  ///< of each currency the cheapest with at least so many and no others
  std::vector<double> rank;              ///< rows are sorted by it, the first number first, smaller ones first
};

/// A job on a machine: on all its devices, or where the engine refuses so many, on the most that it does not refuse.
struct OnMachine {
  const Machine* machine = nullptr;
  MovedJob job;
  std::vector<double> rank;
};

/// The same job on other devices: everything of the request but what belongs to the devices it was on (what else runs there, layout, layers and
/// tensors left to the host). By rank: what fits on fewer comes first, then what has a price, US dollars before others, the cheaper one, the smaller
/// memory. What does not fit on up to 16 comes behind, by verdict: offload, tight, no, unknown, impossible; then the smaller memory.
/// `params` are those of `estimate`; `machines` are only asked for prices. Fails as estimate() does.
[[nodiscard]] Result<std::vector<OnDevice>> compare_devices(const nlohmann::ordered_json& params, const Model& model, const Catalogue& catalogue,
                                                            const std::vector<const Device*>& devices, const std::vector<Machine>& machines);

/// The same job on machines, each with its own host memory. By rank: verdict, price as above, memory of its devices. Fails as estimate() does, and on
/// a device that the catalogue does not know.
[[nodiscard]] Result<std::vector<OnMachine>> compare_machines(const nlohmann::ordered_json& params, const Model& model, const Catalogue& catalogue,
                                                              const std::vector<Machine>& machines);

}  // namespace weighbridge

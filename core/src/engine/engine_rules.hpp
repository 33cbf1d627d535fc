// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "engine/engine.hpp"

namespace weighbridge {

/// How an engine whose rules may be elsewhere plans, and the workload that it takes when none is asked for (Engine::usual_workload).
struct EngineRules {
  std::string_view engine;
  Plan (*plan)(const Job& job) = nullptr;
  UsualWorkload (*usual_workload)(const Model& model, const Scenario& scenario) = nullptr;
};

/// The row of `engine`, an empty one where there is none.
[[nodiscard]] inline EngineRules rules_of(std::span<const EngineRules> all, std::string_view engine) {
  for (const EngineRules& rules : all)
    if (rules.engine == engine) return rules;
  return {};
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "engine/engine.hpp"

namespace weighbridge {

/// How an engine whose rules may be elsewhere plans, and the workload that it takes when none is asked for: a row for engines().
struct EngineRules {
  std::string_view engine;
  Plan (*plan)(const Job& job) = nullptr;
  UsualWorkload (*usual_workload)(const Model& model, const Scenario& scenario) = nullptr;
};

}  // namespace weighbridge

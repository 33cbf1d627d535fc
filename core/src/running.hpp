// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "json_text.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// Code of the error that a model which is said to run on the devices has no room there.
inline constexpr std::string_view kRunningDoesNotFit = "running_does_not_fit";

/// Reads `params.running`, models that run on the devices of the request already, one after the other: each a request of its own without hardware
/// and host. What each takes of the devices and the host of `scenario` counts as used there. Errors and warnings are at `params.running[i]`; one that
/// does not run there or has no room is an error.
[[nodiscard]] Result<void> place_running(const Json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings);

}  // namespace weighbridge

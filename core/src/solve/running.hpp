// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "json_out.hpp"
#include "weighbridge/catalogue.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// Code of the error that a model which is said to run on the devices has no room there.
inline constexpr std::string_view kRunningDoesNotFit = "running_does_not_fit";

/// Reads `params.running`, models that run on the devices of the request already, one after the other: each a request of its own without hardware
/// and host. What each takes of the devices and the host of `scenario` counts as used there. Errors and warnings are at `params.running[i]`; one that
/// does not run there or has no room is an error.
[[nodiscard]] Result<void> place_running(const Json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings);

/// `params.running` with of each model only its id; null if there are none.
[[nodiscard]] Json running_as_given(const Json& params);

/// Adds what other models take of a device of `group` to its description, and what they take of the host to that of the host; nothing where there are
/// none. A module without their rules has none (wasm/without_rules.cpp).
void describe_running_on_device(const Scenario& scenario, std::size_t group, JsonOut& device);
void describe_running_on_host(const Scenario& scenario, JsonOut& host);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// The verdict over the devices: the worst of each one's two checks. Class `unknown` if there are none.
[[nodiscard]] Verdict judge(const std::vector<DevicePlan>& devices, bool tight_at_best);

/// Adds the host's memory to a verdict over devices: what it cannot hold does not run; a part of the model there makes a fit an `offload`.
/// `is_alone`: there are no devices, the host decides. A host of unknown size changes nothing.
void weigh_host(Verdict& verdict, const HostPlan& host, bool is_alone);

/// What the host surely holds room for: the high bounds, but of what begins empty and grows to limits that can be set, its usual size.
[[nodiscard]] Bytes sure_need(const HostPlan& host);

/// The most that the engine takes of a card, by the high bounds: the whole pool where it reserves one.
[[nodiscard]] Bytes taken_of_card(const DevicePlan& device);

/// rooms() of the devices alone.
[[nodiscard]] Rooms device_rooms(const Estimate& estimate, Figure figure);

/// The smallest of them.
[[nodiscard]] std::optional<std::int64_t> device_margin(const Estimate& estimate, Figure figure);

/// The largest share of `group`'s memory, in hundredths, at which what lies outside the engine's limit still finds room on the card.
[[nodiscard]] std::optional<double> largest_utilization(const DevicePlan& device, const DeviceGroup& group, Figure outside = Figure::best);

/// The same by the high bounds and at most `most`, if what lies inside surely finds room in it too: with this share the engine surely starts.
[[nodiscard]] std::optional<double> sure_utilization(const DevicePlan& device, const DeviceGroup& group, double most);

}  // namespace weighbridge

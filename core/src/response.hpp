// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "json_out.hpp"
#include "json_text.hpp"
#include "request.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge {

[[nodiscard]] Json to_json(const Notice& notice);
[[nodiscard]] Json to_json(const Notices& notices);

/// The model as every answer describes it: names, shape and counts.
[[nodiscard]] JsonOut describe_model(const Model& model);

/// The verdict of an answer to a request for `hardware`.
[[nodiscard]] Json describe_verdict(const Estimate& estimate, const std::vector<DeviceGroup>& hardware);

/// What the answer needs of the host; null where that is not counted.
[[nodiscard]] JsonOut describe_host_bytes(const Estimate& estimate);

/// A layout by the names of the wire; machines only where they are several.
[[nodiscard]] Json describe_parallel(const Parallel& parallel);

/// A row of the request's hardware, with everything filled in, of `count` devices.
[[nodiscard]] Json describe_group(const DeviceGroup& group, std::int64_t count);

/// The result of `estimate`.
[[nodiscard]] JsonOut describe_estimate(const Request& request, const Estimate& estimate);

[[nodiscard]] std::string_view name_of(VerdictClass kind);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "json_out.hpp"
#include "json_text.hpp"
#include "request.hpp"
#include "weighbridge/estimate.hpp"

namespace weighbridge {

struct Engine;

[[nodiscard]] Json to_json(const Notice& notice);
[[nodiscard]] Json to_json(const Notices& notices);

/// The model as every answer describes it: names, shape and counts.
[[nodiscard]] JsonOut describe_model(const Model& model);

/// The verdict of an answer to a request for `hardware`.
[[nodiscard]] JsonOut describe_verdict(const Estimate& estimate, const std::vector<DeviceGroup>& hardware);

/// What the answer needs of the host; null where that is not counted.
[[nodiscard]] JsonOut describe_host_bytes(const Estimate& estimate);

/// A layout by the names of the wire, as Json or JsonOut; machines only where they are several.
template <class Out>
[[nodiscard]] Out describe_parallel(const Parallel& parallel);

/// A row of the request's hardware, with everything filled in, of `count` devices.
[[nodiscard]] JsonOut describe_group(const DeviceGroup& group, std::int64_t count);

/// The list of formats that was described last, of a model of the catalogue for an engine.
struct KeptFormats {
  const Model* model = nullptr;
  const Engine* engine = nullptr;
  JsonOut list;
};

/// The result of `estimate`.
[[nodiscard]] JsonOut describe_estimate(const Request& request, const Estimate& estimate, KeptFormats& formats);

[[nodiscard]] std::string_view name_of(VerdictClass kind);

}  // namespace weighbridge

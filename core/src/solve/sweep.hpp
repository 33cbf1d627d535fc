// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

enum class Axis { context_tokens, sequences };

struct SweepPoint {
  std::int64_t value = 0;
  VerdictClass kind = VerdictClass::unknown;
  std::optional<Bytes> need;   ///< of the device that decides; empty: it cannot run this way
  std::optional<Bytes> limit;  ///< of that device
  bool is_modelled = false;    ///< the buffers of graphs lie on a line between those of two other points
};

/// The scenario at each of `values`. Where graphs are replayed, that is done for a few values, ends and the scenario's own among them. Values that
/// do not rise are all counted in full.
[[nodiscard]] Result<std::vector<SweepPoint>> sweep(Prepared& prepared, const Scenario& scenario, Axis axis, const std::vector<std::int64_t>& values);

}  // namespace weighbridge

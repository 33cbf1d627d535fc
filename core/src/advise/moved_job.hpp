// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "advise/advise_trials.hpp"
#include "weighbridge/compare.hpp"

namespace weighbridge {

/// Most devices of one kind that are tried for one job.
inline constexpr std::int64_t kMostTried = 16;

/// `patch` over `count` devices in each of layouts_of(). The first is the engine's own choice, which a request need not say.
[[nodiscard]] std::vector<Json> in_layouts(const Json& patch, std::int64_t count);

/// The patch that moves the job to `hardware`: what goes is what was said of the devices it was on, how it is spread over them and what of it they
/// leave to the host.
[[nodiscard]] Json moved_patch(const Trials& trials, Json hardware);

/// `patch`, without the other models that run where the job was.
[[nodiscard]] Json alone(const Trials& trials, Json patch);

/// What estimate() says of the patched request: verdict, ways out and figures to the byte, without formulas and the other limits.
[[nodiscard]] Result<MovedJob> told(Trials& trials, const Json& patch);

/// The same over `count` devices in the first layout that the engine does not refuse: tensor parallel over all, and for powers of two pipelines of
/// such groups, the longest last. If it refuses them all, the refusal of the first.
[[nodiscard]] Result<MovedJob> told_in_some_layout(Trials& trials, const Json& patch, std::int64_t count);

/// The patched request where it surely fits over `count` devices, in the first of these layouts in which it does; where the engine's default share of
/// the memory is too large to start with and a smaller one surely is not, with that. Nothing where it does not fit.
[[nodiscard]] Result<std::optional<MovedJob>> fitting(Trials& trials, const Json& patch, std::int64_t count);

/// The fewest devices, from 1 to `most`, on which the job surely fits; `patch_of` moves it to so many.
[[nodiscard]] Result<std::optional<MovedJob>> fewest_of(Trials& trials, std::int64_t most, const std::function<Json(std::int64_t)>& patch_of);

/// The job on all devices of a machine, or where the engine refuses so many of one kind, on the most that it does not refuse.
[[nodiscard]] Result<MovedJob> told_on(Trials& trials, const Machine& machine);

}  // namespace weighbridge

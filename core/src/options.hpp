// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "key_reader.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

inline constexpr std::int64_t kMostBatchTokens = std::int64_t{1} << 24;  ///< of one step, for any engine

inline constexpr std::int64_t kMostTokens = std::int64_t{1} << 40;  ///< of a cache, for any engine

inline constexpr double kMostBandwidth = 100'000;  ///< of a device or of system memory, in 10^9 bytes a second: beyond it a number is a typing error
inline constexpr double kMostTflops = 1'000'000;   ///< likewise, operations a second in 10^12
inline constexpr std::int64_t kMostBytes = std::int64_t{1} << 53;  ///< JSON carries whole numbers exactly up to here

/// Most layers a request may name: beyond any model, and no larger than what a config may claim.
inline constexpr std::int64_t kMostLayers = 4096;

/// Reads `params.engine.options` of the scenario's engine, by the engine's own names. Problems stay in `reader`.
void read_options(KeyReader& reader, Scenario& scenario);

/// The options that were given, as they would be asked for again of `engine`.
[[nodiscard]] Json describe_options(const EngineOptions& options, std::string_view engine);

template <class T>
void add_if_given(Json& json, std::string_view name, const std::optional<T>& value) {
  if (value) json[std::string(name)] = *value;
}

}  // namespace weighbridge

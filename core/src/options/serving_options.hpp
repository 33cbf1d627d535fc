// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// Reads `params.engine.options` by the names of a serving engine other than vLLM; false if the scenario's engine is none.
bool read_serving_options(KeyReader& reader, Scenario& scenario);

/// The options that were given, by the names of `engine`, into `json`; false if it is none of these engines.
bool describe_serving_options(const EngineOptions& options, std::string_view engine, Json& json);

/// What `engine` calls the longest sequence that it serves (max_model_len of vLLM).
[[nodiscard]] std::string_view longest_sequence_option(std::string_view engine);

}  // namespace weighbridge

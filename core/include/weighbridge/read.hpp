// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// A model from an HF `config.json`. `where` is the path of the config in the request, for error texts.
/// Errors: missing_key, wrong_type, out_of_range, unknown_architecture, unsupported. Defaults that were filled in land in `warnings`.
[[nodiscard]] Result<Model> read_config(const nlohmann::ordered_json& json, std::string_view where, Notices& warnings);

/// Every `model_type` that read_config() has a reader for, in alphabetical order.
[[nodiscard]] std::vector<std::string_view> known_architectures();

/// The type of read_config(), so that a build may leave it out.
using ConfigReader = Result<Model> (*)(const nlohmann::ordered_json& json, std::string_view where, Notices& warnings);

/// `config` without the keys that the count does not depend on: what is left reads as the same model, with the same warnings.
/// Requires a config that read_config() accepts.
[[nodiscard]] nlohmann::ordered_json minimal_config(const nlohmann::ordered_json& config);

}  // namespace weighbridge

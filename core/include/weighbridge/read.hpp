// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "weighbridge/model.hpp"
#include "weighbridge/result.hpp"

namespace weighbridge {

/// A model from an HF `config.json`. `where` is the path of the config in the request, for error texts.
/// Errors: missing_key, wrong_type, out_of_range, unknown_architecture, unsupported. Defaults that were filled in land in `warnings`.
[[nodiscard]] Result<Model> read_config(const nlohmann::ordered_json& config, std::string_view where, Notices& warnings);

}  // namespace weighbridge

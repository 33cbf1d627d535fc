// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "weighbridge/api.hpp"

namespace weighbridge::testing {

using Json = nlohmann::ordered_json;

/// An Api with the project's catalogue, shared by all tests: it holds no other state.
[[nodiscard]] Api& api();

/// Calls `method` and returns the whole response.
[[nodiscard]] Json call(std::string_view method, const Json& params);

/// The params of an estimate: DeepSeek-R1 on 8 x H200 in vLLM, 32,768 tokens x 16.
[[nodiscard]] Json usual_request();

/// `estimate` that must succeed; its result.
[[nodiscard]] Json estimate(const Json& params);

/// The term `id` of the first device of an estimate.
[[nodiscard]] Json term(const Json& estimate, std::string_view id);

/// Parses JSON text in a test.
[[nodiscard]] Json parse(std::string_view text);

}  // namespace weighbridge::testing

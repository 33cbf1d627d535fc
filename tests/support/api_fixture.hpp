// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
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

/// The row `label` of a term's formula; null if there is none.
[[nodiscard]] const Json* find_row(const Json& term, std::string_view label);
/// Its bytes; 0 if there is none.
[[nodiscard]] std::int64_t row_bytes(const Json& term, std::string_view label);

/// Bytes of the term `id` of a device or the host; 0 if there is none.
[[nodiscard]] std::int64_t bytes_of(const Json& place, std::string_view id);

/// Bytes of the terms `id` of all devices and the host.
[[nodiscard]] std::int64_t sum_of(const Json& estimate, std::string_view id);

constexpr std::int64_t kGiBytes = 1073741824;

/// `count` devices that have nothing but a size.
[[nodiscard]] Json memory(std::int64_t gib, int count = 1);

/// The params of an estimate for llama.cpp: Q4_K_M, 8,192 tokens of one sequence.
[[nodiscard]] Json llama_cpp_request(const char* model, const Json& hardware, const Json& options = Json::object());

/// The params of an estimate for an engine on GPUs: the checkpoint, 4,096 tokens of eight sequences.
[[nodiscard]] Json serving_request(const char* engine, const char* model, const char* device, int count, const Json& options = Json::object());

/// What is offered instead of an estimate's params, which must be refused; taken as the page takes it, the choice must run.
[[nodiscard]] Json nearest(Json params);

/// Parses JSON text in a test.
[[nodiscard]] Json parse(std::string_view text);

}  // namespace weighbridge::testing

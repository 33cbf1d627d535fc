// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "engine/engine.hpp"

namespace weighbridge {

namespace sglang {
/// Releases whose sources were read, oldest first.
inline constexpr std::array<std::string_view, 3> kVersions{"0.5.3", "0.5.10", "0.5.18"};
[[nodiscard]] Plan plan(const Job& job);
}  // namespace sglang

namespace tensorrt_llm {
inline constexpr std::array<std::string_view, 2> kVersions{"1.2", "1.3"};
[[nodiscard]] Plan plan(const Job& job);
}  // namespace tensorrt_llm

/// How serving engines other than vLLM plan.
struct ServingRules {
  Plan (*sglang)(const Job& job) = nullptr;
  Plan (*tensorrt_llm)(const Job& job) = nullptr;
};

/// All of them, or none: a program that must be small links a definition of its own (wasm/without_rules.cpp).
[[nodiscard]] ServingRules serving_rules();

}  // namespace weighbridge

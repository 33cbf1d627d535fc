// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>

#include "engine/engine_rules.hpp"

namespace weighbridge {

class JsonOut;

class KeyReader;
class Prepared;
struct DeviceGroup;
struct Estimate;
struct Verdict;

namespace vllm {
struct CompressedRules;
extern const CompressedRules kCompressedRules;
struct DraftRules;
extern const DraftRules kDraftRules;
[[nodiscard]] std::optional<Notice> shared_caches_problem(const Job& job, const Parallel& parallel);
[[nodiscard]] std::optional<Notice> arguments_problem(const Job& job);
}  // namespace vllm

namespace sglang {
/// Releases whose sources were read, oldest first.
inline constexpr std::array<std::string_view, 3> kVersions{"0.5.3", "0.5.10", "0.5.18"};
[[nodiscard]] Plan plan(const Job& job);
}  // namespace sglang

namespace tensorrt_llm {
inline constexpr std::array<std::string_view, 2> kVersions{"1.2", "1.3"};
[[nodiscard]] Plan plan(const Job& job);
}  // namespace tensorrt_llm

namespace lmdeploy {
inline constexpr std::string_view kVersion = "0.16";
[[nodiscard]] Plan plan(const Job& job);
}  // namespace lmdeploy

namespace tgi {
inline constexpr std::string_view kVersion = "3.3.7";
[[nodiscard]] Plan plan(const Job& job);
}  // namespace tgi

/// How serving engines other than vLLM plan, and read their options; of vLLM, pools of compressed attention, what drafts, ranks that share a cache and
/// what its arguments may be; what runs where an engine refuses.
struct ServingRules {
  std::span<const EngineRules> engines;
  bool (*read_options)(KeyReader& reader, Scenario& scenario) = nullptr;
  bool (*describe_options)(const EngineOptions& options, std::string_view engine, nlohmann::ordered_json& json) = nullptr;
  std::string_view (*longest_sequence_option)(std::string_view engine) = nullptr;
  const vllm::CompressedRules* compressed = nullptr;
  const vllm::DraftRules* drafts = nullptr;
  std::optional<Notice> (*shared_caches)(const Job& job, const Parallel& parallel) = nullptr;
  std::optional<Notice> (*arguments)(const Job& job) = nullptr;
  void (*offer_nearest)(Prepared& prepared, const Scenario& scenario, Verdict& verdict) = nullptr;  ///< solve/nearest.cpp
  void (*describe_nearest)(const Verdict& verdict, const std::vector<DeviceGroup>& hardware, JsonOut& json) = nullptr;
  void (*refuse_overlong)(Prepared& prepared, const Scenario& scenario, Estimate& answer) = nullptr;  ///< solve/overlong.cpp
};

/// All of them, or none: a program that must be small links a definition of its own (wasm/without_rules.cpp).
[[nodiscard]] ServingRules serving_rules();

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <nlohmann/json_fwd.hpp>

#include "engine/engine_rules.hpp"

namespace weighbridge {

class Catalogue;
class KeyReader;

namespace llama_cpp {
inline constexpr std::string_view kVersion = "v0.5.0";
/// llama_max_devices; GGML_CUDA_MAX_DEVICES, beyond which ggml-cuda stops; common/arg.cpp, --tensor-split.
inline constexpr std::int64_t kMostDevices = 16;
[[nodiscard]] Plan plan(const Job& job);
}  // namespace llama_cpp

/// Reads the model that drafts into `scenario`, if the request names one and the engine runs one (llama.cpp, vLLM).
[[nodiscard]] Result<void> read_draft(const nlohmann::ordered_json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings);

namespace ollama {
inline constexpr std::array<std::string_view, 13> kVersions{"0.6.3",   "0.6.7",  "0.7",    "0.7.1", "0.10",   "0.11.5", "0.11.11",
                                                            "0.12.11", "0.13.4", "0.15.5", "0.30",  "0.31.2", "0.33"};
inline constexpr std::string_view kVersion = kVersions.back();
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace ollama

namespace lm_studio {
inline constexpr std::array<std::string_view, 2> kVersions{"0.3", "0.4"};
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace lm_studio

namespace transformers {
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace transformers

namespace mlx {
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace mlx

namespace exllamav2 {
inline constexpr std::string_view kVersion = "0.3.2";
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace exllamav2

namespace exllamav3 {
inline constexpr std::string_view kVersion = "1.4.1";
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace exllamav3

namespace mlc {
inline constexpr std::string_view kVersion = "0.26";
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace mlc

namespace web_llm {
inline constexpr std::string_view kVersion = "0.2.83";
[[nodiscard]] Plan plan(const Job& job);
[[nodiscard]] UsualWorkload usual_workload(const Model& model, const Scenario& scenario);
}  // namespace web_llm

/// How llama.cpp, what runs it, and the libraries plan, and read their options.
struct LocalRules {
  std::span<const EngineRules> engines;
  Result<void> (*read_draft)(const nlohmann::ordered_json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings) = nullptr;
  Result<void> (*place_running)(const nlohmann::ordered_json& params, const Catalogue& catalogue, Scenario& scenario, Notices& warnings) = nullptr;
  bool (*read_library_options)(KeyReader& reader, Scenario& scenario) = nullptr;
  bool (*describe_library_options)(const LibraryOptions& options, std::string_view engine, nlohmann::ordered_json& json) = nullptr;
  void (*read_options)(KeyReader& reader, Scenario& scenario) = nullptr;
  std::int64_t (*largest_in_turn)(Prepared& prepared, Scenario& trial, std::int64_t most, std::int64_t grain, Figure figure,
                                  void (*set)(Scenario& trial, std::int64_t value)) = nullptr;
  void (*describe_options)(const LlamaCppOptions& options, std::string_view engine, nlohmann::ordered_json& json) = nullptr;
};

/// All of them, or none: a program that must be small links a definition of its own (wasm/without_rules.cpp).
[[nodiscard]] LocalRules local_rules();

}  // namespace weighbridge

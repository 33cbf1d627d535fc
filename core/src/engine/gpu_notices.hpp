// SPDX-License-Identifier: Apache-2.0
#pragma once

// What serving engines ask of their GPUs, and say of them, in the same sentences.
#include <span>

#include "engine/engine.hpp"

namespace weighbridge {

constexpr int kBf16Capability = 80;      ///< NVIDIA cards with bf16 units, from this compute capability (times ten) on
constexpr int kFp8UnitsCapability = 89;  ///< the same with FP8 units

/// "one of 0, 4, 8": what a refusal expects of an option, from where the nearest is chosen (solve/nearest.cpp).
[[nodiscard]] std::string one_of(std::span<const std::int64_t> numbers);
[[nodiscard]] std::string one_of(std::span<const std::string_view> words);

/// The oldest cards that an engine runs a weights format on.
struct FormatRule {
  std::string_view format;
  int capability;
};
/// The rule of `format`, or null.
[[nodiscard]] const FormatRule* rule_of(std::span<const FormatRule> rules, std::string_view format);

/// `what` needs a newer card than one of `capability`.
[[nodiscard]] Notice needs_capability(std::string where, const std::string& what, int expected, int capability);

/// `engine` is counted on other backends than that of the `group`-th devices.
[[nodiscard]] Notice no_rules_for_backend(const std::string& engine, const std::string& backend, std::size_t group);

/// `engine` has no code for models of this model_type.
[[nodiscard]] Notice unknown_architecture(const std::string& engine, const std::string& architecture);

/// `engine` does not load weights of `format`; it would those of `nearest`.
[[nodiscard]] Notice unloadable_format(const std::string& engine, std::string_view format, std::string_view nearest);

/// No GPU at all, which `none` says in a sentence, or GPUs of several kinds.
[[nodiscard]] std::optional<Notice> unequal_gpus(const Scenario& scenario, const std::string& engine, const char* none);

/// Pipeline, data or expert parallel, which are not counted for `engine`.
[[nodiscard]] std::optional<Notice> only_tensor_parallel(const Scenario& scenario, const std::string& engine);

/// The option `name` sets a cache of `given` tokens, less than the workload's `needed`.
[[nodiscard]] std::optional<Notice> too_small_cache(const std::string& name, const std::optional<std::int64_t>& given, std::int64_t needed);

/// `what` came to `engine` with the release `first`.
[[nodiscard]] Notice too_old(const std::string& engine, const std::string& version, const std::string& what, const std::string& first);

/// The engine has no way to draft that is called `method`; `known` are those it has.
[[nodiscard]] Notice unknown_drafting(const std::string& engine, const std::string& option, const std::string& method, const std::string& known);

/// What `method` drafts with is a model of its own, of which nothing is known here.
[[nodiscard]] Notice draft_not_counted(const std::string& option, const std::string& method);

/// Layers with a sliding window whose cache was counted as if they had none.
[[nodiscard]] Notice sliding_counted_full(std::int64_t window);

/// FP8 weights were counted as a checkpoint has them: made by `engine` of a plain one they need room for that first. Nothing where none is made.
void add_plain_first(const Job& job, const std::string& engine, Notices& warnings);

/// What runs, but not as one might think: rules of another backend, another type, a slower kernel, a backend that decides.
void add_gpu_warnings(const Job& job, const std::string& engine, bool fp8_cache, Notices& warnings);

}  // namespace weighbridge

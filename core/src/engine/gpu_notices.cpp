// SPDX-License-Identifier: Apache-2.0
#include "engine/gpu_notices.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "options.hpp"

namespace weighbridge {

namespace {

std::string capability_text(int capability) { return std::to_string(capability / 10) + "." + std::to_string(capability % 10); }

template <class Values, class Say>
std::string list_of(const Values& values, Say say) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "one of " : ", ") + say(value);
  return text;
}

}  // namespace

std::string one_of(std::span<const std::int64_t> numbers) {
  return list_of(numbers, [](std::int64_t number) { return grouped(number); });
}

std::string one_of(std::span<const std::string_view> words) {
  return list_of(words, [](std::string_view word) { return std::string(word); });
}

const FormatRule* rule_of(std::span<const FormatRule> rules, std::string_view format) {
  const auto rule = std::find_if(rules.begin(), rules.end(), [&](const FormatRule& r) { return r.format == format; });
  return rule == rules.end() ? nullptr : &*rule;
}

Notice needs_capability(std::string where, const std::string& what, int expected, int capability) {
  const std::string value = capability_text(capability);
  const std::string least = capability_text(expected);
  return notice::custom("needs_capability", std::move(where), what + " needs compute capability " + least + " or newer, got " + value + ".", what,
                        value, least);
}

Notice no_rules_for_backend(const std::string& engine, const std::string& backend, std::size_t group) {
  return notice::custom("no_rules_for_backend", "params.hardware[" + std::to_string(group) + "].device",
                        "We have no rules for " + engine + " on " + backend + " devices: expected a device of " + std::string(kBackendNames) + ".",
                        "backend", backend, std::string(kBackendNames));
}

Notice unknown_architecture(const std::string& engine, const std::string& architecture) {
  return notice::custom("no_code_for_model", "params.model",
                        engine + " has no code for models of the architecture " + architecture + ": expected another model.", "model_type",
                        architecture, engine);
}

Notice unloadable_format(const std::string& engine, std::string_view format, std::string_view nearest) {
  const std::string name(format);
  const std::string other(nearest);
  return notice::custom("unsupported", "params.weights.format", engine + " does not load " + name + " weights: expected " + other + ".",
                        "weights.format", name, other);
}

std::optional<Notice> unequal_gpus(const Scenario& scenario, const std::string& engine, const char* none) {
  if (scenario.hardware.empty()) return notice::custom("needs_device", "params.hardware", none, "hardware", "[]", "at least one GPU");
  const DeviceGroup& first = scenario.hardware.front();
  const auto is_like_first = [&](const DeviceGroup& group) {
    return group.device.id == first.device.id && group.device.runtime_bytes == first.device.runtime_bytes && group.used == first.used;
  };
  if (std::all_of(scenario.hardware.begin(), scenario.hardware.end(), is_like_first)) return std::nullopt;
  const std::string kinds = grouped(static_cast<std::int64_t>(scenario.hardware.size()));
  return notice::custom("unlike_devices", "params.hardware",
                        engine + " splits a model over equal GPUs: expected one kind of GPU, got " + kinds + " kinds.", "hardware", kinds,
                        "one kind of GPU");
}

std::optional<Notice> only_tensor_parallel(const Scenario& scenario, const std::string& engine) {
  const Parallel& p = scenario.parallel;
  if (p.pipeline == 1 && p.data == 1 && !p.expert) return std::nullopt;
  return notice::custom("layout_not_counted", "params.parallel", engine + " is counted with tensor parallel only: expected it over all GPUs.",
                        "parallel", "pipeline " + grouped(p.pipeline) + ", data " + grouped(p.data), "tensor parallel over all GPUs");
}

std::optional<Notice> too_small_cache(const std::string& name, const std::optional<std::int64_t>& given, std::int64_t needed) {
  if (!given || *given >= needed) return std::nullopt;
  return notice::out_of_range("params.engine.options." + name, name, grouped(*given), grouped(needed) + " to " + grouped(kMostTokens));
}

Notice too_old(const std::string& engine, const std::string& version, const std::string& what, const std::string& first) {
  const std::string expected = first + " or newer";
  return notice::custom("unsupported", "params.engine.version", engine + " " + version + " has no " + what + ": expected " + expected + ".",
                        "engine.version", version, expected);
}

Notice unknown_drafting(const std::string& engine, const std::string& option, const std::string& method, const std::string& known) {
  return notice::custom("unsupported", "params.engine.options." + option,
                        engine + " does not draft this model's tokens by `" + method + "`: expected one of " + known + ".", option, method,
                        "one of " + known);
}

Notice draft_not_counted(const std::string& option, const std::string& method) {
  return notice::custom("draft_not_counted", "params.engine.options." + option,
                        "The model that `" + method + "` drafts with is not counted: its weights and cache come on top.", option, method, "");
}

Notice sliding_counted_full(std::int64_t window) {
  return notice::custom("sliding_counted_full", "params.engine",
                        "Layers with a sliding window were counted with their full cache: here the engine may not drop what lies outside it.",
                        "sliding_window", grouped(window), "the full cache in every layer");
}

void add_plain_first(const Job& job, const std::string& engine, Notices& warnings) {
  if (job.scenario.weights_format != "fp8" || !has_plain_weights(job.model)) return;
  warnings.push_back(notice::custom("plain_weights_first", "params.weights.format",
                                    "FP8 weights were counted as a checkpoint has them: with `--quantization fp8` " + engine +
                                        " would hold the whole model in its own type first.",
                                    "weights.format", engine, "a checkpoint in fp8"));
}

void add_gpu_warnings(const Job& job, const std::string& engine, bool fp8_cache, Notices& warnings) {
  const Device& device = job.scenario.hardware.front().device;
  if (device.backend == "rocm")
    warnings.push_back(notice::custom("rocm_by_cuda_rules", "params.hardware[0].device",
                                      "Counted by the rules of CUDA devices: no record of " + engine + " on " + device.short_name + " was found.",
                                      "device", device.short_name, "a CUDA device"));
  const int capability = device.compute_capability;
  if (capability == 0) return;  // not an NVIDIA card, or unknown
  // vllm/config/model.py _resolve_auto_dtype, and its like in other engines.
  if (job.scenario.weights_format == "checkpoint" && job.model.base == dtype::bf16 && capability < kBf16Capability)
    warnings.push_back(notice::custom("runs_as_fp16", "params.weights.format",
                                      device.short_name + " has no bf16 units: " + engine + " runs this checkpoint in float16, in the same memory.",
                                      "dtype", device.short_name, "float16"));
  const std::string_view stored = stored_format(job);
  if ((stored == "fp8" || stored == "fp8-block") && capability < kFp8UnitsCapability)
    warnings.push_back(
        notice::custom("no_fp8_units", "params.weights.format",
                       device.short_name + " has no FP8 units: " + engine + " runs FP8 weights through Marlin, in the same memory but slower.",
                       "weights.format", device.short_name, "compute capability 8.9 or newer"));
  // FlashInfer ran it on A100 (vllm-project/vllm#24577), Triton failed on RTX 3090 (vllm-project/vllm#26431).
  if (fp8_cache && capability < kFp8UnitsCapability)
    warnings.push_back(notice::custom("fp8_cache_by_backend", "params.kv_cache",
                                      "Whether an FP8 cache runs on " + device.short_name + " depends on the attention backend.", "kv_cache",
                                      device.short_name, "compute capability 8.9 or newer"));
}

}  // namespace weighbridge

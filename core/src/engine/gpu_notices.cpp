// SPDX-License-Identifier: Apache-2.0
#include "engine/gpu_notices.hpp"

#include <algorithm>

#include "json_text.hpp"

namespace weighbridge {

namespace {

std::string capability_text(int capability) { return std::to_string(capability / 10) + "." + std::to_string(capability % 10); }

}  // namespace

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

std::optional<Notice> unequal_gpus(const Scenario& scenario, const std::string& engine, const char* none) {
  if (scenario.hardware.empty()) return notice::custom("needs_device", "params.hardware", none, "hardware", "[]", "at least one GPU");
  if (scenario.hardware.size() == 1) return std::nullopt;
  const std::string kinds = grouped(static_cast<std::int64_t>(scenario.hardware.size()));
  return notice::custom("unlike_devices", "params.hardware",
                        engine + " splits a model over equal GPUs: expected one kind of GPU, got " + kinds + " kinds.", "hardware", kinds,
                        "one kind of GPU");
}

Notice sliding_counted_full(std::int64_t window) {
  return notice::custom("sliding_counted_full", "params.engine",
                        "Layers with a sliding window were counted with their full cache: here the engine may not drop what lies outside it.",
                        "sliding_window", grouped(window), "the full cache in every layer");
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

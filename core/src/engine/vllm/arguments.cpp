// SPDX-License-Identifier: Apache-2.0
// What vLLM's arguments may be, by release, and models that a release has no class for.
#include <algorithm>
#include <array>
#include <span>

#include "engine/gpu_notices.hpp"
#include "engine/vllm/vllm.hpp"
#include "json_text.hpp"

namespace weighbridge::vllm {

namespace {

std::optional<Notice> refused(const char* option, std::string value, std::string expected) {
  return notice::out_of_range("params.engine.options." + std::string(option), option, std::move(value), std::move(expected));
}

/// vllm/config/lora.py MaxLoRARanks (`--max-lora-rank`; 1 came later than the others).
std::optional<Notice> adapters_problem(const VllmOptions& o) {
  constexpr std::array<std::int64_t, 9> ranks{1, 8, 16, 32, 64, 128, 256, 320, 512};
  if (!o.enable_lora.value_or(false) || !o.max_lora_rank) return std::nullopt;
  if (std::find(ranks.begin(), ranks.end(), *o.max_lora_rank) != ranks.end()) return std::nullopt;
  return refused("max_lora_rank", grouped(*o.max_lora_rank), one_of(ranks));
}

/// vllm/config/cache.py BlockSize: `--block-size` is one of these up to v0.16, with 256 since 0.11; later releases take any number. Of layers with
/// keys and values, all backends of CUDA and ROCm read blocks of 16 tokens: get_kv_cache_shape or get_supported_kernel_block_sizes of
/// vllm/v1/attention/backends, of FlexAttention since vllm-project/vllm#41363, which failed with smaller ones as it was compiled.
std::optional<Notice> block_problem(const Job& job) {
  constexpr std::array<std::int64_t, 7> sizes{1, 8, 16, 32, 64, 128, 256};
  constexpr std::int64_t kernel = 16;
  const std::optional<std::int64_t>& size = job.scenario.options.block_size;
  if (!size) return std::nullopt;
  const std::string& version = job.scenario.engine_version;
  std::span<const std::int64_t> allowed(sizes);
  if (is_older(version, 11)) allowed = allowed.first(6);
  const bool has_heads = first_grouped_attention(job.model.layers) != nullptr;
  if (has_heads) allowed = allowed.subspan(2);
  if (!is_older(version, 17)) return has_heads && *size % kernel != 0 ? refused("block_size", grouped(*size), "a multiple of 16") : std::nullopt;
  return std::find(allowed.begin(), allowed.end(), *size) != allowed.end() ? std::nullopt : refused("block_size", grouped(*size), one_of(allowed));
}

/// vllm/config/cache.py MambaDType: the option came with 0.10 (vllm-project/vllm#22928), float16 after 0.12 (#29978), bfloat16 after 0.20 (#41680).
std::optional<Notice> state_problem(const Scenario& scenario) {
  constexpr std::array<std::string_view, 4> types{"auto", "float32", "float16", "bfloat16"};
  const std::optional<std::string>& type = scenario.options.vllm.mamba_ssm_cache_dtype;
  if (!type) return std::nullopt;
  const std::string& version = scenario.engine_version;
  std::span<const std::string_view> allowed(types);
  if (is_older(version, 10))
    allowed = allowed.first(1);
  else if (is_older(version, 13))
    allowed = allowed.first(2);
  else if (is_older(version, 21))
    allowed = allowed.first(3);
  if (std::find(allowed.begin(), allowed.end(), *type) != allowed.end()) return std::nullopt;
  return refused("mamba_ssm_cache_dtype", excerpt(*type), one_of(allowed));
}

/// vllm/model_executor/layers/attention/attention.py _init_kv_cache_quant, in its words.
std::optional<Notice> cache_problem(const Job& job) {
  if (job.scenario.kv_type != "fp8_e5m2" || !stored_format(job).starts_with("fp8")) return std::nullopt;
  return notice::custom("unsupported", "params.kv_cache", "fp8_e5m2 kv-cache is not supported with fp8 checkpoints.", "kv_cache", "fp8_e5m2",
                        "one of auto, fp8, fp8_e4m3");
}

/// Models that vLLM's fallback to transformers' classes does not run, or of which these have none yet, by the release (0.`minor`) before which no
/// registry (vllm/model_executor/models/registry.py) can have their class: the one whose notes name it, or the first after the pull request was opened.
struct FirstRelease {
  std::string_view model_type;
  int minor;
};
constexpr FirstRelease kFirstReleases[] = {
    {"glm4_moe", 10},       // vllm-project/vllm#20736, of 2025-07-10
    {"gpt_oss", 10},        // notes of v0.10.1, #22327
    {"qwen3_next", 10},     // notes of v0.11.0, #24526; announced on 2025-09-11, before v0.10.2
    {"deepseek_v32", 11},   // notes of v0.11.0, #25896
    {"longcat_flash", 11},  // notes of v0.11.0, #23991
    {"qwen3_vl_moe", 11},   // notes of v0.11.0, #24727
    {"minimax_m2", 11},     // #27535, of 2025-10-26
    {"mimo_v2_flash", 13},  // #30836, of 2025-12-17
    {"exaone_moe", 14},     // #31621; transformers' of 2026-01-02, huggingface/transformers#43080
    {"step3p5", 15},        // #33523, of 2026-02-01
    {"glm_moe_dsa", 15},    // huggingface/transformers#43858, of 2026-02-09
    {"qwen3_5", 16},        // #34110
    {"qwen3_5_moe", 16},    // #34110
    {"gemma4", 19},         // notes of v0.19.0, #38826
    {"deepseek_v4", 20},    // notes of v0.20.0, #40860
    {"minimax_m3_vl", 24},  // notes of v0.24.0, #45381
};

std::optional<Notice> release_problem(const Job& job) {
  const std::string& version = job.scenario.engine_version;
  const auto* first = std::find_if(std::begin(kFirstReleases), std::end(kFirstReleases),
                                   [&](const FirstRelease& release) { return release.model_type == job.model.architecture; });
  if (first == std::end(kFirstReleases) || !is_older(version, first->minor)) return std::nullopt;
  return too_old("vLLM", version, "class for models of the type " + job.model.architecture, "0." + std::to_string(first->minor));
}

/// MXFP4 came with gpt-oss, in 0.10.1 (vllm/model_executor/layers/quantization/mxfp4.py).
std::optional<Notice> format_problem(const Job& job) {
  const std::string& version = job.scenario.engine_version;
  if (stored_format(job) != "mxfp4" || !is_older(version, 10)) return std::nullopt;
  return too_old("vLLM", version, "kernels for mxfp4", "0.10");
}

/// vllm-project/vllm#23734, of 2025-08-27, for latent caches; #25438, of 2025-09-23, for keys and values of heads.
std::optional<Notice> context_parallel_problem(const Job& job) {
  const std::string& version = job.scenario.engine_version;
  const int first = first_grouped_attention(job.model.layers) != nullptr ? 11 : 10;
  if (job.scenario.options.vllm.decode_context_parallel_size.value_or(1) == 1 || !is_older(version, first)) return std::nullopt;
  return too_old("vLLM", version, "decode context parallel for this model", "0." + std::to_string(first));
}

}  // namespace

std::optional<Notice> arguments_problem(const Job& job) {
  if (std::optional<Notice> newer = release_problem(job)) return newer;
  if (std::optional<Notice> format = format_problem(job)) return format;
  if (std::optional<Notice> parallel = context_parallel_problem(job)) return parallel;
  if (std::optional<Notice> adapters = adapters_problem(job.scenario.options.vllm)) return adapters;
  if (std::optional<Notice> block = block_problem(job)) return block;
  if (std::optional<Notice> state = state_problem(job.scenario)) return state;
  return cache_problem(job);
}

}  // namespace weighbridge::vllm

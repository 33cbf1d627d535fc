// SPDX-License-Identifier: Apache-2.0
// What SGLang refuses at start, and what it runs in another way than asked.
#include <algorithm>
#include <array>

#include "engine/gpu_notices.hpp"
#include "engine/sglang/sglang.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::sglang {

namespace {

constexpr int kLeastCapability = 75;  // sgl-kernel is built for 7.5 and newer

/// The oldest cards that run a format: get_min_capability of python/sglang/srt/layers/quantization.
constexpr std::array kFormatRules{FormatRule{"fp8", 80},      FormatRule{"fp8-block", 80}, FormatRule{"int8", 75},      FormatRule{"int4", 80},
                                  FormatRule{"awq-int4", 75}, FormatRule{"gptq-int4", 75}, FormatRule{"gptq-int8", 75}, FormatRule{"nf4", 75},
                                  FormatRule{"mxfp4", 80},    FormatRule{"nvfp4", 100},    FormatRule{"bf16", 80}};

std::optional<Notice> device_problem(const Job& job) {
  const Device& device = job.scenario.hardware.front().device;
  if (device.backend != "cuda" && device.backend != "rocm")
    return notice::custom("unknown_backend", "params.hardware[0].device",
                          "We have no rules for SGLang on " + device.backend + " devices: expected a CUDA or ROCm device.", "backend", device.backend,
                          "CUDA or ROCm");
  const int capability = device.compute_capability;
  if (capability == 0) return std::nullopt;
  if (capability < kLeastCapability) return needs_capability("params.hardware[0].device", "SGLang", kLeastCapability, capability);
  if (job.scenario.weights_format == "checkpoint" && stored_format(job) == "bf16") return std::nullopt;  // read as float16
  // mxfp4_marlin_moe.py, deepseek_v4_hook.py: kernels for FP4 experts and for V4's attention begin with Hopper.
  if (has_fp4_experts(job) && capability < 90) return needs_capability("params.weights.format", "SGLang with FP4 experts", 90, capability);
  const FormatRule* rule = rule_of(kFormatRules, stored_format(job));
  if (rule != nullptr && capability < rule->capability)
    return needs_capability("params.weights.format", std::string(rule->format), rule->capability, capability);
  return std::nullopt;
}

/// Models that SGLang's fallback to transformers' classes does not run, or of which these have none yet, by the release before which
/// python/sglang/srt/models cannot have their class: the first after somebody proposed it, or asked for it.
struct FirstRelease {
  std::string_view model_type;
  std::string_view version;
};
constexpr FirstRelease kFirstReleases[] = {
    {"mimo_v2_flash", "0.5.6"},   // sgl-project/sglang#15208, of 2025-12-15, on v0.5.5
    {"exaone_moe", "0.5.6"},      // later: huggingface/transformers#43080, of 2026-01-02
    {"step3p5", "0.5.6"},         // later: vllm-project/vllm#33523, of 2026-02-01
    {"glm_moe_dsa", "0.5.6"},     // later: huggingface/transformers#43858, of 2026-02-09
    {"qwen3_5", "0.5.6"},         // later: vllm-project/vllm#34110
    {"qwen3_5_moe", "0.5.6"},     // later: vllm-project/vllm#34110
    {"gemma4", "0.5.6"},          // later: vllm-project/vllm#38826
    {"deepseek_v4", "0.5.11"},    // vllm-project/vllm#40860, after #39807 of 2026-04-14; v0.5.10.post1 was out before
    {"minimax_m3_vl", "0.5.11"},  // sgl-project/sglang#27536, of 2026-06-08
};

std::optional<Notice> release_problem(const Job& job) {
  const std::string& version = job.scenario.engine_version;
  const auto* first = std::find_if(std::begin(kFirstReleases), std::end(kFirstReleases),
                                   [&](const FirstRelease& release) { return release.model_type == job.model.architecture; });
  if (first == std::end(kFirstReleases) || !is_older(version, first->version)) return std::nullopt;
  return too_old("SGLang", version, "class for models of the type " + job.model.architecture, std::string(first->version));
}

std::optional<Notice> format_problem(const Job& job) {
  const std::string_view stored = stored_format(job);
  if (stored == "fp16" || stored == "fp32") return std::nullopt;
  if (rule_of(kFormatRules, stored) != nullptr) return std::nullopt;
  const std::string value(stored);
  return notice::custom("unsupported", "params.weights.format", "SGLang does not run weights of the format " + value + ": expected another format.",
                        "weights.format", value, "fp8");
}

/// speculative/spec_info.py SpeculativeAlgorithm, and the name that server_args.py reads as EAGLE.
std::optional<Notice> drafting_problem(const Scenario& scenario) {
  constexpr std::array known{"EAGLE", "EAGLE3", "NEXTN", "STANDALONE", "NGRAM", "DFLASH", "DSPARK", "FROZEN_KV_MTP"};
  const std::optional<std::string>& algorithm = scenario.options.serving.speculative_algorithm;
  if (!algorithm || std::find(known.begin(), known.end(), *algorithm) != known.end()) return std::nullopt;
  return unknown_drafting("SGLang", "speculative_algorithm", *algorithm, "EAGLE, EAGLE3, NEXTN, STANDALONE, NGRAM, DFLASH, DSPARK, FROZEN_KV_MTP");
}

/// Of MOE_RUNNER_BACKEND_CHOICES those that were read.
std::optional<Notice> backend_problem(const Scenario& scenario) {
  const std::string backend = scenario.options.serving.moe_runner_backend.value_or("auto");
  if (backend == "auto" || backend == "marlin" || backend == "flashinfer_mxfp4") return std::nullopt;
  return notice::custom("unsupported", "params.engine.options.moe_runner_backend",
                        "We have read how SGLang keeps experts for auto, marlin and flashinfer_mxfp4: expected one of them, got " + backend + ".",
                        "moe_runner_backend", backend, "one of auto, marlin, flashinfer_mxfp4");
}

/// server_args.py check_server_args: a step of a prompt fills whole pages. Groups of DP attention have a part of it each.
std::optional<Notice> page_problem(const Scenario& scenario, const Settings& s) {
  constexpr std::array<std::int64_t, 6> pages{1, 16, 32, 64, 128, 256};
  const EngineOptions& o = scenario.options;
  const bool is_chosen = o.block_size.has_value() || scenario.hardware.front().device.compute_capability > 0;
  if (!is_chosen || s.groups > 1 || s.chunk % s.page_size == 0 || o.max_num_batched_tokens.value_or(s.chunk) <= 0) return std::nullopt;
  if (o.max_num_batched_tokens)
    return notice::out_of_range("params.engine.options.chunked_prefill_size", "chunked_prefill_size", grouped(s.chunk),
                                "a multiple of " + grouped(s.page_size));
  return notice::out_of_range("params.engine.options.page_size", "page_size", grouped(s.page_size), one_of(pages));
}

Notice uneven(std::string where, std::string_view key, std::int64_t value, std::string expected) {
  return notice::not_divisible(std::move(where), std::string(key), grouped(value), std::move(expected));
}

/// server_args.py check_server_args; engine.py _calculate_rank_ranges: a machine holds whole stages, or a stage takes whole machines.
std::optional<Notice> nodes_problem(const Parallel& p) {
  if (p.nodes == 1) return std::nullopt;
  if (p.data > 1)
    return notice::custom(
        "unsupported", "params.parallel.data",
        "SGLang deals copies of a model out on one machine only, unless attention alone is copied (`enable_dp_attention`): expected "
        "data 1, got " +
            grouped(p.data) + ".",
        "data", grouped(p.data), "1");
  const std::int64_t shared = p.pipeline < p.nodes ? p.nodes / p.pipeline : 1;  // machines of one stage
  if (std::max(p.pipeline, p.nodes) % std::min(p.pipeline, p.nodes) != 0)
    return uneven("params.parallel", "pipeline", p.pipeline, "a multiple of " + grouped(p.nodes) + ", nodes");
  if (p.tensor % shared != 0) return uneven("params.parallel", "tensor", p.tensor, "a multiple of " + grouped(shared) + ", nodes");
  return std::nullopt;
}

}  // namespace

std::optional<Notice> refusal(const Job& job) {
  constexpr const char* none = "SGLang needs at least one GPU here: its CPU build is not counted.";
  if (std::optional<Notice> unequal = unequal_gpus(job.scenario, "SGLang", none)) return unequal;
  if (std::optional<Notice> newer = release_problem(job)) return newer;
  if (std::optional<Notice> unread = format_problem(job)) return unread;
  if (std::optional<Notice> dense = needs_experts(job)) return dense;
  if (std::optional<Notice> unknown = backend_problem(job.scenario)) return unknown;
  if (std::optional<Notice> drafting = drafting_problem(job.scenario)) return drafting;
  return device_problem(job);
}

std::optional<Notice> layout_problem(const Job& job, const Settings& s) {
  if (std::optional<Notice> machines = nodes_problem(job.scenario.parallel)) return machines;
  // server_args.py: without attention of its own, dp_size is how many copies of the whole model start, each over tp_size GPUs.
  const ServingOptions& o = job.scenario.options.serving;
  const std::int64_t copies = job.scenario.parallel.data;
  if (!o.enable_dp_attention.value_or(false) && o.dp_size.value_or(copies) != copies)
    return notice::custom("unsupported", "params.engine.options.dp_size",
                          "Without `enable_dp_attention`, SGLang starts `dp_size` copies of the model: expected " + grouped(copies) +
                              ", the copies of this layout, got " + grouped(*o.dp_size) + ".",
                          "dp_size", grouped(*o.dp_size), grouped(copies));
  if (std::optional<Notice> pages = page_problem(job.scenario, s)) return pages;
  if (s.pipeline > std::max<std::int64_t>(1, job.model.n_layers()))
    return uneven("params.parallel.pipeline", "num_hidden_layers", job.model.n_layers(), "at least " + grouped(s.pipeline) + ", pipeline parallel");
  if (s.tensor % s.groups != 0)
    return uneven("params.engine.options.dp_size", "dp_size", s.groups, "a divisor of tensor parallel " + grouped(s.tensor));
  if (s.tensor % s.expert_groups != 0)
    return uneven("params.engine.options.ep_size", "ep_size", s.expert_groups, "a divisor of tensor parallel " + grouped(s.tensor));
  if (s.expert_groups > 1 && first_moe(job.model) == nullptr)
    return uneven("params.engine.options.ep_size", "num_experts", 0, "a multiple of ep_size " + grouped(s.expert_groups));
  const std::optional<Uneven> found = uneven_size(job, s.split());
  if (!found) return std::nullopt;
  std::string expected = "a multiple of " + grouped(found->ranks) + ", the ranks that share it";
  if (found->block > 1)
    expected += " in whole blocks of " + grouped(found->block);
  else if (found->key == "num_key_value_heads")
    expected += ", or a divisor of it";
  const bool is_expert_size = found->key == "moe_intermediate_size" || found->key == "num_experts";
  const bool by_groups = is_expert_size ? s.expert_groups > 1 : s.groups > 1;
  const char* where = by_groups ? (is_expert_size ? "params.engine.options.ep_size" : "params.engine.options.dp_size") : "params.parallel.tensor";
  return uneven(where, found->key, found->value, std::move(expected));
}

void add_warnings(const Job& job, const Settings& s, Notices& warnings) {
  const SlidingLayers sliding = sliding_layers(job.model);
  if (sliding.n_layers > 0 && !s.window_pool) warnings.push_back(sliding_counted_full(sliding.window));
  if (job.scenario.options.serving.enable_dp_attention.value_or(false) && s.groups == 1)
    warnings.push_back(notice::custom("dp_attention_alone", "params.engine.options.dp_size",
                                      "`enable_dp_attention` does nothing with one group: expected `dp_size` above 1.", "dp_size", "1", "above 1"));
  if (const std::optional<std::string>& algorithm = job.scenario.options.serving.speculative_algorithm;
      algorithm && *algorithm != "NGRAM" && s.draft_layers == 0)
    warnings.push_back(draft_not_counted("speculative_algorithm", *algorithm));
  add_plain_first(job, "SGLang", warnings);  // quantization/fp8.py process_weights_after_loading; sgl-project/sglang#17945 is not merged
  add_gpu_warnings(job, "SGLang", s.cache_halves == 2, warnings);
}

}  // namespace weighbridge::sglang

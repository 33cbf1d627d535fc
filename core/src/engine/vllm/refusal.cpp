// SPDX-License-Identifier: Apache-2.0
// What vLLM refuses at start, and what it runs in another way than asked.
#include <algorithm>
#include <array>

#include "engine/gpu_notices.hpp"
#include "engine/serving_rules.hpp"
#include "engine/vllm/vllm.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::vllm {

namespace {

constexpr int kLeastCapability = 70;  // setup: CUDA architectures 7.0 and newer

/// The oldest cards that run a format: documentation of v0.14 and v0.32, supported hardware, and get_min_capability of
/// vllm/model_executor/layers/quantization (FP8 below 8.9 by the W8A16 Marlin kernels, NVFP4 below 10.0 by Marlin).
constexpr std::array kFormatRules{
    FormatRule{"fp8", 75},       FormatRule{"fp8-block", 75}, FormatRule{"int8", 75},      FormatRule{"int4", 80},      FormatRule{"awq-int4", 75},
    FormatRule{"gptq-int2", 70}, FormatRule{"gptq-int3", 70}, FormatRule{"gptq-int4", 70}, FormatRule{"gptq-int8", 70}, FormatRule{"nf4", 70},
    FormatRule{"bnb-int8", 70},  FormatRule{"mxfp4", 80},     FormatRule{"mxfp8", 80},     FormatRule{"nvfp4", 80},
};

/// A machine holds whole engines (docs/serving/data_parallel_deployment.md, `--data-parallel-size-local`), or one engine takes whole machines: by
/// processes also beside others (nnodes_within_dp of vllm/config/parallel.py, create_engine_config of vllm/engine/arg_utils.py).
bool deals_engines_out(const Parallel& p, const Rules& rules) {
  if (p.data % p.nodes == 0 || p.data == 1) return true;
  return rules.spans_by_processes && p.nodes % p.data == 0;
}

std::optional<Notice> device_problem(const Job& job) {
  const Device& device = job.scenario.hardware.front().device;
  const int capability = device.compute_capability;
  if (device.backend != "cuda" && device.backend != "rocm")
    return notice::custom("unknown_backend", "params.hardware[0].device",
                          "We have no rules for vLLM on " + device.backend + " devices: expected a CUDA or ROCm device.", "backend", device.backend,
                          "CUDA or ROCm");
  if (capability == 0) return std::nullopt;  // not an NVIDIA card, or unknown
  if (capability < kLeastCapability) return needs_capability("params.hardware[0].device", "vLLM", kLeastCapability, capability);
  // vllm/platforms/cuda.py check_if_supports_dtype
  if (job.scenario.weights_format == "bf16" && capability < kBf16Capability)
    return needs_capability("params.weights.format", "bf16", kBf16Capability, capability);
  const FormatRule* rule = rule_of(kFormatRules, stored_format(job));
  if (rule != nullptr && capability < rule->capability)
    return needs_capability("params.weights.format", std::string(rule->format), rule->capability, capability);
  return std::nullopt;
}

/// Published formats of other engines: MLX's and ExLlama's packings, and integers that no kernel takes.
std::optional<Notice> checkpoint_problem(const Job& job) {
  if (job.scenario.weights_format != "checkpoint") return std::nullopt;
  const std::string_view stored = published_format(job);
  if (is_plain_format(stored) || rule_of(kFormatRules, stored) != nullptr) return std::nullopt;
  const std::string value(stored);
  return notice::custom("unsupported", "params.weights.format", "vLLM does not run checkpoints of the format " + value + ": expected another format.",
                        "weights.format", value, std::string(nearest_format(job.model)));
}

/// Gated NVFP4 experts: a rank's rows of gate and up together fill tiles of 128, or the engine does not start
/// (prepare_nvfp4_moe_layer_for_fi_or_cutlass, "Intermediate size padding for w1 and w3"; #57125). TensorRT-LLM's kernels, the default on 10.x, are
/// filled up since #46880 of July 2026.
std::optional<Uneven> cut_tile(const Job& job, const Split& split) {
  constexpr std::int64_t each = 64;
  const MoeFfn* moe = fp4_experts(job);
  if (moe == nullptr || !moe->gated || moe->moe_ffn_size / split.experts % each == 0) return std::nullopt;
  const bool is_filled_up = job.scenario.hardware.front().device.compute_capability / 10 == 10 && !is_older(job.scenario.engine_version, 25);
  if (is_filled_up) return std::nullopt;
  return Uneven{"moe_intermediate_size", moe->moe_ffn_size, each, split.experts};
}

void add_model_warnings(const Model& model, const Settings& settings, Notices& warnings) {
  const SlidingLayers sliding = sliding_layers(model);
  if (sliding.n_layers > 0 && sliding.n_layers < model.n_layers() && !settings.hybrid_cache) warnings.push_back(sliding_counted_full(sliding.window));
  if (model.vision && settings.encoder)
    warnings.push_back(notice::custom("vision_counted", "params.model",
                                      "The image encoder and its largest batch are counted: `--language-model-only` leaves them out.",
                                      "language_model_only", "false", "true"));
}

}  // namespace

const MoeFfn* fp4_experts(const Job& job) {
  constexpr int first_with_units = 100;
  const bool has_units = job.scenario.hardware.front().device.compute_capability >= first_with_units;
  return has_units && stored_format(job) == "nvfp4" ? first_moe(job.model) : nullptr;
}

std::string_view nearest_format(const Model& model) {
  const std::string_view stored = checkpoint_format(model);
  const bool wide = stored.ends_with("8") || stored.ends_with("8bit") || stored.ends_with("6bit");
  return wide ? "int8" : "int4";
}

std::optional<Notice> refusal(const Job& job) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "vLLM", "vLLM needs at least one GPU here: its CPU build is not counted.")) return unequal;
  if (s.parallel.pipeline > job.model.n_layers())
    return notice::out_of_range("params.parallel.pipeline", "pipeline", grouped(s.parallel.pipeline), "at most " + grouped(job.model.n_layers()));
  if (std::optional<Notice> dense = needs_experts(job)) return dense;
  if (const DraftRules* drafts = serving_rules().drafts)
    if (std::optional<Notice> drafting = drafts->problem(job)) return drafting;
  // vllm/config/scheduler.py: a step must have room for one token of each sequence.
  const EngineOptions& o = s.options;
  const std::int64_t sequences = o.max_num_seqs.value_or(ceil_div(s.sequences, s.parallel.data));
  if (o.max_num_batched_tokens && *o.max_num_batched_tokens < sequences) {
    if (!job.explain) return Notice{};
    return notice::out_of_range("params.engine.options.max_num_batched_tokens", "max_num_batched_tokens", grouped(*o.max_num_batched_tokens),
                                "at least max_num_seqs, " + grouped(sequences));
  }
  if (const auto arguments = serving_rules().arguments)
    if (std::optional<Notice> refused = arguments(job)) return refused;
  if (std::optional<Notice> unread = checkpoint_problem(job)) return unread;
  return device_problem(job);
}

/// vllm/config verify_with_parallel_config; vllm/distributed/utils.py divide(); vocab_parallel_embedding.py.
std::optional<Notice> split_problem(const Job& job, const Parallel& parallel) {
  std::optional<Uneven> uneven = uneven_size(job, split_of(parallel));
  if (!uneven) uneven = cut_tile(job, split_of(parallel));
  if (!uneven) return serving_rules().shared_caches == nullptr ? std::nullopt : serving_rules().shared_caches(job, parallel);
  if (!job.explain) return Notice{};
  const bool by_all = uneven->ranks > parallel.tensor;
  std::string expected = by_all || parallel.expert ? "a multiple of ranks, " + grouped(std::max(uneven->ranks, parallel.tensor))
                                                   : "a multiple of tensor parallel " + grouped(parallel.tensor);
  if (uneven->block > 1)
    expected += " in whole blocks of " + grouped(uneven->block);
  else if (uneven->key == "num_key_value_heads")
    expected += ", or a divisor of it";
  return notice::not_divisible(by_all || parallel.expert ? "params.parallel" : "params.parallel.tensor", std::string(uneven->key),
                               grouped(uneven->value), std::move(expected));
}

std::optional<Notice> nodes_problem(const Job& job, const Rules& rules) {
  const Parallel& p = job.scenario.parallel;
  if (deals_engines_out(p, rules)) return std::nullopt;
  return notice::not_divisible("params.parallel.data", "data", grouped(p.data), "a multiple of " + grouped(p.nodes) + ", nodes");
}

void add_warnings(const Job& job, const Settings& settings, Notices& warnings) {
  add_model_warnings(job.model, settings, warnings);
  if (const DraftRules* drafts = serving_rules().drafts) drafts->warn(job, settings, warnings);
  // docs/serving/parallelism_scaling.md
  const Parallel& p = job.scenario.parallel;
  if (const std::int64_t each = job.scenario.device_count() / p.nodes; p.nodes > 1 && p.tensor > each)
    warnings.push_back(notice::custom("tensor_across_nodes", "params.parallel.tensor",
                                      "Tensor parallel leaves machines of " + grouped(each) + " GPUs: pipeline parallel is faster.", "tensor",
                                      grouped(p.tensor), grouped(each)));
  if (!rules_for(job.scenario.engine_version).quantizes_while_loading) add_plain_first(job, "vLLM", warnings);
  add_gpu_warnings(job, "vLLM", settings.cache_value_bytes == 1, warnings);
}

}  // namespace weighbridge::vllm

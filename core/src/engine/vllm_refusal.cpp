// SPDX-License-Identifier: Apache-2.0
// What vLLM refuses at start, and what it runs in another way than asked.
#include <algorithm>
#include <array>

#include "engine/vllm.hpp"
#include "json_text.hpp"
#include "quantize.hpp"
#include "tensor_layer.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::vllm {

namespace {

constexpr int kLeastCapability = 70;      // setup: CUDA architectures 7.0 and newer
constexpr int kLeastBf16Capability = 80;  // vllm/platforms/cuda.py check_if_supports_dtype

/// The oldest cards that run a format: documentation of v0.14 and v0.32, supported hardware, and get_min_capability of
/// vllm/model_executor/layers/quantization (FP8 below 8.9 by the W8A16 Marlin kernels, NVFP4 below 10.0 by Marlin).
struct FormatRule {
  std::string_view format;
  int capability;
};
constexpr std::array kFormatRules{
    FormatRule{"fp8", 75},       FormatRule{"fp8-block", 75}, FormatRule{"int8", 75},      FormatRule{"int4", 80},      FormatRule{"awq-int4", 75},
    FormatRule{"gptq-int2", 70}, FormatRule{"gptq-int3", 70}, FormatRule{"gptq-int4", 70}, FormatRule{"gptq-int8", 70}, FormatRule{"nf4", 70},
    FormatRule{"bnb-int8", 70},  FormatRule{"mxfp4", 80},     FormatRule{"mxfp8", 80},     FormatRule{"nvfp4", 80},
};
constexpr int kFp8UnitsCapability = 89;  // W8A8 on the card's own units from here on

std::string capability_text(int capability) { return std::to_string(capability / 10) + "." + std::to_string(capability % 10); }

/// `what` needs a newer card than this one.
Notice needs_capability(std::string where, const std::string& what, const std::string& expected, int capability) {
  const std::string value = capability_text(capability);
  return notice::custom("needs_capability", std::move(where), what + " needs compute capability " + expected + " or newer, got " + value + ".", what,
                        value, expected);
}

/// A size that `ranks` ranks cannot share; `block` above 1: whole blocks of scales would be cut.
struct Uneven {
  std::string_view key;
  std::int64_t value = 0;
  std::int64_t block = 1;
  std::int64_t ranks = 0;  ///< that share it; 0: those of tensor parallel
};

/// The config key whose size a projection's split dimension follows from.
Uneven size_behind(const Model& model, const Tensor& tensor, std::int64_t block) {
  switch (tensor.role) {
    case TensorRole::ffn_gate_up:
      return {"intermediate_size", tensor.rows, block};
    case TensorRole::ffn_down:
      return {"intermediate_size", tensor.cols, block};
    case TensorRole::expert_gate_up:
    case TensorRole::shared_gate_up:
      return {"moe_intermediate_size", tensor.rows, block};
    case TensorRole::expert_down:
    case TensorRole::shared_down:
      return {"moe_intermediate_size", tensor.cols, block};
    case TensorRole::attention_k:
    case TensorRole::attention_v:
      return {"num_key_value_heads", grouped_attention(layer_of(model, tensor).mixer)->n_kv_heads, block};
    default:
      return {"num_attention_heads", attention_heads(model), block};
  }
}

/// The outputs and inputs that a rank holds whole blocks of; 1: any number. layers/quantization/utils/fp8_utils.py validate_fp8_block_shape;
/// awq.py and gptq.py create_weights ("The input size is not aligned with the quantized weight shape"); experts fall back to kernels that do
/// without (moe_wna16.py).
struct Blocks {
  std::int64_t rows = 1;
  std::int64_t cols = 1;
};

Blocks blocks_of(const WeightsLayout& layout, const Tensor& tensor) {
  switch (layout.quantization) {
    case WeightQuantization::fp8_block:
      return {layout.block_rows, layout.block_cols};
    case WeightQuantization::awq:
    case WeightQuantization::gptq:
    case WeightQuantization::packed_int:
      return {1, is_expert(tensor.role) || layout.block_cols == 0 ? 1 : layout.block_cols};
    default:
      return {};
  }
}

std::optional<Uneven> cut_block(const Job& job, const Split& how) {
  const std::optional<WeightsLayout> chosen = layout_of(job.scenario.weights_format);
  for (const Tensor& tensor : job.tensors) {
    if (tensor.is_scale || tensor.part != ModelPart::text) continue;
    const bool takes_chosen = chosen && takes(job.model, tensor, *chosen);
    if (!takes_chosen && tensor.recipe == 0) continue;
    const Blocks blocks = blocks_of(takes_chosen ? *chosen : job.model.recipes[static_cast<std::size_t>(tensor.recipe - 1)], tensor);
    const Tensor local = local_part(job.model, tensor, how);
    if (local.rows != tensor.rows && local.rows % blocks.rows != 0) return size_behind(job.model, tensor, blocks.rows);
    if (local.cols != tensor.cols && local.cols % blocks.cols != 0) return size_behind(job.model, tensor, blocks.cols);
  }
  return std::nullopt;
}

/// vllm/config verify_with_parallel_config; vllm/distributed/utils.py divide(); vocab_parallel_embedding.py. Experts are cut by all ranks of
/// all engines, or dealt out to them whole.
std::optional<Uneven> uneven_size(const Job& job, const Parallel& p) {
  const std::int64_t ranks = p.tensor;
  const std::int64_t sharing = p.tensor * p.data;
  if (sharing == 1) return std::nullopt;
  const std::int64_t heads = attention_heads(job.model);
  if (heads % ranks != 0) return Uneven{"num_attention_heads", heads};
  if (padded_vocab(job.model.vocab_size) % ranks != 0) return Uneven{"vocab_size", job.model.vocab_size};
  for (const LayerSpec& layer : job.model.layers) {
    if (const FullAttention* a = grouped_attention(layer.mixer); a != nullptr && a->n_kv_heads % ranks != 0 && ranks % a->n_kv_heads != 0)
      return Uneven{"num_key_value_heads", a->n_kv_heads};
    const auto* dense = std::get_if<DenseFfn>(&layer.ffn);
    const auto* moe = std::get_if<MoeFfn>(&layer.ffn);
    if (dense != nullptr && dense->ffn_size % ranks != 0) return Uneven{"intermediate_size", dense->ffn_size};
    if (moe == nullptr) continue;
    if (p.expert && moe->n_experts % sharing != 0) return Uneven{"num_experts", moe->n_experts, 1, sharing};
    if (!p.expert && moe->moe_ffn_size % sharing != 0) return Uneven{"moe_intermediate_size", moe->moe_ffn_size, 1, sharing};
  }
  return cut_block(job, {ranks, sharing, p.expert});
}

/// vllm/config/model.py verify_with_parallel_config: ranks that share a cache come from those that hold the same heads.
std::optional<Notice> context_parallel_problem(const Job& job, const Parallel& p) {
  const std::int64_t shared = job.scenario.options.vllm.decode_context_parallel_size.value_or(1);
  if (shared == 1) return std::nullopt;
  const FullAttention* a = first_grouped_attention(job.model.layers);
  const std::int64_t copies = first_latent_attention(job.model.layers) != nullptr || a == nullptr ? p.tensor : p.tensor / a->n_kv_heads;
  const auto works = [&](std::int64_t ranks) { return ranks <= std::max<std::int64_t>(1, copies) && p.tensor % ranks == 0; };
  if (works(shared)) return std::nullopt;
  if (!job.explain) return Notice{};
  std::int64_t nearest = std::min(shared, p.tensor);
  while (!works(nearest)) --nearest;
  return notice::out_of_range("params.engine.options.decode_context_parallel_size", "decode_context_parallel_size", grouped(shared),
                              "at most " + grouped(nearest));
}

/// MXFP4 came with gpt-oss, in 0.10.1 (vllm/model_executor/layers/quantization/mxfp4.py).
std::optional<Notice> version_problem(const Job& job, const Rules& rules) {
  const std::string_view format = job.scenario.weights_format;
  const std::string_view stored = format == "checkpoint" ? checkpoint_format(job.model) : format;
  if (stored != "mxfp4" || rules.version != "0.9") return std::nullopt;
  return notice::custom("unsupported", "params.engine.version", "mxfp4 needs vLLM 0.10 or newer, got 0.9.", "engine.version", "0.9", "0.10");
}

std::optional<Notice> device_problem(const Job& job) {
  const Device& device = job.scenario.hardware.front().device;
  const int capability = device.compute_capability;
  if (device.backend != "cuda" && device.backend != "rocm")
    return notice::custom("unknown_backend", "params.hardware[0].device",
                          "We have no rules for vLLM on " + device.backend + " devices: expected a CUDA or ROCm device.", "backend", device.backend,
                          "cuda or rocm");
  if (capability == 0) return std::nullopt;  // not an NVIDIA card, or unknown
  if (capability < kLeastCapability) return needs_capability("params.hardware[0].device", "vLLM", "7.0", capability);
  const std::string_view format = job.scenario.weights_format;
  if (format == "bf16" && capability < kLeastBf16Capability) return needs_capability("params.weights.format", "bf16", "8.0", capability);
  const std::string_view stored = format == "checkpoint" ? checkpoint_format(job.model) : format;
  for (const FormatRule& rule : kFormatRules)
    if (rule.format == stored && capability < rule.capability)
      return needs_capability("params.weights.format", std::string(stored), capability_text(rule.capability), capability);
  return std::nullopt;
}

/// Published formats of other engines: MLX's and ExLlama's packings, and integers that no kernel takes.
std::optional<Notice> checkpoint_problem(const Job& job) {
  if (job.scenario.weights_format != "checkpoint") return std::nullopt;
  const std::string_view stored = checkpoint_format(job.model);
  if (stored == "bf16" || stored == "fp16" || stored == "fp32") return std::nullopt;
  if (std::any_of(kFormatRules.begin(), kFormatRules.end(), [&](const FormatRule& rule) { return rule.format == stored; })) return std::nullopt;
  const std::string value(stored);
  return notice::custom("unsupported", "params.weights.format", "vLLM does not run checkpoints of the format " + value + ": expected another format.",
                        "weights.format", value, std::string(nearest_format(job.model)));
}

void add_model_warnings(const Model& model, const Settings& settings, Notices& warnings) {
  const SlidingLayers sliding = sliding_layers(model);
  if (sliding.n_layers > 0 && sliding.n_layers < model.n_layers() && !settings.hybrid_cache)
    warnings.push_back(
        notice::custom("sliding_counted_full", "params.engine",
                       "Layers with a sliding window were counted with their full cache: here the engine may not drop what lies outside it.",
                       "sliding_window", grouped(sliding.window), "the full cache in every layer"));
  if (model.vision && settings.encoder)
    warnings.push_back(notice::custom("vision_counted", "params.model",
                                      "The image encoder and its largest batch are counted: `--language-model-only` leaves them out.",
                                      "language_model_only", "false", "true"));
}

}  // namespace

std::string_view nearest_format(const Model& model) {
  const std::string_view stored = checkpoint_format(model);
  const bool wide = stored.ends_with("8") || stored.ends_with("8bit") || stored.ends_with("6bit");
  return wide ? "int8" : "int4";
}

std::optional<Notice> refusal(const Job& job, const Rules& rules) {
  const Scenario& s = job.scenario;
  if (s.hardware.empty())
    return notice::custom("needs_device", "params.hardware", "vLLM needs at least one GPU here: its CPU build is not counted.", "hardware", "[]",
                          "at least one GPU");
  if (s.hardware.size() > 1) {
    const std::string kinds = grouped(static_cast<std::int64_t>(s.hardware.size()));
    return notice::custom("unlike_devices", "params.hardware",
                          "vLLM splits a model over equal GPUs: expected one kind of GPU, got " + kinds + " kinds.", "hardware", kinds,
                          "one kind of GPU");
  }
  if (s.parallel.pipeline > job.model.n_layers())
    return notice::out_of_range("params.parallel.pipeline", "pipeline", grouped(s.parallel.pipeline), "at most " + grouped(job.model.n_layers()));
  if (s.parallel.expert && first_moe(job.model) == nullptr)
    return notice::custom("unsupported", "params.parallel.expert", "Expert parallel needs a model with routed experts: expected expert false.",
                          "parallel.expert", "true", "false");
  // vllm/config/scheduler.py: a step must have room for one token of each sequence.
  const EngineOptions& o = s.options;
  const std::int64_t sequences = o.max_num_seqs.value_or(ceil_div(s.sequences, s.parallel.data));
  if (o.max_num_batched_tokens && *o.max_num_batched_tokens < sequences) {
    if (!job.explain) return Notice{};
    return notice::out_of_range("params.engine.options.max_num_batched_tokens", "max_num_batched_tokens", grouped(*o.max_num_batched_tokens),
                                "at least max_num_seqs, " + grouped(sequences));
  }
  if (std::optional<Notice> unread = checkpoint_problem(job)) return unread;
  if (std::optional<Notice> old = version_problem(job, rules)) return old;
  return device_problem(job);
}

std::optional<Notice> split_problem(const Job& job, const Parallel& parallel) {
  const std::optional<Uneven> uneven = uneven_size(job, parallel);
  if (!uneven) return context_parallel_problem(job, parallel);
  if (!job.explain) return Notice{};
  const bool by_all = uneven->ranks > 0 && parallel.data > 1;
  std::string expected = by_all || parallel.expert ? "a multiple of ranks, " + grouped(std::max(uneven->ranks, parallel.tensor))
                                                   : "a multiple of tensor parallel " + grouped(parallel.tensor);
  if (uneven->block > 1)
    expected += " in whole blocks of " + grouped(uneven->block);
  else if (uneven->key == "num_key_value_heads")
    expected += ", or a divisor of it";
  return notice::not_divisible(by_all || parallel.expert ? "params.parallel" : "params.parallel.tensor", std::string(uneven->key),
                               grouped(uneven->value), std::move(expected));
}

std::int64_t nearest_split(const Job& job, std::int64_t wanted) {
  const auto works = [&](std::int64_t ranks) { return !uneven_size(job, {ranks}); };
  for (std::int64_t distance = 1; distance < wanted; ++distance) {
    if (works(wanted - distance)) return wanted - distance;
    if (wanted + distance <= kMaxDevices && works(wanted + distance)) return wanted + distance;
  }
  return 1;
}

std::optional<Parallel> nearest_layout(const Job& job) {
  const Parallel& asked = job.scenario.parallel;
  const std::int64_t devices = asked.tensor * asked.pipeline * asked.data;
  std::optional<Parallel> best;
  const auto distance = [&](const Parallel& p) {
    return std::abs(p.tensor - asked.tensor) * 4 + (p.expert == asked.expert ? 0 : 2) + (p.data == asked.data ? 0 : 1);
  };
  const auto offer = [&](const Parallel& p) {
    if (p.pipeline <= job.model.n_layers() && !uneven_size(job, p) && (!best || distance(p) < distance(*best))) best = p;
  };
  for (std::int64_t tensor = 1; tensor <= devices; ++tensor)
    for (std::int64_t pipeline = 1; devices % tensor == 0 && pipeline <= devices / tensor; ++pipeline) {
      if (devices / tensor % pipeline != 0) continue;
      for (const bool expert : {false, true})
        if (!expert || asked.expert) offer({tensor, pipeline, devices / tensor / pipeline, expert});
    }
  return best;
}

void add_warnings(const Job& job, const Settings& settings, Notices& warnings) {
  const Device& device = job.scenario.hardware.front().device;
  const int capability = device.compute_capability;
  add_model_warnings(job.model, settings, warnings);
  if (device.backend == "rocm")
    warnings.push_back(notice::custom("rocm_by_cuda_rules", "params.hardware[0].device",
                                      "Counted by the rules of CUDA devices: no record of vLLM on " + device.short_name + " was found.", "device",
                                      device.short_name, "a CUDA device"));
  if (capability == 0) return;
  const std::string_view format = job.scenario.weights_format;
  const std::string_view stored = format == "checkpoint" ? checkpoint_format(job.model) : format;
  // vllm/config/model.py _resolve_auto_dtype.
  if (format == "checkpoint" && job.model.base == dtype::bf16 && capability < kLeastBf16Capability)
    warnings.push_back(notice::custom("runs_as_fp16", "params.weights.format",
                                      device.short_name + " has no bf16 units: vLLM runs this checkpoint in float16, in the same memory.", "dtype",
                                      device.short_name, "float16"));
  if ((stored == "fp8" || stored == "fp8-block") && capability < kFp8UnitsCapability)
    warnings.push_back(notice::custom("no_fp8_units", "params.weights.format",
                                      device.short_name + " has no FP8 units: vLLM runs FP8 weights through Marlin, in the same memory but slower.",
                                      "weights.format", device.short_name, "compute capability 8.9 or newer"));
  // FlashInfer ran it on A100 (vllm-project/vllm#24577), Triton failed on RTX 3090 (vllm-project/vllm#26431).
  if (job.scenario.kv_type.starts_with("fp8") && capability < kFp8UnitsCapability)
    warnings.push_back(notice::custom("fp8_cache_by_backend", "params.kv_cache",
                                      "Whether an FP8 cache runs on " + device.short_name + " depends on the attention backend.", "kv_cache",
                                      device.short_name, "compute capability 8.9 or newer"));
}

}  // namespace weighbridge::vllm

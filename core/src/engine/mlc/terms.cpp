// SPDX-License-Identifier: Apache-2.0
// What MLC's two runtimes have in common: its quantized weights, its paged cache, and the plan of its compiler.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/mlc/mlc.hpp"
#include "engine/one_pool.hpp"
#include "engine/steps.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::mlc {

namespace {

constexpr Source kWeightSource{
    "mlc-ai/mlc-llm python/mlc_llm/quantization/{quantization,group_quantization}.py, model/*/*_model.py",
    "https://github.com/mlc-ai/mlc-llm/blob/79d603f085f50500e9509fa01785ffa7ecfaaa93/python/mlc_llm/quantization/group_quantization.py"};
constexpr Source kCacheSource{"mlc-ai/mlc-llm cpp/serve/config.cc EstimateMemoryUsageOnMode, python/mlc_llm/nn/kv_cache.py",
                              "https://github.com/mlc-ai/mlc-llm/blob/79d603f085f50500e9509fa01785ffa7ecfaaa93/cpp/serve/config.cc"};

/// Sharded are the projections of attention and feed-forward blocks only.
Tensor held_by_shard(const Job& job, const Settings& s, const Tensor& tensor) {
  const bool is_whole = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head || tensor.role == TensorRole::layer_embedding;
  return is_whole || s.tensor == 1 ? tensor : share_of(job.model, tensor, s.split());
}

/// One page more than the tokens fill.
std::int64_t pool_tokens(const Settings& s) { return (ceil_div(s.cache_tokens, kPage) + 1) * kPage; }

bool is_loaded(const Tensor& tensor) { return tensor.part == ModelPart::text && !tensor.is_copy; }

/// deepseek_v2_model.py w_uk and w_uv: the two halves of the up-projection, beside it, never quantized.
FormulaRow absorbed_row(const Job& job, const Settings& s) {
  std::int64_t elements = 0;
  for (const Tensor& tensor : job.tensors)
    if (tensor.role == TensorRole::latent_kv_up && is_loaded(tensor) && !tensor.is_scale)
      elements += tensor.copies() * ceil_div(tensor.rows, s.tensor) * tensor.cols;
  return make_row(job.explain, "absorbed_kv_b", {{"elements_here", elements}, {"bytes_per_element", s.value_bytes}});
}

}  // namespace

const Architecture* find_architecture(std::string_view model_type) {
  // python/mlc_llm/model/model.py MODELS by model_type, those that this catalogue or a config may name.
  static constexpr auto kAll = std::to_array<Architecture>({
      {"baichuan"},
      {"chatglm"},
      {"cohere"},
      {"deepseek"},
      {"deepseek_v2", 2048},
      {"deepseek_v3", 2048},
      {"gemma"},
      {"gemma2", 8192, true},
      {"gemma3", 8192, true},
      {"gemma3_text", 8192, true},
      {"gpt2"},
      {"gpt_bigcode"},
      {"gpt_neox"},
      {"gptj"},
      {"internlm"},
      {"internlm2", 2048},
      {"llama"},
      {"llama4"},
      {"minicpm"},
      {"ministral3"},
      {"mistral"},
      {"mixtral"},
      {"nemotron"},
      {"olmo"},
      {"olmo2"},
      {"orion"},
      {"phi"},
      {"phi3"},
      {"qwen"},
      {"qwen2"},
      {"qwen2_moe"},
      {"qwen3", 2048},
      {"qwen3_moe", 2048},
      {"stablelm"},
      {"starcoder2"},
  });
  const auto* found = std::find_if(kAll.begin(), kAll.end(), [&](const Architecture& known) { return known.name == model_type; });
  return found == kAll.end() ? nullptr : found;
}

Term weights_term(const Job& job, const Settings& s) {
  Term term = summed_weights(job, s.tensor, kWeightSource, [&](const Tensor& tensor) -> std::optional<Tensor> {
    if (!is_loaded(tensor)) return std::nullopt;
    return held_by_shard(job, s, tensor);
  });
  term.records = 2;  // mlc-ai/mlc-llm#2026 and #2128: Llama 2 7B, quantized and not
  add_row(job, term, absorbed_row(job, s));
  term.low = term.bytes - term.bytes / 100;
  term.high = term.bytes + term.bytes / 33;
  if (job.explain) term.formula.config_keys.back() = "quantization";
  return term;
}

std::int64_t token_bytes(const Model& model, const Settings& s) {
  std::int64_t values = 0;
  for (const LayerSpec& layer : model.layers) {
    if (layer.shares_cache) continue;
    const FullAttention* heads = grouped_attention(layer.mixer);
    values += heads == nullptr ? cache_values_per_token(layer.mixer)
                               : std::max<std::int64_t>(1, heads->n_kv_heads / s.tensor) * (heads->head_dim_k + heads->head_dim_v);
  }
  return values * s.value_bytes;
}

/// Layers with a window have pages for all tokens, too.
Term cache_term(const Job& job, const Settings& s) {
  FormulaRow row = make_row(job.explain, "full_sequences", {{"pool_tokens", pool_tokens(s)}, {"bytes_of_a_token", token_bytes(job.model, s)}});
  return pool_term(job, std::move(row), kCacheSource, s.tensor);
}

FormulaRow planned_step(const Job& job, const Settings& s) {
  std::vector<FormulaRow> rows;
  add_feed_forward_steps(job.explain, job.model, {s.tensor, s.chunk, s.tensor, s.chunk}, rows);
  if (rows.empty()) rows.push_back({"dense_ffn", {}, {}, true});
  FormulaRow row = choose_largest(rows);
  if (s.value_bytes == 2) return row;
  row.bytes = 2 * row.bytes;
  if (job.explain) row.factors.push_back({"values_of_32_bits", 2});
  return row;
}

Bytes largest_tensor(const Job& job, const Settings& s) {
  Bytes most;
  for (const Tensor& tensor : job.tensors)
    if (is_loaded(tensor)) most = std::max(most, tensor.bytes() / static_cast<std::uint64_t>(tensor.layers.count));
  // All pages of a layer are one tensor.
  const std::int64_t layers = std::max<std::int64_t>(1, job.model.n_layers());
  return std::max(most, value_of({{"", pool_tokens(s)}, {"", token_bytes(job.model, s)}, {"", layers, Op::divide}}));
}

std::optional<Notice> refusal(const Job& job, const Engine& engine, const std::string& name, Plan& plan) {
  // README.md: CUDA, ROCm, Metal, Vulkan, and OpenCL on phones; browsers have WebGPU on the same devices.
  if (const std::string& backend = job.scenario.hardware.front().device.backend; !is_backend(backend)) return no_rules_for_backend(name, backend, 0);
  if (find_architecture(job.model.architecture) == nullptr || !has_attention_only(job.model))
    return unknown_architecture(name, job.model.architecture);
  const std::string_view format = stored_format(job);
  if (!engine.loads(format)) {
    plan.nearest_weights_format = "q4f16_1";
    return unloadable_format(name, format, *plan.nearest_weights_format);
  }
  // gemma2_model.py, gemma3_model.py: windows in some layers only are not implemented, so nobody may look further back than they do.
  const SlidingLayers sliding = sliding_layers(job.model);
  const std::int64_t window = job.model.architecture == "gemma2" ? sliding.window : std::max<std::int64_t>(sliding.window, 8192);
  if (!find_architecture(job.model.architecture)->context_is_window || job.scenario.context_tokens <= window || sliding.window == 0)
    return std::nullopt;
  plan.nearest_context_tokens = window;
  return notice::out_of_range("params.workload.context_tokens", "context_window_size", grouped(job.scenario.context_tokens),
                              "at most " + grouped(window));
}

}  // namespace weighbridge::mlc

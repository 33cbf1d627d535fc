// SPDX-License-Identifier: Apache-2.0
// LMDeploy's TurboMind. The budget of one GPU, src/turbomind/turbomind.cc CreateEngine:
//   pool = (what is free once the weights are loaded, the least of all ranks) * cache_max_entry_count
// and everything a step needs comes from the rest.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/lmdeploy/lmdeploy.hpp"
#include "engine/one_pool.hpp"
#include "engine/serving_rules.hpp"
#include "engine/steps.hpp"
#include "engine/weight_sum.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::lmdeploy {

namespace {

constexpr Source kWeightSource{
    "InternLM/lmdeploy lmdeploy/turbomind/{weight_format,builders}, src/turbomind/models/linear_weight.cc",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/models/linear_weight.cc"};
constexpr Source kCacheSource{
    "InternLM/lmdeploy src/turbomind/kernels/attention/block.h, models/llama/unified_attention_layer.cc",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/kernels/attention/block.h"};
constexpr Source kStateSource{
    "InternLM/lmdeploy src/turbomind/models/llama/GatedDeltaNetLayer.cc",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/models/llama/GatedDeltaNetLayer.cc"};
constexpr Source kStepSource{
    "InternLM/lmdeploy src/turbomind/models/llama/{unified_attention_layer,LlamaFfnLayer,moe_ffn_layer}.cc, models/language_model.cc",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/models/llama/unified_attention_layer.cc"};

constexpr Source kOverheadSource{
    "free memory at start-up in public logs of other engines; InternLM/lmdeploy src/turbomind/models/llama/LlamaLinear.cu",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/src/turbomind/models/llama/LlamaLinear.cu"};

/// lmdeploy/turbomind/supported_models.py SUPPORTED_ARCHS, by model_type.
constexpr std::string_view kArchitectures[] = {"glm4_moe_lite", "gpt_oss", "internlm2",   "internlm3",  "internvl",  "internvl_chat",
                                               "llama",         "mixtral", "qwen2",       "qwen2_5_vl", "qwen2_moe", "qwen2_vl",
                                               "qwen3",         "qwen3_5", "qwen3_5_moe", "qwen3_moe"};
constexpr std::int64_t kWorkspaceTokens = 4096;  // unified_attention_layer.h kMaxWorkspaceTokens
constexpr Bytes kGemmWorkspace = 65 * kMiB;      // models/llama/LlamaLinear.cu: kPartialsSize twice, kBarriersSize

bool is_loaded(const Tensor& tensor) { return !tensor.is_copy && tensor.part != ModelPart::mtp && tensor.part != ModelPart::speech; }

/// Zero points of four bits are kept as wide as the scales beside them.
FormulaRow zero_points_row(const Job& job, const Settings& s) {
  const std::string_view format = stored_format(job);
  const bool is_int4 = format == "awq-int4" || format == "gptq-int4" || format == "int4";
  std::int64_t groups = 0;
  for (const Tensor& tensor : job.tensors)
    if (is_int4 && is_loaded(tensor) && tensor.is_scale && tensor.type.block_bytes == 2 && tensor.cols > 1)
      groups += share_of(job.model, tensor, s.split()).elements();
  return make_row(job.explain, "unpacked_zero_points", {{"groups", groups}, {"bytes_per_value", 2}});
}

struct Heads {
  std::int64_t queries = 0;
  std::int64_t keys = 0;
  std::int64_t values_per_head = 0;  ///< of a key and a value
};

/// Of one rank. A latent is one key without a value of its own.
Heads heads_of(const Model& model, const Settings& s) {
  if (const LatentAttention* latent = first_latent_attention(model.layers))
    return {ceil_div(latent->n_heads, s.tensor), 1, latent->kv_lora_rank + latent->qk_rope_head_dim};
  const FullAttention* a = first_grouped_attention(model.layers);
  if (a == nullptr) return {};
  return {ceil_div(a->n_heads, s.tensor), std::max<std::int64_t>(1, a->n_kv_heads / s.tensor), a->head_dim_k + a->head_dim_v};
}

Term weights_term(const Job& job, const Settings& s) {
  Term term = summed_weights(job, s.tensor, kWeightSource, [&](const Tensor& tensor) -> std::optional<Tensor> {
    if (!is_loaded(tensor)) return std::nullopt;
    return share_of(job.model, tensor, s.split());
  });
  add_row(job, term, zero_points_row(job, s));
  bound_unmeasured_weights(term);
  return term;
}

/// Checkpoints of recurrent layers, which lie in the same pool.
Term checkpoints_term(const Job& job, const Settings& s) {
  Term term = state_term(job, s, kStateSource, 4, s.held_requests);
  term.low = term.bytes / 2;   // states of 16 bits
  term.high = term.bytes * 2;  // checkpoints for prompts that come again
  return term;
}

/// What the share leaves has to hold: partial results of attention, a layer's cache of the prompts as one piece, the widest tensors, the logits.
Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  const Heads heads = heads_of(model, s);
  const std::int64_t width = std::max<std::int64_t>(1, heads.values_per_head / (first_latent_attention(model.layers) != nullptr ? 1 : 2));
  std::vector<FormulaRow> steps;
  add_feed_forward_steps(job.explain, model, {s.tensor, s.batch_tokens, s.tensor, s.batch_tokens}, steps);
  std::vector<FormulaRow> rows;
  if (!steps.empty()) rows.push_back(choose_largest(steps));
  rows.push_back(make_row(job.explain, "attention_workspace",
                          {{"values_of_heads", heads.queries * (width + 2)}, {"workspace_tokens", kWorkspaceTokens}, {"bytes_per_value", 4}}));
  rows.push_back(make_row(
      job.explain, "flattened_cache",
      {{"cached_tokens", std::max(s.context, s.batch_tokens)}, {"values_of_heads", heads.keys * heads.values_per_head}, {"bytes_per_value", 2}}));
  rows.push_back(make_row(job.explain, "logits", {{"vocab_size", model.vocab_size}, {"sampled_rows", s.requests}, {"bytes_per_logit", 10}}));
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kStepSource;
  for (const FormulaRow& row : rows) term.bytes += row.bytes;
  term.low = term.bytes / 3;
  term.high = 2 * term.bytes + 256 * kMiB;
  if (!job.explain) return term;
  sort_largest_first(rows);
  term.formula.rows = std::move(rows);
  return term;
}

Term overhead_term(const Job& job, const Settings& s) {
  Term term = context_term(job, s, kOverheadSource);
  term.bytes += kGemmWorkspace;
  term.high += 4 * kGemmWorkspace;
  if (job.explain) term.formula.rows.push_back({"gemm_workspace", {}, kGemmWorkspace, true});
  return term;
}

}  // namespace

bool is_turbomind_model(const Model& model) {
  return std::find(std::begin(kArchitectures), std::end(kArchitectures), model.architecture) != std::end(kArchitectures);
}

std::optional<Notice> turbomind_refusal(const Job& job) {
  if (std::optional<Notice> layout = only_tensor_parallel(job.scenario, "LMDeploy")) return layout;
  const std::string_view format = stored_format(job);
  return lmdeploy_engine().loads(format) ? std::nullopt : std::optional(unloadable_format("LMDeploy", format, "awq-int4"));
}

DevicePlan plan_turbomind(const Job& job, const Settings& s, EngineReport& report) {
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  device.terms.push_back(weights_term(job, s));
  device.terms.push_back(overhead_term(job, s));
  const Bytes before = device.total();
  const Bytes pool = scaled(device.capacity - before, s.share);
  device.terms.push_back(cache_term(job, s, kCacheSource));
  if (Term states = checkpoints_term(job, s); states.bytes > Bytes()) device.terms.push_back(std::move(states));
  const Term step = compute_term(job, s);
  device.terms.push_back(step);
  device.limit = before + pool;
  device.reserved = device.limit + step.bytes;
  device.observed = device.reserved + group.used;
  report_pool(job, report, pool, token_bytes(job.model, s), s.block, s.context);
  report.overlong = Overlong::ends_request;  // engine/engine.cc FailStalledHeadOfLine
  return device;
}

}  // namespace weighbridge::lmdeploy

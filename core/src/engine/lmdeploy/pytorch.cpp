// SPDX-License-Identifier: Apache-2.0
// LMDeploy's PyTorch engine. The budget of one GPU, lmdeploy/pytorch/engine/executor/base.py update_configs:
//   states = (max_batch_size + 2) * state;  runtime = (max_prefill_token_num + 2 * max_batch_size) * vocab_size * 2
//   pool   = (what is free once the weights are loaded - states - runtime) * cache_max_entry_count,  in blocks
// where the prefill is halved until 16 blocks fit. CUDA graphs and what a step needs come from the rest.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/lmdeploy/lmdeploy.hpp"
#include "engine/one_pool.hpp"
#include "engine/steps.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::lmdeploy {

namespace {

constexpr Source kWeightSource{
    "InternLM/lmdeploy lmdeploy/pytorch/{models,nn}",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/lmdeploy/pytorch/models/utils/model.py"};
constexpr Source kCacheSource{
    "InternLM/lmdeploy lmdeploy/pytorch/engine/cache_engine.py, engine/executor/base.py",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/lmdeploy/pytorch/engine/executor/base.py"};
constexpr Source kGraphSource{
    "InternLM/lmdeploy lmdeploy/pytorch/backends/cuda/graph_runner.py, models/utils/cudagraph.py; bytes a graph from logs of vLLM",
    "https://github.com/InternLM/lmdeploy/blob/1263d5cd889b7ad500e85b8eb20401327a4516ab/lmdeploy/pytorch/models/utils/cudagraph.py"};
constexpr Source kOverheadSource{"free memory at start-up in public logs of other engines", kCacheSource.url};

/// lmdeploy/pytorch/models/module_map.py, by model_type. DeepSeek's sparse and compressed attention have caches of another kind, which are not
/// counted.
constexpr std::string_view kArchitectures[] = {
    "chatglm",    "deepseek",    "deepseek_v2", "deepseek_v3", "gemma",    "gemma2",        "gemma3",     "gemma3_text",  "glm4",     "glm4_moe",
    "glm4v",      "gpt_oss",     "internlm2",   "internlm3",   "internvl", "internvl_chat", "kimi_k2",    "llama",        "llama4",   "llava",
    "llava_next", "mistral",     "mixtral",     "phi3",        "phimoe",   "qwen2",         "qwen2_5_vl", "qwen2_moe",    "qwen2_vl", "qwen3",
    "qwen3_5",    "qwen3_5_moe", "qwen3_moe",   "qwen3_next",  "qwen3_vl", "qwen3_vl_moe",  "sdar",       "glm4_moe_lite"};
/// quant_method of config.py QuantizationConfig, beside none.
constexpr std::string_view kFormats[] = {"bf16", "fp16", "fp32", "awq-int4", "fp8", "fp8-block"};

constexpr std::int64_t kLeastBlocks = 16;         // _get_runtime_size
constexpr std::int64_t kSpareStates = 2;          // _get_state_cache_mem
constexpr std::int64_t kSpareBlocks = 2;          // config_builder.py num_reserved_gpu_blocks, and one that _get_max_session_len leaves
constexpr std::int64_t kWideHead = 512;           // _adjust_block_size: blocks of 32 tokens from this head on
constexpr std::int64_t kGraphBytes = 10'800'333;  // of one captured batch: 6.5 to 10.3 MiB a graph were logged of vLLM's

/// Embedding and head are whole on every rank (models/utils/model.py build_embedding, build_lm_head); DeepSeek's are split (deepseek_v2.py).
std::optional<Tensor> held(const Job& job, const Settings& s, const Tensor& tensor) {
  if (tensor.is_copy || tensor.part == ModelPart::mtp || tensor.part == ModelPart::speech) return std::nullopt;
  const bool is_latent = first_latent_attention(job.model.layers) != nullptr;
  const bool is_whole = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
  if (is_whole && !is_latent) return tensor;
  // DeepseekV2BMM: kv_b_proj is there as its two halves only, in 16 bits whatever the checkpoint has.
  if (tensor.role == TensorRole::latent_kv_up && tensor.is_scale) return std::nullopt;
  Tensor local = share_of(job.model, tensor, s.split());
  if (tensor.role == TensorRole::latent_kv_up) local.type = dtype::bf16;
  return local;
}

Term weights_term(const Job& job, const Settings& s) {
  Term term = summed_weights(job, s.tensor, kWeightSource, [&](const Tensor& tensor) { return held(job, s, tensor); });
  add_row(job, term, rotary_table_row(job.model, 4));
  bound_unmeasured_weights(term);
  return term;
}

/// One slot of each layer for every request of the largest batch, and two to spare; a pool of its own.
Term slots_term(const Job& job, const Settings& s) {
  Term term = state_term(job, s, kCacheSource, 2, s.requests + kSpareStates);
  term.low = term.bytes;
  term.high = term.bytes * 2;  // states of 32 bits (LMDEPLOY_FP32_MAMBA_SSM_DTYPE)
  return term;
}

Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  std::vector<FormulaRow> rows;
  rows.push_back(make_row(job.explain, "sampler", {{"vocab_size", model.vocab_size}, {"sampled_rows", s.requests}, {"bytes_per_logit", 10}}));
  const Split split = s.split();
  add_feed_forward_steps(job.explain, model, {s.tensor, s.batch_tokens, split.experts, ceil_div(s.batch_tokens, split.expert_groups)}, rows);
  Term term = largest_step_term(job.explain, std::move(rows), kCacheSource);
  term.inside_limit = false;
  term.low = term.bytes / 2;
  term.high = 2 * term.bytes + kGiB;
  return term;
}

/// Batches that are captured: powers of two up to 256, then every 256th, and the largest.
std::vector<std::int64_t> captured(std::int64_t most) {
  constexpr std::int64_t step = 256;
  std::vector<std::int64_t> sizes;
  std::int64_t size = 1;
  for (; size <= std::min(step, most); size *= 2) sizes.push_back(size);
  for (; size <= most; size += step) sizes.push_back(size);
  if (sizes.back() != most) sizes.push_back(most);
  return sizes;
}

/// A graph has a table of its own: the blocks of each of its requests, room for all blocks of the pool.
Term graphs_term(const Job& job, const Settings& s, std::int64_t blocks) {
  std::int64_t requests = 0;
  const std::vector<std::int64_t> sizes = captured(s.requests);
  for (const std::int64_t size : sizes) requests += size;
  Term term;
  term.id = "cuda_graphs";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kGraphSource;
  add_row(job, term, make_row(job.explain, "request_table", {{"requests", requests}, {"cached_blocks", blocks}, {"bytes_per_value", 4}}));
  const Bytes tables = term.bytes;
  add_row(job, term, make_row(job.explain, "cuda_graphs", {{"graphs", static_cast<std::int64_t>(sizes.size())}, {"bytes_per_graph", kGraphBytes}}));
  term.low = tables;
  term.high = 4 * term.bytes + 256 * kMiB;
  return term;
}

/// The bytes that are kept for a prefill, halved until the pool has blocks enough.
Bytes runtime_bytes(const Model& model, const Settings& s, Bytes free, std::int64_t block) {
  for (std::int64_t tokens = s.batch_tokens; tokens > 0; tokens /= 2) {
    const Bytes runtime = value_of({{"", tokens}, {"", 2 * s.requests, Op::plus}, {"", model.vocab_size}, {"", 2}});
    if (block == 0 || scaled(free - runtime, s.share) / Bytes(static_cast<std::uint64_t>(block)) >= kLeastBlocks) return runtime;
  }
  return free;  // "No enough gpu memory for runtime."
}

}  // namespace

std::optional<Notice> pytorch_refusal(const Job& job) {
  const Parallel& p = job.scenario.parallel;
  if (p.pipeline != 1 || p.data != 1 || p.nodes != 1)
    return notice::custom("layout_not_counted", "params.parallel",
                          "LMDeploy's PyTorch engine is counted with tensor and expert parallel on one machine only: expected them over all "
                          "GPUs.",
                          "parallel", "pipeline " + grouped(p.pipeline) + ", data " + grouped(p.data) + ", nodes " + grouped(p.nodes),
                          "tensor parallel over all GPUs");
  const auto* end = std::end(kArchitectures);
  const auto has_no_place = [](const LayerSpec& layer) {
    return grouped_attention(layer.mixer) == nullptr && !std::holds_alternative<LatentAttention>(layer.mixer) && recurrent_part(layer) == nullptr;
  };
  const std::vector<LayerSpec>& layers = job.model.layers.kinds();
  if (std::find(std::begin(kArchitectures), end, job.model.architecture) == end || std::any_of(layers.begin(), layers.end(), has_no_place))
    return unknown_architecture("LMDeploy", job.model.architecture);
  if (std::optional<Notice> dense = needs_experts(job)) return dense;
  const std::string_view format = stored_format(job);
  if (std::find(std::begin(kFormats), std::end(kFormats), format) == std::end(kFormats))
    return unloadable_format("LMDeploy's PyTorch engine", format, "awq-int4");
  return std::nullopt;
}

DevicePlan plan_pytorch(const Job& job, const Settings& settings, EngineReport& report) {
  Settings s = settings;
  s.spare_blocks = kSpareBlocks;
  if (const FullAttention* a = first_grouped_attention(job.model.layers); a != nullptr && a->head_dim_k >= kWideHead)
    s.block = std::min<std::int64_t>(s.block, 32);
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  device.terms.push_back(weights_term(job, s));
  device.terms.push_back(context_term(job, s, kOverheadSource));
  if (Term states = slots_term(job, s); states.bytes > Bytes()) device.terms.push_back(std::move(states));
  const Bytes before = device.total();
  const std::int64_t block = token_bytes(job.model, s) * s.block;
  const Bytes free = device.capacity - before;
  const Bytes pool = scaled(free - runtime_bytes(job.model, s, free, block), s.share);
  device.terms.push_back(cache_term(job, s, kCacheSource));
  device.terms.push_back(compute_term(job, s));
  Bytes beside = device.terms.back().bytes;
  if (s.graphs) {
    device.terms.push_back(graphs_term(job, s, block == 0 ? 0 : static_cast<std::int64_t>(pool.count()) / block));
    beside += device.terms.back().bytes;
  }
  device.limit = before + pool;
  device.reserved = device.limit + beside;
  device.observed = device.reserved + group.used;
  report_pool(job, report, pool, token_bytes(job.model, s), s.block, s.context);
  report.overlong = Overlong::refuses_request;  // engine/engine.py _get_max_session_len
  return device;
}

}  // namespace weighbridge::lmdeploy

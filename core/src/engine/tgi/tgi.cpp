// SPDX-License-Identifier: Apache-2.0
// Text Generation Inference 3.3, in maintenance since December 2025, over equal GPUs. The budget of one GPU, models/flash_causal_lm.py warmup:
//   after the largest prefill, blocks = free memory - (1 - cuda_memory_fraction * 0.9) * total memory,  over the bytes of a block
// so context, weights, that prefill and the cache share 90 % of the card, and CUDA graphs are captured in the rest.
#include <algorithm>
#include <cmath>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/layout.hpp"
#include "engine/one_pool.hpp"
#include "engine/serving_rules.hpp"
#include "engine/steps.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::tgi {

namespace {

constexpr Source kWeightSource{"huggingface/text-generation-inference server/text_generation_server/layers/{tensor_parallel,linear}.py",
                               "https://github.com/huggingface/text-generation-inference/blob/db931fcf42da018a3657580c64bf2720f167f9ab/server/"
                               "text_generation_server/layers/tensor_parallel.py"};
constexpr Source kCacheSource{
    "huggingface/text-generation-inference server/text_generation_server/models/{flash_causal_lm,globals}.py, layers/attention/kv_cache.py",
    "https://github.com/huggingface/text-generation-inference/blob/db931fcf42da018a3657580c64bf2720f167f9ab/server/text_generation_server/models/"
    "flash_causal_lm.py"};
constexpr Source kStepSource{
    "huggingface/text-generation-inference launcher/src/main.rs max_batch_prefill_tokens, "
    "server/text_generation_server/layers/attention/flashinfer.py",
    "https://github.com/huggingface/text-generation-inference/blob/db931fcf42da018a3657580c64bf2720f167f9ab/launcher/src/main.rs"};
constexpr Source kOverheadSource{"free memory at start-up in public logs of other engines",
                                 "https://github.com/huggingface/text-generation-inference/blob/db931fcf42da018a3657580c64bf2720f167f9ab/server/"
                                 "text_generation_server/utils/import_utils.py"};

constexpr double kWiggleRoom = 0.9;                 // globals.py TGI_WIGGLE_ROOM
constexpr std::int64_t kPrefillTokens = 4096;       // main.rs default_optimal
constexpr std::int64_t kLargestGraph = 32;          // main.rs: graphs of 1, 2, 4, 8, 16 and 32 requests
constexpr std::int64_t kDecodingBlock = 256;        // globals.py BLOCK_SIZE of flashdecoding
constexpr Bytes kFlashInferWorkspace = 128 * kMiB;  // flashinfer.py get_workspace

/// server/text_generation_server/models/__init__.py ModelType. What is not among them runs through transformers.
constexpr std::string_view kArchitectures[] = {"baichuan",   "cohere",  "dbrx",    "deepseek_v2", "deepseek_v3", "falcon",
                                               "gemma",      "gemma2",  "gemma3",  "gemma3_text", "gpt2",        "gpt_bigcode",
                                               "gpt_neox",   "gptj",    "granite", "idefics3",    "llama",       "llama4",
                                               "llava_next", "mistral", "mixtral", "mllama",      "paligemma",   "phi",
                                               "phi3",       "phimoe",  "qwen2",   "qwen2_5_vl",  "qwen2_vl",    "starcoder2"};

/// Card, and its dense 16-bit operations a second in 10^12, by which the launcher sizes a prefill (main.rs f16_flop).
struct Speed {
  std::string_view device;
  std::int64_t tera = 0;
};
constexpr Speed kSpeeds[] = {{"rtx-4090", 82}, {"t4", 65},   {"l4", 121},   {"l40s", 363}, {"l40", 181},
                             {"a10g", 125},    {"a40", 149}, {"a100", 312}, {"h100", 900}, {"h200", 989}};

struct Settings {
  std::int64_t tensor = 1;
  double share = 1.0;         ///< cuda_memory_fraction
  std::int64_t context = 0;   ///< max_total_tokens
  std::int64_t requests = 0;  ///< of them at once
  bool caches_prefixes = true;
  std::int64_t batch_tokens = 0;  ///< max_batch_prefill_tokens
  std::int64_t block = 1;         ///< tokens of a block, by attention
  std::int64_t value_bytes = 2;   ///< of the cache
  std::int64_t graphs = kLargestGraph;
  bool flashinfer = true;

  [[nodiscard]] Split split() const { return {tensor, tensor, tensor, 1}; }
};

/// models/__init__.py head_size: keys and values of latent attention are kept for every head, all as wide as the widest.
struct Cached {
  std::int64_t heads = 0;
  std::int64_t head_size = 0;
};
Cached cached_of(const Model& model, std::int64_t ranks) {
  if (const LatentAttention* a = first_latent_attention(model.layers))
    return {ceil_div(a->n_heads, ranks), std::max(a->qk_nope_head_dim + a->qk_rope_head_dim, a->head_dim_v)};
  const FullAttention* a = first_grouped_attention(model.layers);
  return a == nullptr ? Cached{} : Cached{ceil_div(a->n_kv_heads, ranks), std::max(a->head_dim_k, a->head_dim_v)};
}

std::int64_t token_bytes(const Model& model, const Settings& s) {
  const Cached cached = cached_of(model, s.tensor);
  return 2 * cached.heads * cached.head_size * model.n_layers() * s.value_bytes;
}

/// Operations of one token as main.rs Config::flop counts them.
double operations(const Model& model) {
  const FullAttention* a = first_grouped_attention(model.layers);
  if (a == nullptr || model.vision) return 0;
  const MoeFfn* moe = first_moe(model);
  const std::int64_t ffn = moe != nullptr ? moe->moe_ffn_size * moe->n_experts_used + moe->shared_ffn_size : largest_dense_ffn(model);
  const std::int64_t heads = 3 * a->n_heads * a->head_dim_k + 2 * a->n_kv_heads * a->head_dim_k;
  return 2.0 * static_cast<double>(model.n_layers() * model.hidden_size) * static_cast<double>(heads + 3 * ffn);
}

/// What the card computes in a second, but no more than the model's longest sequence; a card that the launcher does not know: 4,096.
std::int64_t default_prefill(const Job& job, std::int64_t ranks) {
  const Device& device = job.scenario.hardware.front().device;
  const double each = operations(job.model);
  std::int64_t tokens = kPrefillTokens;
  for (const Speed& speed : kSpeeds) {
    const bool is_named = device.id == speed.device || device.id.starts_with(std::string(speed.device) + "-");
    const double optimal = is_named && each > 0 ? std::floor(1e12 * static_cast<double>(speed.tera * ranks) / each) : 0;
    if (optimal > 100) tokens = static_cast<std::int64_t>(optimal);
  }
  return std::min(tokens, job.model.max_context_tokens);
}

bool has_flashinfer_heads(const Model& model) {
  const FullAttention* a = first_grouped_attention(model.layers);
  return a != nullptr && (a->head_dim_k == 64 || a->head_dim_k == 128 || a->head_dim_k == 256) && model.architecture != "falcon";
}

Settings settle(const Job& job) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.share = o.gpu_memory_utilization.value_or(1.0);
  s.context = o.max_model_len.value_or(scenario.context_tokens);
  s.requests = scenario.sequences;
  s.batch_tokens = o.max_num_batched_tokens.value_or(default_prefill(job, s.tensor));
  const int capability = scenario.hardware.front().device.compute_capability;
  const std::string fallback = capability > 0 && capability < 80 ? "paged" : "flashdecoding";
  const std::string attention = o.serving.attention.value_or(has_flashinfer_heads(job.model) ? "flashinfer" : fallback);
  s.flashinfer = attention == "flashinfer";
  s.block = s.flashinfer ? 1 : (attention == "flashdecoding" ? kDecodingBlock : 16);
  s.caches_prefixes = attention != "paged";
  if (scenario.kv_type.starts_with("fp8")) s.value_bytes = 1;
  s.graphs = o.serving.cuda_graph_max_bs.value_or(kLargestGraph);
  return s;
}

Term weights_term(const Job& job, const Settings& s) {
  Term term = summed_weights(job, s.tensor, kWeightSource, [&](const Tensor& tensor) -> std::optional<Tensor> {
    if (tensor.is_copy || tensor.part == ModelPart::mtp || tensor.part == ModelPart::speech) return std::nullopt;
    return share_of(job.model, tensor, s.split());
  });
  add_row(job, term, rotary_table_row(job.model, 4));
  bound_unmeasured_weights(term);
  return term;
}

Term cache_term(const Job& job, const Settings& s) {
  const Cached cached = cached_of(job.model, s.tensor);
  FormulaRow row = make_row(job.explain, "full_sequences",
                            {{"pool_tokens", pooled_tokens(job.scenario, s.requests, s.block, s.caches_prefixes)},
                             {"values_per_token", 2 * cached.heads * cached.head_size},
                             {"layers", job.model.n_layers()},
                             {"bytes_per_value", s.value_bytes}});
  return pool_term(job, std::move(row), kCacheSource, s.tensor, false);
}

/// The prefill of warm-up, whose blocks stay with PyTorch's allocator when the free memory is measured.
Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  std::vector<FormulaRow> rows;
  rows.push_back(make_row(job.explain, "sampler", {{"vocab_size", model.vocab_size}, {"sampled_rows", s.requests}, {"bytes_per_logit", 10}}));
  add_feed_forward_steps(job.explain, model, {s.tensor, s.batch_tokens, s.tensor, s.batch_tokens}, rows);
  Term term = largest_step_term(job.explain, std::move(rows), kStepSource);
  term.low = term.bytes / 2;
  term.high = 2 * term.bytes + kGiB;
  return term;
}

Term overhead_term(const Job& job, const Settings& s, const Device& device) {
  const Bytes workspace = s.flashinfer ? kFlashInferWorkspace : Bytes();
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = kOverheadSource;
  add_context(term, driver_context(device), nccl_buffers(s.tensor, device.compute_capability), job.explain);
  term.bytes += workspace;
  term.low += workspace;
  term.high += workspace + 256 * kMiB;
  if (job.explain && workspace > Bytes()) term.formula.rows.push_back({"attention_workspace", {}, workspace, true});
  return term;
}

/// Places of all tokens of the largest captured batch, and what a graph keeps: 6.5 to 10.3 MiB a graph were logged of vLLM's.
Term graphs_term(const Job& job, const Settings& s) {
  std::int64_t count = 0;
  for (std::int64_t requests = 1; requests <= s.graphs; requests *= 2) ++count;
  FormulaRow places = make_row(job.explain, "request_table", {{"requests", s.graphs}, {"cached_tokens", s.context}, {"bytes_per_value", 4}});
  FormulaRow kept = make_row(job.explain, "cuda_graphs", {{"graphs", count}, {"bytes_per_graph", 10 * 1024 * 1024}});
  Term term;
  term.id = "cuda_graphs";
  term.basis = Basis::modelled;
  term.inside_limit = false;
  term.source = kCacheSource;
  term.bytes = places.bytes + kept.bytes;
  term.high = 4 * term.bytes + 256 * kMiB;
  if (job.explain) term.formula.rows = {std::move(kept), std::move(places)};
  return term;
}

std::optional<Notice> refusal(const Job& job, Plan& plan) {
  const Scenario& s = job.scenario;
  if (std::optional<Notice> unequal = unequal_gpus(s, "TGI", "TGI needs at least one GPU.")) return unequal;
  const std::string& backend = s.hardware.front().device.backend;
  if (backend != "cuda" && backend != "rocm")
    return notice::custom("unknown_backend", "params.hardware", "TGI is counted on CUDA and ROCm devices: expected one of them.", "backend", backend,
                          "CUDA or ROCm");
  if (std::optional<Notice> layout = only_tensor_parallel(s, "TGI")) return layout;
  if (!has_attention_only(job.model)) return unknown_architecture("TGI", job.model.architecture);
  const std::string_view format = stored_format(job);
  if (!tgi_engine().loads(format) || (format == "exl2" && s.parallel.tensor > 1)) {
    plan.nearest_weights_format = "awq-int4";
    return unloadable_format("TGI", format, *plan.nearest_weights_format);
  }
  // layers/fp8.py get_fp8_linear: Marlin's kernels on 8.x, those of the card's own units on newer ones.
  constexpr int fp8_capability = 80;
  const int capability = s.hardware.front().device.compute_capability;
  if (format.starts_with("fp8") && capability > 0 && capability < fp8_capability)
    return needs_capability("params.weights.format", std::string(format), fp8_capability, capability);
  const std::optional<std::string>& attention = s.options.serving.attention;
  if (attention && attention != "flashinfer" && attention != "flashdecoding" && attention != "paged")
    return notice::custom("unsupported", "params.engine.options.attention", "TGI has no such attention: expected flashinfer, flashdecoding or paged.",
                          "attention", *attention, "one of flashinfer, flashdecoding, paged");
  return std::nullopt;
}

/// server/text_generation_server/layers/attention/kv_cache.py KVCache.__init__
std::optional<Notice> cache_problem(const Job& job, const Settings& s) {
  const std::string& type = job.scenario.kv_type;
  if (!type.starts_with("fp8")) return std::nullopt;
  const bool is_foreign = type == "fp8_e5m2" && job.scenario.hardware.front().device.backend == "rocm";
  if (s.block != kDecodingBlock && !is_foreign) return std::nullopt;
  return notice::custom(
      "unsupported", "params.kv_cache",
      is_foreign ? "TGI has no fp8_e5m2 cache on ROCm: expected auto."
                 : "TGI keeps an FP8 cache with flashinfer or paged attention only, and this model runs with flashdecoding: expected auto.",
      "kv_cache", type, "auto");
}

void add_warnings(const Job& job, Plan& plan) {
  const auto* end = std::end(kArchitectures);
  if (std::find(std::begin(kArchitectures), end, job.model.architecture) == end)
    plan.warnings.push_back(
        notice::custom("tgi_fallback", "params.model",
                       "TGI has no class of its own for " + job.model.architecture + ": it runs the one of transformers, with the same cache.",
                       "model_type", job.model.architecture, "a class of TGI's own"));
  if (const SlidingLayers sliding = sliding_layers(job.model); sliding.n_layers > 0) plan.warnings.push_back(sliding_counted_full(sliding.window));
  add_gpu_warnings(job, "TGI", job.scenario.kv_type.starts_with("fp8"), plan.warnings);
}

}  // namespace

Plan plan(const Job& job) {
  Plan plan = plan_of_one_version(job, tgi_engine());
  plan.impossible = refusal(job, plan);
  if (plan.impossible) return plan;
  const Settings s = settle(job);
  plan.impossible = cache_problem(job, s);
  if (plan.impossible) return plan;
  if (!divides(job, s.split(), plan)) return plan;
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = s.tensor;
  device.capacity = group.capacity();
  // What others use of the card is not free, so it counts against the share.
  const Bytes share = scaled(group.device.runtime_bytes, s.share * kWiggleRoom);
  device.limit = share - group.used;
  device.terms.push_back(weights_term(job, s));
  device.terms.push_back(compute_term(job, s));
  device.terms.push_back(overhead_term(job, s, group.device));
  const Bytes pool = device.limit - device.total();
  device.terms.push_back(cache_term(job, s));
  device.reserved = device.limit;
  if (s.graphs > 0) {
    device.terms.push_back(graphs_term(job, s));
    device.reserved += device.terms.back().bytes;
  }
  device.observed = device.reserved + group.used;
  report_pool(job, plan.report, pool, token_bytes(job.model, s), s.block, s.context);
  plan.report.overlong = Overlong::refuses_start;  // backends/v3/src/lib.rs check_max_batch_total_tokens
  if (job.explain) add_warnings(job, plan);
  plan.devices.push_back(std::move(device));
  return plan;
}

}  // namespace weighbridge::tgi

// SPDX-License-Identifier: Apache-2.0
// vLLM (V1 engine) over equal GPUs. The budget of one GPU, vllm/v1/worker/gpu_worker.py determine_available_memory:
//   requested = total * gpu_memory_utilization;  KV pool = requested - weights - activation peak - other allocations - graphs (by version)
// What the card holds before that budget starts (context, NCCL) must leave `requested` free, or the engine refuses to start.
#include "engine/vllm/vllm.hpp"

#include <algorithm>
#include <array>

#include "engine/serving_rules.hpp"
#include "engine/vllm/layout.hpp"
#include "json_text.hpp"

namespace weighbridge::vllm {

namespace {

bool is_cache(const Term& term) { return term.id == "kv_cache" || term.id == "recurrent_state"; }

/// What a budget leaves for the cache if all else takes its `figure`; nothing if that is more than the budget.
Bytes pool_of(const DevicePlan& device, Bytes Term::*figure) {
  Bytes beside;
  for (const Term& term : device.terms)
    if (term.inside_limit && !is_cache(term)) beside += term.*figure;
  return device.limit - beside;
}

/// Jobs whose weights differ have different keys; one of zeros is none: stages differ, and adapters are not kept.
MemoKey memo_key(const Job& job, const Settings& s) {
  if (s.pipeline > 1 || s.lora_slots > 0 || s.draft != nullptr) return {};
  const Device& device = job.scenario.hardware.front().device;
  const int loaded = (s.expert_parallel ? 1 : 0) + (s.encoder ? 2 : 0) + (s.drafts_with_mtp ? 4 : 0) + (s.drafts_with_eagle ? 8 : 0) +
                     (s.cache_value_bytes == 1 && s.context_parallel > 1 ? 16 : 0);
  // Kernels of a card pad (expert_padding.cpp).
  const std::int64_t rows = keeps_deepstack(job.model, s) ? s.max_num_batched_tokens : 0;
  return {s.tensor, s.data, s.context_parallel, loaded, rows, device.compute_capability, device.backend == "rocm" ? 1 : 0};
}

/// A layout of pages, and all that it depends on besides the model.
struct KeptPages {
  std::array<std::int64_t, 6> key{};
  PageLayout layout;
};

/// What page_layout() answers, counted once for all contexts and requests.
std::shared_ptr<const KeptPages> pages_of(const Job& job, const Settings& s) {
  const std::array<std::int64_t, 6> key{s.tensor,      s.block_size,     s.cache_value_bytes,
                                        s.state_width, s.drafted_tokens, (s.drafts_with_mtp ? 1 : 0) + (s.hybrid_cache ? 2 : 0)};
  const bool is_kept = job.memo != nullptr && s.draft == nullptr;
  if (is_kept && job.memo->pages != nullptr) {
    auto pages = std::static_pointer_cast<const KeptPages>(job.memo->pages);
    if (pages->key == key) return pages;
  }
  auto pages = std::make_shared<const KeptPages>(KeptPages{key, page_layout(job.model, s)});
  if (is_kept) job.memo->pages = pages;
  return pages;
}

/// vllm/platforms/cuda.py check_and_update_config: FlashMLA pages hold 64 tokens (Hopper), CUTLASS MLA's 128 (Blackwell), all others 16
/// (CacheConfig.DEFAULT_BLOCK_SIZE). A card we do not know gets the largest: it only rounds up more.
std::int64_t default_block_size(const LatentAttention* latent, int compute_capability) {
  if (latent == nullptr) return 16;
  if (compute_capability == 0 || compute_capability / 10 == 10) return 128;
  return compute_capability == 90 ? 64 : 16;
}

/// What vLLM would log of its pool: the engine takes the smallest of its stages.
void add_pool_report(EngineReport& report, const Plan& plan, const Job& job, const PageLayout& layout, const Settings& settings,
                     const std::vector<Stage>& stages) {
  const Rules& rules = rules_for(job.scenario.engine_version);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Bytes pool = pool_of(plan.devices[i], &Term::bytes);
    const PoolReport logged = report_pool(job.model, layout, settings, rules, stages[i], pool);
    if (report.kv_cache_pool && report.kv_cache_tokens <= logged.tokens) continue;
    report.kv_cache_pool = pool;
    report.kv_cache_tokens = logged.tokens;
    report.max_concurrency = logged.concurrency;
  }
}

DevicePlan plan_stage(const Job& job, const PageLayout& layout, const Settings& settings, const Rules& rules, const Stage& stage) {
  const DeviceGroup& group = job.scenario.hardware.front();
  DevicePlan device;
  device.count = settings.tensor * settings.data;
  device.capacity = group.capacity();
  device.limit = scaled(group.device.runtime_bytes, settings.gpu_memory_utilization);
  if (rules.context_inside) device.limit -= group.used;
  device.terms.reserve(7);
  const MemoKey key = memo_key(job, settings);
  const bool is_kept = key != MemoKey();
  const bool remembered = is_kept && job.memo != nullptr && job.memo->key == key && !job.explain;
  device.terms.push_back(remembered ? job.memo->weights : weights_term(job, settings, stage));
  if (!remembered && job.memo != nullptr && is_kept) {
    job.memo->key = key;
    job.memo->weights = device.terms.front();
    job.memo->weights.formula = {};
  }
  device.terms.push_back(cache_term(job, layout, settings, stage));
  if (settings.has_state)
    if (Term state = recurrent_term(job, layout, settings, stage); state.bytes > Bytes()) device.terms.push_back(std::move(state));
  device.terms.push_back(compute_term(job, settings, rules, stage));
  device.terms.push_back(graphs_term(job, settings, rules));
  device.terms.push_back(inside_term(job, settings, rules));
  device.terms.push_back(context_term(job, settings, rules));
  if (settings.pool_bytes) {
    // The pool is given: the budget is what that and the rest come to.
    device.limit = Bytes(static_cast<std::uint64_t>(*settings.pool_bytes));
    for (const Term& term : device.terms)
      if (term.inside_limit && !is_cache(term)) device.limit += term.bytes;
  }
  device.reserved = device.limit;
  for (const Term& term : device.terms)
    if (!term.inside_limit) device.reserved += term.bytes;
  device.observed = device.reserved + group.used;
  return device;
}

/// _check_enough_kv_cache_memory: one request of max_model_len must find room in the pool, or the engine does not start. Said only where the
/// pool is too small at the best of its band, and not where nothing is left for it at all.
void refuse_long_context(Plan& plan, const Job& job, const PageLayout& layout, const Settings& s, const std::vector<Stage>& stages) {
  const bool compressed = is_compressed(job.model);
  if (layout.kinds.empty() && !compressed) return;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Bytes block = block_bytes(layout, stages[i]);
    const auto request_of = [&](std::int64_t tokens) {
      return compressed ? serving_rules().compressed->request(job.model, s, stages[i], tokens)
                        : block * static_cast<std::uint64_t>(request_blocks(layout, s, tokens));
    };
    const Bytes needed = request_of(s.max_model_len);
    if (needed <= pool_of(plan.devices[i], &Term::low)) continue;
    const Bytes pool = pool_of(plan.devices[i], &Term::bytes);
    const auto fits = [&](std::int64_t tokens) { return request_of(tokens) <= pool; };
    std::int64_t good = 0;
    for (std::int64_t step = std::int64_t{1} << 40; step > 0; step /= 2)
      if (good + step < s.max_model_len && fits(good + step)) good += step;
    if (good == 0) continue;
    plan.nearest_context_tokens = good;
    plan.impossible = notice::custom("out_of_range", "params.workload.context_tokens",
                                     "To serve at least one request with the model's max seq len (" + grouped(s.max_model_len) + "), " +
                                         gib_text(needed) + " GiB KV cache is needed, which is larger than the available KV cache memory (" +
                                         gib_text(pool) + " GiB). The estimated maximum model length is " + grouped(good) + ".",
                                     "max_model_len", grouped(s.max_model_len), "at most " + grouped(good));
  }
}

Plan plan_vllm(const Job& job) {
  Plan plan;
  const Rules& rules = rules_for(job.scenario.engine_version);
  plan.report.name = "vllm";
  plan.report.version = rules.version;
  if (job.explain && !is_known_version(job.scenario.engine_version))
    plan.warnings.push_back(unread_version("vLLM", job.scenario.engine_version, rules.version));
  plan.impossible = refusal(job);
  if (plan.impossible) {
    if (plan.impossible->code == "unsupported" && plan.impossible->where == "params.weights.format")
      plan.nearest_weights_format = nearest_format(job.model);
    return plan;
  }
  if ((plan.impossible = nodes_problem(job, rules))) return plan;
  const Settings settings = settle(job, rules);
  const MemoKey key = memo_key(job, settings);
  const bool remembered = key != MemoKey() && job.memo != nullptr && job.memo->key == key;
  if (!remembered && (plan.impossible = split_problem(job, job.scenario.parallel))) {
    const bool plain = settings.pipeline == 1 && settings.data == 1 && !settings.expert_parallel && job.scenario.parallel.nodes == 1;
    const bool is_uneven = job.explain && uneven_size(job, settings.split());
    if (!is_uneven || !plain || settings.context_parallel > 1) return plan;
    const std::int64_t nearest = nearest_tensor_parallel(job, settings.tensor);
    if (!split_problem({job.model, job.tensors, job.scenario, false, nullptr}, {nearest})) plan.nearest_tensor_parallel = nearest;
    return plan;
  }
  if (job.explain) add_warnings(job, settings, plan.warnings);

  const std::shared_ptr<const KeptPages> pages = pages_of(job, settings);
  const PageLayout& layout = pages->layout;
  if (job.memo != nullptr) job.memo->block_tokens = settings.block_size * settings.context_parallel;
  const std::vector<Stage> stages = pipeline_stages(job.model, settings.pipeline);
  for (const Stage& stage : stages) plan.devices.push_back(plan_stage(job, layout, settings, rules, stage));
  plan.tight_at_best = job.scenario.hardware.front().device.unified_memory && settings.gpu_memory_utilization > kSafeShareOfSystemMemory;
  if (!job.explain) return plan;
  add_pool_report(plan.report, plan, job, layout, settings, stages);
  refuse_long_context(plan, job, layout, settings, stages);
  return plan;
}

}  // namespace

Split split_of(const Parallel& p) {
  const std::int64_t sharing = p.tensor * p.data;
  return {p.tensor, p.tensor, p.expert ? 1 : sharing, p.expert ? sharing : 1};
}

std::vector<Stage> pipeline_stages(const Model& model, std::int64_t pipeline) {
  std::vector<Stage> stages;
  const std::int64_t each = model.n_layers() / pipeline;
  const std::int64_t left = model.n_layers() % pipeline;
  std::int64_t first = 0;
  for (std::int64_t stage = 0; stage < pipeline; ++stage) {
    const bool takes_one_more = stage + 1 < pipeline && stage + 1 >= pipeline - left;
    const std::int64_t end = first + each + (takes_one_more ? 1 : 0);
    stages.push_back({first, end, stage == 0, stage + 1 == pipeline});
    first = end;
  }
  return stages;
}

namespace {

/// `--speculative-config`: drafts by the model's own layers, by an EAGLE head, or by looking the text up (no memory).
void settle_drafts(Settings& s, const Job& job) {
  const Model& model = job.model;
  const VllmOptions& options = job.scenario.options.vllm;
  const char* const usual = job.scenario.draft ? kDraftModel : (options.num_speculative_tokens && !model.mtp_layers.empty() ? "mtp" : "");
  const std::string method = options.speculative_method.value_or(usual);
  if (method.empty()) return;
  s.drafts_with_mtp = method.ends_with("mtp") && !model.mtp_layers.empty();
  s.drafts_with_eagle = method.starts_with("eagle");
  if (method == kDraftModel) s.draft = job.scenario.draft.get();
  s.drafted_tokens = options.num_speculative_tokens.value_or(1);
}

/// The workload of one engine: requests are dealt out to the engines of `data`.
void settle_workload(Settings& s, const Job& job, const Rules& rules, bool is_large) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& options = scenario.options;
  s.max_model_len = options.max_model_len.value_or(scenario.context_tokens);
  s.sequences = ceil_div(scenario.sequences, s.data);
  s.tokens_per_sequence = std::min(scenario.average_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  s.max_num_seqs = options.max_num_seqs.value_or(s.sequences);
  // The default grows with the sequences here, since a step needs room for one token of each.
  const std::int64_t usual = options.vllm.offline_inference.value_or(false) ? (is_large ? 16384 : 8192) : (is_large ? 8192 : 2048);
  s.max_num_batched_tokens = options.max_num_batched_tokens.value_or(std::max(usual, s.max_num_seqs));
  s.tokens_in_flight = s.max_num_batched_tokens * (rules.window_batches == 1 ? 1 : std::max(rules.window_batches, s.pipeline));
  s.prefix_caching = options.vllm.enable_prefix_caching.value_or(!s.has_state || rules.caches_states_unasked);
  // The last token of a prompt is always computed (kv_cache_manager.py get_computed_blocks, max_cache_hit_length).
  s.shared_tokens = std::min(scenario.shared_prefix_tokens, s.tokens_per_sequence - 1);
  s.states_per_sequence = (s.prefix_caching && rules.caches_states ? 2 : 1) + s.drafted_tokens;
}

/// Prefixes of Mamba models, once asked for, were cached with the state of every block ("all", MambaModelConfig of model_executor/models/config.py)
/// where nothing drafts, since #25752 of October 2025 and until #50991 made it two states ("align"). Classes of delta rules never had "all"; that
/// each of the others does (SupportsMambaPrefixCaching) is taken to be so.
bool keeps_all_states(const Job& job, const Settings& s, const Rules& rules) {
  const bool is_asked = job.scenario.options.vllm.enable_prefix_caching.value_or(false) && s.drafted_tokens == 0;
  if (!is_asked || rules.caches_states_unasked || is_older(job.scenario.engine_version, 11)) return false;
  return std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(), [](const LayerSpec& layer) {
    const RecurrentMixer* state = recurrent_part(layer);
    return state != nullptr && (state->kind == RecurrentKind::mamba || state->kind == RecurrentKind::mamba2);
  });
}

}  // namespace

Settings settle(const Job& job, const Rules& rules) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& options = scenario.options;
  const Device& device = scenario.hardware.front().device;
  // vllm/engine/arg_utils.py get_batch_defaults, by usage: cards of 70 GiB and more except the A100 take larger batches.
  const bool is_large = device.runtime_bytes >= 70 * kGiB && device.id.find("a100") == std::string::npos;
  Settings s;
  s.latent = first_latent_attention(job.model.layers);
  s.has_state = std::any_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(),
                            [](const LayerSpec& l) { return recurrent_part(l) != nullptr; });
  s.tensor = scenario.parallel.tensor;
  s.pipeline = scenario.parallel.pipeline;
  s.data = scenario.parallel.data;
  s.expert_parallel = scenario.parallel.expert;
  s.context_parallel = options.vllm.decode_context_parallel_size.value_or(1);
  s.gpu_memory_utilization = options.gpu_memory_utilization.value_or(rules.gpu_memory_utilization);
  settle_drafts(s, job);
  settle_workload(s, job, rules, is_large);
  if (options.vllm.enable_lora.value_or(false)) {
    s.lora_slots = options.vllm.max_loras.value_or(1);
    s.lora_rank = options.vllm.max_lora_rank.value_or(16);
  }
  s.encoder = !options.vllm.language_model_only.value_or(false);
  s.lean_sampler = options.vllm.flashinfer_sampler;
  s.pool_bytes = options.vllm.kv_cache_memory_bytes;
  s.enforce_eager = options.enforce_eager.value_or(false);
  s.compressed_pool = rules.compressed_pool;
  s.hybrid_cache = rules.hybrid_cache && device.backend == "cuda";  // other platforms turned it off or on by version: counted in full
  const std::string state_type = options.vllm.mamba_ssm_cache_dtype.value_or("auto");
  if (state_type != "auto") s.state_width = state_type == "float32" ? 4 : 2;
  // #29980 of December 2025 and #30141 after it: whichever release had them first, 0.14 and 0.17 do.
  const bool is_fp8 = caches_fp8(job, !is_older(scenario.engine_version, 14), !is_older(scenario.engine_version, 17));
  s.cache_value_bytes = is_fp8 ? 1 : 2;
  s.block_size = options.block_size.value_or(default_block_size(s.latent, device.compute_capability));
  s.block_size = hybrid_block_size(job.model, s);
  s.keeps_all_states = keeps_all_states(job, s, rules);
  if (s.keeps_all_states) s.states_per_sequence = ceil_div(s.max_model_len, s.block_size);
  s.mla_workspace_tokens = mla_workspace_tokens(s, rules);
  return s;
}

}  // namespace weighbridge::vllm

namespace weighbridge {

const Engine& vllm_engine() {
  static const Engine engine{"vllm",
                             "vLLM",
                             vllm::versions(),
                             {{"gpu_memory_utilization", OptionType::number, "0.92 (0.9 before 0.20)"},
                              {"max_num_batched_tokens", OptionType::integer, "8192; 2048 below 70 GiB and on A100"},
                              {"max_num_seqs", OptionType::integer, "workload.sequences"},
                              {"max_model_len", OptionType::integer, "workload.context_tokens"},
                              {"kv_cache_dtype", OptionType::text, "auto"},
                              {"enforce_eager", OptionType::flag, "false"},
                              {"kv_cache_memory_bytes", OptionType::integer, "by gpu_memory_utilization"},
                              {"decode_context_parallel_size", OptionType::integer, "1"},
                              {"enable_prefix_caching", OptionType::flag, "true"},
                              {"speculative_method", OptionType::text, "none"},
                              {"num_speculative_tokens", OptionType::integer, "0"},
                              {"draft_model", OptionType::text, "none"},
                              {"enable_lora", OptionType::flag, "false"},
                              {"max_loras", OptionType::integer, "1"},
                              {"max_lora_rank", OptionType::integer, "16"},
                              {"language_model_only", OptionType::flag, "false"},
                              {"offline_inference", OptionType::flag, "false"},
                              {"flashinfer_sampler", OptionType::flag, "by version"},
                              {"mamba_ssm_cache_dtype", OptionType::text, "auto"},
                              {"block_size", OptionType::integer, "16; MLA: 64 on Hopper, 128 on Blackwell"}},
                             {"bf16", "fp16", "fp32", "fp8", "fp8-block", "int8", "int4", "awq-int4", "gptq-int4", "nf4", "bnb-int8", "nvfp4"},
                             {"bf16", "f16", "fp8", "fp8_e4m3", "fp8_e5m2"},
                             vllm::plan_vllm,
                             {"mxfp4", "mxfp8", "gptq-int2", "gptq-int3", "gptq-int8"},
                             nullptr,
                             false,
                             nullptr,
                             {},
                             "gpu_memory_utilization",
                             true,
                             false,
                             Machines::staged};
  return engine;
}

}  // namespace weighbridge

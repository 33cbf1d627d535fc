// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/one_pool.hpp"
#include "engine/serving_rules.hpp"
#include "engine/sglang/sglang.hpp"

namespace weighbridge::sglang {

namespace {

// 0.5.3: general heuristics for the share (sgl-project/sglang#10975, #11076). 0.5.10: graphs for prompts. 0.5.18: the draft's cache is a part of
// each token's, and no memory is left for it; FP4 experts run by FlashInfer. gpt-oss: server_args.py disabled hybrid memory on every card, from #17429
// (0.5.8) where TensorRT-LLM's attention runs, the default on 10.x, until #18970 (after 0.5.9).
constexpr std::array kRules{
    Rules{"0.5.3", false, true, false, false, false, false, false, false},
    Rules{"0.5.10", true, true, false, false, false, false, true, true},
    Rules{"0.5.18", true, false, true, true, true, true, true, true},
};
static_assert(kRules.size() == kVersions.size());

/// "0.5.9", "v0.5.10.post1" -> 509, 510; -1 for what is no version 0.x.
int version_number(std::string_view version) {
  if (version.starts_with("v")) version.remove_prefix(1);
  if (!version.starts_with("0.")) return -1;
  int minor = 0;
  int patch = 0;
  const char* end = version.data() + version.size();
  const auto [after, error] = std::from_chars(version.data() + 2, end, minor);
  if (error != std::errc()) return -1;
  if (after != end && *after == '.') std::from_chars(after + 1, end, patch);
  return 100 * minor + patch;
}

/// _handle_gpu_memory_settings, by nvidia-smi's MiB: tokens of a prefill step, sequences of the largest graph below and from tensor parallel 4.
struct CardRow {
  double below_gib;
  std::int64_t chunk;
  std::int64_t graph;
  std::int64_t graph_of_four;
};
constexpr std::array kCards{CardRow{20, 2048, 8, 8},     CardRow{35, 2048, 24, 80},    CardRow{60, 4096, 32, 160},
                            CardRow{90, 8192, 256, 512}, CardRow{160, 8192, 256, 512}, CardRow{1e9, 16384, 512, 512}};
constexpr CardRow kWideSmallCard{35, 4096, 48, 160};

CardRow card_row(const Device& device, const Rules& rules) {
  const double mib = static_cast<double>((device.driver_bytes / kMiB));
  for (const CardRow& row : kCards) {
    if (mib >= row.below_gib * 1024) continue;
    return rules.wide_small_cards && row.below_gib == kWideSmallCard.below_gib ? kWideSmallCard : row;
  }
  return kCards.back();
}

/// DeepSeek's sparse attention reads pages of 64, V4's compressed one 256; TensorRT-LLM's kernels, the default on Blackwell servers, 64.
std::int64_t default_page_size(const Model& model, int capability) {
  if (is_compressed(model)) return 256;
  const LatentAttention* latent = first_latent_attention(model.layers);
  if (latent != nullptr && latent->indexer.top_k > 0) return 64;
  return capability == 0 || capability / 10 == 10 ? 64 : 1;
}

/// DeepSeek's sparse attention caches FP8 on Blackwell and 16 bit elsewhere (_set_default_nsa_kv_cache_dtype); others as modelopt's checkpoints say
/// (model_executor/model_runner.py configure_kv_cache_dtype; ModelOptFp8Config once kept the word under another name).
std::int64_t cache_halves(const Job& job, const Rules& rules) {
  const std::string& type = job.scenario.kv_type;
  if (type.starts_with("fp4")) return 1;
  const LatentAttention* latent = first_latent_attention(job.model.layers);
  const bool sparse = latent != nullptr && latent->indexer.top_k > 0;
  if (type == "auto" && sparse) return job.scenario.hardware.front().device.compute_capability >= 100 ? 2 : 4;
  return caches_fp8(job, rules.fp8_states_cache || !stored_format(job).starts_with("fp8")) ? 2 : 4;
}

std::int64_t draft_layers(const Job& job) {
  const std::optional<std::string>& algorithm = job.scenario.options.serving.speculative_algorithm;
  const bool own = algorithm && (*algorithm == "EAGLE" || *algorithm == "EAGLE3" || *algorithm == "NEXTN");
  return own ? static_cast<std::int64_t>(job.model.mtp_layers.size()) : 0;
}

/// Before Blackwell gpt-oss's experts run by `triton_kernel` unless asked otherwise, in every release (server_args.py, later
/// arg_groups/model_overrides _gpt_oss_overrides). 12.x went from FlashInfer to Triton, Marlin and back.
bool has_triton_experts(const Job& job) {
  const Device& device = job.scenario.hardware.front().device;
  const bool is_older_card = device.backend == "cuda" && device.compute_capability > 0 && device.compute_capability < 100;
  return is_older_card && job.model.architecture == "gpt_oss" && job.scenario.options.serving.moe_runner_backend.value_or("auto") == "auto" &&
         expert_padding(job).packed;
}

/// gpt-oss: on Hopper triton_kernels lay the scales out anew, and those that were loaded stay (quantization/mxfp4.py
/// process_weights_after_loading; triton_kernels HopperMXScaleLayout).
///
/// DeepSeek-V4's FP4 experts have a scale of one byte for 32 values. prepare_moe_mxfp4_layer_for_marlin (quantization/marlin_utils_fp4.py) lays it
/// out anew and leaves what was loaded beside: f32 (fp8.py, Fp8MoEMethod.create_weights), later a byte (mxfp4_marlin_moe.py). Triton's kernels, on
/// 12.x before FlashInfer's, read the f32. FlashInfer's and TensorRT-LLM's keep one byte.
std::int64_t spare_scale_bytes(const Job& job, const Settings& s, const Rules& rules) {
  const int capability = job.scenario.hardware.front().device.compute_capability;
  if (s.triton_experts) return capability == 90 && !s.wide_experts ? 1 : 0;
  if (!has_fp4_experts(job)) return 0;
  const std::string backend = job.scenario.options.serving.moe_runner_backend.value_or("auto");
  if (backend == "marlin") return rules.fp4_by_flashinfer ? 1 : 4;
  if (backend != "auto" || rules.fp4_by_flashinfer) return 0;
  return capability == 90 ? 4 : (capability >= 120 ? 3 : 0);
}

/// server_args.py: DeepGEMM multiplies wo_a in FP8 on 10.x; elsewhere it is loaded in 16 bits, on Hopper unless asked otherwise (#28983).
bool has_wide_output(const Job& job) {
  const int capability = job.scenario.hardware.front().device.compute_capability;
  return is_compressed(job.model) && capability / 10 != 10;
}

/// What an image encoder's model needs to have its prompts captured: be one of a few (configs/model_config.py,
/// multimodal_breakable_cuda_graph_supported_model_archs and multimodal_piecewise_cuda_graph_supported_model_archs).
bool captures_beside_encoder(const Model& model) {
  constexpr std::array<std::string_view, 4> kinds{"qwen3_5", "cohere2_vision", "kimi_k25", "minimax_m3"};
  return std::any_of(kinds.begin(), kinds.end(), [&](std::string_view kind) { return model.architecture.starts_with(kind); });
}

/// Prompts run eagerly where their graphs are not known to work: arg_groups/cuda_graph_hook.py disable_breakable_cudagraph_if_incompatible and
/// apply_cuda_graph_compatibility; before, server_args.py _handle_piecewise_cuda_graph and configs/model_config.py
/// piecewise_cuda_graph_disabled_model_archs. Decided before the share of memory is.
bool captures_prompts(const Job& job, const Settings& s, const Rules& rules) {
  const Model& model = job.model;
  if (!rules.prefill_graphs || !s.graphs || job.scenario.hardware.front().device.backend != "cuda" || s.pipeline > 1) return false;
  if (model.vision && !(rules.breakable_graphs && captures_beside_encoder(model))) return false;
  if (rules.breakable_graphs) return !model.architecture.starts_with("kimi_linear") && !is_compressed(model);
  const LatentAttention* latent = first_latent_attention(model.layers);
  const bool is_sparse = latent != nullptr && latent->indexer.top_k > 0;
  return s.groups == 1 && !s.symmetric_memory && !is_sparse && model.architecture != "qwen3_next" && model.architecture != "bailing_hybrid";
}

/// arg_groups/cuda_graph_hook.py disable_prefill_cuda_graph_for_deepseek_trtllm_mla (sgl-project/sglang#28053): models of the class
/// DeepseekV3ForCausalLM, on 10.x, where their attention is TensorRT-LLM's. Decided after the share of memory is, which still has room for them.
bool gives_prompts_up(const Job& job, const Rules& rules) {
  const Model& model = job.model;
  return rules.breakable_graphs && (model.architecture == "deepseek_v3" || model.architecture == "kimi_k2") &&
         job.scenario.hardware.front().device.compute_capability / 10 == 10;
}

/// Factors of an image encoder: the larger, the smaller the share (adjust_mem_fraction_for_vlm; the baseline is ViT-L/14).
double vision_factor(const VisionTower& tower) {
  const auto size = [](double layers, double width) { return layers * width * width; };
  const double ratio = size(static_cast<double>(tower.n_layers), static_cast<double>(tower.hidden_size)) / size(24, 1024);
  return 0.95 * std::clamp(1.0 - 0.1 * (ratio - 1.0), 0.8, 1.05);
}

/// Sizes of captured prefill steps up to `most` tokens (generate_prefill_cuda_graph_batch_sizes).
std::int64_t prefill_sizes(std::int64_t most) {
  std::int64_t count = 0;
  const auto add = [&](std::int64_t first, std::int64_t last, std::int64_t step) {
    for (std::int64_t size = first; size <= std::min(last, most); size += step) ++count;
  };
  add(4, 32, 4);
  add(48, 256, 16);
  add(288, 512, 32);
  add(576, 1024, 64);
  add(1280, 4096, 256);
  add(4608, most, 512);
  return count;
}

}  // namespace

const Rules& rules_for(std::string_view version) {
  const int number = version_number(version);
  if (version.empty() || number < 0) return kRules.back();
  const Rules* found = &kRules.front();
  for (const Rules& rules : kRules)
    if (version_number(rules.version) <= number) found = &rules;
  return *found;
}

bool is_older(std::string_view version, std::string_view other) {
  const int asked = version_number(version);
  return asked >= 0 && asked < version_number(other);
}

bool is_known_version(std::string_view version) { return version.empty() || version_number(version) >= version_number(kRules.front().version); }

std::int64_t prefill_graph_count(const Model& model, const Settings& s) {
  constexpr std::int64_t latent_most = 2048;
  if (!s.prefill_graphs) return 0;
  return prefill_sizes(first_latent_attention(model.layers) != nullptr ? std::min(latent_most, s.chunk) : s.chunk);
}

double automatic_share(const Job& job, const Settings& s, const Rules& rules) {
  const Device& device = job.scenario.hardware.front().device;
  const double card = static_cast<double>(device.driver_bytes / kMiB);
  const double graph = static_cast<double>(s.largest_graph);
  double reserved = 512 + 1.5 * static_cast<double>(std::max<std::int64_t>(s.chunk, 2048));
  reserved += static_cast<double>(s.tensor * s.pipeline) / 8 * 1024;
  if (s.graphs || !rules.wide_small_cards) reserved += 2 * graph;
  if (s.groups > 1) reserved += graph * static_cast<double>(s.groups) * (s.largest_graph > 300 ? 4.5 : 3);
  if (s.prefill_graphs) {
    const bool latent = rules.wide_small_cards && first_latent_attention(job.model.layers) != nullptr;
    reserved += latent ? 1536 : 8 * static_cast<double>(prefill_graph_count(job.model, s));
  }
  if (card > 60 * 1024) reserved = std::max(reserved, 10.0 * 1024);
  const std::optional<std::string>& draft = job.scenario.options.serving.speculative_algorithm;
  if (rules.reserves_for_draft && draft && *draft != "NGRAM") reserved += *draft == "STANDALONE" ? 6 * 1024 : 2 * 1024;
  const double share = std::round((card - reserved) / card * 1000) / 1000;
  return std::max(0.01, job.model.vision ? share * vision_factor(*job.model.vision) : share);
}

Settings settle(const Job& job, const Rules& rules) {
  const Scenario& scenario = job.scenario;
  const EngineOptions& o = scenario.options;
  const Device& device = scenario.hardware.front().device;
  const CardRow card = card_row(device, rules);
  Settings s;
  s.tensor = scenario.parallel.tensor;
  s.pipeline = scenario.parallel.pipeline;
  s.copies = scenario.parallel.data;
  if (o.serving.enable_dp_attention.value_or(false)) s.groups = o.serving.dp_size.value_or(1);
  s.expert_groups = o.serving.ep_size.value_or(scenario.parallel.expert ? s.tensor : 1);
  s.context = o.max_model_len.value_or(scenario.context_tokens);
  s.requests = ceil_div(o.max_num_seqs.value_or(scenario.sequences), s.copies * s.groups);
  s.full_length = ceil_div(scenario.sequences, s.copies * s.groups);
  s.longest = scenario.context_tokens;
  s.held = std::min(scenario.average_tokens.value_or(s.longest), s.longest);
  constexpr std::int64_t whole_prompt = 16384;  // max_prefill_tokens, which holds where prompts are not cut
  s.chunk = o.max_num_batched_tokens.value_or(card.chunk);
  if (s.chunk <= 0) s.chunk = std::max(whole_prompt, s.context);
  s.page_size = o.block_size.value_or(default_page_size(job.model, device.compute_capability));
  s.cache_halves = cache_halves(job, rules);
  s.graphs = !o.enforce_eager.value_or(false);
  s.largest_graph = o.serving.cuda_graph_max_bs.value_or(s.tensor < 4 ? card.graph : card.graph_of_four);
  s.radix_cache = !o.serving.disable_radix_cache.value_or(false);
  s.window_pool = has_window_pool(job.model, rules);
  s.held_tokens = pooled_tokens(scenario, s.full_length, s.page_size, s.radix_cache);
  s.symmetric_memory = o.serving.enable_symm_mem.value_or(false);
  s.prefill_graphs = captures_prompts(job, s, rules);
  s.draft_layers = draft_layers(job);
  s.draft_in_pool = rules.draft_in_budget && s.draft_layers > 0;
  s.triton_experts = has_triton_experts(job);
  s.wide_experts = s.triton_experts && s.expert_groups > 1;
  s.spare_scale_bytes = spare_scale_bytes(job, s, rules);
  s.wide_output = has_wide_output(job);
  s.window_ratio = o.serving.swa_full_tokens_ratio.value_or(0.8);
  s.recurrent_ratio = o.serving.mamba_full_memory_ratio.value_or(0.9);
  s.share = o.gpu_memory_utilization.value_or(0);
  if (s.share == 0) s.share = automatic_share(job, s, rules);
  if (gives_prompts_up(job, rules)) s.prefill_graphs = false;
  return s;
}

}  // namespace weighbridge::sglang

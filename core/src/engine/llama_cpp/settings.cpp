// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/gpu_notices.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/local_rules.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"
#include "llama_graph/simulate.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr std::int64_t kBatch = 2048;  // llama_context_default_params

constexpr std::int64_t kDrafts = 3;  // common/common.h, common_params_speculative_draft::n_max, which need_n_rs_seq() asks for

DType cache_type(const std::string& name) { return ggml_cache_type(name).value_or(dtype::f16); }

Notice unsupported(std::string where, std::string message, std::string key, std::string value, std::string expected) {
  return notice::custom("unsupported", std::move(where), std::move(message), std::move(key), std::move(value), std::move(expected));
}

/// src/llama-context.cpp, llama_init_from_model: what it refuses of cache types.
std::optional<Notice> cache_refusal(const Job& job, const Settings& s) {
  const auto refuse = [](std::string message, std::string value, std::string expected) {
    return unsupported("params.kv_cache", std::move(message), "kv_cache", std::move(value), std::move(expected));
  };
  if (is_ggml_quantized(s.type_v) && !s.flash_attention)
    return refuse(
        "llama.cpp stops with \"quantized V cache requires flash_attn to be enabled\": values are quantized with flash attention only, expected "
        "flash_attn on or auto, or an f16, bf16 or f32 value cache.",
        std::string(s.type_v.name), "flash_attn on or auto, or f16, bf16, f32");
  for (const LayerSpec& layer : job.model.layers.kinds()) {
    if (std::holds_alternative<LatentAttention>(layer.mixer)) {
      if (s.type_k == s.type_v) continue;
      return refuse("llama.cpp stops with \"model does not support different K (" + std::string(s.type_k.name) + ") and V (" +
                        std::string(s.type_v.name) + ") cache types\": a latent (MLA) cache holds both in one, expected one type for both.",
                    std::string(s.type_k.name) + ", " + std::string(s.type_v.name), "one type for both");
    }
    const FullAttention* heads = grouped_attention(layer.mixer);
    if (heads == nullptr) continue;
    const FullAttention& attention = *heads;
    const auto divided = [&](std::string_view side, std::string_view head, DType type, std::int64_t size) {
      if (!s.flash_attention)  // the engine checks nothing, and goes on with heads that begin inside of a block
        return refuse("Heads of " + grouped(size) + " elements begin inside of " + std::string(type.name) + " blocks of " + grouped(type.block_size) +
                          ", which llama.cpp does not notice without flash attention: expected f16, bf16 or f32 there.",
                      std::string(type.name), "f16, bf16 or f32");
      return refuse("llama.cpp stops with \"" + std::string(side) + " cache type " + std::string(type.name) + " with block size " +
                        grouped(type.block_size) + " does not divide n_embd_head_" + std::string(head) + "=" + grouped(size) +
                        "\": expected f16, bf16 or f32 there.",
                    std::string(type.name), "f16, bf16 or f32");
    };
    if (attention.head_dim_k % s.type_k.block_size != 0) return divided("K", "k", s.type_k, attention.head_dim_k);
    if (s.flash_attention && attention.head_dim_v % s.type_v.block_size != 0) return divided("V", "v", s.type_v, attention.head_dim_v);
  }
  return std::nullopt;
}

std::optional<Notice> split_refusal(const Job& job) {
  const Scenario& scenario = job.scenario;
  const LlamaCppOptions& o = scenario.options.llama_cpp;
  const std::int64_t devices = scenario.device_count();
  const auto given = static_cast<std::int64_t>(o.tensor_split.size());
  if (devices > kMostDevices)
    return notice::out_of_range("params.hardware", "devices", grouped(devices), "a whole number from 1 to " + grouped(kMostDevices));
  if (given >= kMostDevices)
    return unsupported("params.engine.options.tensor_split",
                       "llama.cpp stops with \"got " + grouped(given) + " input configs, but system only has " + grouped(kMostDevices) +
                           " devices\": expected " + grouped(devices) + " shares.",
                       "tensor_split", grouped(given), grouped(devices) + " shares");
  // ggml-cuda, ggml-metal and ggml-vulkan of v0.5.0 register no ggml_backend_split_buffer_type: loading fails with this sentence.
  if (o.split_mode == SplitMode::row && devices > 0)
    return unsupported("params.engine.options.split_mode",
                       "llama.cpp v0.5.0 stops with \"device " + device_name(scenario, 0) +
                           " does not support split buffers\": expected split_mode layer, or none for one device.",
                       "split_mode", "row", "layer or none");
  // common/arg.cpp of v0.5.0: "tensor: split weights and KV across GPUs (parallelized, EXPERIMENTAL)"; common/fit.cpp does not know it either.
  if (o.split_mode == SplitMode::tensor)
    return unsupported("params.engine.options.split_mode",
                       "llama.cpp v0.5.0 calls `--split-mode tensor` experimental and fits no model to it, and we do not count it: expected "
                       "split_mode layer, or none for one device.",
                       "split_mode", "tensor", "layer or none");
  if (o.main_gpu && *o.main_gpu >= devices && devices > 0)
    return unsupported("params.engine.options.main_gpu",
                       "`main_gpu` " + grouped(*o.main_gpu) + " is not there: expected 0 to " + grouped(devices - 1) + ", the devices given.",
                       "main_gpu", grouped(*o.main_gpu), "0 to " + grouped(devices - 1));
  if (devices > 0 && (scenario.parallel.data != 1 || scenario.parallel.expert))
    return unsupported("params.parallel", "llama.cpp splits a model by layers over all devices: expected no data or expert parallel.", "parallel",
                       "data " + grouped(scenario.parallel.data), "layers over all devices");
  return std::nullopt;
}

std::optional<Notice> backend_refusal(const Scenario& scenario) {
  for (std::size_t i = 0; i < scenario.hardware.size(); ++i) {
    const std::string& backend = scenario.hardware[i].device.backend;
    if (!is_backend(backend)) return no_rules_for_backend("llama.cpp", backend, i);
  }
  return std::nullopt;
}

/// src/llama-arch.cpp, llm_arch_supports_rs_rollback
bool takes_back(const Model& model) {
  return is_any_of(gguf::architecture_of(model),
                   {"kimi-k3", "qwen35", "qwen35moe", "qwen4exp", "deepseek4", "nemotron_h", "nemotron_h_moe", "lfm2", "lfm2moe", "bailingmoe3"});
}

/// Windows that the engine gives a cache of their own; it reads but does not use those of Mistral, Qwen 2, StarCoder2 and Phi 3
/// (src/models/phi3.cpp: "SWA is currently disabled").
bool keeps_windows(const Model& model) {
  return !is_any_of(model.architecture, {"mistral", "mixtral", "qwen2", "qwen2_moe", "phi3", "phimoe", "ministral", "starcoder2"});
}

}  // namespace

std::int64_t padded_cells(std::int64_t tokens) { return ceil_div(tokens, kContextPadding) * kContextPadding; }

Settings settle(const Job& job) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  Settings s;
  const bool leaves_slots = o.n_seq_max == -1;
  s.n_seq_max = leaves_slots ? kServerSlots : o.n_seq_max.value_or(job.scenario.sequences);
  const std::int64_t given = o.n_ctx.value_or(job.scenario.context_tokens * s.n_seq_max);
  const std::int64_t total = given > 0 ? given : job.model.max_context_tokens;
  s.n_ctx = padded_cells(total);
  const bool unified = o.kv_unified.value_or(leaves_slots);
  s.n_streams = unified ? 1 : s.n_seq_max;
  s.cells = unified ? s.n_ctx : padded_cells(std::max<std::int64_t>(1, s.n_ctx / s.n_seq_max));
  s.n_ctx = s.cells * s.n_streams;
  s.n_batch = std::min(s.n_ctx, o.n_batch.value_or(kBatch));
  s.n_ubatch = std::min(s.n_batch, o.n_ubatch.value_or(kMicroBatch));
  s.n_outputs = std::min(s.n_ubatch, o.n_outputs.value_or(s.n_ubatch));
  const std::int64_t all = layers_of_file(job) + 1;
  const std::int64_t wanted = o.n_gpu_layers.value_or(-1);
  s.gpu_layers = job.scenario.hardware.empty() ? 0 : (wanted < 0 ? all : std::min(wanted, all));
  s.offloads_all = s.gpu_layers == all;
  if (takes_back(job.model)) s.n_rs_seq = o.n_rs_seq.value_or(drafts(job) ? kDrafts : 0);
  s.type_k = cache_type(job.scenario.kv_type);
  s.type_v = cache_type(job.scenario.kv_value_type);
  s.flash_attention = o.flash_attn.value_or(true);
  s.swa_full = o.swa_full.value_or(false);
  s.keeps_windows = keeps_windows(job.model);
  s.offload_kqv = o.offload_kqv.value_or(true);
  s.op_offload = o.op_offload.value_or(true);
  s.embeddings = o.embeddings.value_or(false);
  const bool encodes = !job.model.layers.empty() && std::holds_alternative<EncoderAttention>(job.model.layers.front().mixer);
  // An encoder's file says how; the mean takes the most room.
  s.pooling = o.pooling_type.value_or(encodes ? PoolingType::mean : PoolingType::none);
  s.caches_latent_values = o.caches_latent_values;
  s.unfolds_latents = first_latent_attention(job.model.layers) != nullptr && llama_graph::unfolds_latents(job.tensors);
  // src/llama-context.cpp, llama_init_from_model: quantized values turn it on, whether the devices have a kernel or not.
  const bool runs = llama_graph::runs_flash_attention(job, s, place(job, s));
  if (!o.flash_attn) s.flash_attention = runs || is_ggml_quantized(s.type_v);
  s.attends_on_host = s.flash_attention && !runs;
  if (s.flash_attention) return s;
  s.widest_values = widest_values(job.model, s);
  s.caches_idle_layers = std::none_of(job.model.layers.kinds().begin(), job.model.layers.kinds().end(),
                                      [](const LayerSpec& layer) { return recurrent_part(layer) != nullptr; });
  return s;
}

std::optional<Notice> refusal(const Job& job, const Settings& settings) {
  if (job.model.parameters_by_name > 0)
    return unsupported("params.model", "A model known by its size only has no GGUF file: expected one with a config.json.", "model", job.model.id,
                       "a model with a config.json");
  if (auto problem = backend_refusal(job.scenario)) return problem;
  const std::string format(loaded_format(job.model, job.scenario));
  if (!format.starts_with("gguf:") && !job.model.from_gguf)
    return unsupported("params.weights.format", "llama.cpp does not load " + format + " weights: expected a GGUF file type such as gguf:Q8_0.",
                       "weights.format", format, "gguf:Q8_0 or another GGUF file type");
  if (settings.n_seq_max > kMostSlots)
    return notice::out_of_range("params.workload.sequences", "sequences", grouped(settings.n_seq_max), "at most " + grouped(kMostSlots));
  if (job.scenario.engine == "llama.cpp" && job.scenario.options.llama_cpp.mtp.value_or(false) && job.model.mtp_layers.empty())
    return unsupported("params.engine.options.mtp",
                       "llama.cpp stops with \"context type MTP requested but model doesn't contain MTP layers\": expected a model with "
                       "prediction layers, or drafting without them.",
                       "mtp", "true", "false");
  if (auto problem = split_refusal(job)) return problem;
  return cache_refusal(job, settings);
}

}  // namespace weighbridge::llama_cpp

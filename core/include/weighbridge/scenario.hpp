// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weighbridge/hardware.hpp"

namespace weighbridge {

struct Model;

/// How the model is spread over the devices. The product of tensor, pipeline and data equals the number of devices.
struct Parallel {
  std::int64_t tensor = 1;
  std::int64_t pipeline = 1;
  std::int64_t data = 1;
  bool expert = false;
  std::int64_t nodes = 1;  ///< machines that the devices are in, as many in each

  friend bool operator==(const Parallel&, const Parallel&) = default;
};

/// How llama.cpp spreads layers over the devices (`--split-mode`).
enum class SplitMode { none, layer, row, tensor };

/// A rule of llama.cpp's `--override-tensor`: what has `pattern` in its name lies in `buffer`, "CPU" or a device such as "CUDA1".
struct TensorOverride {
  std::string pattern;
  std::string buffer;

  friend bool operator==(const TensorOverride&, const TensorOverride&) = default;
};

/// How the vectors of a sequence's tokens become one (include/llama.h, llama_pooling_type).
enum class PoolingType { none, mean, cls, last };

/// One tensor of the inventory that does not lie where its layer does.
struct MovedTensor {
  std::size_t tensor = 0;  ///< index into the model's tensors in the asked weights format
  int device = -1;         ///< -1: the host

  friend bool operator==(const MovedTensor&, const MovedTensor&) = default;
};

/// Settings of llama.cpp by the names of its context and model parameters (include/llama.h); empty = default.
struct LlamaCppOptions {
  /// Tokens of all sequences together; 0 (`-c 0`): as many as the model was trained for; -1 (no `-c`): the same, and `fit` may take fewer.
  std::optional<std::int64_t> n_ctx;
  std::optional<std::int64_t> n_batch;
  std::optional<std::int64_t> n_ubatch;
  std::optional<std::int64_t> n_seq_max;  ///< -1: llama-server's choice, four with a unified cache
  std::optional<std::int64_t> n_outputs;
  std::optional<std::int64_t> n_rs_seq;      ///< recurrent states of each sequence to go back to, beside the newest; empty: as many as are drafted
  std::optional<std::int64_t> n_gpu_layers;  ///< -1: all
  std::optional<bool> kv_unified;
  std::optional<bool> flash_attn;  ///< empty: auto
  std::optional<bool> swa_full;
  std::optional<bool> offload_kqv;
  std::optional<bool> op_offload;
  std::optional<SplitMode> split_mode;
  std::optional<bool> embeddings;           ///< results are vectors, not tokens (`--embeddings`)
  std::optional<PoolingType> pooling_type;  ///< empty: what the file says
  std::optional<std::string> type_k;        ///< wins over the request's cache types
  std::optional<std::string> type_v;
  std::vector<double> tensor_split;      ///< share of each device; empty: by free memory
  std::optional<std::int64_t> main_gpu;  ///< with split_mode none: the one device
  std::vector<TensorOverride> override_tensor;
  std::optional<bool> fit;                      ///< fill in what is not given so that it fits (`--fit`)
  std::optional<std::int64_t> fit_target_mib;   ///< room that it leaves on each device (`--fit-target`)
  std::vector<MovedTensor> moved;               ///< what `override_tensor` and `fit` come to; set by the engine
  bool caches_latent_values = false;            ///< a llama.cpp from before ggml-org/llama.cpp#19067; set by the engine
  std::optional<bool> has_predictions;          ///< whether the file has layers that predict further tokens, where that is known; set by the engine
  std::optional<std::int64_t> cache_ram;        ///< MiB of llama-server's store of earlier prompts; -1: no limit
  std::optional<std::int64_t> ctx_checkpoints;  ///< most of llama-server for each slot
  std::optional<bool> mmproj;                   ///< with the image or audio encoder (`--mmproj`)
  std::optional<bool> mmproj_offload;           ///< on the first device
  std::optional<bool> mtp;                      ///< drafts with the model's own prediction layers (`--spec-type draft-mtp`)
  std::optional<std::string> type_k_draft;      ///< of the context that drafts
  std::optional<std::string> type_v_draft;
  std::optional<std::string> draft_weights;        ///< its GGUF file type; empty: that of the model
  std::optional<std::int64_t> n_gpu_layers_draft;  ///< -1: all
  std::optional<bool> mmap;
  std::optional<std::int64_t> lora_bytes;    ///< of all adapter files
  std::optional<bool> sched_spread;          ///< OLLAMA_SCHED_SPREAD: over all GPUs even if one is enough
  std::optional<std::int64_t> gpu_overhead;  ///< OLLAMA_GPU_OVERHEAD: bytes of each GPU that its choice of a context leaves out

  friend bool operator==(const LlamaCppOptions&, const LlamaCppOptions&) = default;
};

/// Settings that vLLM alone has, by its own names; empty = default.
struct VllmOptions {
  std::optional<std::int64_t> kv_cache_memory_bytes;  ///< of one GPU: the pool, whatever gpu_memory_utilization says
  std::optional<std::int64_t> decode_context_parallel_size;
  std::optional<std::int64_t> num_speculative_tokens;
  std::optional<std::int64_t> max_loras;
  std::optional<std::int64_t> max_lora_rank;
  std::optional<bool> enable_lora;
  std::optional<bool> enable_prefix_caching;
  std::optional<bool> language_model_only;
  std::optional<bool> offline_inference;          ///< the class LLM and its defaults, not `vllm serve`
  std::optional<bool> flashinfer_sampler;         ///< VLLM_USE_FLASHINFER_SAMPLER
  std::optional<std::string> speculative_method;  ///< "mtp", "eagle", "eagle3" or "ngram" of `--speculative-config`
  std::optional<std::string> mamba_ssm_cache_dtype;

  friend bool operator==(const VllmOptions&, const VllmOptions&) = default;
};

/// Settings that serving engines other than vLLM add, by SGLang's names (serving_options.cpp has those of the others); empty = default.
struct ServingOptions {
  std::optional<std::int64_t> max_total_tokens;   ///< of the cache's pool, at most
  std::optional<std::int64_t> cuda_graph_max_bs;  ///< sequences of the largest captured decode batch
  std::optional<std::int64_t> dp_size;            ///< groups that attention is copied for (with `enable_dp_attention`)
  std::optional<std::int64_t> ep_size;            ///< groups that whole experts are dealt out to
  std::optional<std::int64_t> speculative_num_draft_tokens;
  std::optional<std::string> speculative_algorithm;  ///< "EAGLE", "EAGLE3" or "NEXTN": the model's own prediction layers; "NGRAM": no weights
  std::optional<std::string> backend;                ///< LMDeploy: "auto", "turbomind" or "pytorch"
  std::optional<std::string> moe_runner_backend;     ///< SGLang: which kernels run experts: "auto", "marlin" or "flashinfer_mxfp4"
  std::optional<double> swa_full_tokens_ratio;       ///< tokens that the layers with a window keep, as a share of the others'
  std::optional<double> mamba_full_memory_ratio;     ///< memory of recurrent states, as a share of the cache's
  std::optional<std::int64_t> quant_policy;          ///< LMDeploy: bits of the cache, 4 or 8; 0: those of the model
  std::optional<std::string> mode;                   ///< MLC: "local", "interactive" or "server"
  std::optional<std::string> attention;              ///< TGI: "flashinfer", "flashdecoding" or "paged"
  std::optional<bool> enable_dp_attention;
  std::optional<bool> disable_radix_cache;
  std::optional<bool> enable_prefix_caching;  ///< LMDeploy
  std::optional<bool> enable_symm_mem;

  friend bool operator==(const ServingOptions&, const ServingOptions&) = default;
};

/// Settings of the libraries that run a model in a program of one's own, each by its engine's own name (library_options.cpp); empty = default.
struct LibraryOptions {
  std::optional<std::string> attn_implementation;   ///< transformers: "sdpa", "eager", "flash_attention_2"
  std::optional<std::string> cache_implementation;  ///< transformers: "dynamic", "static", "offloaded", "quantized"
  std::optional<std::string> device_map;            ///< transformers: "auto", "balanced_low_0", "sequential"
  std::optional<double> max_memory_gib;             ///< transformers: weights that each GPU takes at most
  std::optional<std::int64_t> new_tokens;           ///< of the context: generated, not in the prompt
  std::optional<std::int64_t> prefill_tokens;       ///< of the prompt that one step takes
  std::optional<std::int64_t> logits_to_keep;       ///< transformers: 0: of every token
  std::optional<std::int64_t> max_kv_size;          ///< MLX: tokens that a layer keeps at most
  std::optional<std::int64_t> prompt_caches;        ///< MLX: caches of earlier prompts that its server keeps
  std::optional<std::int64_t> kv_group_size;        ///< MLX: values of the cache that share a scale
  std::optional<std::int64_t> cache_tokens;         ///< ExLlama: of all sequences together
  std::optional<std::int64_t> k_bits;               ///< ExLlama: of a cached key; 16: not quantized
  std::optional<std::int64_t> v_bits;               ///< ExLlama: of a cached value
  std::optional<double> reserve_gib;                ///< ExLlama: that loading leaves free on each GPU
  std::optional<std::int64_t> reserve_bytes;        ///< ExLlamaV2: the same, beside what it always leaves
  std::optional<bool> whole_window_cache;           ///< ExLlama: layers with a window keep all tokens
  std::optional<bool> last_logits_only;             ///< ExLlamaV2: loading asks the head for one token
  std::optional<bool> tensor_parallel;              ///< ExLlamaV2: every matrix is split over the GPUs

  friend bool operator==(const LibraryOptions&, const LibraryOptions&) = default;
};

/// The engine's own settings; empty = the engine's default. The names are vLLM's: what another engine calls the same is kept here too.
struct EngineOptions {
  std::optional<double> gpu_memory_utilization;  ///< SGLang: mem_fraction_static
  std::optional<std::int64_t> max_model_len;
  std::optional<std::int64_t> max_num_seqs;
  std::optional<std::int64_t> max_num_batched_tokens;
  std::optional<std::string> kv_cache_dtype;
  std::optional<bool> enforce_eager;
  std::optional<std::int64_t> block_size;
  std::optional<std::string> draft_model;  ///< a model of its own that drafts, by its id (llama.cpp `--model-draft`, vLLM); Scenario::draft has it
  VllmOptions vllm;
  ServingOptions serving;
  LibraryOptions library;
  LlamaCppOptions llama_cpp;

  friend bool operator==(const EngineOptions&, const EngineOptions&) = default;
};

/// The memory of the machine that the devices are in.
struct Host {
  Bytes memory;
  Bytes used;        ///< what other models take is part of it
  Bytes by_running;  ///< that part

  [[nodiscard]] Bytes capacity() const { return memory - used; }

  friend bool operator==(const Host&, const Host&) = default;
};

/// Another model that was started on the same devices before, and what it takes of them by the high bound: of a pool all.
struct RunningModel {
  std::string id;
  std::string name;
  std::string engine;
  std::string weights_format;
  std::vector<Bytes> taken;  ///< of each device, by group; where it takes more of one than of another of the group, the most
  Bytes host;                ///< of the host's memory

  friend bool operator==(const RunningModel&, const RunningModel&) = default;
};

/// Everything about a run except the model itself.
struct Scenario {
  std::string weights_format = "checkpoint";
  std::string kv_type = "auto";        ///< of keys, and of values where an engine has one type for both
  std::string kv_value_type = "auto";  ///< of values
  std::string engine = "vllm";
  std::string engine_version;  ///< empty = the newest whose rules were read
  EngineOptions options;
  std::int64_t context_tokens = 32768;         ///< per sequence
  std::int64_t sequences = 16;                 ///< at the same time, all of them full unless `average_tokens` says less
  std::optional<std::int64_t> average_tokens;  ///< of a sequence, prompt and answer; empty: all are full
  std::optional<std::int64_t> prompt_tokens;   ///< of a sequence, read in one piece by engines that do not chunk; empty: all but the last
  std::int64_t shared_prefix_tokens = 0;       ///< that all sequences begin with
  std::vector<DeviceGroup> hardware;
  std::vector<RunningModel> running;  ///< in the order in which they were started; `hardware` and `host` count them as used
  Parallel parallel;
  std::optional<Host> host;            ///< empty: not known
  std::optional<double> host_gb_s;     ///< bandwidth of its memory in 10^9 bytes a second, for speed; empty: not known
  std::int64_t cpu_moe_layers = 0;     ///< first layers whose routed experts stay on the host (`--n-cpu-moe`)
  std::shared_ptr<const Model> draft;  ///< the model that drafts for this one (EngineOptions::draft_model); null: none

  [[nodiscard]] std::int64_t device_count() const;

  friend bool operator==(const Scenario&, const Scenario&) = default;
};

/// Limits of what a request may ask for; beyond them a number is a typing error, and a loop over it would not end.
inline constexpr std::int64_t kMaxContextTokens = std::int64_t{1} << 27;  ///< 134,217,728: over ten times the longest trained context known
inline constexpr std::int64_t kMaxSequences = 1'000'000;
inline constexpr std::int64_t kMaxDevices = 1024;  ///< per request; larger jobs are several replicas

}  // namespace weighbridge

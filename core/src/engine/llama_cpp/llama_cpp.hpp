// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "weighbridge/ggml_type.hpp"

// llama.cpp v0.5.0. "Host" is where the engine keeps what no device holds.
namespace weighbridge::llama_cpp {

/// The context as the engine sets it up: src/llama-context.cpp, llama_context::llama_context.
struct Settings {
  std::int64_t n_ctx = 0;  ///< tokens of all sequences together, padded
  std::int64_t n_seq_max = 0;
  std::int64_t n_streams = 0;  ///< caches side by side: one if unified, else one per sequence
  std::int64_t cells = 0;      ///< tokens of one stream
  std::int64_t n_batch = 0;
  std::int64_t n_ubatch = 0;    ///< tokens of one graph
  std::int64_t n_outputs = 0;   ///< tokens of it whose logits are wanted
  std::int64_t n_rs_seq = 0;    ///< recurrent states of a sequence that are kept beside the newest, so that drafts can be taken back
  std::int64_t gpu_layers = 0;  ///< 0 to layers of the file + 1, the output counted as a layer
  bool offloads_all = false;    ///< all of these
  DType type_k;
  DType type_v;
  bool flash_attention = true;
  bool attends_on_host = false;  ///< the devices have no flash attention for these heads and this cache: it runs on the host's processor
  bool swa_full = false;
  bool keeps_windows = false;  ///< the engine gives layers with a window a cache of their own
  bool offload_kqv = true;
  bool op_offload = true;
  bool unfolds_latents = false;       ///< MLA without absorbed matrices in the file: every head has keys and values of its own (MiniCPM3)
  bool caches_latent_values = false;  ///< MLA's latents are cached as keys and once more as values, as before ggml-org/llama.cpp#19067
  bool embeddings = false;            ///< results are vectors, pooled so
  PoolingType pooling = PoolingType::none;
  bool drafts = false;              ///< the context runs the model's prediction layers
  std::int64_t widest_values = 0;   ///< without flash attention a cell of any layer has the widest one's values; 0: each layer its own
  bool caches_idle_layers = false;  ///< even a layer that mixes nothing (llama_kv_cache without a layer filter)
};

[[nodiscard]] Settings settle(const Job& job);

/// Why the engine refuses, or nothing. Needs at least one layer.
[[nodiscard]] std::optional<Notice> refusal(const Job& job, const Settings& settings);

/// Which device holds which layer: src/llama-model.cpp, load_tensors.
struct Placement {
  static constexpr int kHost = -1;
  std::vector<int> layer_device;  ///< by layer; kHost = on the host
  std::vector<int> draft_device;  ///< by prediction layer
  int output_device = kHost;
  int n_devices = 0;
  bool experts_on_host = false;  ///< some routed experts, or other tensors of a device's layers, stay on the host
  std::int64_t copies = 1;       ///< of every graph input: 4 when the devices work as a pipeline
  std::vector<int> moved;        ///< by tensor: where it lies, or kUnmoved; empty: none is moved
  static constexpr int kUnmoved = -2;

  [[nodiscard]] bool has_layers(int device) const;
  /// Something of the graph runs on the host's processor or has its weights there.
  [[nodiscard]] bool is_partial() const;
};

[[nodiscard]] Placement place(const Job& job, const Settings& settings);

/// Drafts with the model's own prediction layers.
[[nodiscard]] bool drafts(const Job& job);
/// Layers of the file: its prediction layers count where the engine splits layers, whether they are loaded or not (llama_hparams::n_layer_all).
[[nodiscard]] std::int64_t layers_of_file(const Job& job);

/// Which layer's device a tensor outside the layers goes to. `input`: the host, whatever lies on devices (src/llama-arch.cpp, LLM_TENSOR_INFOS).
enum class Section { input, first_layer, output };
[[nodiscard]] Section section_of(const Job& job, const Tensor& tensor);

/// The device or kHost that `tensor`, an index into Job::tensors, lies on by its layer alone: without rules for single tensors.
[[nodiscard]] int layer_place(const Job& job, const Placement& placement, std::size_t tensor);
/// The same with them.
[[nodiscard]] int place_of(const Job& job, const Placement& placement, std::size_t tensor);

/// What `override_tensor` comes to, or what is wrong with it: ggml-org/llama.cpp src/llama-model-loader.cpp, create_tensor.
[[nodiscard]] Result<std::vector<MovedTensor>> moved_tensors(const Job& job);
/// The name in the file: "blk.3.ffn_down_exps.weight". `index`: into `tensors`, those of the file.
[[nodiscard]] std::string gguf_name(const std::vector<Tensor>& tensors, std::size_t index);
/// The engine's own name of a device: "CUDA1".
[[nodiscard]] std::string device_name(const Scenario& scenario, int device);

/// Settings that hold the model on what the devices have free: common/fit.cpp, common_params_fit_impl. `scenario` gets them; it keeps what was
/// asked for by hand. Needs a device.
[[nodiscard]] Fitted fit_to_devices(const Job& job, Scenario& scenario);

/// The hardware one by one: which group the device belongs to.
[[nodiscard]] std::vector<std::size_t> device_groups(const Scenario& scenario);

/// How buffers of one device grow beyond the tensors: ggml-cuda.cu get_alloc_size. The same code runs on ROCm.
[[nodiscard]] bool pads_rows(const Device& device);
/// Bytes of one matrix stack on a device or the host (`pads` = false).
[[nodiscard]] Bytes buffer_bytes(DType type, std::int64_t row, std::int64_t n_rows, bool pads);

/// What is made of the embedding for a file without an output matrix (src/models/*.cpp, TENSOR_DUPLICATED).
enum class TiedHead {
  none,       ///< nothing: there is an output matrix, or the graph has no head, or it reads the embedding itself (BitNet)
  on_device,  ///< a copy if the output lies elsewhere
  always,     ///< a copy beside it
};
[[nodiscard]] TiedHead tied_head(const Job& job);

/// What the tensors of one layer weigh.
struct Load {
  Bytes padded;  ///< in a buffer that pads rows
  Bytes plain;
  Bytes largest;          ///< the largest tensor
  Bytes largest_gate_up;  ///< the larger of the feed-forward block's first two matrices
};
struct Loads {
  std::vector<Load> layers;  ///< without routed experts
  std::vector<Load> experts;
  std::vector<Load> predictions;       ///< by prediction layer, all that it has
  std::vector<Load> idle_predictions;  ///< what of it is loaded even where nothing drafts
  Load output;                         ///< output matrix, if the file has one, and norm
  Load embedding;                      ///< of the tokens
  std::size_t embedding_row = 0;       ///< of Job::tensors
  TiedHead head = TiedHead::none;
  Bytes tables;        ///< on the host beside the embedding: learned positions, token types, embeddings of single layers
  Bytes rope_factors;  ///< on every device that holds a layer
};
[[nodiscard]] Load load_of(const Tensor& tensor);
/// The engine makes room for it: a tensor of the text model, or of a prediction layer that drafts or is not skipped.
[[nodiscard]] bool is_loaded(const Job& job, const Tensor& tensor);
[[nodiscard]] const Loads& loads_of(const Job& job, std::shared_ptr<const void>& kept);

/// Whether the file's tensors are known: read from one, or of an architecture whose conversion we have. Others are counted under our own names.
[[nodiscard]] bool knows_file_of(const Model& model);
/// A tensor of routed experts, a bias too, by its GGUF name (common/common.h, LLM_FFN_EXPS_REGEX).
[[nodiscard]] bool is_routed(const Tensor& tensor);
/// Those of this layer stay on the host.
[[nodiscard]] bool experts_stay(const Job& job, std::int64_t layer);

/// `device` may be Placement::kHost.
[[nodiscard]] Term weights_term(const Job& job, const Loads& loads, const Placement& placement, int device, bool padded);
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings, const Placement& placement, int device, bool padded);
/// What recurrent layers remember of every sequence; nothing for a model without such layers.
[[nodiscard]] Term recurrent_term(const Job& job, const Settings& settings, const Placement& placement, int device);
/// The layer looks back on a part of the context only: a window, a chunk.
[[nodiscard]] bool has_window(const Mixer& mixer);
/// Cells of one stream in a layer's cache.
[[nodiscard]] std::int64_t cells_of(const Mixer& mixer, const Settings& settings);
/// Entries of one stream that stand for older tokens; 0 if the attention sees its window only.
[[nodiscard]] std::int64_t compressed_cells(const CompressedAttention& attention, const Settings& settings);
/// Up to a multiple of 256.
[[nodiscard]] std::int64_t padded_cells(std::int64_t tokens);
/// Bytes of one layer's keys and values for all sequences.
/// Heads as a cache stores them: MLA's latent is one head, unless the file has no matrices to attend to it with.
struct CachedHeads {
  std::int64_t key = 0;  ///< elements of one
  std::int64_t value = 0;
  std::int64_t heads = 0;
};
[[nodiscard]] CachedHeads cached_heads(const Mixer& mixer, const Settings& settings);
/// Elements of a cell in the widest layer (src/llama-hparams.cpp, n_embd_v_gqa_max).
[[nodiscard]] std::int64_t widest_values(const Model& model, const Settings& settings);
[[nodiscard]] Bytes cache_bytes(const Mixer& mixer, const Settings& settings, bool padded);

using ComputeTerms = GraphTerms;
/// Replayed, or where we have not read the engine's graph from closed forms with a wide band.
[[nodiscard]] ComputeTerms compute_terms(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement);
/// From closed forms: quick, and good enough where it does not matter.
[[nodiscard]] ComputeTerms bounded_compute_terms(const Job& job, const Settings& settings, const Loads& loads, const Placement& placement);

/// Those of some graphs are too far off to stand for them: recurrent and latent attention, embeddings of every layer, types that a GPU has no kernel for,
/// and backends that take room beside the results of operations (Metal, Vulkan).
[[nodiscard]] bool has_poor_forms(const Job& job);

/// Graphs of another llama.cpp, or of another engine, are not those that were replayed: a wider band, up to `most` percent of the figure. In the
/// logs that we know another llama.cpp's graph took as much (ollama/ollama#13552) or 30 % less (#17482).
void widen_graphs(Plan& plan, std::uint64_t most);
inline constexpr std::uint64_t kOtherGraphs = 150;

/// What the CUDA backend takes on the first batches, beside the planned buffers.
[[nodiscard]] Term runtime_pool_term(const Job& job, const Settings& settings, const Device& device);
/// The driver's context on the device.
[[nodiscard]] Term context_term(const Job& job, const Device& device);
[[nodiscard]] Bytes context_bytes(const Device& device);
[[nodiscard]] Term output_term(const Job& job, const Settings& settings);
/// llama-server's store of earlier prompts; `cache`: of the whole context.
[[nodiscard]] Term prompt_cache_term(const Job& job, Bytes cache);
/// What llama-server keeps to go back in layers that forget; nothing for a model without such layers.
[[nodiscard]] std::optional<Term> checkpoints_term(const Job& job, const Settings& settings);
/// The image and audio encoders as a file of their own (mmproj), in 16 bits.
[[nodiscard]] Bytes projector_bytes(const Job& job);
/// The encoder and its buffer, if asked for. `device`: the one that it runs on; null: the host.
void add_projector(const Job& job, const Device* device, std::vector<Term>& terms);
/// What the host keeps for an encoder on `device`.
void add_projector_inputs(const Job& job, const Device& device, std::vector<Term>& terms);
/// The context that drafts, beside the weights: its cache and its graph on every device and the host, and its results there.
struct DraftTerms {
  std::vector<Term> devices;
  Term host;
};
/// Nothing if none is asked for, or the model has no prediction layers.
[[nodiscard]] std::optional<DraftTerms> draft_terms(const Job& job, const Settings& settings, const Placement& placement);
/// The model that drafts, if one is asked for: weights, cache and buffers of its own. `taken`: what the devices hold of the model itself.
[[nodiscard]] std::optional<DraftTerms> draft_model_terms(const Job& job, const Settings& settings, const std::vector<Bytes>& taken);
/// What the engine plans of it on each device, when none holds anything yet; nothing if there is none.
struct DraftSize {
  Bytes weights;
  Bytes all;  ///< with cache and graph
};
[[nodiscard]] std::vector<DraftSize> draft_model_sizes(const Job& job, const Settings& settings);
/// Why the engine refuses to draft with it.
[[nodiscard]] std::optional<Notice> draft_refusal(const Job& job);
/// llama-server with these settings, as a line for a shell.
[[nodiscard]] std::string command_line(const Job& job, const Settings& settings);

/// The share of all adapters that goes with `weights` of `all_weights`.
[[nodiscard]] std::optional<Term> adapter_term(const Job& job, Bytes weights, Bytes all_weights);
/// Fills in what the host holds while the weights are read.
void weigh_loading(const Job& job, const Loads& loads, HostPlan& host);

}  // namespace weighbridge::llama_cpp

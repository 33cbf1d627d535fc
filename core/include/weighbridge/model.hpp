// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weighbridge/dtype.hpp"

namespace weighbridge {

/// A small attention that chooses the `top_k` tokens which the real one reads (DeepSeek Sparse Attention, arXiv:2512.02556). It caches one key of
/// `head_dim` values for every `tokens_per_key` tokens. No heads: none of its own; `top_k` then says that it reads what an earlier layer chose.
struct Indexer {
  std::int64_t n_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t top_k = 0;
  std::int64_t tokens_per_key = 1;

  /// Values that one token adds to the cache.
  [[nodiscard]] std::int64_t cached_values() const { return (head_dim + tokens_per_key - 1) / tokens_per_key; }

  friend bool operator==(const Indexer&, const Indexer&) = default;
};

/// Attention with one key and one value head per group of query heads (MHA, GQA, MQA). Dimensions in elements.
struct FullAttention {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim_k = 0;
  std::int64_t head_dim_v = 0;
  bool sinks = false;  ///< one learned logit per query head that takes part in every softmax (gpt-oss)
  Indexer indexer{};   ///< of a sparse attention (MiniMax-M3, Qwen4-Exp)

  friend bool operator==(const FullAttention&, const FullAttention&) = default;
};

/// The same heads, each query seeing only the last `window` tokens, itself included: what is older may leave the cache.
struct SlidingAttention {
  FullAttention heads;
  std::int64_t window = 0;

  friend bool operator==(const SlidingAttention&, const SlidingAttention&) = default;
};

/// The same heads, each query seeing only the tokens of its own chunk of `chunk` tokens (Llama 4).
struct ChunkedAttention {
  FullAttention heads;
  std::int64_t chunk = 0;

  friend bool operator==(const ChunkedAttention&, const ChunkedAttention&) = default;
};

/// Attention to what an encoder made of an image: `source_tokens` keys and values a request, whatever the context (Llama 3.2 Vision).
struct CrossAttention {
  FullAttention heads;
  std::int64_t source_tokens = 0;

  friend bool operator==(const CrossAttention&, const CrossAttention&) = default;
};

/// Attention in both directions, of embedding and reranking models: nothing is cached. `window` 0: every token sees every other.
struct EncoderAttention {
  FullAttention heads;
  std::int64_t window = 0;

  friend bool operator==(const EncoderAttention&, const EncoderAttention&) = default;
};

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): the cache holds kv_lora_rank + qk_rope_head_dim values a token, for all heads together.
struct LatentAttention {
  std::int64_t n_heads = 0;
  std::int64_t q_lora_rank = 0;  ///< 0: queries are projected directly
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t head_dim_v = 0;
  Indexer indexer;

  friend bool operator==(const LatentAttention&, const LatentAttention&) = default;
};

/// DeepSeek-V4: one key of `head_dim` values, which is the value too, for all heads. The last `window` tokens are cached as they are; of what is
/// older, one entry for every `compress_ratio` tokens (0: nothing older is seen).
struct CompressedAttention {
  std::int64_t n_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t window = 0;
  std::int64_t compress_ratio = 0;
  Indexer indexer;

  friend bool operator==(const CompressedAttention&, const CompressedAttention&) = default;
};

enum class RecurrentKind { mamba, mamba2, gated_delta_net, kimi_delta, lightning, short_conv, rwkv7 };

/// A mixer whose memory does not grow with the context: a state per sequence. What the engines need of it are its sizes, in elements.
struct RecurrentMixer {
  RecurrentKind kind = RecurrentKind::mamba2;
  std::int64_t inner_size = 0;     ///< width of what runs through it (d_inner)
  std::int64_t n_heads = 0;        ///< heads of the state; 0 where it has none
  std::int64_t state_values = 0;   ///< elements of the state of one sequence
  std::int64_t conv_channels = 0;  ///< channels of the convolution before it; 0: there is none
  std::int64_t conv_kernel = 0;    ///< its width in tokens; kernel - 1 of them are kept

  [[nodiscard]] std::int64_t conv_values() const { return conv_kernel > 1 ? conv_channels * (conv_kernel - 1) : 0; }

  friend bool operator==(const RecurrentMixer&, const RecurrentMixer&) = default;
};

/// A layer that mixes nothing: a feed-forward block of its own (Nemotron-H), or one that pruning emptied.
struct NoMixer {
  friend bool operator==(const NoMixer&, const NoMixer&) = default;
};

using Mixer = std::variant<FullAttention, SlidingAttention, ChunkedAttention, CrossAttention, EncoderAttention, LatentAttention, CompressedAttention,
                           RecurrentMixer, NoMixer>;

/// The heads of an attention that has keys and values of its own per head, whole, windowed or of an encoder; null for any other mixer.
[[nodiscard]] const FullAttention* grouped_attention(const Mixer& mixer);

/// A feed-forward block: up [ffn_size, hidden_size], down [hidden_size, ffn_size], and a gate like up unless it is not `gated`.
struct DenseFfn {
  std::int64_t ffn_size = 0;
  bool gated = true;

  friend bool operator==(const DenseFfn&, const DenseFfn&) = default;
};

/// Routed experts of moe_ffn_size each, plus `shared_ffn_size` that every token takes.
struct MoeFfn {
  std::int64_t n_experts = 0;
  std::int64_t n_experts_used = 0;
  std::int64_t moe_ffn_size = 0;
  std::int64_t shared_ffn_size = 0;
  bool router_bias = false;  ///< e_score_correction_bias, one f32 per expert
  bool gated = true;
  std::int64_t n_groups = 1;  ///< the experts lie in groups, and are chosen from the best `n_groups_used` of them only (DeepSeek-V3)
  std::int64_t n_groups_used = 1;
  bool normalizes_weights = true;  ///< the chosen experts' weights add up to one (norm_topk_prob)
  bool scales_weights = false;     ///< and are multiplied by a factor other than one (routed_scaling_factor)

  friend bool operator==(const MoeFfn&, const MoeFfn&) = default;
};

/// No feed-forward block (Mamba).
struct NoFfn {
  friend bool operator==(const NoFfn&, const NoFfn&) = default;
};

using Ffn = std::variant<DenseFfn, MoeFfn, NoFfn>;

struct LayerSpec {
  Mixer mixer;
  Ffn ffn = NoFfn{};
  std::optional<RecurrentMixer> beside = std::nullopt;  ///< runs in parallel with the mixer (Falcon-H1)
  bool shares_cache = false;                            ///< reads the keys and values of an earlier layer (Gemma 3n): none of its own

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

/// The layers of a model in their order. A hundred of them are of two or three kinds, each kept once: what asks for the first layer of some sort, or
/// whether there is any, goes through these instead.
class LayerList {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = LayerSpec;
    using difference_type = std::ptrdiff_t;
    using pointer = const LayerSpec*;
    using reference = const LayerSpec&;

    Iterator() = default;
    Iterator(const LayerList& list, std::size_t at) : list_(&list), at_(at) {}
    reference operator*() const { return (*list_)[at_]; }
    pointer operator->() const { return &(*list_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++at_;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    const LayerList* list_ = nullptr;
    std::size_t at_ = 0;
  };

  LayerList() = default;
  LayerList(std::initializer_list<LayerSpec> layers) {
    for (const LayerSpec& layer : layers) push_back(layer);
  }

  /// The different ones among the layers, in the order in which they first come.
  [[nodiscard]] const std::vector<LayerSpec>& kinds() const { return kinds_; }

  /// Which of kinds() a layer is.
  [[nodiscard]] std::size_t kind_of(std::size_t layer) const { return static_cast<std::size_t>(kind_of_[layer]); }

  [[nodiscard]] std::size_t size() const { return kind_of_.size(); }
  [[nodiscard]] bool empty() const { return kind_of_.empty(); }
  [[nodiscard]] const LayerSpec& operator[](std::size_t layer) const { return kinds_[kind_of(layer)]; }
  [[nodiscard]] const LayerSpec& front() const { return (*this)[0]; }
  [[nodiscard]] const LayerSpec& back() const { return (*this)[size() - 1]; }
  [[nodiscard]] Iterator begin() const { return {*this, 0}; }
  [[nodiscard]] Iterator end() const { return {*this, size()}; }

  void clear();
  void push_back(const LayerSpec& layer) { append(1, layer); }
  void append(std::size_t count, const LayerSpec& layer);
  void append(const LayerList& layers);
  void assign(std::size_t count, const LayerSpec& layer);

  /// Changes the layers from `first` to before `end`: `change` gets each kind there is, once, and may write to it.
  template <class Change>
  void change(std::size_t first, std::size_t end, Change change) {
    const LayerList before = *this;
    std::vector<LayerSpec> changed = kinds_;
    for (LayerSpec& kind : changed) change(kind);
    clear();
    for (std::size_t layer = 0; layer < before.size(); ++layer)
      push_back(layer >= first && layer < end ? changed[before.kind_of(layer)] : before[layer]);
  }
  template <class Change>
  void change_all(Change each) {
    change(0, size(), each);
  }

  friend bool operator==(const LayerList&, const LayerList&) = default;

 private:
  std::vector<LayerSpec> kinds_;
  std::vector<std::int64_t> kind_of_;  ///< of each layer
};

/// The heads of the first layer that has its own keys and values per head; null if no layer does.
[[nodiscard]] const FullAttention* first_grouped_attention(const LayerList& layers);
/// The first latent attention; null if there is none.
[[nodiscard]] const LatentAttention* first_latent_attention(const LayerList& layers);
/// The recurrent part of a layer, whether it is the mixer or runs beside it; null if there is none.
[[nodiscard]] const RecurrentMixer* recurrent_part(const LayerSpec& layer);

/// What a tensor does; engines decide by it how a tensor is split, kept whole, or left out.
enum class TensorRole {
  embedding,
  position_embedding,  ///< learned positions, token types
  layer_embedding,     ///< a row per token for every layer (Gemma 3n embed_tokens_per_layer)
  output_head,
  norm,  ///< norms and other small vectors that no engine splits
  attention_q,
  attention_k,
  attention_v,
  attention_output,
  attention_sinks,
  latent_q_down,   ///< MLA q_a_proj
  latent_q_up,     ///< MLA q_b_proj
  latent_kv_down,  ///< MLA kv_a_proj_with_mqa
  latent_kv_up,    ///< MLA kv_b_proj
  indexer,         ///< projections of a sparse attention's indexer and of a compressor
  recurrent_in,    ///< projections into a recurrent mixer
  recurrent_out,
  recurrent_state,  ///< its convolution and per-head parameters
  ffn_gate_up,
  ffn_down,
  router,
  expert_gate_up,
  expert_down,
  shared_gate_up,
  shared_down,
  projection,      ///< other matrices of the language model: per-layer inputs, poolers, classifiers
  mtp_projection,  ///< eh_proj of a multi-token-prediction layer
  tower,           ///< everything of an image or audio encoder and its projection
  generic,         ///< the parameters of a model known by its size only
};

/// Which part of a checkpoint a tensor belongs to. `speech`: a model that speaks what the language model says, which engines for text do not load.
enum class ModelPart { text, mtp, tower, speech };

/// The layers that hold the same tensor: `count` of them, every `stride`-th from `first`. `count` 1 and `first` -1: outside the layers.
struct LayerSet {
  std::int64_t first = -1;
  std::int64_t count = 1;
  std::int64_t stride = 1;

  [[nodiscard]] std::int64_t at(std::int64_t index) const { return first + index * stride; }
  [[nodiscard]] bool holds(std::int64_t layer) const { return layer >= first && (layer - first) % stride == 0 && (layer - first) / stride < count; }

  friend bool operator==(const LayerSet&, const LayerSet&) = default;
};

/// One row of the inventory: `copies()` equal matrices of [rows, cols] elements (a vector has cols = 1).
struct Tensor {
  std::string_view name;  ///< as in the checkpoint, `{layer}` and `{expert}` standing for the indices; the text lives in Model::names. A scale has
                          ///< its matrix's name; parts of a fused matrix (qkv_proj) are rows of one name
  std::string_view
      gguf{};  ///< what a GGUF file calls it, without "blk.N." and ".weight"; "a+b": written as two tensors; "-": not written; empty: like `name`
  TensorRole role = TensorRole::generic;
  ModelPart part = ModelPart::text;
  LayerSet layers;
  std::int64_t per_layer = 1;  ///< equal tensors in one layer, such as the experts
  std::int64_t rows = 0;       ///< output features
  std::int64_t cols = 1;       ///< input features
  DType type = dtype::bf16;
  std::int64_t shards = 1;    ///< parts, along the outputs, that were quantized apart: each has whole blocks of scales of its own
  std::int64_t recipe = 0;    ///< how the checkpoint quantizes it: 0 = not at all, n = Model::recipes[n - 1]
  bool is_scale = false;      ///< belongs to a quantized matrix; stored, but not a parameter
  bool is_copy = false;       ///< stored, but no parameter, and no engine loads it: tied weights held a second time (lm_head of Qwen3-0.6B),
                              ///< buffers such as Llama 2's rotary frequencies
  bool is_uncounted = false;  ///< a scale, scalar or router bias that the published element count leaves out

  [[nodiscard]] std::int64_t copies() const { return layers.count * per_layer; }
  [[nodiscard]] std::int64_t elements() const { return copies() * rows * cols; }
  /// Whole blocks per row of a matrix, as the packed formats store them.
  [[nodiscard]] Bytes bytes() const {
    const auto lines = static_cast<std::uint64_t>(copies() * (cols > 1 ? rows : 1));
    return size_of(type, cols > 1 ? cols : rows) * lines;
  }

  friend bool operator==(const Tensor&, const Tensor&) = default;
};

/// How the matrices of a checkpoint are quantized: what the values are packed as, and which tensors go with them.
enum class WeightQuantization {
  none,
  fp8_block,         ///< E4M3 with one scale per block of `block_rows` x `block_cols`
  fp8_per_channel,   ///< E4M3 with one scale per output row
  fp8_per_tensor,    ///< E4M3 with one f32 scale for the whole matrix
  int8_per_channel,  ///< one scale per output row (W8A8)
  packed_int,        ///< compressed-tensors pack-quantized: 32-bit words, a scale per `block_cols` inputs, the shape (2 words)
  gptq,              ///< 32-bit words; scale and zero point per `block_cols` inputs, the group of each input (g_idx)
  awq,               ///< 32-bit words; scale and zero point per `block_cols` inputs
  bnb_4bit,          ///< bitsandbytes NF4 or FP4: absmax per 64 values, quantized itself if `nested_scales`, tables of levels
  bnb_int8,          ///< LLM.int8(): one f32 per output row (SCB)
  mxfp4,             ///< E2M1 with one E8M0 byte per `block_cols` (32) inputs
  mxfp8,             ///< E4M3 with one E8M0 byte per `block_cols` (32) inputs
  nvfp4,             ///< E2M1 with one E4M3 scale per `block_cols` (16) inputs, two f32 scalars
  mlx_affine,        ///< scale and bias per `block_cols` inputs
  exl2,              ///< ExLlama 2: an average of `bits_x1000` / 1000 bits a value, whatever the mix
  exl3,              ///< ExLlama 3: the same average, or that many bits where it is whole; signs of 16 bits for each input and output
  mlc,               ///< MLC: whole 32-bit words of `bits` bits each, a scale per `block_cols` inputs
};

struct WeightsLayout {
  WeightQuantization quantization = WeightQuantization::none;
  DType base = dtype::bf16;  ///< type of all that is not quantized
  std::int64_t block_rows = 0;
  std::int64_t block_cols = 0;  ///< inputs that share a scale; 0: all of them
  std::int64_t bits = 0;        ///< of packed integers
  DType scales = dtype::f32;
  bool zero_points = false;       ///< asymmetric integers (compressed-tensors; GPTQ and AWQ store them always)
  bool activation_order = false;  ///< inputs belong to groups in any order: g_idx, and no rank can do without the other ranks' scales
  bool input_scale = false;       ///< one f32 for the activations of each matrix
  bool nested_scales = false;     ///< bitsandbytes double quantization
  bool counts_scalars = false;    ///< the scalars are vectors of one element, which Hugging Face counts; else they have no dimension
  bool counts_scales = true;      ///< the published element count has the scales in it
  bool experts_only = false;      ///< of a model with routed experts, only these
  bool whole_model = false;       ///< embeddings, head and routers too (MLX)
  std::int64_t bits_x1000 = 0;

  friend bool operator==(const WeightsLayout&, const WeightsLayout&) = default;
};

/// An image encoder, as far as engines size their buffers by it.
struct VisionTower {
  std::int64_t hidden_size = 0;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t n_channels = 0;
  std::int64_t patch_size = 0;        ///< pixels, square
  std::int64_t image_size = 0;        ///< pixels, square
  std::int64_t tokens_per_image = 0;  ///< what one image takes of the language model's context

  [[nodiscard]] std::int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }

  friend bool operator==(const VisionTower&, const VisionTower&) = default;
};

/// Keeps the texts that Tensor::name points into. Two models with the same tensors are equal whoever keeps their names.
struct NameTable {
  std::shared_ptr<const std::vector<std::string>> texts;

  friend bool operator==(const NameTable&, const NameTable&) { return true; }
};

/// The KV cache that a checkpoint asks for where nobody else does: FP8, by modelopt's `kv_cache_quant_algo` or `kv_cache_scheme`, or by the
/// `kv_cache_scheme` of compressed-tensors.
enum class StatedCache { none, fp8_by_modelopt, fp8_by_compressed_tensors };

/// A model as an engine would see it: hyper-parameters per layer, and every stored tensor.
struct Model {
  std::string id;
  std::string slug;
  std::string name;
  std::string architecture;  ///< HF model_type
  std::int64_t hidden_size = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_context_tokens = 0;
  std::int64_t rotary_dim = 0;       ///< rotated elements of one head
  std::int64_t n_rotary_tables = 1;  ///< 2 where sliding layers rotate with a base of their own (Gemma 3)
  std::int64_t rope_factors =
      0;  ///< values of a table that scales the rotation by frequency (Llama 3.1's rope_scaling); engines that store it count it
  bool tied_embeddings = false;
  std::int64_t parameters_by_name = 0;  ///< a model known by its size only ("7B"): its exact count; 0 = the layers tell
  LayerList layers;
  LayerList mtp_layers;
  std::optional<VisionTower> vision;
  DType base = dtype::bf16;            ///< type of all that is not quantized
  std::vector<WeightsLayout> recipes;  ///< how the checkpoint quantizes its matrices; none = not at all
  std::vector<Tensor> plain;           ///< the tensors as if nothing was quantized
  std::vector<Tensor> tensors;         ///< the checkpoint as published, scales included
  bool from_gguf = false;              ///< read from a GGUF file: names, shapes and types are that file's
  StatedCache stated_cache = StatedCache::none;
  NameTable names;

  [[nodiscard]] std::int64_t n_layers() const { return static_cast<std::int64_t>(layers.size()); }

  friend bool operator==(const Model&, const Model&) = default;
};

/// Query heads of the first layer that has any; 0 for a model without attention.
[[nodiscard]] std::int64_t attention_heads(const Model& model);

/// Counts over an inventory. `text`, `mtp` and `multimodal` are trainable elements; `stored` also counts scales and stored copies, as
/// Hugging Face does when it publishes a total: packed words by DType::hub_count, and not the scales of GPTQ, AWQ and bitsandbytes
/// (huggingface/huggingface.js packages/hub/src/lib/parse-safetensors-metadata.ts). Its counter changed over the years: a published total
/// that left all scales out is told by `weighbridge.scales_counted` of the config (WeightsLayout::counts_scales).
struct ParameterCounts {
  std::int64_t text = 0;
  std::int64_t mtp = 0;
  std::int64_t multimodal = 0;
  std::int64_t stored = 0;
};
[[nodiscard]] ParameterCounts count_parameters(const std::vector<Tensor>& tensors);

/// Trainable text elements that take part in one token: all but the routed experts that are not chosen; embedding and head included.
[[nodiscard]] std::int64_t count_active_parameters(const Model& model);

[[nodiscard]] Bytes total_bytes(const std::vector<Tensor>& tensors);

/// Values one token leaves in the cache of one layer on an engine that stores K and V as they are (MLA: the latent).
[[nodiscard]] std::int64_t cache_values_per_token(const Mixer& mixer);

/// mha, gqa, mqa or mla.
[[nodiscard]] std::string_view attention_kind(const Model& model);

/// How many layers see a window only, and its tokens (the widest, if they differ); 0 and 0 if none does.
struct SlidingLayers {
  std::int64_t n_layers = 0;
  std::int64_t window = 0;
};
[[nodiscard]] SlidingLayers sliding_layers(const Model& model);

/// The first layer that is of kind MoE, or nothing: for texts such as "256 experts, 8 used".
[[nodiscard]] const MoeFfn* first_moe(const Model& model);

/// Largest dense feed-forward size of the text layers (0 if there is none).
[[nodiscard]] std::int64_t largest_dense_ffn(const Model& model);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weighbridge/dtype.hpp"

namespace weighbridge {

/// Attention with one key and one value head per group of query heads (MHA, GQA, MQA). Dimensions in elements.
struct FullAttention {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t head_dim_k = 0;
  std::int64_t head_dim_v = 0;
  bool qkv_bias = false;
  bool output_bias = false;
  bool qk_norm = false;  ///< an RMS norm of head_dim on queries and keys (Qwen3)
  bool sinks = false;    ///< one learned logit per query head that takes part in every softmax (gpt-oss)

  friend bool operator==(const FullAttention&, const FullAttention&) = default;
};

/// The same heads, each query seeing only the last `window` tokens, itself included: what is older may leave the cache.
struct SlidingAttention {
  FullAttention heads;
  std::int64_t window = 0;

  friend bool operator==(const SlidingAttention&, const SlidingAttention&) = default;
};

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): the cache holds kv_lora_rank + qk_rope_head_dim values a token, for all heads together.
struct LatentAttention {
  std::int64_t n_heads = 0;
  std::int64_t q_lora_rank = 0;  ///< 0: queries are projected directly
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_head_dim = 0;
  std::int64_t qk_rope_head_dim = 0;
  std::int64_t head_dim_v = 0;

  friend bool operator==(const LatentAttention&, const LatentAttention&) = default;
};

using Mixer = std::variant<FullAttention, SlidingAttention, LatentAttention>;

/// The heads of an attention that stores K and V as they are, whole or windowed; null for a latent one.
[[nodiscard]] const FullAttention* grouped_attention(const Mixer& mixer);

/// A gated feed-forward block: gate and up [ffn_size, hidden_size], down [hidden_size, ffn_size].
struct DenseFfn {
  std::int64_t ffn_size = 0;
  bool bias = false;

  friend bool operator==(const DenseFfn&, const DenseFfn&) = default;
};

/// Routed experts of moe_ffn_size each, plus shared experts that form one dense block of n_shared_experts * moe_ffn_size.
struct MoeFfn {
  std::int64_t n_experts = 0;
  std::int64_t n_experts_used = 0;
  std::int64_t n_shared_experts = 0;
  std::int64_t moe_ffn_size = 0;
  bool router_bias = false;  ///< e_score_correction_bias, one f32 per expert
  bool bias = false;         ///< biases on the router and on every expert's matrices (gpt-oss)

  friend bool operator==(const MoeFfn&, const MoeFfn&) = default;
};

using Ffn = std::variant<DenseFfn, MoeFfn>;

struct LayerSpec {
  Mixer mixer;
  Ffn ffn;
  bool post_norms = false;  ///< RMS norms of hidden_size also after attention and after the feed-forward block (Gemma 2 and 3)

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

/// What a tensor does; engines decide by it how a tensor is split, kept whole, or left out.
enum class TensorRole {
  embedding,
  output_head,
  norm,
  attention_q,
  attention_k,
  attention_v,
  attention_output,
  attention_sinks,
  latent_q_down,   ///< MLA q_a_proj
  latent_q_up,     ///< MLA q_b_proj
  latent_kv_down,  ///< MLA kv_a_proj_with_mqa
  latent_kv_up,    ///< MLA kv_b_proj
  ffn_gate_up,
  ffn_down,
  router,
  expert_gate_up,
  expert_down,
  shared_gate_up,
  shared_down,
  mtp_projection,  ///< eh_proj of a multi-token-prediction layer
  vision,          ///< everything of an image encoder and its projection
  generic,         ///< the parameters of a model known by its size only
};

/// Which part of a checkpoint a tensor belongs to.
enum class ModelPart { text, mtp, vision };

/// Consecutive layers that hold the same tensor. `count` 1 and `first` -1: outside the layers.
struct LayerRange {
  std::int64_t first = -1;
  std::int64_t count = 1;

  friend bool operator==(const LayerRange&, const LayerRange&) = default;
};

/// One row of the inventory: `copies()` equal matrices of [rows, cols] elements (a vector has cols = 1).
struct Tensor {
  std::string_view name;  ///< HF name within the language model, `{layer}` and `{expert}` standing for the indices; static text. A scale has
                          ///< its matrix's name; parts of a fused matrix (qkv_proj) are rows of one name
  TensorRole role = TensorRole::generic;
  ModelPart part = ModelPart::text;
  LayerRange layers;
  std::int64_t per_layer = 1;  ///< equal tensors in one layer, such as the experts
  std::int64_t rows = 0;       ///< output features
  std::int64_t cols = 1;       ///< input features
  DType type = dtype::bf16;
  bool is_scale = false;  ///< belongs to a quantized matrix; stored, but not a parameter
  bool is_copy = false;   ///< tied weights stored a second time (lm_head of Qwen3-0.6B): not a parameter, and no engine loads it

  [[nodiscard]] std::int64_t copies() const { return layers.count * per_layer; }
  [[nodiscard]] std::int64_t elements() const { return copies() * rows * cols; }
  /// Whole blocks per row of a matrix, as the packed formats store them.
  [[nodiscard]] Bytes bytes() const {
    const auto lines = static_cast<std::uint64_t>(copies() * (cols > 1 ? rows : 1));
    return size_of(type, cols > 1 ? cols : rows) * lines;
  }

  friend bool operator==(const Tensor&, const Tensor&) = default;
};

/// How the matrices of a checkpoint are quantized.
enum class WeightQuantization {
  none,
  fp8_block,        ///< E4M3 with one f32 scale per block of `block_rows` x `block_cols`
  fp8_per_channel,  ///< E4M3 with one f32 scale per output row
  int8_per_channel,
  int4_group,     ///< packed 4 bit, one 16-bit scale per `block_cols` input elements
  mxfp4_experts,  ///< routed experts only: E2M1, two in a byte, and one E8M0 byte per `block_cols` input elements (gpt-oss)
};

struct WeightsLayout {
  WeightQuantization quantization = WeightQuantization::none;
  DType base = dtype::bf16;  ///< type of all that is not quantized
  std::int64_t block_rows = 0;
  std::int64_t block_cols = 0;

  friend bool operator==(const WeightsLayout&, const WeightsLayout&) = default;
};

/// Where a family's checkpoints name or fuse their tensors in their own way.
enum class CheckpointNaming {
  standard,  ///< self_attn.q_proj, mlp.gate_proj, mlp.experts.{expert}.gate_proj
  mixtral,   ///< block_sparse_moe.experts.{expert}.w1, w2, w3
  gpt_oss,   ///< mlp.router; all experts of a layer in one tensor, gate and up fused
  phi3,      ///< qkv_proj and gate_up_proj fused
};

/// A SigLIP image encoder with a linear projection to the language model (Gemma 3).
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
  bool stores_tied_head = false;        ///< the checkpoint holds lm_head although it is tied
  bool mtp_stores_embeddings = true;    ///< the MTP layer brings its own copy of embedding and head
  std::int64_t parameters_by_name = 0;  ///< a model known by its size only ("7B"): its exact count; 0 = the layers tell
  std::vector<LayerSpec> layers;
  std::vector<LayerSpec> mtp_layers;
  CheckpointNaming naming = CheckpointNaming::standard;
  std::optional<VisionTower> vision;
  WeightsLayout checkpoint;
  std::vector<Tensor> tensors;  ///< the checkpoint as published

  [[nodiscard]] std::int64_t n_layers() const { return static_cast<std::int64_t>(layers.size()); }

  friend bool operator==(const Model&, const Model&) = default;
};

/// The tensors of `model` in `layout`: derived from its layers, scales included (source: names and shapes of the published checkpoints).
[[nodiscard]] std::vector<Tensor> derive_tensors(const Model& model, const WeightsLayout& layout);

/// Counts over an inventory. `text`, `mtp` and `multimodal` are trainable elements; `stored` also counts scales and stored copies, as
/// Hugging Face does (two E2M1 elements in a byte are two).
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

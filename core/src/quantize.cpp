// SPDX-License-Identifier: Apache-2.0
// What a recipe makes of a matrix: packed values, and scales as tensors of their own. Shapes: the published checkpoints (facts in tests/truth);
// huggingface/transformers src/transformers/integrations/{finegrained_fp8,fbgemm_fp8,mxfp4,bitsandbytes}.py, AutoGPTQ/AutoGPTQ
// auto_gptq/nn_modules/qlinear, casper-hansen/AutoAWQ awq/modules/linear/gemm.py, neuralmagic/compressed-tensors
// src/compressed_tensors/compressors, NVIDIA/TensorRT-Model-Optimizer modelopt/torch/export, ml-explore/mlx python/mlx/nn/layers/quantized.py.
#include "quantize.hpp"

#include <algorithm>

namespace weighbridge {

namespace {

constexpr std::int64_t kWordBits = 32;
constexpr std::int64_t kBnbBlock = 64;          // bitsandbytes: values that share an absmax
constexpr std::int64_t kBnbNestedBlock = 256;   // absmax values that share a second one
constexpr std::int64_t kBnbLevels = 16;         // f32 levels of 4 bits
constexpr std::int64_t kBnbNestedLevels = 256;  // f32 levels of a quantized absmax

/// Writes a matrix as a recipe stores it.
class Packer {
 public:
  Packer(std::vector<Tensor>& tensors, const Tensor& weight, const WeightsLayout& layout)
      : tensors_(tensors), weight_(weight), layout_(layout), rows_(weight.rows), cols_(weight.cols) {}

  void pack() {
    weight_.type = values();
    tensors_.push_back(weight_);
    add_scales();
    if (layout_.input_scale) add_scalars(1);
  }

 private:
  [[nodiscard]] DType values() const {
    switch (layout_.quantization) {
      case WeightQuantization::none:
        return weight_.type;
      case WeightQuantization::fp8_block:
      case WeightQuantization::fp8_per_channel:
      case WeightQuantization::fp8_per_tensor:
      case WeightQuantization::mxfp8:
        return dtype::fp8;
      case WeightQuantization::int8_per_channel:
      case WeightQuantization::bnb_int8:
        return dtype::int8;
      case WeightQuantization::packed_int:
      case WeightQuantization::gptq:
      case WeightQuantization::awq:
        return dtype::packed_int(layout_.bits);
      case WeightQuantization::bnb_4bit:
        return dtype::nf4;
      case WeightQuantization::mxfp4:
        return dtype::fp4;
      case WeightQuantization::nvfp4:
        return dtype::e2m1_pair;
      case WeightQuantization::mlx_affine:
        return dtype::mlx_int(layout_.bits);
      case WeightQuantization::mlc:
        return dtype::mlc_int(layout_.bits);
      case WeightQuantization::exl2:
        return whole_row(layout_.bits_x1000);
      case WeightQuantization::exl3:
        return is_whole(layout_.bits_x1000) ? dtype::exl3_int(layout_.bits_x1000 / 1000) : whole_row(layout_.bits_x1000);
    }
    return weight_.type;
  }

  [[nodiscard]] static bool is_whole(std::int64_t bits_x1000) { return bits_x1000 % 1000 == 0 && bits_x1000 >= 1000 && bits_x1000 <= 8000; }

  /// A type of which one row is one block: only the average of its bits is known.
  [[nodiscard]] DType whole_row(std::int64_t bits_x1000) const {
    const std::int64_t cols = std::min<std::int64_t>(cols_, std::int64_t{1} << 24);
    return {"exl", static_cast<std::int32_t>(cols), static_cast<std::int32_t>(ceil_div(cols * bits_x1000, 8000))};
  }

  void add_scales() {
    switch (layout_.quantization) {
      case WeightQuantization::none:
      case WeightQuantization::exl2:
        return;
      case WeightQuantization::exl3:
        return add_exl3_signs();
      case WeightQuantization::mlc:
        return add(rows_, groups(), layout_.scales);
      case WeightQuantization::fp8_block:
        return add(weight_.shards * ceil_div(ceil_div(rows_, weight_.shards), layout_.block_rows), groups(), layout_.scales);
      case WeightQuantization::fp8_per_channel:
      case WeightQuantization::int8_per_channel:
        add(rows_, 1, layout_.scales);
        if (layout_.zero_points) add(rows_, 1, dtype::int8);
        return;
      case WeightQuantization::fp8_per_tensor:
        return add_scalars(1);
      case WeightQuantization::packed_int:
        return add_packed_scales();
      case WeightQuantization::gptq:
        add_word_scales();
        return add_uncounted(1, cols_, dtype::word32);  // g_idx
      case WeightQuantization::awq:
        return add_word_scales();
      case WeightQuantization::bnb_4bit:
        return add_bnb_scales();
      case WeightQuantization::bnb_int8:
        add_uncounted(rows_, 1, dtype::f32);
        return add_uncounted(1, 1, dtype::int8);  // weight_format
      case WeightQuantization::mxfp4:
      case WeightQuantization::mxfp8:
        return add(rows_, groups(), dtype::e8m0);
      case WeightQuantization::nvfp4:
        add(rows_, groups(), dtype::fp8);
        return add_scalars(1);
      case WeightQuantization::mlx_affine:
        add(rows_, groups(), layout_.scales);
        return add(rows_, groups(), layout_.scales);
    }
  }

  void add_packed_scales() {
    add(rows_, groups(), layout_.scales);
    if (layout_.zero_points) add(zero_rows(), groups(), dtype::word32);
    if (layout_.activation_order) add(1, cols_, dtype::word32);
    add(1, 2, dtype::word32);  // weight_shape
  }

  void add_word_scales() {
    add_uncounted(rows_, groups(), layout_.scales);
    add_uncounted(zero_rows(), groups(), dtype::word32);
  }

  /// The quantization state's JSON text (about 170 bytes a matrix, of no fixed length) is not counted: no device holds it.
  void add_bnb_scales() {
    const std::int64_t blocks = ceil_div(rows_ * cols_, kBnbBlock);
    const bool whole_rows = cols_ % kBnbBlock == 0;
    const DType absmax = layout_.nested_scales ? dtype::u8 : dtype::f32;
    add_uncounted(whole_rows ? rows_ : 1, whole_rows ? cols_ / kBnbBlock : blocks, absmax);
    add_uncounted(kBnbLevels, 1, dtype::f32);
    if (!layout_.nested_scales) return;
    add_uncounted(1, ceil_div(blocks, kBnbNestedBlock), dtype::f32);
    add_uncounted(kBnbNestedLevels, 1, dtype::f32);
  }

  /// Inputs and outputs are rounded up to 128 (modules/linear.py pad_to); suh and svh are signs and scales of each, mul1 is the codebook's mark.
  void add_exl3_signs() {
    constexpr std::int64_t tile = 128;
    const std::int64_t rows = ceil_div(rows_, tile) * tile;
    const std::int64_t cols = ceil_div(cols_, tile) * tile;
    if (const std::int64_t padding = rows * cols - rows_ * cols_; padding > 0) add_uncounted(padding, 1, weight_.type);
    add_uncounted(1, cols, dtype::f16);
    add_uncounted(rows, 1, dtype::f16);
    add_uncounted(1, 1, dtype::int32);
  }

  [[nodiscard]] std::int64_t groups() const { return layout_.block_cols == 0 ? 1 : ceil_div(cols_, layout_.block_cols); }
  /// Zero points are packed along the outputs.
  [[nodiscard]] std::int64_t zero_rows() const { return ceil_div(rows_ * layout_.bits, kWordBits); }

  void add(std::int64_t rows, std::int64_t cols, DType type, bool uncounted = false) {
    Tensor scale = weight_;
    scale.is_scale = true;
    scale.is_uncounted = uncounted || !layout_.counts_scales;
    scale.rows = rows;
    scale.cols = cols;
    scale.type = type;
    tensors_.push_back(scale);
  }
  void add_uncounted(std::int64_t rows, std::int64_t cols, DType type) { add(rows, cols, type, true); }
  void add_scalars(std::int64_t count) { add(count, 1, dtype::f32, !layout_.counts_scalars); }

  std::vector<Tensor>& tensors_;
  Tensor weight_;
  const WeightsLayout& layout_;
  std::int64_t rows_;
  std::int64_t cols_;
};

void append(std::vector<Tensor>& tensors, const Tensor& weight, const WeightsLayout& layout) { Packer(tensors, weight, layout).pack(); }

/// A model known by its size has no matrices, so no scales: its elements take the recipe's type.
void append_by_size(std::vector<Tensor>& tensors, const Tensor& all, const WeightsLayout& layout) {
  std::vector<Tensor> with_scales;
  append(with_scales, all, layout);
  tensors.push_back(with_scales.front());
}

/// mlx_lm quantizes every Linear and Embedding whose rows are whole groups (ml-explore/mlx-lm mlx_lm/utils.py quantize_model); the routers that
/// have a correction bias are no Linear there (mlx_lm/models/{deepseek_v3,glm4_moe}.py MoEGate).
bool is_quantized_by_mlx(const Model& model, const Tensor& tensor, std::int64_t group) {
  if (tensor.part == ModelPart::tower || tensor.cols % group != 0) return false;
  switch (tensor.role) {
    case TensorRole::recurrent_state:
    case TensorRole::attention_sinks:
    case TensorRole::norm:
      return false;
    case TensorRole::router: {
      const MoeFfn* moe = first_moe(model);
      return moe == nullptr || !moe->router_bias;
    }
    default:
      return true;
  }
}

bool is_exl(WeightQuantization quantization) { return quantization == WeightQuantization::exl2 || quantization == WeightQuantization::exl3; }

/// ExLlama has bits of its own for the head; ExLlama 3 leaves latent attention's up-projection as it is (modules/mla_attn.py), and ExLlama 2 does not
/// run it.
bool is_quantized_by_exl(TensorRole role) { return role == TensorRole::output_head || (is_quantizable(role) && role != TensorRole::latent_kv_up); }

/// MLC quantizes every Linear and Embedding but the gates of experts and encoders (mlc-ai/mlc-llm
/// python/mlc_llm/quantization/group_quantization.py).
bool is_quantized_by_mlc(const Tensor& tensor) {
  switch (tensor.role) {
    case TensorRole::norm:
    case TensorRole::router:
    case TensorRole::attention_sinks:
    case TensorRole::recurrent_state:
    case TensorRole::tower:
      return false;
    default:
      return tensor.part != ModelPart::tower;
  }
}

/// The two projections of a sparse attention's indexer that FP8 checkpoints quantize, the third gives the heads' weights; and the two projections into
/// DeepSeek-V4's MTP layer (vllm-project/vllm models/deepseek_v4/nvidia/mtp.py), where eh_proj of others stays as it is.
bool is_quantized_by_name(const Tensor& tensor) {
  if (tensor.role == TensorRole::mtp_projection) return tensor.name.ends_with(".e_proj.weight") || tensor.name.ends_with(".h_proj.weight");
  return tensor.role == TensorRole::indexer && (tensor.name.ends_with(".wq_b.weight") || tensor.name.ends_with(".wk.weight"));
}

}  // namespace

bool is_expert(TensorRole role) { return role == TensorRole::expert_gate_up || role == TensorRole::expert_down; }

bool is_quantizable(TensorRole role) {
  switch (role) {
    case TensorRole::attention_q:
    case TensorRole::attention_k:
    case TensorRole::attention_v:
    case TensorRole::attention_output:
    case TensorRole::latent_q_down:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_down:
    case TensorRole::latent_kv_up:
    case TensorRole::recurrent_in:
    case TensorRole::recurrent_out:
    case TensorRole::ffn_gate_up:
    case TensorRole::ffn_down:
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
    case TensorRole::shared_gate_up:
    case TensorRole::shared_down:
      return true;
    case TensorRole::embedding:
    case TensorRole::position_embedding:
    case TensorRole::layer_embedding:
    case TensorRole::output_head:
    case TensorRole::norm:
    case TensorRole::attention_sinks:
    case TensorRole::indexer:
    case TensorRole::recurrent_state:
    case TensorRole::router:
    case TensorRole::projection:
    case TensorRole::mtp_projection:
    case TensorRole::tower:
    case TensorRole::generic:
      return false;
  }
  return false;
}

bool has_experts(const Model& model) {
  return std::any_of(model.plain.begin(), model.plain.end(), [](const Tensor& tensor) { return is_expert(tensor.role); });
}

bool takes(const Model& model, const Tensor& tensor, const WeightsLayout& layout) {
  if (tensor.cols <= 1 || tensor.is_copy || layout.quantization == WeightQuantization::none) return false;
  if (layout.whole_model) return is_quantized_by_mlx(model, tensor, layout.block_cols);
  if (layout.quantization == WeightQuantization::mlc) return is_quantized_by_mlc(tensor);
  if (is_exl(layout.quantization)) return is_quantized_by_exl(tensor.role);
  if (layout.experts_only && !is_expert(tensor.role) && has_experts(model)) return false;
  // A delta rule's projection to one decay and one write strength per head fills no block of rows: checkpoints in FP8 blocks leave it as it is ("ba_proj
  // doesn't support blockwise fp8 quantization", vllm-project/vllm models/qwen3_next.py).
  if (tensor.role == TensorRole::recurrent_in && tensor.rows <= layout.block_rows) return false;
  return is_quantizable(tensor.role) || is_quantized_by_name(tensor);
}

std::vector<Tensor> stored_tensors(const Model& model) {
  std::vector<Tensor> tensors;
  for (const Tensor& weight : model.plain) {
    if (weight.recipe == 0)
      tensors.push_back(weight);
    else
      append(tensors, weight, model.recipes[static_cast<std::size_t>(weight.recipe - 1)]);
  }
  return tensors;
}

std::vector<Tensor> tensors_in_layout(const Model& model, const WeightsLayout& layout) {
  WeightsLayout of_head = layout;
  if (is_exl(layout.quantization)) of_head.bits_x1000 = 1000 * kExlHeadBits;
  std::vector<Tensor> tensors;
  tensors.reserve(2 * model.plain.size());
  for (Tensor weight : model.plain) {
    const bool takes_it = takes(model, weight, layout);
    if (weight.type == model.base) weight.type = layout.base;
    weight.recipe = 0;
    if (weight.role == TensorRole::generic)
      append_by_size(tensors, weight, layout);
    else if (takes_it)
      append(tensors, weight, weight.role == TensorRole::output_head ? of_head : layout);
    else
      tensors.push_back(weight);
  }
  return tensors;
}

}  // namespace weighbridge

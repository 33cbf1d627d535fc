// SPDX-License-Identifier: Apache-2.0
// What a recipe makes of a matrix: packed values, and scales as tensors of their own (source: the published checkpoints, facts in tests/truth).
#include "quantize.hpp"

namespace weighbridge {

namespace {

Tensor scale_of(const Tensor& weight, std::int64_t rows, std::int64_t cols, DType type) {
  Tensor scale = weight;
  scale.is_scale = true;
  scale.rows = rows;
  scale.cols = cols;
  scale.type = type;
  return scale;
}

/// Appends `weight` as `layout` stores it.
void append(std::vector<Tensor>& tensors, Tensor weight, const WeightsLayout& layout) {
  const std::int64_t rows = weight.rows;
  const std::int64_t cols = weight.cols;
  switch (layout.quantization) {
    case WeightQuantization::none:
      tensors.push_back(weight);
      return;
    case WeightQuantization::fp8_block:
      weight.type = dtype::fp8;
      tensors.push_back(weight);
      tensors.push_back(scale_of(weight, ceil_div(rows, layout.block_rows), ceil_div(cols, layout.block_cols), dtype::f32));
      return;
    case WeightQuantization::fp8_per_channel:
    case WeightQuantization::int8_per_channel:
      weight.type = layout.quantization == WeightQuantization::fp8_per_channel ? dtype::fp8 : dtype::int8;
      tensors.push_back(weight);
      tensors.push_back(scale_of(weight, rows, 1, dtype::f32));
      return;
    case WeightQuantization::int4_group:
      weight.type = dtype::int4;
      tensors.push_back(weight);
      tensors.push_back(scale_of(weight, rows, ceil_div(cols, layout.block_cols), layout.base));
      return;
    case WeightQuantization::mxfp4_experts:
      weight.type = dtype::fp4;
      tensors.push_back(weight);
      tensors.push_back(scale_of(weight, rows, ceil_div(cols, layout.block_cols), dtype::e8m0));
      return;
  }
}

/// A model known by its size has no matrices, so no scales: its elements take the recipe's type.
void append_by_size(std::vector<Tensor>& tensors, const Tensor& all, const WeightsLayout& layout) {
  std::vector<Tensor> with_scales;
  append(with_scales, all, layout);
  tensors.push_back(with_scales.front());
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
    case TensorRole::indexer:
      return true;
    case TensorRole::embedding:
    case TensorRole::position_embedding:
    case TensorRole::layer_embedding:
    case TensorRole::output_head:
    case TensorRole::norm:
    case TensorRole::attention_sinks:
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
  std::vector<Tensor> tensors;
  for (Tensor weight : model.plain) {
    const bool takes_it = is_quantizable(weight.role) && weight.cols > 1;
    if (weight.type == model.base) weight.type = layout.base;
    weight.recipe = 0;
    if (weight.role == TensorRole::generic)
      append_by_size(tensors, weight, layout);
    else if (takes_it && (layout.quantization != WeightQuantization::mxfp4_experts || is_expert(weight.role)))
      append(tensors, weight, layout);
    else
      tensors.push_back(weight);
  }
  return tensors;
}

}  // namespace weighbridge

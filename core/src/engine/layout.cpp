// SPDX-License-Identifier: Apache-2.0
#include "engine/layout.hpp"

#include "quantize.hpp"

namespace weighbridge {

namespace {

bool is_attention(TensorRole role) {
  switch (role) {
    case TensorRole::embedding:  // each group of ranks looks its own tokens up
    case TensorRole::attention_q:
    case TensorRole::attention_k:
    case TensorRole::attention_v:
    case TensorRole::attention_output:
    case TensorRole::attention_sinks:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_up:
    case TensorRole::recurrent_in:
    case TensorRole::recurrent_out:
    case TensorRole::recurrent_state:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::vector<Stage> stages_of(const Model& model, std::int64_t count) {
  std::vector<Stage> stages;
  const std::int64_t layers = model.n_layers();
  std::int64_t first = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t held = layers / count + (i < layers % count ? 1 : 0);
    stages.push_back({first, first + held, i == 0, i + 1 == count});
    first += held;
  }
  return stages;
}

Tensor within(Tensor tensor, const Stage& stage, bool tied) {
  if (stage.is_first && stage.is_last) return tensor;
  if (tensor.layers.first < 0) {
    const bool is_head = tensor.role == TensorRole::output_head;
    const bool is_embedding = tensor.role == TensorRole::embedding;
    const bool held = is_head ? stage.is_last : (is_embedding ? stage.is_first || (tied && stage.is_last) : true);
    if (!held) tensor.layers.count = 0;
    return tensor;
  }
  std::int64_t count = 0;
  std::int64_t first = tensor.layers.first;
  for (std::int64_t i = 0; i < tensor.layers.count; ++i) {
    if (!stage.holds(tensor.layers.at(i))) continue;
    if (count++ == 0) first = tensor.layers.at(i);
  }
  tensor.layers.first = first;
  tensor.layers.count = count;
  return tensor;
}

Tensor share_of(const Model& model, Tensor tensor, const Split& split, const ExpertPadding& padding) {
  if (is_expert(tensor.role)) {
    tensor.per_layer = ceil_div(tensor.per_layer, split.expert_groups);
    return local_part(model, tensor, split.experts, padding);
  }
  return local_part(model, tensor, is_attention(tensor.role) ? split.attention : split.dense, padding);
}

}  // namespace weighbridge

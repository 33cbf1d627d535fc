// SPDX-License-Identifier: Apache-2.0
#include "engine/layout.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "quantize.hpp"
#include "tensor_layer.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kVocabPadding = 64;  // vocab_parallel_embedding.py: DEFAULT_VOCAB_PADDING_SIZE

std::int64_t padded_vocab(std::int64_t vocab_size) { return ceil_div(vocab_size, kVocabPadding) * kVocabPadding; }

/// Rows of k and v on one rank: whole heads, at least one, so heads are copied once there are more ranks than heads.
std::int64_t split_kv_rows(const Model& model, const Tensor& tensor, std::int64_t ranks) {
  const FullAttention* attention = grouped_attention(layer_of(model, tensor).mixer);
  const std::int64_t heads = attention != nullptr ? attention->n_kv_heads : 1;
  return ceil_div(std::max<std::int64_t>(1, heads / ranks) * tensor.rows, heads);
}

/// gptq_marlin.py marlin_repeat_scales_on_all_ranks: where inputs belong to groups in any order, each rank that splits inputs needs all scales.
bool repeats_scales(const Model& model, const Tensor& tensor) {
  return tensor.is_scale && tensor.rows > 1 && tensor.recipe > 0 && model.recipes[static_cast<std::size_t>(tensor.recipe - 1)].activation_order;
}

/// Leaves of `tensor` the part that one of `ranks` ranks holds.
void cut(const Model& model, Tensor& tensor, std::int64_t ranks, const ExpertPadding& padding) {
  switch (tensor.role) {
    case TensorRole::embedding:
    case TensorRole::output_head:
      tensor.rows = ceil_div(padded_vocab(tensor.rows), ranks);
      break;
    case TensorRole::attention_k:
    case TensorRole::attention_v:
      // The scale grid of a small projection is split like the projection itself.
      tensor.rows = split_kv_rows(model, tensor, ranks);
      break;
    case TensorRole::attention_q:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_up:
    case TensorRole::ffn_gate_up:
    case TensorRole::shared_gate_up:
    case TensorRole::attention_sinks:
    case TensorRole::recurrent_in:
    case TensorRole::recurrent_state:
    case TensorRole::layer_embedding:
    case TensorRole::generic:
      tensor.rows = ceil_div(tensor.rows, ranks);
      break;
    case TensorRole::attention_output:
    case TensorRole::ffn_down:
    case TensorRole::shared_down:
    case TensorRole::recurrent_out:
      // Input features; a bias or channel scale stays whole.
      if (tensor.cols > 1 && !repeats_scales(model, tensor)) tensor.cols = ceil_div(tensor.cols, ranks);
      break;
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
      return cut_expert(tensor, ranks, padding);
    case TensorRole::norm:
    case TensorRole::router:
    case TensorRole::latent_q_down:
    case TensorRole::latent_kv_down:
    case TensorRole::mtp_projection:
    case TensorRole::position_embedding:
    case TensorRole::indexer:
    case TensorRole::projection:
    case TensorRole::tower:
      break;
  }
}

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

std::int64_t ranks_of(const Tensor& tensor, const Split& split) {
  if (is_expert(tensor.role)) return split.experts;
  return is_attention(tensor.role) ? split.attention : split.dense;
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

Tensor share_of(const Model& model, const Tensor& whole, const Split& split, const ExpertPadding& padding) {
  Tensor tensor = whole;
  if (is_expert(tensor.role)) tensor.per_layer = ceil_div(tensor.per_layer, split.expert_groups);
  cut(model, tensor, ranks_of(tensor, split), padding);
  return tensor;
}

namespace {

/// The config key whose size a projection's split dimension follows from.
Uneven size_behind(const Model& model, const Tensor& tensor, std::int64_t block) {
  switch (tensor.role) {
    case TensorRole::ffn_gate_up:
      return {"intermediate_size", tensor.rows, block};
    case TensorRole::ffn_down:
      return {"intermediate_size", tensor.cols, block};
    case TensorRole::expert_gate_up:
    case TensorRole::shared_gate_up:
      return {"moe_intermediate_size", tensor.rows, block};
    case TensorRole::expert_down:
    case TensorRole::shared_down:
      return {"moe_intermediate_size", tensor.cols, block};
    case TensorRole::attention_k:
    case TensorRole::attention_v:
      return {"num_key_value_heads", grouped_attention(layer_of(model, tensor).mixer)->n_kv_heads, block};
    default:
      return {"num_attention_heads", attention_heads(model), block};
  }
}

/// The outputs and inputs that a rank holds whole blocks of; 1: any number. layers/quantization/utils/fp8_utils.py validate_fp8_block_shape;
/// awq.py and gptq.py create_weights ("The input size is not aligned with the quantized weight shape"); experts fall back to kernels that do
/// without (moe_wna16.py).
struct Blocks {
  std::int64_t rows = 1;
  std::int64_t cols = 1;
};

Blocks blocks_of(const WeightsLayout& layout, const Tensor& tensor) {
  switch (layout.quantization) {
    case WeightQuantization::fp8_block:
      return {layout.block_rows, layout.block_cols};
    case WeightQuantization::awq:
    case WeightQuantization::gptq:
    case WeightQuantization::packed_int:
      return {1, is_expert(tensor.role) || layout.block_cols == 0 ? 1 : layout.block_cols};
    default:
      return {};
  }
}

/// Whole blocks of scales must not be cut.
std::optional<Uneven> cut_block(const Job& job, const Split& split) {
  const std::optional<WeightsLayout> chosen = layout_of(job.scenario.weights_format);
  for (const Tensor& tensor : job.tensors) {
    if (tensor.is_scale || tensor.part != ModelPart::text) continue;
    const bool takes_chosen = chosen && takes(job.model, tensor, *chosen);
    if (!takes_chosen && tensor.recipe == 0) continue;
    const Blocks blocks = blocks_of(takes_chosen ? *chosen : job.model.recipes[static_cast<std::size_t>(tensor.recipe - 1)], tensor);
    const Tensor local = share_of(job.model, tensor, split);
    const bool cut_rows = local.rows != tensor.rows && local.rows % blocks.rows != 0;
    if (!cut_rows && (local.cols == tensor.cols || local.cols % blocks.cols == 0)) continue;
    Uneven uneven = size_behind(job.model, tensor, cut_rows ? blocks.rows : blocks.cols);
    uneven.ranks = ranks_of(tensor, split);
    return uneven;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Uneven> uneven_size(const Job& job, const Split& split) {
  const std::int64_t ranks = split.attention;
  if (ranks == 1 && split.dense == 1 && split.experts == 1 && split.expert_groups == 1) return std::nullopt;
  const std::int64_t heads = attention_heads(job.model);
  if (heads % ranks != 0) return Uneven{"num_attention_heads", heads, 1, ranks};
  if (padded_vocab(job.model.vocab_size) % split.dense != 0) return Uneven{"vocab_size", job.model.vocab_size, 1, split.dense};
  for (const LayerSpec& layer : job.model.layers.kinds()) {
    if (const FullAttention* a = grouped_attention(layer.mixer); a != nullptr && a->n_kv_heads % ranks != 0 && ranks % a->n_kv_heads != 0)
      return Uneven{"num_key_value_heads", a->n_kv_heads, 1, ranks};
    const auto* dense = std::get_if<DenseFfn>(&layer.ffn);
    if (dense != nullptr && dense->ffn_size % split.dense != 0) return Uneven{"intermediate_size", dense->ffn_size, 1, split.dense};
    const auto* moe = std::get_if<MoeFfn>(&layer.ffn);
    if (moe == nullptr) continue;
    if (moe->n_experts % split.expert_groups != 0) return Uneven{"num_experts", moe->n_experts, 1, split.expert_groups};
    if (moe->moe_ffn_size % split.experts != 0) return Uneven{"moe_intermediate_size", moe->moe_ffn_size, 1, split.experts};
  }
  return cut_block(job, split);
}

std::optional<Notice> uneven_tensor_parallel(const Job& job, const Split& split) {
  const std::optional<Uneven> found = uneven_size(job, split);
  if (!found) return std::nullopt;
  std::string expected = "a multiple of " + grouped(found->ranks) + ", the ranks that share it";
  if (found->block > 1) expected += " in whole blocks of " + grouped(found->block);
  return notice::not_divisible("params.parallel.tensor", std::string(found->key), grouped(found->value), std::move(expected));
}

std::optional<Notice> needs_experts(const Job& job) {
  if (!job.scenario.parallel.expert || first_moe(job.model) != nullptr) return std::nullopt;
  return notice::custom("unsupported", "params.parallel.expert", "Expert parallel needs a model with routed experts: expected expert false.",
                        "parallel.expert", "true", "false");
}

bool divides(const Job& job, const Split& split, Plan& plan) {
  plan.impossible = uneven_tensor_parallel(job, split);
  if (plan.impossible && job.explain) plan.nearest_tensor_parallel = nearest_tensor_parallel(job, job.scenario.parallel.tensor);
  return !plan.impossible;
}

std::int64_t nearest_tensor_parallel(const Job& job, std::int64_t wanted) {
  const auto works = [&](std::int64_t ranks) { return !uneven_size(job, {ranks, ranks, ranks, 1}); };
  for (std::int64_t distance = 1; distance < wanted; ++distance) {
    if (works(wanted - distance)) return wanted - distance;
    if (wanted + distance <= kMaxDevices && works(wanted + distance)) return wanted + distance;
  }
  return 1;
}

}  // namespace weighbridge

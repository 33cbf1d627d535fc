// SPDX-License-Identifier: Apache-2.0
// The tensors of a checkpoint, derived from the hyper-parameters of its layers: names and shapes as Hugging Face checkpoints store them.
#include <algorithm>

#include "checkpoint_names.hpp"
#include "vision_tensors.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

namespace {

/// Projections that every quantization recipe here covers. Embeddings, head, norms, router and the MTP projection stay in the base type.
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
    case TensorRole::ffn_gate_up:
    case TensorRole::ffn_down:
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
    case TensorRole::shared_gate_up:
    case TensorRole::shared_down:
      return true;
    case TensorRole::embedding:
    case TensorRole::output_head:
    case TensorRole::attention_sinks:
    case TensorRole::norm:
    case TensorRole::router:
    case TensorRole::mtp_projection:
    case TensorRole::vision:
    case TensorRole::generic:
      return false;
  }
  return false;
}

/// A window changes what is cached, not what is stored.
bool same_tensors(const LayerSpec& a, const LayerSpec& b) {
  const FullAttention* left = grouped_attention(a.mixer);
  const FullAttention* right = grouped_attention(b.mixer);
  const bool same_mixer = left != nullptr && right != nullptr ? *left == *right : a.mixer == b.mixer;
  return same_mixer && a.ffn == b.ffn && a.post_norms == b.post_norms;
}

bool is_expert(TensorRole role) { return role == TensorRole::expert_gate_up || role == TensorRole::expert_down; }

class InventoryBuilder {
 public:
  InventoryBuilder(const Model& model, const WeightsLayout& layout) : model_(model), layout_(layout), names_(layer_names(model.naming)) {}

  std::vector<Tensor> build() && {
    const std::int64_t hidden = model_.hidden_size;
    matrix("model.embed_tokens.weight", TensorRole::embedding, model_.vocab_size, hidden);
    add_layers(model_.layers, 0);
    vector("model.norm.weight", TensorRole::norm, hidden);
    if (!model_.tied_embeddings || model_.stores_tied_head) matrix("lm_head.weight", TensorRole::output_head, model_.vocab_size, hidden);
    tensors_.back().is_copy = model_.tied_embeddings && model_.stores_tied_head;
    part_ = ModelPart::mtp;
    add_layers(model_.mtp_layers, model_.n_layers());
    if (model_.vision) {
      const std::vector<Tensor> vision = vision_tensors(*model_.vision, hidden, layout_.base);
      tensors_.insert(tensors_.end(), vision.begin(), vision.end());
    }
    return std::move(tensors_);
  }

 private:
  /// Consecutive layers with the same tensors become one row per tensor.
  void add_layers(const std::vector<LayerSpec>& layers, std::int64_t first_index) {
    for (std::size_t begin = 0; begin < layers.size();) {
      std::size_t end = begin + 1;
      while (end < layers.size() && same_tensors(layers[end], layers[begin])) ++end;
      layers_ = {first_index + static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end - begin)};
      add_layer(layers[begin]);
      begin = end;
    }
    layers_ = {};
  }

  void add_layer(const LayerSpec& layer) {
    vector("model.layers.{layer}.input_layernorm.weight", TensorRole::norm, model_.hidden_size);
    std::visit([this](const auto& mixer) { add_mixer(mixer); }, layer.mixer);
    vector("model.layers.{layer}.post_attention_layernorm.weight", TensorRole::norm, model_.hidden_size);
    if (layer.post_norms) {
      vector("model.layers.{layer}.pre_feedforward_layernorm.weight", TensorRole::norm, model_.hidden_size);
      vector("model.layers.{layer}.post_feedforward_layernorm.weight", TensorRole::norm, model_.hidden_size);
    }
    std::visit([this](const auto& ffn) { add_ffn(ffn); }, layer.ffn);
    if (part_ == ModelPart::mtp) add_mtp_parts();
  }

  void add_mixer(const FullAttention& a) {
    const std::int64_t hidden = model_.hidden_size;
    linear(names_.q, TensorRole::attention_q, a.n_heads * a.head_dim_k, hidden, a.qkv_bias);
    linear(names_.k, TensorRole::attention_k, a.n_kv_heads * a.head_dim_k, hidden, a.qkv_bias);
    linear(names_.v, TensorRole::attention_v, a.n_kv_heads * a.head_dim_v, hidden, a.qkv_bias);
    linear(names_.o, TensorRole::attention_output, hidden, a.n_heads * a.head_dim_v, a.output_bias);
    if (a.sinks) vector("model.layers.{layer}.self_attn.sinks", TensorRole::attention_sinks, a.n_heads);
    if (a.qk_norm) {
      vector("model.layers.{layer}.self_attn.q_norm.weight", TensorRole::norm, a.head_dim_k);
      vector("model.layers.{layer}.self_attn.k_norm.weight", TensorRole::norm, a.head_dim_k);
    }
  }

  void add_mixer(const SlidingAttention& a) { add_mixer(a.heads); }

  void add_mixer(const LatentAttention& a) {
    const std::int64_t hidden = model_.hidden_size;
    const std::int64_t query_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
    if (a.q_lora_rank > 0) {
      matrix("model.layers.{layer}.self_attn.q_a_proj.weight", TensorRole::latent_q_down, a.q_lora_rank, hidden);
      vector("model.layers.{layer}.self_attn.q_a_layernorm.weight", TensorRole::norm, a.q_lora_rank);
      matrix("model.layers.{layer}.self_attn.q_b_proj.weight", TensorRole::latent_q_up, query_rows, a.q_lora_rank);
    } else {
      matrix("model.layers.{layer}.self_attn.q_proj.weight", TensorRole::attention_q, query_rows, hidden);
    }
    matrix("model.layers.{layer}.self_attn.kv_a_proj_with_mqa.weight", TensorRole::latent_kv_down, a.kv_lora_rank + a.qk_rope_head_dim, hidden);
    vector("model.layers.{layer}.self_attn.kv_a_layernorm.weight", TensorRole::norm, a.kv_lora_rank);
    matrix("model.layers.{layer}.self_attn.kv_b_proj.weight", TensorRole::latent_kv_up, a.n_heads * (a.qk_nope_head_dim + a.head_dim_v),
           a.kv_lora_rank);
    matrix("model.layers.{layer}.self_attn.o_proj.weight", TensorRole::attention_output, hidden, a.n_heads * a.head_dim_v);
  }

  void add_ffn(const DenseFfn& f) {
    const std::int64_t hidden = model_.hidden_size;
    linear(names_.gate, TensorRole::ffn_gate_up, f.ffn_size, hidden, f.bias);
    linear(names_.up, TensorRole::ffn_gate_up, f.ffn_size, hidden, f.bias);
    linear(names_.down, TensorRole::ffn_down, hidden, f.ffn_size, f.bias);
  }

  void add_ffn(const MoeFfn& f) {
    const std::int64_t hidden = model_.hidden_size;
    linear(names_.router, TensorRole::router, f.n_experts, hidden, f.bias);
    if (f.router_bias) vector("model.layers.{layer}.mlp.gate.e_score_correction_bias", TensorRole::router, f.n_experts, dtype::f32);
    per_layer_ = f.n_experts;
    linear(names_.expert_gate, TensorRole::expert_gate_up, f.moe_ffn_size, hidden, f.bias);
    linear(names_.expert_up, TensorRole::expert_gate_up, f.moe_ffn_size, hidden, f.bias);
    linear(names_.expert_down, TensorRole::expert_down, hidden, f.moe_ffn_size, f.bias);
    per_layer_ = 1;
    if (f.n_shared_experts == 0) return;
    const std::int64_t shared = f.n_shared_experts * f.moe_ffn_size;
    matrix("model.layers.{layer}.mlp.shared_experts.gate_proj.weight", TensorRole::shared_gate_up, shared, hidden);
    matrix("model.layers.{layer}.mlp.shared_experts.up_proj.weight", TensorRole::shared_gate_up, shared, hidden);
    matrix("model.layers.{layer}.mlp.shared_experts.down_proj.weight", TensorRole::shared_down, hidden, shared);
  }

  /// DeepSeek-V3 and GLM-4.5 store embedding and head a second time with their multi-token-prediction layer (README_WEIGHTS.md of
  /// deepseek-ai/DeepSeek-V3, and the published counts); GLM-4.6 does not.
  void add_mtp_parts() {
    const std::int64_t hidden = model_.hidden_size;
    if (model_.mtp_stores_embeddings) matrix("model.layers.{layer}.embed_tokens.weight", TensorRole::embedding, model_.vocab_size, hidden);
    vector("model.layers.{layer}.enorm.weight", TensorRole::norm, hidden);
    vector("model.layers.{layer}.hnorm.weight", TensorRole::norm, hidden);
    matrix("model.layers.{layer}.eh_proj.weight", TensorRole::mtp_projection, hidden, 2 * hidden);
    vector("model.layers.{layer}.shared_head.norm.weight", TensorRole::norm, hidden);
    if (model_.mtp_stores_embeddings) matrix("model.layers.{layer}.shared_head.head.weight", TensorRole::output_head, model_.vocab_size, hidden);
  }

  void linear(const MatrixNames& names, TensorRole role, std::int64_t rows, std::int64_t cols, bool bias) {
    matrix(names.weight, role, rows, cols);
    if (bias) vector(names.bias, role, rows);
  }

  void vector(std::string_view name, TensorRole role, std::int64_t size) { vector(name, role, size, layout_.base); }
  void vector(std::string_view name, TensorRole role, std::int64_t size, DType type) {
    tensors_.push_back({name, role, part_, layers_, per_layer_, size, 1, type, false});
  }

  void matrix(std::string_view name, TensorRole role, std::int64_t rows, std::int64_t cols) {
    Tensor weight{name, role, part_, layers_, per_layer_, rows, cols, layout_.base, false};
    Tensor scale = weight;
    scale.is_scale = true;
    if (is_quantizable(role)) {
      switch (layout_.quantization) {
        case WeightQuantization::none:
          break;
        case WeightQuantization::fp8_block:
          weight.type = dtype::fp8;
          scale.type = dtype::f32;
          scale.rows = ceil_div(rows, layout_.block_rows);
          scale.cols = ceil_div(cols, layout_.block_cols);
          break;
        case WeightQuantization::fp8_per_channel:
        case WeightQuantization::int8_per_channel:
          weight.type = layout_.quantization == WeightQuantization::fp8_per_channel ? dtype::fp8 : dtype::int8;
          scale.type = dtype::f32;
          scale.cols = 1;
          break;
        case WeightQuantization::int4_group:
          weight.type = dtype::int4;
          scale.cols = ceil_div(cols, layout_.block_cols);
          break;
        case WeightQuantization::mxfp4_experts:
          if (!is_expert(role)) break;
          weight.type = dtype::fp4;
          scale.type = dtype::e8m0;
          scale.cols = ceil_div(cols, layout_.block_cols);
          break;
      }
    }
    tensors_.push_back(weight);
    if (!(weight.type == layout_.base)) tensors_.push_back(scale);
  }

  const Model& model_;
  const WeightsLayout& layout_;
  const LayerNames& names_;
  ModelPart part_ = ModelPart::text;
  LayerRange layers_;
  std::int64_t per_layer_ = 1;
  std::vector<Tensor> tensors_;
};

}  // namespace

std::vector<Tensor> derive_tensors(const Model& model, const WeightsLayout& layout) {
  if (model.parameters_by_name == 0) return InventoryBuilder(model, layout).build();
  Tensor all{"parameters", TensorRole::generic, ModelPart::text, {}, 1, model.parameters_by_name, 1, layout.base, false};
  switch (layout.quantization) {
    case WeightQuantization::none:
      break;
    case WeightQuantization::fp8_block:
    case WeightQuantization::fp8_per_channel:
      all.type = dtype::fp8;
      break;
    case WeightQuantization::int8_per_channel:
      all.type = dtype::int8;
      break;
    case WeightQuantization::int4_group:
      all.type = dtype::int4;
      break;
    case WeightQuantization::mxfp4_experts:
      all.type = dtype::fp4;
      break;
  }
  return {all};
}

}  // namespace weighbridge

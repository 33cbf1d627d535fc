// SPDX-License-Identifier: Apache-2.0
// SigLIP (huggingface/transformers models/siglip/modeling_siglip.py) without its pooling head, and Gemma 3's projector
// (models/gemma3/modeling_gemma3.py).
#include "vision_tensors.hpp"

namespace weighbridge {

namespace {

class VisionBuilder {
 public:
  VisionBuilder(DType type) : type_(type) {}

  void linear(std::string_view weight, std::string_view bias, std::int64_t rows, std::int64_t cols) {
    add(weight, rows, cols);
    add(bias, rows, 1);
  }
  void add(std::string_view name, std::int64_t rows, std::int64_t cols) {
    tensors.push_back({name, TensorRole::vision, ModelPart::vision, layers, 1, rows, cols, type_, false});
  }

  LayerRange layers;
  std::vector<Tensor> tensors;

 private:
  DType type_;
};

}  // namespace

std::vector<Tensor> vision_tensors(const VisionTower& tower, std::int64_t hidden_size, DType type) {
  const std::int64_t width = tower.hidden_size;
  VisionBuilder add(type);
  add.linear("vision_tower.vision_model.embeddings.patch_embedding.weight", "vision_tower.vision_model.embeddings.patch_embedding.bias", width,
             tower.n_channels * tower.patch_size * tower.patch_size);
  add.add("vision_tower.vision_model.embeddings.position_embedding.weight", tower.patches(), width);
  add.layers = {0, tower.n_layers};
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.layer_norm1.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.layer_norm1.bias", width, 1);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.self_attn.q_proj.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.self_attn.q_proj.bias", width, width);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.self_attn.k_proj.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.self_attn.k_proj.bias", width, width);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.self_attn.v_proj.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.self_attn.v_proj.bias", width, width);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.self_attn.out_proj.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.self_attn.out_proj.bias", width, width);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.layer_norm2.weight",
             "vision_tower.vision_model.encoder.layers.{layer}.layer_norm2.bias", width, 1);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.mlp.fc1.weight", "vision_tower.vision_model.encoder.layers.{layer}.mlp.fc1.bias",
             tower.ffn_size, width);
  add.linear("vision_tower.vision_model.encoder.layers.{layer}.mlp.fc2.weight", "vision_tower.vision_model.encoder.layers.{layer}.mlp.fc2.bias",
             width, tower.ffn_size);
  add.layers = {};
  add.linear("vision_tower.vision_model.post_layernorm.weight", "vision_tower.vision_model.post_layernorm.bias", width, 1);
  add.add("multi_modal_projector.mm_input_projection_weight", width, hidden_size);
  add.add("multi_modal_projector.mm_soft_emb_norm.weight", width, 1);
  return std::move(add.tensors);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "checkpoint_names.hpp"

namespace weighbridge {

namespace {

constexpr LayerNames kStandard{
    {"model.layers.{layer}.self_attn.q_proj.weight", "model.layers.{layer}.self_attn.q_proj.bias"},
    {"model.layers.{layer}.self_attn.k_proj.weight", "model.layers.{layer}.self_attn.k_proj.bias"},
    {"model.layers.{layer}.self_attn.v_proj.weight", "model.layers.{layer}.self_attn.v_proj.bias"},
    {"model.layers.{layer}.self_attn.o_proj.weight", "model.layers.{layer}.self_attn.o_proj.bias"},
    {"model.layers.{layer}.mlp.gate_proj.weight", "model.layers.{layer}.mlp.gate_proj.bias"},
    {"model.layers.{layer}.mlp.up_proj.weight", "model.layers.{layer}.mlp.up_proj.bias"},
    {"model.layers.{layer}.mlp.down_proj.weight", "model.layers.{layer}.mlp.down_proj.bias"},
    {"model.layers.{layer}.mlp.gate.weight", "model.layers.{layer}.mlp.gate.bias"},
    {"model.layers.{layer}.mlp.experts.{expert}.gate_proj.weight", "model.layers.{layer}.mlp.experts.{expert}.gate_proj.bias"},
    {"model.layers.{layer}.mlp.experts.{expert}.up_proj.weight", "model.layers.{layer}.mlp.experts.{expert}.up_proj.bias"},
    {"model.layers.{layer}.mlp.experts.{expert}.down_proj.weight", "model.layers.{layer}.mlp.experts.{expert}.down_proj.bias"},
};

constexpr LayerNames mixtral_names() {
  LayerNames names = kStandard;
  names.router.weight = "model.layers.{layer}.block_sparse_moe.gate.weight";
  names.expert_gate.weight = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w1.weight";
  names.expert_up.weight = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w3.weight";
  names.expert_down.weight = "model.layers.{layer}.block_sparse_moe.experts.{expert}.w2.weight";
  return names;
}

constexpr LayerNames gpt_oss_names() {
  LayerNames names = kStandard;
  names.router = {"model.layers.{layer}.mlp.router.weight", "model.layers.{layer}.mlp.router.bias"};
  names.expert_gate = names.expert_up = {"model.layers.{layer}.mlp.experts.gate_up_proj", "model.layers.{layer}.mlp.experts.gate_up_proj_bias"};
  names.expert_down = {"model.layers.{layer}.mlp.experts.down_proj", "model.layers.{layer}.mlp.experts.down_proj_bias"};
  return names;
}

constexpr LayerNames phi3_names() {
  LayerNames names = kStandard;
  names.q = names.k = names.v = {"model.layers.{layer}.self_attn.qkv_proj.weight", "model.layers.{layer}.self_attn.qkv_proj.bias"};
  names.gate = names.up = {"model.layers.{layer}.mlp.gate_up_proj.weight", "model.layers.{layer}.mlp.gate_up_proj.bias"};
  return names;
}

constexpr LayerNames kMixtral = mixtral_names();
constexpr LayerNames kGptOss = gpt_oss_names();
constexpr LayerNames kPhi3 = phi3_names();

}  // namespace

const LayerNames& layer_names(CheckpointNaming naming) {
  switch (naming) {
    case CheckpointNaming::standard:
      return kStandard;
    case CheckpointNaming::mixtral:
      return kMixtral;
    case CheckpointNaming::gpt_oss:
      return kGptOss;
    case CheckpointNaming::phi3:
      return kPhi3;
  }
  return kStandard;
}

}  // namespace weighbridge

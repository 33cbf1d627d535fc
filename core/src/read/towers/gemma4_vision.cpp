// SPDX-License-Identifier: Apache-2.0
#include "read/towers/gemma4_vision.hpp"

#include "read/decoder.hpp"
#include "read/towers/conformer.hpp"

namespace weighbridge {

Gemma4Vision read_gemma4_vision(KeyReader& vision) {
  Gemma4Vision v;
  v.tower.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, 768, "");
  v.tower.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, 3072, "");
  v.tower.n_layers = vision.positive_or("num_hidden_layers", config_limit::layers, 16, "");
  v.tower.n_heads = vision.positive_or("num_attention_heads", config_limit::heads, 12, "");
  v.tower.n_channels = 3;
  v.tower.patch_size = vision.positive_or("patch_size", 1024, 16, "");
  v.n_kv_heads = vision.positive_or("num_key_value_heads", config_limit::heads, v.tower.n_heads, "");
  v.head_dim = vision.positive_or("head_dim", config_limit::head_dim, 64, "");
  v.positions = vision.positive_or("position_embedding_size", config_limit::context, 10240, "");
  v.pooling = vision.positive_or("pooling_kernel_size", 64, 3, "");
  v.has_bounds = vision.flag_or("use_clipped_linears", false);
  v.standardizes = vision.flag_or("standardize", false);
  return v;
}

void add_gemma4_vision(TensorList& tensors, const Gemma4Vision& v, std::string_view root) {
  const std::string base(root);
  const std::string layer = base + "encoder.layers.{layer}.";
  const std::int64_t width = v.tower.hidden_size;
  const std::int64_t patch = v.tower.n_channels * v.tower.patch_size * v.tower.patch_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "patch_embedder.input_proj", width, patch);
  tensors.add({.name = base + "patch_embedder.position_embedding_table", .rows = v.positions, .cols = width, .copies = 2});
  for (std::int64_t index = 0; index < v.tower.n_layers; ++index) {
    tensors.at_layer(index, layer);
    add_clipped_linear(tensors, "self_attn.q_proj", v.tower.n_heads * v.head_dim, width, v.has_bounds);
    add_clipped_linear(tensors, "self_attn.k_proj", v.n_kv_heads * v.head_dim, width, v.has_bounds);
    add_clipped_linear(tensors, "self_attn.v_proj", v.n_kv_heads * v.head_dim, width, v.has_bounds);
    add_clipped_linear(tensors, "self_attn.o_proj", width, v.tower.n_heads * v.head_dim, v.has_bounds);
    tensors.norm("self_attn.q_norm", v.head_dim);
    tensors.norm("self_attn.k_norm", v.head_dim);
    add_clipped_linear(tensors, "mlp.gate_proj", v.tower.ffn_size, width, v.has_bounds);
    add_clipped_linear(tensors, "mlp.up_proj", v.tower.ffn_size, width, v.has_bounds);
    add_clipped_linear(tensors, "mlp.down_proj", width, v.tower.ffn_size, v.has_bounds);
    for (const char* name : {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
      tensors.norm(name, width);
  }
  tensors.outside();
  if (v.standardizes) {
    tensors.add({.name = base + "std_bias", .rows = width});
    tensors.add({.name = base + "std_scale", .rows = width});
  }
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// StableLM (huggingface/transformers models/stablelm): Llama's layers with LayerNorm; with `use_parallel_residual` one norm serves attention and
/// feed-forward block; with `qk_layernorm` every head has a norm of its own.
void read_stablelm(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 2560, .layers = 32, .heads = 32, .kv_heads = 32, .ffn = 6912, .vocab = 50304, .context = 4096};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const DecoderStyle style{.qkv_bias = config.flag_or("use_qkv_bias", false), .norm_bias = true};
  const bool head_norms = config.flag_or("qk_layernorm", false);
  const bool parallel = config.flag_or("use_parallel_residual", false);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.25));
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer);
    tensors.norm("input_layernorm", model.hidden_size, true);
    add_attention(tensors, attention, model.hidden_size, style);
    if (head_norms) {
      tensors.add({.name = "self_attn.q_layernorm.norms.weight", .rows = attention.head_dim_k, .copies = attention.n_heads});
      tensors.add({.name = "self_attn.k_layernorm.norms.weight", .rows = attention.head_dim_k, .copies = attention.n_kv_heads});
    }
    if (!parallel) tensors.norm("post_attention_layernorm", model.hidden_size, true);
    add_dense_ffn(tensors, ffn, model.hidden_size);
  }
  add_head(draft, style.root, style.head, "norm", true);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// DBRX (huggingface/transformers models/dbrx): its own names in config and checkpoint, norms without bias, all experts of a layer in one tensor.
void read_dbrx(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  for (const std::string_view key : {"attn_config", "ffn_config"})
    if (!config.has(key) || !config.json().find(key)->is_object())
      return config.fail(notice::missing_key(config.path(key), std::string(key), "an object"));
  KeyReader attention = config.under("attn_config");
  KeyReader ffn = config.under("ffn_config");
  model.hidden_size = config.positive("d_model", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive("max_seq_len", config_limit::context);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  FullAttention heads;
  heads.n_heads = config.positive("n_heads", config_limit::heads);
  heads.n_kv_heads = attention.positive_or("kv_n_heads", config_limit::heads, 1, "");
  MoeFfn moe;
  moe.n_experts = ffn.positive_or("moe_num_experts", config_limit::experts, 4, "");
  moe.n_experts_used = ffn.positive_or("moe_top_k", config_limit::experts, 1, "");
  moe.moe_ffn_size = ffn.positive_or("ffn_hidden_size", config_limit::moe_ffn, 3584, "");
  const std::int64_t n_layers = config.positive("n_layers", config_limit::layers);
  config.adopt(attention);
  config.adopt(ffn);
  check_head_groups(config, heads);
  if (config.error()) return;
  const std::int64_t hidden = model.hidden_size;
  heads.head_dim_k = heads.head_dim_v = hidden / heads.n_heads;
  model.rotary_dim = heads.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{heads, moe});
  tensors.linear("transformer.wte", model.vocab_size, hidden);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer, "transformer.blocks.{layer}.");
    tensors.norm("norm_attn_norm.norm_1", hidden);
    add_fused_qkv(tensors, heads, hidden, "norm_attn_norm.attn.Wqkv");
    tensors.linear("norm_attn_norm.attn.out_proj", hidden, heads.n_heads * heads.head_dim_v);
    tensors.norm("norm_attn_norm.norm_2", hidden);
    tensors.linear("ffn.router.layer", moe.n_experts, hidden);
    tensors.copies(moe.n_experts);
    tensors.add({.name = "ffn.experts.mlp.w1", .rows = moe.moe_ffn_size, .cols = hidden});
    tensors.add({.name = "ffn.experts.mlp.v1", .rows = moe.moe_ffn_size, .cols = hidden});
    tensors.add({.name = "ffn.experts.mlp.w2", .rows = hidden, .cols = moe.moe_ffn_size});
    tensors.copies(1);
  }
  add_head(draft, "transformer.", "lm_head", "norm_f");
}

}  // namespace weighbridge

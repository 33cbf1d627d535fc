// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// InternLM2 and 2.5 (internlm/internlm2-7b modeling_internlm2.py): q, k and v in one matrix, names of its own; `bias` covers attention.
void read_internlm2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention heads = read_full_attention(config, model);
  const bool bias = config.flag_or("bias", false);
  const std::int64_t ffn = config.positive("intermediate_size", config_limit::ffn);
  model.rotary_dim = heads.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{heads, DenseFfn{ffn}});
  if (config.error()) return;
  tensors.linear("model.tok_embeddings", model.vocab_size, model.hidden_size);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer);
    tensors.norm("attention_norm", model.hidden_size);
    add_fused_qkv(tensors, heads, model.hidden_size, "attention.wqkv", bias);
    tensors.linear("attention.wo", model.hidden_size, heads.n_heads * heads.head_dim_v, bias);
    tensors.norm("ffn_norm", model.hidden_size);
    tensors.linear("feed_forward.w1", ffn, model.hidden_size);
    tensors.linear("feed_forward.w3", ffn, model.hidden_size);
    tensors.linear("feed_forward.w2", model.hidden_size, ffn);
  }
  add_head(draft, "model.", "output");
}

/// Baichuan 1 and 2 (baichuan-inc/Baichuan2-7B-Base modeling_baichuan.py): q, k and v in one matrix, one key and value head per query head. 13B has
/// no rotation but a slope per head, and calls its length `model_max_length`.
void read_baichuan(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive_or("vocab_size", config_limit::vocab, 64000, "");
  const std::int64_t length = config.positive_or("model_max_length", config_limit::context, 4096, "");
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, length, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const FullAttention heads = read_full_attention(config, model);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = config.has("max_position_embeddings") ? heads.head_dim_k : 0;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{heads, ffn});
  if (config.error()) return;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer);
    tensors.norm("input_layernorm", model.hidden_size);
    add_fused_qkv(tensors, heads, model.hidden_size, "self_attn.W_pack");
    tensors.linear("self_attn.o_proj", model.hidden_size, heads.n_heads * heads.head_dim_v);
    tensors.norm("post_attention_layernorm", model.hidden_size);
    add_dense_ffn(tensors, ffn, model.hidden_size);
  }
  add_head(draft);
}

}  // namespace weighbridge

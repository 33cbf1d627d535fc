// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

void add_qwen1_layer(TensorList& tensors, const FullAttention& heads, const DenseFfn& ffn, std::int64_t hidden, bool bias) {
  const std::int64_t width = heads.n_heads * heads.head_dim_k;
  tensors.norm("ln_1", hidden);
  for (const TensorRole role : {TensorRole::attention_q, TensorRole::attention_k, TensorRole::attention_v})
    tensors.add({.name = "attn.c_attn.weight", .rows = width, .cols = hidden, .role = role});
  tensors.add({.name = "attn.c_attn.bias", .rows = 3 * width});
  tensors.linear("attn.c_proj", hidden, width, bias);
  tensors.norm("ln_2", hidden);
  tensors.linear("mlp.w1", ffn.ffn_size, hidden, bias);
  tensors.linear("mlp.w2", ffn.ffn_size, hidden, bias);
  tensors.linear("mlp.c_proj", hidden, ffn.ffn_size, bias);
}

}  // namespace

/// Qwen 1 (modeling_qwen.py of Qwen/Qwen-7B, also in QwenLM/Qwen): q, k and v in one matrix with a bias, as many key heads as query heads; of
/// `intermediate_size` one half is the gate.
void read_qwen(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive_or("vocab_size", config_limit::vocab, 151936, "");
  const std::int64_t trained = config.positive_or("seq_length", config_limit::context, 8192, "");
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, trained, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  FullAttention heads;
  heads.n_heads = heads.n_kv_heads = config.positive("num_attention_heads", config_limit::heads);
  heads.head_dim_k = heads.head_dim_v = config.positive_or("kv_channels", config_limit::head_dim, 128, "");
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn) / 2};
  const bool bias = !config.flag_or("no_bias", true);
  model.rotary_dim = rotary_part(heads.head_dim_k, config.fraction("rotary_pct", 1.0).value_or(1.0));
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{heads, ffn});
  if (config.error()) return;

  TensorList& tensors = draft.tensors;
  tensors.outside();
  tensors.linear("transformer.wte", model.vocab_size, model.hidden_size);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "transformer.h.{layer}.");
    add_qwen1_layer(tensors, heads, ffn, model.hidden_size, bias);
  }
  tensors.outside();
  tensors.norm("transformer.ln_f", model.hidden_size);
  if (!model.tied_embeddings) tensors.linear("lm_head", model.vocab_size, model.hidden_size);
}

}  // namespace weighbridge

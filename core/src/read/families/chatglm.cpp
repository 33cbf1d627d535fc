// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

void add_layer(TensorList& tensors, const FullAttention& a, const DenseFfn& ffn, std::int64_t hidden, bool qkv_bias, bool bias) {
  constexpr std::string_view qkv = "self_attention.query_key_value";
  const std::int64_t q = a.n_heads * a.head_dim_k;
  const std::int64_t kv = a.n_kv_heads * a.head_dim_k;
  tensors.norm("input_layernorm", hidden);
  for (const auto& [rows, role] : {std::pair{q, TensorRole::attention_q}, {kv, TensorRole::attention_k}, {kv, TensorRole::attention_v}})
    tensors.add({.name = std::string(qkv) + ".weight", .rows = rows, .cols = hidden, .role = role});
  if (qkv_bias || bias) tensors.add({.name = std::string(qkv) + ".bias", .rows = q + 2 * kv});
  tensors.linear("self_attention.dense", hidden, q, bias);
  tensors.norm("post_attention_layernorm", hidden);
  for (int half = 0; half < 2; ++half) tensors.add({.name = "mlp.dense_h_to_4h.weight", .rows = ffn.ffn_size, .cols = hidden});
  if (bias) tensors.add({.name = "mlp.dense_h_to_4h.bias", .rows = 2 * ffn.ffn_size});
  tensors.linear("mlp.dense_4h_to_h", hidden, ffn.ffn_size, bias);
}

}  // namespace

/// ChatGLM2, ChatGLM3 and GLM-4-9B with their own code (zai-org/ChatGLM3 modeling_chatglm.py): fused projections; half of a head rotates, and the
/// table of that rotation is stored.
void read_chatglm(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive(config.has("padded_vocab_size") ? "padded_vocab_size" : "vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive_or("seq_length", config_limit::context, 2048, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  FullAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.head_dim_k = attention.head_dim_v = config.positive_or("kv_channels", config_limit::head_dim, 128, "");
  attention.n_kv_heads = config.flag_or("multi_query_attention", false) ? config.positive_or("multi_query_group_num", config_limit::heads, 1, "")
                                                                        : attention.n_heads;
  check_head_groups(config, attention);
  const DenseFfn ffn{config.positive("ffn_hidden_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_layers", config_limit::layers);
  const bool qkv_bias = config.flag_or("add_qkv_bias", false);
  const bool bias = config.flag_or("add_bias_linear", false);
  if (config.error()) return;
  model.rotary_dim = attention.head_dim_k / 2;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, ffn});
  tensors.outside();
  tensors.linear("transformer.embedding.word_embeddings", model.vocab_size, model.hidden_size);
  tensors.add({.name = "transformer.rotary_pos_emb.inv_freq", .rows = model.rotary_dim / 2, .is_copy = true});
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer, "transformer.encoder.layers.{layer}.");
    add_layer(tensors, attention, ffn, model.hidden_size, qkv_bias, bias);
  }
  tensors.outside();
  if (config.flag_or("post_layer_norm", true)) tensors.norm("transformer.encoder.final_layernorm", model.hidden_size);
  if (!model.tied_embeddings) tensors.linear("transformer.output_layer", model.vocab_size, model.hidden_size);
}

}  // namespace weighbridge

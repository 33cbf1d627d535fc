// SPDX-License-Identifier: Apache-2.0
// Encoders whose layers are BERT's but for names, positions and gates.
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr ClassDefaults kBase{.hidden = 768, .layers = 12, .heads = 12, .ffn = 3072, .vocab = 30522, .context = 512, .tied = true};

/// Sizes of an encoder whose layers are all alike.
DenseFfn read_encoder(KeyReader& config, Model& model, const ClassDefaults& defaults, bool gated) {
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  ffn.gated = gated;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{EncoderAttention{heads, 0}, ffn});
  return ffn;
}

bool classifies(const KeyReader& config) { return read_architecture(config).ends_with("ForSequenceClassification"); }

/// `num_labels`, or as many as `id2label` names, or two.
std::int64_t read_labels(KeyReader& config) {
  const auto labels = config.json().find("id2label");
  const bool named = labels != config.json().end() && labels->is_object() && !labels->empty();
  return config.positive_or("num_labels", config_limit::vocab, named ? static_cast<std::int64_t>(labels->size()) : 2, "");
}

}  // namespace

/// DistilBERT (huggingface/transformers models/distilbert): BERT under other names, without token types and pooler.
void read_distilbert(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  ClassDefaults defaults = kBase;
  defaults.hidden = config.positive_or("dim", config_limit::hidden, 768, "");
  defaults.ffn = config.positive_or("hidden_dim", config_limit::ffn, 4 * defaults.hidden, "");
  defaults.layers = 6;
  const DenseFfn ffn = read_encoder(config, model, defaults, false);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = model.hidden_size;
  tensors.linear("embeddings.word_embeddings", model.vocab_size, hidden);
  tensors.linear("embeddings.position_embeddings", model.max_context_tokens, hidden);
  tensors.norm("embeddings.LayerNorm", hidden, true);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "transformer.layer.{layer}.");
    for (const char* name : {"attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"})
      tensors.linear(name, hidden, hidden, true);
    tensors.norm("sa_layer_norm", hidden, true);
    tensors.linear("ffn.lin1", ffn.ffn_size, hidden, true);
    tensors.linear("ffn.lin2", hidden, ffn.ffn_size, true);
    tensors.norm("output_layer_norm", hidden, true);
  }
  if (!classifies(config)) return;
  tensors.outside();
  tensors.linear("pre_classifier", hidden, hidden, true);
  tensors.linear("classifier", read_labels(config), hidden, true);
}

/// MPNet (huggingface/transformers models/mpnet): BERT without token types, with a bias by distance that all layers share.
void read_mpnet(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  ClassDefaults defaults = kBase;
  defaults.vocab = 30527;
  const DenseFfn ffn = read_encoder(config, model, defaults, false);
  const std::int64_t buckets = config.positive_or("relative_attention_num_buckets", 4096, 32, "");
  const std::int64_t rows = model.max_context_tokens;
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = model.hidden_size;
  if (rows > 2) model.max_context_tokens -= 2;  // positions begin after the padding token's, as RoBERTa's do
  tensors.linear("embeddings.word_embeddings", model.vocab_size, hidden);
  tensors.linear("embeddings.position_embeddings", rows, hidden);
  tensors.norm("embeddings.LayerNorm", hidden, true);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "encoder.layer.{layer}.");
    for (const char* name : {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"})
      tensors.linear(name, hidden, hidden, true);
    tensors.norm("attention.LayerNorm", hidden, true);
    tensors.linear("intermediate.dense", ffn.ffn_size, hidden, true);
    tensors.linear("output.dense", hidden, ffn.ffn_size, true);
    tensors.norm("output.LayerNorm", hidden, true);
  }
  tensors.outside();
  tensors.linear("encoder.relative_attention_bias", buckets, grouped_attention(model.layers.front().mixer)->n_heads);
  tensors.linear("pooler.dense", hidden, hidden, true);
}

/// GTE 1.5 and multilingual, Snowflake Arctic Embed M v2 (Alibaba-NLP/new-impl modeling.py): rotary positions, gate and up in one matrix.
void read_new_bert(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  ClassDefaults defaults = kBase;
  defaults.vocab = 30528;
  defaults.context = 2048;
  const DenseFfn ffn = read_encoder(config, model, defaults, true);
  const std::int64_t n_types = config.count_or_zero("type_vocab_size", 1024);
  const bool learned = config.text_if_given("position_embedding_type").value_or("rope") == "absolute";
  if (config.error()) return;
  const FullAttention heads = *grouped_attention(model.layers.front().mixer);
  model.rotary_dim = learned ? 0 : heads.head_dim_k;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = model.hidden_size;
  tensors.linear("embeddings.word_embeddings", model.vocab_size, hidden);
  if (learned) tensors.linear("embeddings.position_embeddings", model.max_context_tokens, hidden);
  if (n_types > 0) tensors.linear("embeddings.token_type_embeddings", n_types, hidden);
  tensors.norm("embeddings.LayerNorm", hidden, true);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "encoder.layer.{layer}.");
    for (const TensorRole role : {TensorRole::attention_q, TensorRole::attention_k, TensorRole::attention_v})
      tensors.add({.name = "attention.qkv_proj.weight", .rows = hidden, .cols = hidden, .role = role});
    tensors.add({.name = "attention.qkv_proj.bias", .rows = 3 * hidden});
    tensors.linear("attention.o_proj", hidden, hidden, true);
    tensors.norm("attn_ln", hidden, true);
    tensors.linear("mlp.up_gate_proj", 2 * ffn.ffn_size, hidden);
    tensors.linear("mlp.down_proj", hidden, ffn.ffn_size, true);
    tensors.norm("mlp_ln", hidden, true);
  }
  if (!classifies(config)) return;
  tensors.outside();
  tensors.linear("pooler.dense", hidden, hidden, true);
  tensors.linear("classifier", read_labels(config), hidden, true);
}

}  // namespace weighbridge

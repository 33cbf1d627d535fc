// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

struct Embeddings {
  std::int64_t positions = 0;  ///< rows of the learned positions; 0: none
  std::int64_t types = 0;      ///< rows of the token types
};

void add_embeddings_of(Draft& draft, const Embeddings& embeddings) {
  const Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  tensors.outside();
  tensors.linear("embeddings.word_embeddings", model.vocab_size, model.hidden_size);
  if (embeddings.positions > 0) tensors.linear("embeddings.position_embeddings", embeddings.positions, model.hidden_size);
  if (embeddings.types > 0) tensors.linear("embeddings.token_type_embeddings", embeddings.types, model.hidden_size);
  tensors.norm("embeddings.LayerNorm", model.hidden_size, true);
  if (!draft.stores_buffers || embeddings.positions == 0) return;
  tensors.add({.name = "embeddings.position_ids", .rows = embeddings.positions, .role = TensorRole::norm, .type = dtype::int64, .is_copy = true});
}

void add_layer(TensorList& tensors, std::int64_t hidden, const DenseFfn& ffn) {
  tensors.linear("attention.self.query", hidden, hidden, true);
  tensors.linear("attention.self.key", hidden, hidden, true);
  tensors.linear("attention.self.value", hidden, hidden, true);
  tensors.linear("attention.output.dense", hidden, hidden, true);
  tensors.norm("attention.output.LayerNorm", hidden, true);
  if (ffn.gated) {  // Jina
    tensors.linear("mlp.gated_layers", 2 * ffn.ffn_size, hidden);
    tensors.linear("mlp.wo", hidden, ffn.ffn_size, true);
    tensors.norm("mlp.layernorm", hidden, true);
    return;
  }
  tensors.linear("intermediate.dense", ffn.ffn_size, hidden, true);
  tensors.linear("output.dense", hidden, ffn.ffn_size, true);
  tensors.norm("output.LayerNorm", hidden, true);
}

/// What a classifier tells apart: `num_labels`, or as many as `id2label` names, or two.
std::int64_t read_label_count(KeyReader& config) {
  const auto labels = config.json().find("id2label");
  const bool named = labels != config.json().end() && labels->is_object() && !labels->empty();
  return config.positive_or("num_labels", config_limit::vocab, named ? static_cast<std::int64_t>(labels->size()) : 2, "");
}

/// BERT keeps its pooler under a classifier and drops it under a language-model head; RoBERTa's classifier has a dense layer of its own.
void add_heads(KeyReader& config, Draft& draft, bool is_roberta) {
  const std::int64_t hidden = draft.model.hidden_size;
  TensorList& tensors = draft.tensors;
  const std::string kind = read_architecture(config);
  const bool classifies = kind.ends_with("ForSequenceClassification");
  const bool predicts = kind.ends_with("ForMaskedLM");
  tensors.outside();
  if (!predicts && !(classifies && is_roberta)) tensors.linear("pooler.dense", hidden, hidden, true);
  if (classifies && is_roberta) tensors.linear("classifier.dense", hidden, hidden, true);
  if (classifies) tensors.linear(is_roberta ? "classifier.out_proj" : "classifier", read_label_count(config), hidden, true);
  if (!predicts) return;
  tensors.linear(is_roberta ? "lm_head.dense" : "cls.predictions.transform.dense", hidden, hidden, true);
  tensors.norm(is_roberta ? "lm_head.layer_norm" : "cls.predictions.transform.LayerNorm", hidden, true);
  tensors.add({.name = is_roberta ? "lm_head.bias" : "cls.predictions.bias", .rows = draft.model.vocab_size, .role = TensorRole::norm});
}

void read_bert_like(KeyReader& config, Draft& draft, const ClassDefaults& defaults, bool is_roberta) {
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::string feed_forward = config.text_if_given("feed_forward_type").value_or("original");
  ffn.gated = feed_forward == "geglu" || feed_forward == "reglu";
  const bool alibi = config.text_if_given("position_embedding_type").value_or("absolute") == "alibi";
  const Embeddings embeddings{alibi ? 0 : model.max_context_tokens, config.positive_or("type_vocab_size", 1024, is_roberta ? 1 : 2, "")};
  // RoBERTa counts positions from its padding token's number, 1, on: two rows serve no token.
  if (is_roberta && model.max_context_tokens > 2) model.max_context_tokens -= 2;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{EncoderAttention{heads, 0}, ffn});
  if (config.error()) return;
  add_embeddings_of(draft, embeddings);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer, "encoder.layer.{layer}.");
    add_layer(draft.tensors, model.hidden_size, ffn);
  }
  add_heads(config, draft, is_roberta);
}

}  // namespace

/// BERT (huggingface/transformers models/bert), and Jina's variant with ALiBi and gates (jinaai/jina-bert-implementation modeling_bert.py).
void read_bert(KeyReader& config, Draft& draft) {
  read_bert_like(config, draft, {.hidden = 768, .layers = 12, .heads = 12, .ffn = 3072, .vocab = 30522, .context = 512, .tied = true}, false);
}

/// RoBERTa and XLM-RoBERTa (huggingface/transformers models/roberta, models/xlm_roberta).
void read_roberta(KeyReader& config, Draft& draft) {
  read_bert_like(config, draft, {.hidden = 768, .layers = 12, .heads = 12, .ffn = 3072, .vocab = 50265, .context = 512, .tied = true}, true);
}

}  // namespace weighbridge

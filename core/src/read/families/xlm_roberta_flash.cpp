// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Adapters of a low rank beside a matrix, one for each task.
struct Adapters {
  std::int64_t tasks = 0;  ///< 0: there are none
  std::int64_t rank = 0;
};

/// A matrix and its adapters, under the names that torch gives a parametrized weight.
void add_adapted(TensorList& tensors, const std::string& name, std::int64_t rows, std::int64_t cols, bool bias, const Adapters& adapters,
                 TensorRole role) {
  const bool adapted = adapters.tasks > 0;
  tensors.add({.name = name + (adapted ? ".parametrizations.weight.original" : ".weight"), .rows = rows, .cols = cols, .role = role});
  if (bias) tensors.add({.name = name + ".bias", .rows = rows, .role = TensorRole::norm});
  if (!adapted) return;
  tensors.add(
      {.name = name + ".parametrizations.weight.0.lora_A", .rows = adapters.tasks * adapters.rank, .cols = cols, .role = TensorRole::projection});
  tensors.add(
      {.name = name + ".parametrizations.weight.0.lora_B", .rows = adapters.tasks * rows, .cols = adapters.rank, .role = TensorRole::projection});
}

Adapters read_adapters(KeyReader& config) {
  const auto listed = config.json().find("lora_adaptations");
  const bool any = listed != config.json().end() && listed->is_array();
  Adapters adapters;
  adapters.tasks = any ? static_cast<std::int64_t>(std::min<std::size_t>(listed->size(), 1024)) : 0;
  adapters.rank = config.positive_or("lora_rank", config_limit::head_dim, 4, "");
  return adapters;
}

void add_layer(TensorList& tensors, std::int64_t hidden, std::int64_t ffn, const Adapters& adapters) {
  add_adapted(tensors, "mixer.Wqkv", 3 * hidden, hidden, true, adapters, TensorRole::attention_v);
  add_adapted(tensors, "mixer.out_proj", hidden, hidden, true, adapters, TensorRole::attention_output);
  tensors.norm("norm1", hidden, true);
  add_adapted(tensors, "mlp.fc1", ffn, hidden, true, adapters, TensorRole::ffn_gate_up);
  add_adapted(tensors, "mlp.fc2", hidden, ffn, true, adapters, TensorRole::ffn_down);
  tensors.norm("norm2", hidden, true);
}

}  // namespace

/// jina-embeddings-v3 (jinaai/xlm-roberta-flash-implementation modeling_xlm_roberta.py, modeling_lora.py): XLM-RoBERTa with rotary positions and an
/// adapter for each task on every matrix, the embeddings included.
void read_xlm_roberta_flash(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 1024, .layers = 24, .heads = 16, .ffn = 4096, .vocab = 250002, .context = 8194, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  ffn.gated = false;
  const std::int64_t n_types = config.positive_or("type_vocab_size", 1024, 1, "");
  const bool rotary = config.text_if_given("position_embedding_type").value_or("rotary") == "rotary";
  const Adapters adapters = read_adapters(config);
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{EncoderAttention{heads, 0}, ffn});
  if (config.error()) return;
  model.rotary_dim = rotary ? heads.head_dim_k : 0;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = model.hidden_size;
  add_adapted(tensors, "roberta.embeddings.word_embeddings", model.vocab_size, hidden, false, adapters, TensorRole::embedding);
  if (!rotary) tensors.linear("roberta.embeddings.position_embeddings", model.max_context_tokens, hidden);
  add_adapted(tensors, "roberta.embeddings.token_type_embeddings", n_types, hidden, false, adapters, TensorRole::position_embedding);
  tensors.norm("roberta.emb_ln", hidden, true);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    tensors.at_layer(layer, "roberta.encoder.layers.{layer}.");
    add_layer(tensors, hidden, ffn.ffn_size, adapters);
  }
  tensors.outside();
  add_adapted(tensors, "roberta.pooler.dense", hidden, hidden, true, adapters, TensorRole::projection);
  if (model.max_context_tokens > 2) model.max_context_tokens -= 2;
}

}  // namespace weighbridge

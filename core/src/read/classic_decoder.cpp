// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"

namespace weighbridge {

namespace {

std::int64_t embedding_size(const Draft& draft, const ClassicStyle& style) {
  return style.embedding_size > 0 ? style.embedding_size : draft.model.hidden_size;
}

void add_classic_embeddings(Draft& draft, const ClassicNames& names, const ClassicStyle& style) {
  const Model& model = draft.model;
  draft.tensors.outside();
  draft.tensors.linear(names.embedding, model.vocab_size, embedding_size(draft, style));
  if (!names.positions.empty()) draft.tensors.linear(names.positions, model.max_context_tokens + style.extra_positions, model.hidden_size);
  if (!names.embedding_norm.empty()) draft.tensors.norm(names.embedding_norm, model.hidden_size, style.norm_bias);
}

}  // namespace

void add_classic_qkv(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, const ClassicNames& names, bool bias) {
  const std::int64_t q = heads.n_heads * heads.head_dim_k;
  const std::int64_t k = heads.n_kv_heads * heads.head_dim_k;
  const std::int64_t v = heads.n_kv_heads * heads.head_dim_v;
  if (names.qkv.empty()) {
    tensors.linear(names.q, q, hidden, bias);
    tensors.linear(names.k, k, hidden, bias);
    tensors.linear(names.v, v, hidden, bias);
    return;
  }
  const std::string weight = std::string(names.qkv) + ".weight";
  tensors.add({.name = weight, .rows = q, .cols = hidden, .role = TensorRole::attention_q});
  tensors.add({.name = weight, .rows = k, .cols = hidden, .role = TensorRole::attention_k});
  tensors.add({.name = weight, .rows = v, .cols = hidden, .role = TensorRole::attention_v});
  if (bias) tensors.add({.name = std::string(names.qkv) + ".bias", .rows = q + k + v});
}

void add_classic_layer(Draft& draft, const LayerSpec& layer, const ClassicNames& names, const ClassicStyle& style) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm(names.norm, hidden, style.norm_bias);
  if (!names.ffn_norm.empty()) tensors.norm(names.ffn_norm, hidden, style.norm_bias);
  if (const FullAttention* heads = grouped_attention(layer.mixer)) {
    add_classic_qkv(tensors, *heads, hidden, names, style.qkv_bias);
    const std::string output(names.attention_output);
    tensors.add({.name = output + ".weight", .rows = hidden, .cols = heads->n_heads * heads->head_dim_v, .role = TensorRole::attention_output});
    if (style.output_bias) tensors.add({.name = output + ".bias", .rows = hidden, .role = TensorRole::attention_output});
  }
  if (const auto* ffn = std::get_if<DenseFfn>(&layer.ffn)) {
    tensors.linear(names.up, ffn->ffn_size, hidden, style.ffn_bias);
    tensors.linear(names.down, hidden, ffn->ffn_size, style.ffn_bias);
  }
}

void add_classic_head(Draft& draft, const ClassicNames& names, const ClassicStyle& style) {
  draft.tensors.outside();
  if (!names.last_norm.empty()) draft.tensors.norm(names.last_norm, draft.model.hidden_size, style.norm_bias);
  if (draft.model.tied_embeddings && !draft.stores_tied_head) return;
  draft.tensors.linear(names.head, draft.model.vocab_size, embedding_size(draft, style), style.head_bias);
  if (draft.model.tied_embeddings) draft.tensors.mark_copy();
}

void add_classic_decoder(Draft& draft, const ClassicNames& names, const ClassicStyle& style) {
  add_classic_embeddings(draft, names, style);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    draft.tensors.at_layer(index++, names.layer);
    add_classic_layer(draft, layer, names, style);
  }
  add_classic_head(draft, names, style);
}

}  // namespace weighbridge

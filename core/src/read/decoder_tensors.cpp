// SPDX-License-Identifier: Apache-2.0
#include "read/decoder_tensors.hpp"

namespace weighbridge {

namespace {

std::string joined(std::string_view a, std::string_view b) { return std::string(a) + std::string(b); }

/// DeepSeek-V3 and GLM-4.5 store embedding and head a second time with their multi-token-prediction layer (README_WEIGHTS.md of
/// deepseek-ai/DeepSeek-V3, and the published counts); GLM-4.6 does not.
void add_mtp_parts(Draft& draft) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  if (draft.mtp_stores_embeddings) tensors.linear("embed_tokens", draft.model.vocab_size, hidden);
  tensors.norm("enorm", hidden);
  tensors.norm("hnorm", hidden);
  tensors.linear("eh_proj", hidden, 2 * hidden);
  tensors.norm("shared_head.norm", hidden);
  if (draft.mtp_stores_embeddings) tensors.linear("shared_head.head", draft.model.vocab_size, hidden);
}

}  // namespace

void add_embeddings(Draft& draft, std::string_view root) {
  draft.tensors.outside();
  draft.tensors.linear(joined(root, "embed_tokens"), draft.model.vocab_size, draft.model.hidden_size);
}

void add_head(Draft& draft, std::string_view root, std::string_view head, std::string_view norm, bool norm_bias, bool head_bias) {
  draft.tensors.outside();
  draft.tensors.norm(joined(root, norm), draft.model.hidden_size, norm_bias);
  if (!draft.stores_head || (draft.model.tied_embeddings && !draft.stores_tied_head)) return;
  draft.tensors.linear(head, draft.model.vocab_size, draft.model.hidden_size, head_bias);
  if (draft.model.tied_embeddings) draft.tensors.mark_copy();
}

void add_fused_qkv(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, std::string_view name, bool bias) {
  const std::int64_t q = heads.n_heads * heads.head_dim_k;
  const std::int64_t k = heads.n_kv_heads * heads.head_dim_k;
  const std::int64_t v = heads.n_kv_heads * heads.head_dim_v;
  const std::string weight = joined(name, ".weight");
  tensors.add({.name = weight, .rows = q, .cols = hidden, .role = TensorRole::attention_q});
  tensors.add({.name = weight, .rows = k, .cols = hidden, .role = TensorRole::attention_k});
  tensors.add({.name = weight, .rows = v, .cols = hidden, .role = TensorRole::attention_v});
  if (!bias) return;
  const std::string vector = joined(name, ".bias");
  tensors.add({.name = vector, .rows = q, .role = TensorRole::attention_q});
  tensors.add({.name = vector, .rows = k, .role = TensorRole::attention_k});
  tensors.add({.name = vector, .rows = v, .role = TensorRole::attention_v});
}

void add_attention(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, const DecoderStyle& style) {
  const std::int64_t q = heads.n_heads * heads.head_dim_k;
  const std::int64_t k = heads.n_kv_heads * heads.head_dim_k;
  const std::int64_t v = heads.n_kv_heads * heads.head_dim_v;
  if (style.fused) {
    add_fused_qkv(tensors, heads, hidden, "self_attn.qkv_proj");
  } else {
    tensors.linear("self_attn.q_proj", style.output_gate ? 2 * q : q, hidden, style.qkv_bias);
    tensors.add({.name = "self_attn.k_proj.weight", .rows = k, .cols = hidden, .shards = style.key_shards});
    if (style.qkv_bias) tensors.add({.name = "self_attn.k_proj.bias", .rows = k});
    if (!style.no_value) tensors.linear("self_attn.v_proj", v, hidden, style.qkv_bias);
  }
  tensors.linear("self_attn.o_proj", hidden, heads.n_heads * heads.head_dim_v, style.output_bias);
  if (heads.sinks) tensors.add({.name = "self_attn.sinks", .rows = heads.n_heads});
  if (!style.qk_norm) return;
  tensors.norm(style.q_norm, style.qk_norm_of_all_heads ? q : heads.head_dim_k);
  tensors.norm(style.k_norm, style.qk_norm_of_all_heads ? k : heads.head_dim_k);
}

void add_indexer(TensorList& tensors, const Indexer& indexer, std::int64_t query_cols, std::int64_t hidden) {
  tensors.linear("self_attn.indexer.wq_b", indexer.n_heads * indexer.head_dim, query_cols);
  tensors.linear("self_attn.indexer.wk", indexer.head_dim, hidden);
  tensors.norm("self_attn.indexer.k_norm", indexer.head_dim, true);
  tensors.linear("self_attn.indexer.weights_proj", indexer.n_heads, hidden);
}

void add_latent_attention(TensorList& tensors, const LatentAttention& a, std::int64_t hidden, bool bias) {
  const std::int64_t query_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  if (a.q_lora_rank > 0) {
    tensors.linear("self_attn.q_a_proj", a.q_lora_rank, hidden, bias);
    tensors.norm("self_attn.q_a_layernorm", a.q_lora_rank);
    tensors.linear("self_attn.q_b_proj", query_rows, a.q_lora_rank);
  } else {
    tensors.linear("self_attn.q_proj", query_rows, hidden);
  }
  tensors.linear("self_attn.kv_a_proj_with_mqa", a.kv_lora_rank + a.qk_rope_head_dim, hidden, bias);
  tensors.norm("self_attn.kv_a_layernorm", a.kv_lora_rank);
  tensors.linear("self_attn.kv_b_proj", a.n_heads * (a.qk_nope_head_dim + a.head_dim_v), a.kv_lora_rank);
  tensors.linear("self_attn.o_proj", hidden, a.n_heads * a.head_dim_v, bias);
  if (a.indexer.n_heads > 0) add_indexer(tensors, a.indexer, a.q_lora_rank > 0 ? a.q_lora_rank : hidden, hidden);
}

void add_dense_ffn(TensorList& tensors, const DenseFfn& ffn, std::int64_t hidden, bool bias, bool fused, std::string_view prefix) {
  if (fused) {
    const std::string name = joined(prefix, "gate_up_proj.weight");
    tensors.add({.name = name, .rows = ffn.ffn_size, .cols = hidden});
    tensors.add({.name = name, .rows = ffn.ffn_size, .cols = hidden});
  } else {
    if (ffn.gated) tensors.linear(joined(prefix, "gate_proj"), ffn.ffn_size, hidden, bias);
    tensors.linear(joined(prefix, "up_proj"), ffn.ffn_size, hidden, bias);
  }
  tensors.linear(joined(prefix, "down_proj"), hidden, ffn.ffn_size, bias);
}

ExpertNames mixtral_experts() {
  return {.router = "block_sparse_moe.gate",
          .gate = "block_sparse_moe.experts.{expert}.w1",
          .up = "block_sparse_moe.experts.{expert}.w3",
          .down = "block_sparse_moe.experts.{expert}.w2"};
}

void add_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden, const ExpertNames& names) {
  tensors.add({.name = joined(names.router, ".weight"), .rows = moe.n_experts, .cols = hidden, .type = names.router_type});
  if (moe.router_bias) tensors.add({.name = names.router_bias, .rows = moe.n_experts, .type = dtype::f32});
  tensors.copies(moe.n_experts);
  if (moe.gated) tensors.linear(names.gate, moe.moe_ffn_size, hidden);
  tensors.linear(names.up, moe.moe_ffn_size, hidden);
  tensors.linear(names.down, hidden, moe.moe_ffn_size);
  tensors.copies(1);
  if (moe.shared_ffn_size == 0) return;
  add_dense_ffn(tensors, {moe.shared_ffn_size, moe.gated}, hidden, false, false, names.shared);
  if (!names.shared_gate.empty()) tensors.linear(names.shared_gate, 1, hidden);
}

void add_decoder_layer(Draft& draft, const LayerSpec& layer, const DecoderStyle& style, const ExpertNames& experts) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("input_layernorm", hidden, style.norm_bias);
  if (const FullAttention* heads = grouped_attention(layer.mixer)) add_attention(tensors, *heads, hidden, style);
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) add_latent_attention(tensors, *latent, hidden, style.qkv_bias);
  if (draft.rotary_values > 0)
    tensors.add({.name = "self_attn.rotary_emb.inv_freq", .rows = draft.rotary_values, .type = dtype::f32, .is_copy = true});
  tensors.norm("post_attention_layernorm", hidden, style.norm_bias);
  if (style.post_norms) {
    tensors.norm("pre_feedforward_layernorm", hidden);
    tensors.norm("post_feedforward_layernorm", hidden);
  }
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add_dense_ffn(tensors, *dense, hidden, style.ffn_bias, style.fused);
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) add_experts(tensors, *moe, hidden, experts);
}

void add_decoder(Draft& draft, const DecoderStyle& style, const ExpertNames& experts) {
  TensorList& tensors = draft.tensors;
  const std::string prefix = joined(style.root, "layers.{layer}.");
  add_embeddings(draft, style.root);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++, prefix);
    add_decoder_layer(draft, layer, style, experts);
  }
  add_head(draft, style.root, style.head, "norm", style.norm_bias, style.head_bias);
  tensors.part(ModelPart::mtp);
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++, prefix);
    add_decoder_layer(draft, layer, style, experts);
    add_mtp_parts(draft);
  }
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

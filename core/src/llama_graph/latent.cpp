// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/latent.hpp"

#include "llama_graph/sparse_mask.hpp"

namespace weighbridge::llama_graph {

LatentBlock::LatentBlock(Builder& builder, int il, Node* positions, Node* factors)
    : b_(builder), g_(builder.graph), spec_(std::get<LatentAttention>(builder.layer(il).mixer)), il_(il), positions_(positions), factors_(factors) {}

Node* LatentBlock::low_rank(Node* a) {
  Node* down = b_.matrix("attn_q_a", il_);
  return down != nullptr ? b_.norm(g_.mul_mat(down, a), "attn_q_a_norm", il_) : a;
}

Node* LatentBlock::queries(Node* low) {
  Node* direct = b_.matrix("attn_q", il_);
  Node* q = g_.mul_mat(direct != nullptr ? direct : b_.matrix("attn_q_b", il_), low);
  return g_.reshape(q, {spec_.qk_nope_head_dim + spec_.qk_rope_head_dim, spec_.n_heads, b_.n_tokens, 1});
}

LatentBlock::Compressed LatentBlock::compress(Node* a) {
  Node* both = g_.mul_mat(b_.matrix("attn_kv_a_mqa", il_), a);
  Node* latent = g_.view_2d(both, spec_.kv_lora_rank, b_.n_tokens, both->nb[1], 0);
  Node* rotated = g_.view_3d(both, {spec_.qk_rope_head_dim, 1, b_.n_tokens, 1}, both->nb[1], both->nb[1], row_bytes(both->type, spec_.kv_lora_rank));
  return {b_.norm(latent, "attn_kv_a_norm", il_), rope(rotated)};
}

Qkv LatentBlock::absorbed(Node* a, Node* q) {
  const Compressed keys = compress(a);
  Node* plain = g_.view_3d(q, {spec_.qk_nope_head_dim, spec_.n_heads, b_.n_tokens, 1}, q->nb[1], q->nb[2], 0);
  Node* rotated = g_.view_3d(q, {spec_.qk_rope_head_dim, spec_.n_heads, b_.n_tokens, 1}, q->nb[1], q->nb[2], row_bytes(q->type, plain->ne[0]));
  Node* into_latent = g_.mul_mat(b_.matrix("attn_k_b", il_), g_.permute(plain, {0, 2, 1, 3}));
  Node* latent = g_.reshape(keys.latent, {spec_.kv_lora_rank, 1, b_.n_tokens, 1});
  return {g_.concat(g_.permute(into_latent, {0, 2, 1, 3}), rope(rotated), 0), g_.concat(latent, keys.rotated, 0), latent};
}

Qkv LatentBlock::unfolded(Node* a, Node* q) {
  const Compressed keys = compress(a);
  Node* both = g_.mul_mat(b_.matrix("attn_kv_b", il_), keys.latent);
  const auto part = [&](std::int64_t size, std::int64_t offset) {
    const std::uint64_t head = row_bytes(both->type, spec_.qk_nope_head_dim + spec_.head_dim_v);
    const auto n_heads = static_cast<std::uint64_t>(spec_.n_heads);
    return g_.view_3d(both, {size, spec_.n_heads, b_.n_tokens, 1}, head, head * n_heads, row_bytes(both->type, offset));
  };
  Node* of_all = g_.repeat(keys.rotated, {spec_.qk_rope_head_dim, spec_.n_heads, b_.n_tokens, 1});
  return {rope(q), g_.concat(part(spec_.qk_nope_head_dim, 0), of_all, 0), g_.cont(part(spec_.head_dim_v, spec_.qk_nope_head_dim))};
}

Node* LatentBlock::attend(const AttentionInputs& inputs, const Qkv& qkv, Node* mask) {
  g_.expand(qkv.q);
  g_.expand(qkv.v);
  g_.expand(qkv.k);
  Node* cache = b_.key_cache(il_);
  g_.expand(b_.store_keys(cache, qkv.k, inputs.k_index));
  Node* k = b_.read_keys(cache, qkv.k->ne[0], 1);
  Node* v = g_.view(k, {qkv.v->ne[0], k->ne[1], k->ne[2], k->ne[3]}, k->nb, 0);
  return b_.project(b_.attention(qkv.q, k, v, mask, {.value_up = b_.matrix("attn_v_b", il_)}), il_);
}

Node* LatentBlock::choose_tokens(Node* a, Node* low, const AttentionInputs& indexer) {
  const Indexer& spec = spec_.indexer;
  Node* q = g_.mul_mat(b_.matrix("indexer.attn_q_b", il_), low);
  q = rope(g_.reshape(q, {spec.head_dim, spec.n_heads, b_.n_tokens, 1}));
  Node* k = b_.norm(g_.mul_mat(b_.matrix("indexer.attn_k", il_), a), "indexer.k_norm", il_, NormKind::layer);
  k = rope(g_.reshape(k, {spec.head_dim, 1, b_.n_tokens, 1}));
  q = g_.mul_mat(indexer.k_rotation, q);
  k = g_.mul_mat(indexer.k_rotation, k);
  Node* cache = g_.stored(b_.settings.type_k, {spec.head_dim, b_.settings.cells, b_.settings.n_streams, 1}, b_.cache_buffer(il_), il_, false);
  g_.expand(b_.store_keys(cache, k, indexer.k_index));
  Node* weights = g_.mul_mat(b_.matrix("indexer.proj", il_), a);
  weights = g_.scale(weights_by_stream(g_, weights, b_.settings.n_streams));
  return choose_best(g_, q, b_.read_keys(cache, spec.head_dim, 1), weights, indexer.mask, spec.top_k);
}

}  // namespace weighbridge::llama_graph

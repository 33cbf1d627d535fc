// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/latent.hpp"

#include <algorithm>

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
  const std::int64_t streams = b_.settings.n_streams;
  Node* cache = g_.stored(b_.settings.type_k, {spec.head_dim, b_.settings.cells, streams, 1}, b_.cache_buffer(il_), il_, false);
  g_.expand(b_.store_keys(cache, k, indexer.k_index));
  Node* weights = g_.mul_mat(b_.matrix("indexer.proj", il_), a);
  k = b_.read_keys(cache, spec.head_dim, 1);
  const auto n = static_cast<std::uint64_t>(streams);
  q = g_.view(q, {q->ne[0], q->ne[1], q->ne[2] / streams, streams}, {q->nb[0], q->nb[1], q->nb[2], q->nb[3] / n}, 0);
  weights = g_.view(weights, {weights->ne[0], weights->ne[1] / streams, 1, streams},
                    {weights->nb[0], weights->nb[1], weights->nb[2] / n, weights->nb[3] / n}, 0);
  Node* scores = g_.make(Op::lightning_indexer, dtype::f32, {k->ne[2], q->ne[2], 1, streams}, {q, k, g_.scale(weights), indexer.mask});
  return g_.cont(g_.top_k(scores, std::min(scores->ne[0], spec.top_k)));
}

Node* LatentBlock::hide_others(Node* mask, Node* chosen) {
  Node* hidden = g_.same(Op::fill, mask);
  hidden = g_.view(hidden, {1, mask->ne[0], mask->ne[1], mask->ne[3]}, {mask->nb[0], mask->nb[0], mask->nb[1], mask->nb[2]}, 0);
  Node* rows = g_.view(chosen, {chosen->ne[0], chosen->ne[1], chosen->ne[3], 1},
                       {chosen->nb[0], chosen->nb[1], chosen->nb[2], chosen->nb[3] * static_cast<std::uint64_t>(chosen->ne[3])}, 0);
  Node* zeros = g_.same(Op::fill, g_.blank(dtype::f32, {1, rows->ne[0], rows->ne[1], rows->ne[2]}));
  Node* shown = g_.set_rows(hidden, zeros, rows);
  shown = g_.view(shown, mask->ne, {shown->nb[0], shown->nb[2], shown->nb[3], shown->nb[3]}, 0);
  return g_.add(shown, mask);
}

}  // namespace weighbridge::llama_graph

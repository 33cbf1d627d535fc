// SPDX-License-Identifier: Apache-2.0
// src/llama-graph.cpp (build_qkv, build_attn, build_attn_mha), src/llama-kv-cache.cpp (cpy_k, cpy_v, get_k, get_v).
#include <algorithm>
#include <array>

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

namespace {

constexpr std::int64_t kRotation = 64;  // src/llama-kv-cache.cpp, build_input_k_rot and build_input_v_rot

/// Keys are rotated by the largest power of two that divides a head.
std::int64_t key_rotation(std::int64_t head) {
  std::int64_t size = kRotation;
  while (head % (2 * size) == 0) size *= 2;
  return size;
}

std::uint64_t unsigned_of(std::int64_t n) { return static_cast<std::uint64_t>(n); }

}  // namespace

Node* rotate(Graph& graph, Node* a, Node* rotation) {
  const Shape flat{rotation->ne[0], a->elements() / rotation->ne[0], 1, 1};
  Node* rows = a->is_contiguous() ? graph.reshape(a, flat) : graph.cont(a, flat);
  return graph.reshape(graph.mul_mat(rotation, rows), a->ne);
}

bool rotates_quantized(Type type, std::int64_t head) { return is_quantized(type) && head > 0 && head % kRotation == 0; }

Node* Builder::rotation(std::int64_t head) {
  const std::int64_t size = key_rotation(head);
  return graph.input(dtype::f32, {size, size, 1, 1});
}

int Builder::cache_buffer(int il) const { return settings.offload_kqv ? backend_of(il) : host(); }

CachedHeads Builder::cached_heads(int il) const { return llama_cpp::cached_heads(layer(il).mixer, settings); }

CachedHeads Builder::heads_of_cache(bool splits, bool is_windowed) const {
  CachedHeads common;
  bool is_first = true;
  for (int il = 0; il < n_layers(); ++il) {
    const CachedHeads heads = cached_heads(il);
    if (heads.heads == 0 || layer(il).shares_cache || (splits && llama_cpp::has_window(layer(il).mixer) != is_windowed)) continue;
    if (is_first) common = heads;
    is_first = false;
    if (heads.key != common.key) common.key = 0;
    if (heads.value != common.value) common.value = 0;
  }
  return common;
}

AttentionInputs Builder::key_inputs(std::int64_t cells, bool is_half, std::int64_t rotated_head) {
  AttentionInputs inputs;
  inputs.k_index = graph.input(dtype::int64, {n_tokens, 1, 1, 1});
  inputs.mask = graph.input(is_half ? dtype::f16 : dtype::f32, {cells, n_tokens / settings.n_streams, 1, settings.n_streams});
  if (rotated_head > 0) inputs.k_rotation = rotation(rotated_head);
  return inputs;
}

AttentionInputs Builder::inputs_of(std::int64_t cells, const CachedHeads& heads) {
  AttentionInputs inputs = key_inputs(cells, settings.flash_attention, rotates_quantized(settings.type_k, heads.key) ? heads.key : 0);
  inputs.v_index = graph.input(dtype::int64, {settings.flash_attention ? n_tokens : n_tokens * settings.widest_values, 1, 1, 1});
  if (rotates_quantized(settings.type_v, heads.value)) inputs.v_rotation = graph.input(dtype::f32, {kRotation, kRotation, 1, 1});
  return inputs;
}

CacheInputs Builder::cache_inputs() {
  CacheInputs inputs;
  const std::vector<LayerSpec>& kinds = model.layers.kinds();
  const auto windowed = std::find_if(kinds.begin(), kinds.end(), [](const LayerSpec& spec) { return llama_cpp::has_window(spec.mixer); });
  has_windowed_cache_ = settings.keeps_windows && windowed != kinds.end();
  inputs.all = inputs_of(settings.cells, heads_of_cache(has_windowed_cache_, false));
  inputs.windowed = inputs.all;
  if (has_windowed_cache_) inputs.windowed = inputs_of(llama_cpp::cells_of(windowed->mixer, settings), heads_of_cache(true, true));
  return inputs;
}

CacheInputs Builder::encoder_inputs() {
  CacheInputs inputs;
  const auto new_mask = [&] { return graph.input(settings.flash_attention ? dtype::f16 : dtype::f32, {n_tokens, n_tokens, 1, 1}); };
  inputs.all.mask = new_mask();
  inputs.windowed.mask = new_mask();
  return inputs;
}

int Builder::cache_layer(int il) const {
  if (!layer(il).shares_cache) return il;
  const bool is_windowed = llama_cpp::has_window(layer(il).mixer);
  int owner = il;
  while (owner > 0 && (layer(owner).shares_cache || llama_cpp::has_window(layer(owner).mixer) != is_windowed)) --owner;
  return owner;
}

Node* Builder::key_cache(int il) {
  il = cache_layer(il);
  const CachedHeads heads = cached_heads(il);
  return graph.stored(settings.type_k, {heads.key * heads.heads, llama_cpp::cells_of(layer(il).mixer, settings), settings.n_streams, 1},
                      cache_buffer(il), il, false);
}

Node* Builder::value_cache(int il) {
  il = cache_layer(il);
  // Transposed values have one width in all layers.
  const CachedHeads heads = cached_heads(il);
  const std::int64_t width = std::max(heads.value * heads.heads, settings.widest_values);
  return graph.stored(settings.type_v, {width, llama_cpp::cells_of(layer(il).mixer, settings), settings.n_streams, 1}, cache_buffer(il), il, false);
}

Node* Builder::store_keys(Node* cache, Node* k, Node* index) {
  const std::int64_t width = k->ne[0] * k->ne[1];
  Node* rows = graph.view_2d(k, width, k->ne[2], k->nb[2], 0);
  if (cache->ne[2] > 1) cache = graph.reshape(cache, {width, cache->ne[1] * cache->ne[2], 1, 1});
  return graph.set_rows(cache, rows, index);
}

Node* Builder::store_values(Node* cache, Node* v, Node* index) {
  if (settings.flash_attention) return store_keys(cache, v, index);
  const std::int64_t width = v->ne[0] * v->ne[1];
  const Shape flat{width, v->ne[2], 1, 1};
  Node* rows = row_bytes(v->type, width) == v->nb[2] ? graph.reshape(v, flat) : graph.cont(v, flat);
  if (width < cache->ne[0]) rows = graph.pad(rows, {cache->ne[0] - width, 0, 0, 0});
  Node* elements = graph.reshape(cache, {1, cache->elements(), 1, 1});
  return graph.set_rows(elements, graph.reshape(rows, {1, rows->elements(), 1, 1}), index);
}

Node* Builder::read_keys(Node* cache, std::int64_t head, std::int64_t heads) {
  const std::uint64_t row = row_bytes(cache->type, cache->ne[0]);
  return graph.view(cache, {head, heads, cache->ne[1], cache->ne[2]},
                    {static_cast<std::uint64_t>(cache->type.block_bytes), row_bytes(cache->type, head), row, row * unsigned_of(cache->ne[1])}, 0);
}

Node* Builder::read_values(Node* cache, std::int64_t head, std::int64_t heads) {
  if (settings.flash_attention) return read_keys(cache, head, heads);
  const std::uint64_t row = row_bytes(cache->type, cache->ne[1]);
  return graph.view(cache, {cache->ne[1], heads, head, cache->ne[2]},
                    {static_cast<std::uint64_t>(cache->type.block_bytes), row * unsigned_of(head), row, row * unsigned_of(cache->ne[0])}, 0);
}

Qkv Builder::qkv(Node* a, int il, const FullAttention& heads) {
  const Shape q{heads.head_dim_k, heads.n_heads, n_tokens, 1};
  const Shape k{heads.head_dim_k, heads.n_kv_heads, n_tokens, 1};
  const Shape v{heads.head_dim_v, heads.n_kv_heads, n_tokens, 1};
  if (const Linear fused = linear("attn_qkv", il)) {
    Node* all = apply(fused, a);
    const auto part = [&](const Shape& shape, std::int64_t offset) {
      return graph.view_3d(all, shape, row_bytes(all->type, shape[0]), all->nb[1], row_bytes(all->type, offset));
    };
    return {part(q, 0), part(k, q[0] * q[1]), part(v, q[0] * q[1] + k[0] * k[1])};
  }
  const Linear value = linear("attn_v", il);
  Node* queries = apply(linear("attn_q", il), a);
  Node* keys = apply(linear("attn_k", il), a);
  Node* values = value ? apply(value, a) : nullptr;
  return {graph.reshape(queries, q), graph.reshape(keys, k), values != nullptr ? graph.reshape(values, v) : nullptr};
}

Node* Builder::attention(Node* q, Node* k, Node* v, Node* mask, const AttentionExtras& extras) {
  const bool is_transposed = v->nb[1] > v->nb[2];
  const std::int64_t streams = k->ne[3];
  q = graph.view(q, {q->ne[0], q->ne[1], q->ne[2] / streams, streams}, {q->nb[0], q->nb[1], q->nb[2], q->nb[3] / unsigned_of(streams)}, 0);
  q = graph.permute(q, {0, 2, 1, 3});
  k = graph.permute(k, {0, 2, 1, 3});
  v = graph.permute(v, {0, 2, 1, 3});
  Node* result = nullptr;
  if (settings.flash_attention) {
    if (is_transposed) v = graph.transpose(v);
    if (k->type == dtype::f32) k = graph.cast(k, dtype::f16);
    if (v->type == dtype::f32) v = graph.cast(v, dtype::f16);
    result = graph.flash_attn_ext(q, k, v, mask, extras.sinks);
    if (extras.value_up != nullptr) {
      result = graph.mul_mat(extras.value_up, graph.permute(result, {0, 2, 1, 3}));
      result = graph.cont(graph.permute(result, {0, 2, 1, 3}));
    }
    result = graph.reshape(result, {result->ne[0] * result->ne[1], result->ne[2] * result->ne[3], 1, 1});
  } else {
    Node* scores = graph.mul_mat(k, q);
    if (extras.soft_cap) scores = graph.scale(graph.activate(Unary::tanh, graph.scale(scores)));
    scores = graph.soft_max(scores, mask, extras.sinks);
    if (!is_transposed) v = graph.cont(graph.transpose(v));
    result = graph.mul_mat(v, scores);
    if (extras.value_up != nullptr) result = graph.mul_mat(extras.value_up, result);
    result = graph.permute(result, {0, 2, 1, 3});
    result = graph.cont(result, {result->ne[0] * result->ne[1], result->ne[2] * result->ne[3], 1, 1});
    if (!settings.offload_kqv) pin(result, host());
  }
  graph.expand(result);
  return result;
}

Node* Builder::project(Node* attended, int il) {
  const Linear output = linear("attn_output", il);
  return output ? apply(output, attended) : attended;
}

Node* Builder::attend(const CacheInputs& inputs, Qkv qkv, int il, const AttentionExtras& extras) {
  return project(attend_heads(inputs, qkv, il, extras), il);
}

Node* Builder::attend_heads(const CacheInputs& inputs, Qkv qkv, int il, const AttentionExtras& extras) {
  const AttentionInputs& in = llama_cpp::has_window(layer(il).mixer) ? inputs.windowed : inputs.all;
  if (in.k_rotation != nullptr) {
    qkv.q = rotate(graph, qkv.q, in.k_rotation);
    if (qkv.k != nullptr) qkv.k = rotate(graph, qkv.k, in.k_rotation);
  }
  if (in.v_rotation != nullptr && qkv.v != nullptr) qkv.v = rotate(graph, qkv.v, in.v_rotation);
  // With a cache for windows keys come before values (build_attn of llm_graph_input_attn_kv_iswa), without one after.
  graph.expand(qkv.q);
  for (Node* part : has_windowed_cache_ ? std::array{qkv.k, qkv.v} : std::array{qkv.v, qkv.k})
    if (part != nullptr) graph.expand(part);
  const CachedHeads heads = cached_heads(il);
  Node* keys = key_cache(il);
  Node* values = value_cache(il);
  if (qkv.k != nullptr) graph.expand(store_keys(keys, qkv.k, in.k_index));
  if (qkv.v != nullptr) graph.expand(store_values(values, qkv.v, in.v_index));
  Node* result = attention(qkv.q, read_keys(keys, heads.key, heads.heads), read_values(values, heads.value, heads.heads), in.mask, extras);
  return in.v_rotation != nullptr ? rotate(graph, result, in.v_rotation) : result;
}

Node* Builder::attend_tokens(const CacheInputs& inputs, Qkv qkv, int il) {
  const auto* encoder = std::get_if<EncoderAttention>(&layer(il).mixer);
  const AttentionInputs& in = encoder != nullptr && encoder->window > 0 ? inputs.windowed : inputs.all;
  graph.expand(qkv.q);
  graph.expand(qkv.k);
  graph.expand(qkv.v);
  return project(attention(qkv.q, qkv.k, qkv.v, in.mask, {}), il);
}

}  // namespace weighbridge::llama_graph

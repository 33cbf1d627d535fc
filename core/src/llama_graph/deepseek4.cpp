// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V4: attention to a window and to pooled tokens, experts, residual streams. ggml-org/llama.cpp v0.5.0 src/models/deepseek4.cpp,
// src/llama-kv-cache-dsv4.cpp (what a plan for the largest batch holds: dsv4_build_reserve_comp_plan).
#include <algorithm>
#include <string>

#include "llama_graph/models.hpp"
#include "llama_graph/sparse_mask.hpp"

namespace weighbridge::llama_graph {

namespace {

constexpr std::int64_t kOverlapping = 4;  // DSV4_CSA_RATIO: windows that overlap, and an indexer
constexpr std::int64_t kHeavy = 128;      // DSV4_HCA_RATIO

/// Inputs of one kind of compressor, and of attention to what it makes (llm_graph_input_dsv4::comp_input).
struct PoolInputs {
  Node* positions = nullptr;
  Node* kept_from = nullptr;  ///< of the batch
  Node* kept_at = nullptr;    ///< in the state
  Node* read = nullptr;
  Node* entries = nullptr;
  Node* entry_positions = nullptr;
  Node* mask = nullptr;
  Node* rotation = nullptr;
};

/// A compressor of one layer.
struct Pool {
  std::string name;  ///< of its tensors
  std::int64_t ratio = 0;
  std::int64_t head = 0;
  [[nodiscard]] std::int64_t overlap() const { return ratio == kOverlapping ? 2 : 1; }
};

class DeepSeek4 {
 public:
  explicit DeepSeek4(Builder& builder)
      : b_(builder), g_(builder.graph), streams_(builder.n_seqs), spec_(std::get<CompressedAttention>(builder.layer(0).mixer)) {}

  void build() {
    Node* state = b_.embed();
    tokens_ = state->src[1];
    positions_ = b_.positions();
    ids_ = b_.output_ids();
    make_inputs();
    g_.expand(raw_.mask);
    Node* streams = b_.vector("output_hc_base", kNowhere);
    const std::int64_t n_streams = streams != nullptr ? streams->ne[0] : 1;
    const std::int64_t hidden = b_.model.hidden_size;
    state = g_.repeat(g_.reshape(state, {hidden, 1, b_.n_tokens, 1}), {hidden, n_streams, b_.n_tokens, 1});
    b_.for_each_layer([&](int il) { state = layer(state, il); });
    state = g_.get_rows(g_.reshape(state, {hidden * n_streams, b_.n_tokens, 1, 1}), ids_);
    state = b_.norm(head(g_.reshape(state, {hidden, n_streams, b_.n_outputs, 1})), "output_norm", kNowhere);
    b_.finish(state, g_.mul_mat(b_.matrix("output", kNowhere), state));
  }

 private:
  // Residual streams (hyper-connections)
  struct Mixed {
    Node* input = nullptr;  ///< of the block: the streams' weighted sum
    Node* post = nullptr;   ///< how the block's result enters each stream
    Node* comb = nullptr;   ///< how the streams are mixed
  };

  Node* affine(Node* a, Node* scale, Node* base) { return g_.add(g_.mul(a, scale), base); }

  Mixed mix(Node* x, std::string_view block, int il) {
    const auto name = [&](std::string_view part) { return "hc_" + std::string(block) + std::string(part); };
    const std::int64_t n = x->ne[1];
    Node* flat = g_.same(Op::rms_norm, g_.reshape(x, {x->ne[0] * n, x->ne[2], 1, 1}));
    Node* mixes = g_.mul_mat(b_.matrix(name("_fn"), il), flat);
    Node* scale = b_.vector(name("_scale"), il);
    Node* base = b_.vector(name("_base"), il);
    const auto weights = [&](std::int64_t index) {
      const std::uint64_t offset = static_cast<std::uint64_t>(index * n) * mixes->nb[0];
      Node* part = g_.view_2d(mixes, n, mixes->ne[1], mixes->nb[1], offset);
      part = affine(part, g_.view_1d(scale, 1, static_cast<std::uint64_t>(index) * scale->nb[0]), g_.view_1d(base, n, offset));
      return g_.scale(g_.activate(Unary::sigmoid, part));
    };
    Node* pre = weights(0);
    Mixed mixed;
    mixed.post = weights(1);
    mixed.comb = g_.make(Op::dsv4_hc_comb, dtype::f32, {n, n, x->ne[2], 1}, {mixes, scale, base});
    mixed.input = g_.make(Op::dsv4_hc_pre, dtype::f32, {x->ne[0], x->ne[2], 1, 1}, {x, pre});
    return mixed;
  }

  Node* merge(Node* result, Node* residual, const Mixed& mixed) {
    return g_.make(Op::dsv4_hc_post, dtype::f32, residual->ne, {result, residual, mixed.post, mixed.comb});
  }

  /// The streams' weighted sum at the end, step by step.
  Node* head(Node* x) {
    Node* flat = g_.same(Op::rms_norm, g_.reshape(x, {x->ne[0] * x->ne[1], x->ne[2], 1, 1}));
    Node* weights = affine(g_.mul_mat(b_.matrix("output_hc_fn", kNowhere), flat), b_.vector("output_hc_scale", kNowhere),
                           b_.vector("output_hc_base", kNowhere));
    weights = g_.scale(g_.activate(Unary::sigmoid, weights));
    Node* sum = nullptr;
    for (std::int64_t i = 0; i < x->ne[1]; ++i) {
      const auto index = static_cast<std::uint64_t>(i);
      Node* part = g_.view_2d(x, x->ne[0], x->ne[2], x->nb[2], index * x->nb[1]);
      part = g_.mul(part, g_.view_2d(weights, 1, x->ne[2], weights->nb[1], index * weights->nb[0]));
      sum = sum != nullptr ? g_.add(sum, part) : part;
    }
    return sum;
  }

  Node* layer(Node* x, int il) {
    const Mixed before = mix(x, "attn", il);
    x = merge(attention(b_.norm(before.input, "attn_norm", il), il), x, before);
    const Mixed after = mix(x, "ffn", il);
    g_.expand(x);
    g_.expand(after.post);
    g_.expand(after.comb);
    return merge(feed_forward(b_.norm(after.input, "ffn_norm", il), il), x, after);
  }

  Node* feed_forward(Node* a, int il) {
    const auto& moe = std::get<MoeFfn>(b_.layer(il).ffn);
    MoeStyle style{.gating = Gating::sqrt_softplus, .normalizes = moe.normalizes_weights, .scales = moe.scales_weights};
    if (Node* table = b_.matrix("ffn_gate_tid2eid", il)) style.chosen = g_.get_rows(table, tokens_);
    Node* routed = b_.moe(a, il, moe, style);
    return g_.add(routed, b_.ffn(a, il, "_shexp", Unary::silu, moe.shared_ffn_size));
  }

  // Inputs
  Node* numbers(std::int64_t n, Type type = dtype::int32) { return g_.input(type, {n, 1, 1, 1}); }
  Node* mask(std::int64_t cells, bool is_half) { return g_.input(is_half ? dtype::f16 : dtype::f32, {cells, b_.n_tokens / streams_, 1, streams_}); }

  PoolInputs pool_inputs(const CompressedAttention& layer, bool is_indexer) {
    const std::int64_t ratio = layer.compress_ratio;
    const std::int64_t overlap = ratio == kOverlapping ? 2 : 1;
    const std::int64_t entries = b_.n_tokens / ratio + b_.n_seqs;  // at most, however the batch is made of sequences
    const std::int64_t kept = std::min(b_.n_tokens, overlap * ratio * b_.n_seqs);
    const std::int64_t head = is_indexer ? layer.indexer.head_dim : layer.head_dim;
    PoolInputs in;
    in.positions = numbers(b_.n_tokens);
    in.kept_from = numbers(kept);
    in.kept_at = numbers(kept);
    in.read = numbers(overlap * ratio * entries);
    in.entries = numbers(entries, dtype::int64);
    in.entry_positions = numbers(entries);
    in.mask = mask(llama_cpp::compressed_cells(layer, b_.settings), is_indexer || b_.settings.flash_attention);
    // The indexer's keys are rotated whatever their type.
    if (is_indexer || rotates_quantized(b_.settings.type_k, head)) in.rotation = b_.rotation(head);
    return in;
  }

  void make_inputs() {
    const std::int64_t cells = llama_cpp::cells_of(b_.layer(0).mixer, b_.settings);
    raw_.k_index = numbers(b_.n_tokens, dtype::int64);
    raw_.mask = mask(cells, b_.settings.flash_attention);
    if (rotates_quantized(b_.settings.type_k, spec_.head_dim)) raw_.k_rotation = b_.rotation(spec_.head_dim);
    for (const LayerSpec& layer : b_.model.layers) {
      const auto& attention = std::get<CompressedAttention>(layer.mixer);
      if (attention.compress_ratio == kHeavy && heavy_.mask == nullptr) heavy_ = pool_inputs(attention, false);
      if (attention.compress_ratio != kOverlapping || sparse_.mask != nullptr) continue;
      sparse_ = pool_inputs(attention, false);
      indexer_ = pool_inputs(attention, true);
    }
  }

  // Pooling
  Node* cache(std::int64_t head, std::int64_t cells, int il) {
    return g_.stored(b_.settings.type_k, {head, cells, streams_, 1}, b_.cache_buffer(il), il, false);
  }

  /// A compressor's state, seen as the rows of all sequences.
  Node* state_rows(const Pool& pool, int il) {
    const std::int64_t rows = pool.overlap() * pool.ratio;
    Node* state = g_.stored(dtype::f32, {pool.overlap() * pool.head, rows, streams_, 1}, b_.cache_buffer(il), il, false);
    return g_.view_2d(state, state->ne[0], rows * streams_, state->nb[1], 0);
  }

  /// Values and scores of the tokens of each entry side by side, [tokens, head, entries].
  Node* by_entry(Node* rows, const Pool& pool, std::int64_t entries) {
    const Shape shape{pool.head, pool.ratio, entries, 1};
    Node* all = nullptr;
    if (pool.overlap() == 1) {
      all = g_.reshape(rows, shape);
    } else {
      const std::int64_t n = pool.ratio * entries;
      const std::uint64_t second = static_cast<std::uint64_t>(n) * rows->nb[1] + row_bytes(rows->type, pool.head);
      Node* earlier = g_.reshape(g_.cont(g_.view_2d(rows, pool.head, n, rows->nb[1], 0)), shape);
      Node* later = g_.reshape(g_.cont(g_.view_2d(rows, pool.head, n, rows->nb[1], second)), shape);
      all = g_.concat(earlier, later, 1);
    }
    return g_.cont(g_.permute(all, {1, 0, 2, 3}));
  }

  /// For what is before the first token.
  Node* with_empty_row(Node* rows) { return g_.concat(rows, g_.reshape(g_.scale(g_.view_1d(rows, rows->ne[0], 0)), {rows->ne[0], 1, 1, 1}), 1); }

  /// Writes entries to the cache `keys`, and what is left over to the state.
  void pool(Node* a, const Pool& pool, const PoolInputs& in, Node* keys, int il) {
    Node* values = g_.mul_mat(b_.matrix(pool.name + "_kv", il), a);
    Node* scores = g_.mul_mat(b_.matrix(pool.name + "_gate", il), a);
    scores = g_.add(scores, g_.get_rows(b_.matrix(pool.name + "_ape", il), in.positions));
    Node* old_values = state_rows(pool, il);
    Node* old_scores = state_rows(pool, il);
    const auto all = [&](Node* old, Node* current) {
      Node* rows = g_.concat(g_.view_2d(old, old->ne[0], old->ne[1], old->nb[1], 0), current, 1);
      rows = g_.get_rows(pool.overlap() == 2 ? with_empty_row(rows) : rows, in.read);
      return by_entry(rows, pool, in.entries->ne[0]);
    };
    Node* parts = all(old_values, values);
    Node* entry = g_.sum_rows(g_.mul(parts, g_.soft_max(all(old_scores, scores))));
    entry = b_.norm(g_.cont(g_.permute(entry, {1, 0, 2, 3})), pool.name + "_norm", il);
    entry = g_.rope(entry, in.entry_positions);
    if (in.rotation != nullptr) entry = rotate(g_, entry, in.rotation);
    g_.expand(b_.store_keys(keys, entry, in.entries));
    Node* kept_values = g_.set_rows(old_values, g_.get_rows(values, in.kept_from), in.kept_at);
    Node* kept_scores = g_.set_rows(old_scores, g_.get_rows(scores, in.kept_from), in.kept_at);
    g_.expand(kept_values);
    g_.expand(kept_scores);
  }

  // Attention
  Node* attention(Node* a, int il) {
    const auto& spec = std::get<CompressedAttention>(b_.layer(il).mixer);
    const std::int64_t n = a->ne[1];
    Node* low = b_.norm(g_.mul_mat(b_.matrix("attn_q_a", il), a), "attn_q_a_norm", il);
    Node* q = g_.reshape(g_.mul_mat(b_.matrix("attn_q_b", il), low), {spec.head_dim, spec.n_heads, n, 1});
    q = g_.rope(g_.same(Op::rms_norm, q), positions_);
    Node* kv = b_.norm(g_.mul_mat(b_.matrix("attn_kv", il), a), "attn_kv_a_norm", il);
    kv = g_.rope(g_.reshape(kv, {spec.head_dim, 1, n, 1}), positions_);
    const std::int64_t cells = spec.compress_ratio > 0 ? llama_cpp::compressed_cells(spec, b_.settings) : 0;
    Node* pooled = nullptr;
    Node* chosen = nullptr;
    if (spec.compress_ratio > 0) {
      pooled = cache(spec.head_dim, cells, il);
      const bool is_sparse = spec.compress_ratio == kOverlapping;
      pool(a, {"attn_compressor", spec.compress_ratio, spec.head_dim}, is_sparse ? sparse_ : heavy_, pooled, il);
      if (is_sparse) {
        Node* keys = cache(spec.indexer.head_dim, cells, il);
        pool(a, {"indexer_compressor", spec.compress_ratio, spec.indexer.head_dim}, indexer_, keys, il);
        chosen = choose(a, low, keys, spec.indexer, il);
      }
    }
    return project(attend(q, kv, pooled, chosen, spec, il), spec, il);
  }

  Node* choose(Node* a, Node* low, Node* keys, const Indexer& spec, int il) {
    Node* q = g_.reshape(g_.mul_mat(b_.matrix("indexer.attn_q_b", il), low), {spec.head_dim, spec.n_heads, b_.n_tokens, 1});
    q = rotate(g_, g_.rope(q, positions_), indexer_.rotation);
    Node* weights = g_.scale(g_.mul_mat(b_.matrix("indexer.proj", il), a));
    Node* k = b_.read_keys(keys, spec.head_dim, 1);
    k = g_.view(k, k->ne, k->nb, 0);
    return choose_best(g_, q, k, weights_by_stream(g_, weights, streams_), indexer_.mask, spec.top_k);
  }

  Node* attend(Node* q, Node* kv, Node* pooled, Node* chosen, const CompressedAttention& spec, int il) {
    if (raw_.k_rotation != nullptr) {
      q = rotate(g_, q, raw_.k_rotation);
      kv = rotate(g_, kv, raw_.k_rotation);
    }
    g_.expand(q);
    g_.expand(kv);
    Node* keys = cache(spec.head_dim, raw_.mask->ne[0], il);
    g_.expand(b_.store_keys(keys, kv, raw_.k_index));
    Node* k = b_.read_keys(keys, spec.head_dim, 1);
    Node* mask = raw_.mask;
    if (pooled != nullptr) {
      Node* entries = b_.read_keys(pooled, spec.head_dim, 1);
      k = g_.concat(k, g_.view(entries, entries->ne, entries->nb, 0), 2);
      mask = g_.concat(mask, chosen != nullptr ? hide_others(g_, sparse_.mask, chosen, sparse_.mask->type) : heavy_.mask, 0);
    }
    Node* result = b_.attention(q, k, k, mask, {.sinks = b_.vector("attn_sinks", il)});
    return raw_.k_rotation != nullptr ? rotate(g_, result, raw_.k_rotation) : result;
  }

  /// Rotated back, and projected in groups of heads.
  Node* project(Node* a, const CompressedAttention& spec, int il) {
    Node* down = b_.matrix("attn_output_a", il);
    const std::int64_t n = b_.n_tokens;
    if (down->ne[2] == 1) {  // read as one matrix for each group
      const std::int64_t groups = spec.n_heads * spec.head_dim / down->ne[0];
      down->ne = {down->ne[0], down->ne[1] / groups, groups, 1};
      down->nb[2] = down->nb[1] * static_cast<std::uint64_t>(down->ne[1]);
    }
    a = g_.rope(g_.reshape(a, {spec.head_dim, spec.n_heads, n, 1}), positions_);
    a = g_.permute(g_.reshape(a, {down->ne[0], down->ne[2], n, 1}), {0, 2, 1, 3});
    a = g_.permute(g_.mul_mat(down, a), {0, 2, 1, 3});
    return g_.mul_mat(b_.matrix("attn_output_b", il), g_.cont(a, {down->ne[1] * down->ne[2], n, 1, 1}));
  }

  Builder& b_;
  Graph& g_;
  const std::int64_t streams_;  ///< every sequence has its own, a unified cache or not
  const CompressedAttention& spec_;
  Node* tokens_ = nullptr;
  Node* positions_ = nullptr;
  Node* ids_ = nullptr;
  AttentionInputs raw_;
  PoolInputs sparse_;
  PoolInputs heavy_;
  PoolInputs indexer_;
};

}  // namespace

bool build_deepseek4(Builder& builder, std::string_view architecture) {
  if (architecture != "deepseek4") return false;
  for (const LayerSpec& layer : builder.model.layers.kinds())
    if (!std::holds_alternative<CompressedAttention>(layer.mixer)) return false;
  DeepSeek4(builder).build();
  return true;
}

}  // namespace weighbridge::llama_graph

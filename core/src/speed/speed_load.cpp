// SPDX-License-Identifier: Apache-2.0
#include "speed/speed_load.hpp"

#include <algorithm>

#include "overloaded.hpp"

namespace weighbridge {

namespace {

double real(Bytes bytes) { return static_cast<double>(bytes.count()); }

bool has_row(const std::vector<Term>& terms, std::string_view label) {
  for (const Term& term : terms)
    if (term.id == "weights")
      for (const FormulaRow& row : term.formula.rows)
        if (row.label == label) return true;
  return false;
}

/// How much of the rows of a weights term a step reads, by their labels (engine/formula.cpp).
struct ReadShares {
  double experts = 1;
  double embeddings = 0;  ///< a row for each token is nothing; a tied embedding is the head too
};

double weights_read(const Term& term, const ReadShares& shares) {
  double read = 0;
  double held = 0;
  double scales = 0;
  for (const FormulaRow& row : term.formula.rows) {
    const double bytes = real(row.bytes);
    if (row.label == "vision" || row.label == "rope_cache") continue;
    if (row.label == "scales") {
      scales += bytes;
      continue;
    }
    held += bytes;
    read += bytes * (row.label == "routed_experts" ? shares.experts : row.label == "embeddings" ? shares.embeddings : 1);
  }
  return read + (held > 0 ? scales * read / held : 0);  // scales lie beside what they scale
}

Reads reads_in(const std::vector<Term>& terms, const ReadShares& shares, double cache_share) {
  Reads reads;
  for (const Term& term : terms) {
    if (term.id == "weights") reads.weights += weights_read(term, shares);
    if (term.id == "kv_cache") reads.cache += real(term.bytes) * cache_share;
    if (term.id == "recurrent_state") reads.cache += 2 * real(term.bytes);  // read, and written back
  }
  return reads;
}

/// Values of one layer of a sequence: stored by it, and read for the next token.
struct LayerCache {
  double stored = 0;
  double read = 0;
};

LayerCache cache_of(const Mixer& mixer, double tokens) {
  const auto seen_by = [&](double values, double seen, const Indexer& indexer) {
    const double keys = tokens * static_cast<double>(indexer.cached_values());
    const double chosen = indexer.top_k > 0 ? std::min(seen, static_cast<double>(indexer.top_k)) : seen;
    return LayerCache{seen * values + keys, chosen * values + keys};
  };
  const auto heads = [&](const FullAttention& a, double seen) {
    return seen_by(static_cast<double>(a.n_kv_heads * (a.head_dim_k + a.head_dim_v)), seen, a.indexer);
  };
  const auto window = [&](std::int64_t size) { return std::min(tokens, static_cast<double>(size)); };
  return std::visit(Overloaded{[&](const FullAttention& a) { return heads(a, tokens); },
                               [&](const SlidingAttention& a) { return heads(a.heads, window(a.window)); },
                               [&](const ChunkedAttention& a) { return heads(a.heads, window(a.chunk)); },
                               [&](const CrossAttention& a) { return heads(a.heads, static_cast<double>(a.source_tokens)); },
                               [&](const LatentAttention& a) {
                                 return seen_by(static_cast<double>(a.kv_lora_rank + a.qk_rope_head_dim), tokens, a.indexer);
                               },
                               [&](const CompressedAttention& a) {
                                 const double values = static_cast<double>(a.head_dim);
                                 const double older = a.compress_ratio > 0 ? tokens / static_cast<double>(a.compress_ratio) : 0;
                                 LayerCache cache = seen_by(values, older, a.indexer);
                                 cache.stored += window(a.window) * values;
                                 cache.read += window(a.window) * values;
                                 return cache;
                               },
                               [](const auto&) { return LayerCache{}; }},
                    mixer);
}

/// Multiplications and additions that one query token takes in one layer for each token that it sees.
double operations_per_seen_token(const Mixer& mixer, bool generates) {
  const auto heads = [](const FullAttention& a) { return static_cast<double>(2 * a.n_heads * (a.head_dim_k + a.head_dim_v)); };
  return std::visit(Overloaded{heads, [&](const SlidingAttention& a) { return heads(a.heads); },
                               [&](const ChunkedAttention& a) { return heads(a.heads); }, [&](const CrossAttention& a) { return heads(a.heads); },
                               [&](const EncoderAttention& a) { return heads(a.heads); },
                               [&](const LatentAttention& a) {
                                 // One token: in the latent space (arXiv:2405.04434, 2.1.2); a prompt: with keys and values made of the latents.
                                 const std::int64_t wide = generates ? 2 * a.kv_lora_rank + a.qk_rope_head_dim
                                                                     : a.qk_nope_head_dim + a.qk_rope_head_dim + a.head_dim_v;
                                 return static_cast<double>(2 * a.n_heads * wide);
                               },
                               [](const CompressedAttention& a) { return static_cast<double>(4 * a.n_heads * a.head_dim); },
                               [](const RecurrentMixer&) { return 0.0; }, [](const NoMixer&) { return 0.0; }},
                    mixer);
}

/// Tokens that a query sees at most; 0: all before it.
double most_seen(const Mixer& mixer) {
  const auto chosen = [](const Indexer& indexer) { return static_cast<double>(indexer.top_k); };
  return std::visit(Overloaded{[&](const FullAttention& a) { return chosen(a.indexer); }, [&](const LatentAttention& a) { return chosen(a.indexer); },
                               [](const SlidingAttention& a) { return static_cast<double>(a.window); },
                               [](const ChunkedAttention& a) { return static_cast<double>(a.chunk); },
                               [](const CrossAttention& a) { return static_cast<double>(a.source_tokens); },
                               [](const CompressedAttention& a) { return static_cast<double>(a.window + a.indexer.top_k); },
                               [](const auto&) { return 0.0; }},
                    mixer);
}

/// Tokens seen by all queries of a sequence together: the last `queries` of `context`, each sees itself and what is before it.
double tokens_seen(double queries, double context, double most) {
  const double first = context - queries + 1;
  if (most <= 0 || context <= most) return queries * (first + context) / 2;
  if (first >= most) return queries * most;
  return (most - first + 1) * (first + most) / 2 + (context - most) * most;
}

bool is_looked_up(const Tensor& tensor) {
  return tensor.role == TensorRole::embedding || tensor.role == TensorRole::position_embedding || tensor.role == TensorRole::layer_embedding;
}

}  // namespace

double share_of_experts(const Model& model, std::int64_t tokens) {
  const MoeFfn* moe = first_moe(model);
  if (moe == nullptr || moe->n_experts == 0) return 1;
  // By squaring: the same on every target, which std::pow is not.
  double factor = 1 - static_cast<double>(moe->n_experts_used) / static_cast<double>(moe->n_experts);
  double missed = 1;
  for (std::int64_t left = tokens; left > 0; left /= 2, factor *= factor)
    if (left % 2 == 1) missed *= factor;
  return 1 - missed;
}

double share_of_cache(const Model& model, std::int64_t context_tokens) {
  LayerCache sum;
  for (const LayerSpec& layer : model.layers) {
    const LayerCache one = cache_of(layer.mixer, static_cast<double>(context_tokens));
    if (!layer.shares_cache) sum.stored += one.stored;
    sum.read += one.read;
  }
  return sum.stored > 0 ? sum.read / sum.stored : 1;
}

bool generates(const Model& model) {
  return std::none_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                      [](const LayerSpec& layer) { return std::holds_alternative<EncoderAttention>(layer.mixer); });
}

StepReads reads_of(const Prepared& prepared, const Estimate& estimate, const Step& step) {
  const Model& model = prepared.model();
  ReadShares shares;
  shares.experts = share_of_experts(model, step.sequences * step.new_tokens);
  bool has_head = estimate.host && has_row(estimate.host->terms, "output_head");
  for (const DevicePlan& device : estimate.devices) has_head = has_head || has_row(device.terms, "output_head");
  if (!has_head && model.tied_embeddings && generates(model)) {
    Bytes tied;
    Bytes all;
    for (const Tensor& tensor : prepared.tensors()) {
      if (!is_looked_up(tensor)) continue;
      all += tensor.bytes();
      if (tensor.role == TensorRole::embedding) tied += tensor.bytes();
    }
    shares.embeddings = all > Bytes() ? real(tied) / real(all) : 0;
  }
  const double cache_share = share_of_cache(model, step.context_tokens);
  StepReads reads;
  for (const DevicePlan& device : estimate.devices) reads.devices.push_back(reads_in(device.terms, shares, cache_share));
  if (estimate.host) reads.host = reads_in(estimate.host->terms, shares, cache_share);
  return reads;
}

double operations_of(const Model& model, const Step& step) {
  double matrices = 0;
  double head = 0;
  double embedding = 0;
  for (const Tensor& tensor : model.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_scale || tensor.is_copy) continue;
    if (tensor.role == TensorRole::output_head) head += static_cast<double>(tensor.elements());
    if (tensor.role == TensorRole::embedding) embedding += static_cast<double>(tensor.elements());
    if (is_looked_up(tensor)) matrices -= static_cast<double>(tensor.elements());
  }
  matrices += static_cast<double>(count_active_parameters(model)) - head;
  if (head == 0) head = embedding;  // tied
  const auto sequences = static_cast<double>(step.sequences);
  const auto queries = static_cast<double>(step.new_tokens);
  double attention = 0;
  for (const LayerSpec& layer : model.layers)
    attention += operations_per_seen_token(layer.mixer, step.new_tokens == 1) *
                 tokens_seen(queries, static_cast<double>(step.context_tokens), most_seen(layer.mixer));
  // Only the last token of a prompt becomes a result.
  return sequences * (2 * (matrices * queries + head) + attention);
}

}  // namespace weighbridge

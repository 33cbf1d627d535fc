// SPDX-License-Identifier: Apache-2.0
// Keys and values as src/transformers/cache_utils.py keeps them: one tensor of keys and one of values for each layer and all sequences, as long
// as the longest; latent attention is cached expanded, per head.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/transformers/transformers.hpp"

namespace weighbridge::transformers {

namespace {

constexpr Source kSource{"huggingface/transformers src/transformers/cache_utils.py",
                         "https://github.com/huggingface/transformers/blob/v4.56.0/src/transformers/cache_utils.py"};
constexpr std::int64_t kQuantizedBits = 4;     // QuantizedCacheConfig.nbits
constexpr std::int64_t kQuantizedGroup = 64;   // .q_group_size: a scale and a shift of 16 bits each
constexpr std::int64_t kResidualTokens = 128;  // .residual_length: the newest tokens stay in 16 bit
constexpr std::int64_t kStateBytes = 4;        // recurrent states are f32; convolutions of the model's type
constexpr std::int64_t kLayersOnDevice = 2;    // offloading: the layer that runs, and the next one on its way

/// What a layer keeps of one token, in values, and of how many tokens.
struct Kept {
  std::int64_t values = 0;
  std::int64_t window = 0;  ///< 0: of all
};

Kept kept_of(const LayerSpec& layer) {
  if (layer.shares_cache) return {};
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer))
    return {latent->n_heads * (latent->qk_nope_head_dim + latent->qk_rope_head_dim + latent->head_dim_v) + latent->indexer.head_dim, 0};
  if (const auto* cross = std::get_if<CrossAttention>(&layer.mixer))
    return {cross->heads.n_kv_heads * (cross->heads.head_dim_k + cross->heads.head_dim_v), cross->source_tokens};
  if (std::holds_alternative<EncoderAttention>(layer.mixer)) return {};
  const FullAttention* heads = grouped_attention(layer.mixer);
  if (heads == nullptr) return {};
  Kept kept{heads->n_kv_heads * (heads->head_dim_k + heads->head_dim_v) + heads->indexer.head_dim, 0};
  if (const auto* sliding = std::get_if<SlidingAttention>(&layer.mixer)) kept.window = sliding->window;
  if (const auto* chunked = std::get_if<ChunkedAttention>(&layer.mixer)) kept.window = chunked->chunk;
  return kept;
}

/// Tokens whose keys and values one layer holds. DynamicSlidingWindowLayer keeps a view of the whole prompt until the next step: only then does
/// the rest go.
std::int64_t tokens_of(const LayerSpec& layer, const Kept& kept, const Rules& rules, const Settings& settings, std::int64_t tokens, bool is_prompt) {
  if (settings.cache == CacheKind::fixed) tokens = settings.total_tokens;
  if (kept.window == 0) return tokens;
  if (std::holds_alternative<CrossAttention>(layer.mixer)) return kept.window;
  const bool forgets = settings.cache == CacheKind::fixed || (rules.sliding_cache && !is_prompt);
  return forgets ? std::min(tokens, kept.window) : tokens;
}

/// `tokens` tokens of `values` values in the cache's type.
FormulaRow row_of(const Job& job, const Settings& s, std::int64_t layers, std::int64_t values, std::int64_t tokens) {
  const std::string_view label = "full_sequences";
  if (s.cache != CacheKind::quantized)
    return make_row(job.explain, label,
                    {{"context_tokens", tokens},
                     {"sequences", s.sequences},
                     {"values_per_token", values},
                     {"layers", layers},
                     {"bytes_per_value", s.value_bytes}});
  const std::int64_t residual = std::min(tokens, kResidualTokens);
  FormulaRow row = make_row(job.explain, label,
                            {{"context_tokens", tokens - residual},
                             {"sequences", s.sequences},
                             {"values_per_token", values},
                             {"layers", layers},
                             {"bits", kQuantizedBits * kQuantizedGroup + 32},
                             {"bits_of_values", 8 * kQuantizedGroup, Op::divide}});
  const Bytes newest = value_of({{"", residual}, {"", s.sequences}, {"", values}, {"", layers}, {"", s.value_bytes}});
  row.bytes += newest;
  if (job.explain) row.factors.push_back({"newest_tokens_bytes", difference(newest, Bytes()), Op::plus});
  return row;
}

/// The layers that keep the same, together.
struct Run {
  std::int64_t values = 0;
  std::int64_t tokens = 0;
  std::int64_t layers = 0;
};

std::vector<Run> runs_of(const Job& job, const Rules& rules, const Settings& settings, const Share& share, std::int64_t tokens, bool is_prompt) {
  std::vector<Run> runs;
  for (const auto& [layer, count] : layers_of(job.model, share)) {
    const Kept kept = kept_of(*layer);
    if (kept.values == 0) continue;
    const std::int64_t held = tokens_of(*layer, kept, rules, settings, tokens, is_prompt);
    auto run = std::find_if(runs.begin(), runs.end(), [&](const Run& r) { return r.values == kept.values && r.tokens == held; });
    if (run == runs.end()) run = runs.insert(run, {kept.values, held, 0});
    run->layers += count;
  }
  if (settings.cache == CacheKind::offloaded)
    for (Run& run : runs) run.layers = std::min(run.layers, kLayersOnDevice);
  return runs;
}

}  // namespace

std::vector<RunLayers> layers_of(const Model& model, const Share& share) {
  std::vector<RunLayers> run;
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    if (!share.runs(layer + 1)) continue;
    const LayerSpec* kind = &model.layers[static_cast<std::size_t>(layer)];
    auto same = std::find_if(run.begin(), run.end(), [&](const RunLayers& r) { return r.kind == kind; });
    if (same == run.end()) same = run.insert(same, {kind, 0});
    ++same->count;
  }
  return run;
}

Bytes cached_bytes(const Job& job, const Rules& rules, const Settings& settings, const Share& share, std::int64_t tokens, bool is_prompt) {
  Bytes sum;
  const Job silent{job.model, job.tensors, job.scenario, false, job.memo};
  for (const Run& run : runs_of(job, rules, settings, share, tokens, is_prompt))
    sum += row_of(silent, settings, run.layers, run.values, run.tokens).bytes;
  return sum;
}

Term cache_term(const Job& job, const Rules& rules, const Settings& settings, const Share& share) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  term.source = kSource;
  for (const Run& run : runs_of(job, rules, settings, share, settings.total_tokens, false)) {
    FormulaRow row = row_of(job, settings, run.layers, run.values, run.tokens);
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  const bool measured = settings.cache == CacheKind::dynamic && first_latent_attention(job.model.layers) == nullptr;
  term.records = measured ? 3 : 0;
  term.low = term.high = term.bytes;
  if (!measured) term.high += term.bytes / 20;
  if (!job.explain) return term;
  term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  if (first_latent_attention(job.model.layers) != nullptr) term.formula.note = "latent_cache_expanded";
  return term;
}

Term recurrent_term(const Job& job, const Settings& settings, const Share& share) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kSource;
  for (const RecurrentRun& run : recurrent_runs(job.model, [&](std::size_t layer) { return share.runs(static_cast<std::int64_t>(layer) + 1); })) {
    FormulaRow state = make_row(
        job.explain, "recurrent_layers",
        {{"sequences", settings.sequences}, {"layers", run.layers}, {"state_values", run.mixer->state_values}, {"bytes_per_value", kStateBytes}});
    FormulaRow convolution = make_row(job.explain, "convolutions",
                                      {{"sequences", settings.sequences},
                                       {"layers", run.layers},
                                       {"convolution_values", run.mixer->conv_channels * run.mixer->conv_kernel},
                                       {"bytes_per_value", settings.value_bytes}});
    for (FormulaRow* row : {&state, &convolution}) {
      term.bytes += row->bytes;
      if (job.explain && row->bytes > Bytes()) term.formula.rows.push_back(std::move(*row));
    }
  }
  term.low = term.bytes / 2;  // where a kernel keeps the state in 16 bit
  term.high = term.bytes + term.bytes / 10;
  return term;
}

}  // namespace weighbridge::transformers

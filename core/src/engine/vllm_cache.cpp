// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/vllm.hpp"
#include "overloaded.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kSource{"vllm-project/vllm vllm/v1/kv_cache_interface.py, vllm/v1/core/kv_cache_utils.py",
                         "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/kv_cache_interface.py"};

constexpr Source kRecurrentSource{"vllm-project/vllm vllm/model_executor/layers/mamba/mamba_utils.py (state shapes and types)",
                                  "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/mamba/mamba_utils.py"};

/// Batches whose tokens may hold blocks before the window frees them: the running one and, with asynchronous scheduling, the one before.
constexpr std::int64_t kBatchesInFlight = 2;

/// Layers that cache alike. In a pooled layout `layers` counts whole groups, the padding of the last one included.
struct Part {
  std::int64_t values = 0;  ///< per token and layer, on one rank
  std::int64_t window = 0;  ///< 0: every token stays
  std::int64_t layers = 0;
  std::int64_t groups = 1;
  std::string_view caption;
};

/// How the engine lays the layers out (get_kv_cache_groups): one block table for all, or, for layers with and without a window, groups
/// of `group_size` layers with a table each, whose blocks come from one pool.
struct Layout {
  std::vector<Part> parts;
  std::int64_t group_size = 0;  ///< 0: one table for all layers

  [[nodiscard]] bool pooled() const { return group_size > 0; }
};

/// Values of one token in one layer on one rank: whole heads, at least one; an MLA latent is the same on every rank.
std::int64_t local_values(const Mixer& mixer, std::int64_t ranks) {
  const auto heads = [&](const FullAttention& a) {
    return std::max<std::int64_t>(1, a.n_kv_heads / ranks) * (a.head_dim_k + a.head_dim_v) + a.indexer.cached_values();
  };
  return std::visit(Overloaded{heads, [&](const SlidingAttention& a) { return heads(a.heads); },
                               [&](const ChunkedAttention& a) { return heads(a.heads); }, [&](const CrossAttention& a) { return heads(a.heads); },
                               [](const LatentAttention& a) { return a.kv_lora_rank + a.qk_rope_head_dim + a.indexer.cached_values(); },
                               [](const CompressedAttention& a) { return a.head_dim + a.indexer.cached_values(); },
                               [](const EncoderAttention&) { return std::int64_t{0}; }, [](const RecurrentMixer&) { return std::int64_t{0}; },
                               [](const NoMixer&) { return std::int64_t{0}; }},
                    mixer);
}

std::int64_t window_of(const Mixer& mixer) {
  if (const auto* sliding = std::get_if<SlidingAttention>(&mixer)) return sliding->window;
  const auto* chunked = std::get_if<ChunkedAttention>(&mixer);
  return chunked != nullptr ? chunked->chunk : 0;
}

std::vector<Part> layer_kinds(const Model& model, const Settings& settings, bool by_window) {
  std::vector<Part> kinds;
  for (const LayerSpec& layer : model.layers) {
    const std::int64_t values = local_values(layer.mixer, settings.tensor);
    if (values == 0 || layer.shares_cache) continue;
    const std::int64_t window = by_window ? window_of(layer.mixer) : 0;
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Part& k) { return k.values == values && k.window == window; });
    if (kind == kinds.end()) {
      const bool latent = std::holds_alternative<LatentAttention>(layer.mixer);
      kind = kinds.insert(kind, Part{values, window, 0, 1, latent ? "latent_values" : "kv_values_here"});
    }
    ++kind->layers;
  }
  return kinds;
}

/// _get_kv_cache_groups_uniform_page_size: the smallest kind sets the size of a group, unless that would pad a kind that is hardly larger.
/// "Hardly" was less than 1.25 times and is less than 1.5 times; no model with a window that is read here lies between.
std::int64_t group_size_of(const std::vector<Part>& kinds) {
  std::int64_t least = kinds.front().layers;
  std::int64_t most = least;
  for (const Part& kind : kinds) {
    least = std::min(least, kind.layers);
    most = std::max(most, kind.layers);
  }
  return 2 * most < 3 * least ? most : least;
}

Layout layout_of(const Model& model, const Settings& settings) {
  Layout layout;
  layout.parts = layer_kinds(model, settings, true);
  if (layout.parts.empty()) return layout;  // recurrent layers or an encoder only
  const Part& first = layout.parts.front();
  const auto all = [&](auto same) { return std::all_of(layout.parts.begin(), layout.parts.end(), same); };
  if (all([&](const Part& p) { return p.window == first.window; })) return layout;
  if (!settings.hybrid_cache || !all([&](const Part& p) { return p.values == first.values; })) {
    layout.parts = layer_kinds(model, settings, false);  // unify_hybrid_kv_cache_specs: windows are ignored, every layer keeps every token
    return layout;
  }
  layout.group_size = group_size_of(layout.parts);
  for (Part& part : layout.parts) {
    part.groups = ceil_div(part.layers, layout.group_size);
    part.layers = part.groups * layout.group_size;
  }
  return layout;
}

/// Blocks that one request of `tokens` may hold, as the engine reckons (SlidingWindowSpec.max_memory_usage_bytes).
std::int64_t request_blocks(const Part& part, const Settings& s, std::int64_t tokens, std::int64_t in_flight) {
  if (part.window == 0) return ceil_div(tokens, s.block_size);
  return ceil_div(std::min(part.window - 1 + in_flight, tokens), s.block_size) + 1;
}

/// Blocks that `sequences` full ones hold at once. Behind a window a sequence keeps its last tokens, which may straddle a block at both ends;
/// the tokens of a running batch are shared between all.
std::int64_t all_blocks(const Part& part, const Settings& s, std::int64_t tokens, std::int64_t sequences) {
  const std::int64_t in_flight = kBatchesInFlight * s.max_num_batched_tokens;
  const std::int64_t each = sequences * request_blocks(part, s, tokens, in_flight);
  if (part.window == 0) return each;
  return std::min(each, sequences * (ceil_div(part.window - 1, s.block_size) + 2) + ceil_div(in_flight, s.block_size));
}

Bytes page_bytes(const Part& part, std::int64_t layers, const Settings& s) {
  return value_of({{"n_layers", layers}, {part.caption, part.values}, {"bytes_per_value", s.cache_value_bytes}, {"block_size", s.block_size}});
}

/// Bytes of one block over all layers that share its number.
Bytes block_bytes(const Layout& layout, const Settings& s) {
  if (layout.pooled()) return page_bytes(layout.parts.front(), layout.group_size, s);
  Bytes bytes;
  for (const Part& part : layout.parts) bytes += page_bytes(part, part.layers, s);
  return bytes;
}

FormulaRow sequences_row(const Job& job, const Part& part, const Settings& s) {
  const std::int64_t sequences = job.scenario.sequences;
  const std::int64_t blocks = all_blocks(part, s, job.scenario.context_tokens, sequences);
  if (part.window > 0)
    return make_row(job.explain, "sliding_sequences",
                    {{"n_layers", part.layers},
                     {part.caption, part.values},
                     {"bytes_per_value", s.cache_value_bytes},
                     {"window_blocks", blocks},
                     {"block_size", s.block_size}});
  return make_row(job.explain, "full_sequences",
                  {{"n_layers", part.layers},
                   {part.caption, part.values},
                   {"bytes_per_value", s.cache_value_bytes},
                   {"tokens_in_blocks", blocks / sequences * s.block_size},
                   {"sequences", sequences}});
}

/// Block 0 is never handed out (vllm/v1/core/block_pool.py, null_block).
FormulaRow null_block_row(const Job& job, const Layout& layout, const Part& part, const Settings& s) {
  const std::int64_t layers = layout.pooled() ? layout.group_size : part.layers;
  return make_row(job.explain, "null_block",
                  {{"n_layers", layers}, {part.caption, part.values}, {"bytes_per_value", s.cache_value_bytes}, {"block_size", s.block_size}});
}

}  // namespace

PoolReport report_pool(const Model& model, const Settings& s, const Rules& rules, Bytes pool) {
  const Layout layout = layout_of(model, s);
  if (layout.parts.empty()) return {};
  const auto blocks = static_cast<std::int64_t>(pool / block_bytes(layout, s));
  std::int64_t per_request = 0;
  std::int64_t groups = 0;
  for (const Part& part : layout.parts) {
    per_request += part.groups * request_blocks(part, s, s.max_model_len, s.max_num_batched_tokens);
    groups += part.groups;
    if (!layout.pooled()) break;  // one table serves all parts
  }
  PoolReport report;
  report.concurrency = static_cast<double>(blocks) / static_cast<double>(per_request);
  report.tokens = layout.pooled() && rules.tokens_by_concurrency
                      ? static_cast<std::int64_t>(report.concurrency * static_cast<double>(s.max_model_len))
                      : blocks / groups * s.block_size;
  return report;
}

Term cache_term(const Job& job, const Settings& settings) {
  const Layout layout = layout_of(job.model, settings);
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::exact;
  term.source = kSource;
  term.records = 10;  // token counts that engines printed for their pools: see tests/core/vllm_test.cpp
  for (std::size_t i = 0; i < layout.parts.size(); ++i) {
    const Part& part = layout.parts[i];
    const auto add = [&](FormulaRow row) {
      term.bytes += row.bytes;
      if (job.explain) term.formula.rows.push_back(std::move(row));
    };
    add(sequences_row(job, part, settings));
    if (!layout.pooled() || i == 0) add(null_block_row(job, layout, part, settings));
    if (part.window == 0) continue;
    term.basis = Basis::modelled;  // how many blocks lie behind a window at a time is a bound, not a count
    term.records = 0;
  }
  term.low = term.high = term.bytes;
  if (!job.explain) return term;
  const bool latent = first_latent_attention(job.model.layers) != nullptr;
  term.formula.note = latent ? "latent_cache_copied" : (settings.tensor > 1 ? "kv_heads_split" : "");
  if (latent)
    term.formula.config_keys = {"num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"};
  else
    term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  if (sliding_layers(job.model).n_layers > 0) term.formula.config_keys.emplace_back("sliding_window");
  return term;
}

Term recurrent_term(const Job& job) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kRecurrentSource;
  const std::int64_t sequences = job.scenario.sequences;
  for (const RecurrentRun& run : recurrent_runs(job.model, [](std::size_t) { return true; })) {
    const std::int64_t kept = run.layers * sequences;
    const Bytes convolution = value_of({{"convolution_values", run.mixer->conv_values()}, {"bytes_per_value", 2}});
    const auto row_with = [&](std::int64_t state_width) {
      return make_row(job.explain, "recurrent_layers",
                      {{"state_values", run.mixer->state_values},
                       {"bytes_per_value", state_width},
                       {"convolution_bytes", static_cast<std::int64_t>(convolution.count()), Op::plus},
                       {"layers_x_sequences", kept}});
    };
    FormulaRow row = row_with(4);
    term.bytes += row.bytes;
    term.low += row_with(2).bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  // One page per layer and sequence, as large as a page of attention, which may be padded up to twice the state.
  term.high = term.bytes * 2;
  return term;
}

}  // namespace weighbridge::vllm

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
  std::int64_t value_bytes = 2;
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
                               [](const LatentAttention& a) { return a.kv_lora_rank + a.qk_rope_head_dim; },
                               [](const CompressedAttention&) { return std::int64_t{0}; }, [](const EncoderAttention&) { return std::int64_t{0}; },
                               [](const RecurrentMixer&) { return std::int64_t{0}; }, [](const NoMixer&) { return std::int64_t{0}; }},
                    mixer);
}

std::int64_t window_of(const Mixer& mixer) {
  if (const auto* sliding = std::get_if<SlidingAttention>(&mixer)) return sliding->window;
  const auto* chunked = std::get_if<ChunkedAttention>(&mixer);
  return chunked != nullptr ? chunked->chunk : 0;
}

/// Bytes of an indexer's key: E4M3 with one f32 scale for every 128 values, whatever the cache's type (vllm/model_executor/models/deepseek_v2.py,
/// Indexer: DeepseekV32IndexerCache; GLM-5 takes it too).
std::int64_t indexer_key_bytes(const Indexer& indexer) { return indexer.head_dim + 4 * ceil_div(indexer.head_dim, 128); }

/// The caches of one layer on one rank, a token each. A sparse latent attention caches its indexer's keys in a layer of their own; in fp8 its
/// latent has an f32 scale for every 128 values and a rotated part of 16 bits (fp8_ds_mla, 656 bytes).
std::vector<Part> parts_of(const LayerSpec& layer, const Settings& settings) {
  std::vector<Part> parts;
  const std::int64_t values = local_values(layer.mixer, settings.tensor);
  if (values == 0 || layer.shares_cache) return parts;
  const auto* latent = std::get_if<LatentAttention>(&layer.mixer);
  parts.push_back({values, window_of(layer.mixer), 1, 1, latent != nullptr ? "latent_values" : "kv_values_here", settings.cache_value_bytes});
  if (latent == nullptr || latent->indexer.top_k == 0) return parts;
  if (settings.cache_value_bytes == 1)
    parts.back().values = latent->kv_lora_rank + 4 * ceil_div(latent->kv_lora_rank, 128) + 2 * latent->qk_rope_head_dim;
  const std::int64_t key = ceil_div(indexer_key_bytes(latent->indexer), latent->indexer.tokens_per_key);
  if (key > 0) parts.push_back({key, 0, 1, 1, "latent_values", 1});
  return parts;
}

std::vector<Part> layer_kinds(const Model& model, const Settings& settings, bool by_window) {
  std::vector<Part> kinds;
  for (const LayerSpec& layer : model.layers) {
    for (Part part : parts_of(layer, settings)) {
      if (!by_window) part.window = 0;
      const auto is_same = [&](const Part& k) {
        return k.values == part.values && k.window == part.window && k.value_bytes == part.value_bytes && k.caption == part.caption;
      };
      const auto kind = std::find_if(kinds.begin(), kinds.end(), is_same);
      if (kind == kinds.end())
        kinds.push_back(part);
      else
        ++kind->layers;
    }
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
  return value_of({{"n_layers", layers}, {part.caption, part.values}, {"bytes_per_value", part.value_bytes}, {"block_size", s.block_size}});
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
                     {"bytes_per_value", part.value_bytes},
                     {"window_blocks", blocks},
                     {"block_size", s.block_size}});
  return make_row(job.explain, "full_sequences",
                  {{"n_layers", part.layers},
                   {part.caption, part.values},
                   {"bytes_per_value", part.value_bytes},
                   {"tokens_in_blocks", blocks / sequences * s.block_size},
                   {"sequences", sequences}});
}

/// Block 0 is never handed out (vllm/v1/core/block_pool.py, null_block).
FormulaRow null_block_row(const Job& job, const Layout& layout, const Part& part, const Settings& s) {
  const std::int64_t layers = layout.pooled() ? layout.group_size : part.layers;
  return make_row(job.explain, "null_block",
                  {{"n_layers", layers}, {part.caption, part.values}, {"bytes_per_value", part.value_bytes}, {"block_size", s.block_size}});
}

/// Pages of one kind of cache of DeepSeek-V4, in bytes.
struct Pages {
  std::int64_t bytes = 0;
  std::int64_t tokens = 0;  ///< that one page stands for
  std::int64_t window = 0;  ///< 0: every page stays
  std::int64_t layers = 0;

  [[nodiscard]] Part part() const { return {0, window, layers, 1, {}, 1}; }
};

/// DeepSeek-V4's caches (vllm-project/vllm vllm/models/deepseek_v4/{attention,compressor}.py, vllm/v1/attention/backends/mla/sparse_swa.py,
/// vllm/v1/kv_cache_interface.py). Blocks count 256 tokens, windows' pages 64. An entry is E4M3 but for 64 rotated values of 16 bits, with a
/// scale byte for every 64 values and one spare (512: 584 bytes); pages are padded to multiples of 576. The compressor keeps values and scores
/// of its window in f32, in pages of 4 tokens (ratio 4, whose windows overlap) or 8.
std::vector<Pages> compressed_pages(const Model& model, bool wide_entries) {
  constexpr std::int64_t block = 256, window_block = 64, rotated = 64, alignment = 576, overlapping_ratio = 4;
  std::vector<Pages> kinds;
  const auto add = [&](std::int64_t bytes, std::int64_t tokens, std::int64_t window) {
    const Pages page{ceil_div(bytes, alignment) * alignment, tokens, window, 1};
    for (Pages& kind : kinds)
      if (kind.bytes == page.bytes && kind.tokens == tokens && kind.window == window) return void(++kind.layers);
    kinds.push_back(page);
  };
  for (const LayerSpec& layer : model.layers) {
    const auto* a = std::get_if<CompressedAttention>(&layer.mixer);
    if (a == nullptr) continue;
    const std::int64_t plain = std::max<std::int64_t>(0, a->head_dim - rotated);
    const std::int64_t entry = wide_entries ? 2 * a->head_dim : plain + 2 * std::min(rotated, a->head_dim) + plain / 64 + 1;
    add(window_block * entry, window_block, a->window);
    if (a->compress_ratio == 0) continue;
    add(ceil_div(block, a->compress_ratio) * entry, block, 0);
    const std::int64_t overlap = a->compress_ratio == overlapping_ratio ? 2 : 1;
    const std::int64_t state_block = overlap == 2 ? 4 : 8;
    const auto add_state = [&](std::int64_t head_dim) {
      if (a->compress_ratio > 1) add(state_block * 2 * overlap * head_dim * 4, state_block, overlap * a->compress_ratio);
    };
    add_state(a->head_dim);
    if (a->indexer.head_dim == 0) continue;
    add(ceil_div(block, a->compress_ratio) * indexer_key_bytes(a->indexer), block, 0);
    add_state(a->indexer.head_dim);
  }
  return kinds;
}

Settings with_block(Settings s, std::int64_t tokens) {
  s.block_size = tokens;
  return s;
}

/// Read from the source, not measured. Low: nothing in flight. High: every page as large as the largest, as where the engine evens them out, and
/// 16-bit entries unless fp8 is asked for.
Term compressed_cache_term(const Job& job, const Settings& settings) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  term.source = kSource;
  const std::int64_t sequences = job.scenario.sequences;
  const auto blocks_of = [&](const Pages& pages) {
    return 1 + all_blocks(pages.part(), with_block(settings, pages.tokens), job.scenario.context_tokens, sequences);
  };
  std::int64_t most = 0;
  for (const Pages& pages : compressed_pages(job.model, settings.cache_value_bytes > 1)) most = std::max(most, pages.bytes);
  for (const Pages& pages : compressed_pages(job.model, false)) {
    const auto row_with = [&](std::int64_t blocks, std::int64_t bytes) {
      return make_row(job.explain, pages.window > 0 ? "sliding_sequences" : "full_sequences",
                      {{"n_layers", pages.layers}, {"bytes_per_block", bytes}, {"window_blocks", blocks}});
    };
    const std::int64_t blocks = blocks_of(pages);
    FormulaRow row = row_with(blocks, pages.bytes);
    term.bytes += row.bytes;
    const std::int64_t kept = pages.window > 0 ? sequences * ceil_div(std::min(pages.window, job.scenario.context_tokens), pages.tokens) : blocks;
    term.low += row_with(std::min(kept, blocks), pages.bytes).bytes;
    term.high += row_with(blocks, most).bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "head_dim", "sliding_window", "compress_ratios", "index_head_dim"};
  return term;
}

bool is_compressed(const Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(),
                     [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); });
}

PoolReport report_compressed_pool(const Model& model, const Settings& s, Bytes pool) {
  Bytes request;
  for (const Pages& pages : compressed_pages(model, false))
    request += value_of({{"n_layers", pages.layers},
                         {"bytes_per_block", pages.bytes},
                         {"blocks", request_blocks(pages.part(), with_block(s, pages.tokens), s.max_model_len, s.max_num_batched_tokens)}});
  const double concurrency = static_cast<double>(pool.count()) / static_cast<double>(request.count());
  return {static_cast<std::int64_t>(concurrency * static_cast<double>(s.max_model_len)), concurrency};
}

/// The state of one recurrent layer and sequence on one rank, in bytes. Heads and channels are split; the channels that groups share are copied
/// where there are fewer groups than ranks (`copied`).
std::int64_t state_bytes(const RecurrentMixer& mixer, std::int64_t ranks, std::int64_t state_width, bool copied) {
  const std::int64_t split = copied ? std::min(mixer.inner_size, mixer.conv_channels) : mixer.conv_channels;
  const std::int64_t channels = ceil_div(split, ranks) + (mixer.conv_channels - split);
  return ceil_div(mixer.state_values, ranks) * state_width + channels * std::max<std::int64_t>(0, mixer.conv_kernel - 1) * 2;
}

/// The largest of one token in one attention layer, in bytes.
std::int64_t widest_token(const Model& model, const Settings& s) {
  std::int64_t widest = 0;
  for (const LayerSpec& layer : model.layers)
    for (const Part& part : parts_of(layer, s)) widest = std::max(widest, part.values * part.value_bytes);
  return widest;
}

}  // namespace

std::int64_t hybrid_block_size(const Model& model, const Settings& s) {
  const std::int64_t token = widest_token(model, s);
  if (token == 0) return s.block_size;
  std::int64_t state = 0;
  for (const RecurrentRun& run : recurrent_runs(model, [](std::size_t) { return true; }))
    state = std::max(state, state_bytes(*run.mixer, s.tensor, 4, false));
  return std::max(s.block_size, ceil_div(state, s.block_size * token) * s.block_size);
}

PoolReport report_pool(const Model& model, const Settings& s, const Rules& rules, Bytes pool) {
  if (is_compressed(model)) return report_compressed_pool(model, s, pool);
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
  if (is_compressed(job.model)) return compressed_cache_term(job, settings);
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

Term recurrent_term(const Job& job, const Settings& settings) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kRecurrentSource;
  const auto every = [](std::size_t) { return true; };
  const std::int64_t page = widest_token(job.model, settings) * settings.block_size;
  Bytes padding;
  for (const RecurrentRun& run : recurrent_runs(job.model, every)) {
    const std::int64_t kept = run.layers * job.scenario.sequences;
    const RecurrentMixer& mixer = *run.mixer;
    const std::int64_t bytes = state_bytes(mixer, settings.tensor, 4, false);
    const std::int64_t values = ceil_div(mixer.state_values, settings.tensor);
    FormulaRow row = make_row(
        job.explain, "recurrent_layers",
        {{"state_values", values}, {"bytes_per_value", 4}, {"convolution_bytes", bytes - 4 * values, Op::plus}, {"layers_x_sequences", kept}});
    term.bytes += row.bytes;
    const auto over_layers = [&](std::int64_t each) { return value_of({{"bytes", each}, {"layers_x_sequences", kept}}); };
    padding += over_layers(std::max<std::int64_t>(0, page - bytes));
    // Unless a config asks for f32, the state has the model's type; Kimi's is always f32 (kda_state_dtype).
    term.low += over_layers(state_bytes(mixer, settings.tensor, mixer.kind == RecurrentKind::kimi_delta ? 4 : 2, false));
    // With prefix caching ("align", the default where it is on) a request holds two pages.
    term.high += over_layers(2 * std::max(page, state_bytes(mixer, settings.tensor, 4, true)));
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  term.bytes += padding;
  if (job.explain && padding > Bytes()) term.formula.rows.push_back({"row_padding", {}, padding, true});
  // Layers share pages in groups of equal size; the last one is filled up, to twice the layers at most.
  const bool is_hybrid = page > 0;
  if (is_hybrid) term.high += term.bytes;
  return term;
}

}  // namespace weighbridge::vllm

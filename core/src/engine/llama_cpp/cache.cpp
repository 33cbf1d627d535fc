// SPDX-License-Identifier: Apache-2.0
// src/llama-kv-cache.cpp, llama_kv_cache::llama_kv_cache: one tensor of keys and one of values per layer, [row, cells, streams];
// src/llama-kv-cache-iswa.cpp: layers with a window keep what the window and one graph need.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/recurrent.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{"ggml-org/llama.cpp v0.5.0 src/llama-kv-cache.cpp (one row of keys and of values per cell and layer)",
                         "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-kv-cache.cpp"};
constexpr Source kRecurrentSource{"ggml-org/llama.cpp v0.5.0 src/llama-memory-recurrent.cpp (convolution and state of every sequence in f32)",
                                  "https://github.com/ggml-org/llama.cpp/blob/master/src/llama-memory-recurrent.cpp"};
constexpr int kRecords = 200;  // planned contexts, equal to the byte
constexpr int kRecurrentRecords = 500;

/// Elements of one cell, each kind a tensor of its own. Values that are stored transposed have the width of the widest layer.
struct Rows {
  std::int64_t key = 0;
  std::int64_t value = 0;
  std::int64_t indexer = 0;  ///< its keys (src/llama-kv-cache-dsa.cpp, llama-kv-cache-msa.cpp), of the keys' type
};

std::int64_t indexer_values(const Mixer& mixer) {
  if (const auto* latent = std::get_if<LatentAttention>(&mixer)) return latent->indexer.cached_values();
  const FullAttention* heads = grouped_attention(mixer);
  return heads != nullptr ? heads->indexer.cached_values() : 0;
}

Rows rows_of(const Mixer& mixer, const Settings& s) {
  if (std::holds_alternative<EncoderAttention>(mixer)) return {};
  if (std::holds_alternative<NoMixer>(mixer)) return {.value = s.caches_idle_layers ? s.widest_values : 0};
  if (const auto* compressed = std::get_if<CompressedAttention>(&mixer)) return {.key = compressed->head_dim};
  const CachedHeads cached = cached_heads(mixer, s);
  Rows rows{cached.key * cached.heads, cached.value * cached.heads, indexer_values(mixer)};
  if (const auto* latent = std::get_if<LatentAttention>(&mixer); latent != nullptr && s.caches_latent_values && !s.unfolds_latents)
    rows.value = latent->kv_lora_rank;
  if (rows.value > 0) rows.value = std::max(rows.value, s.widest_values);
  return rows;
}

/// Tokens of a sequence that a layer looks back on; 0: all of them.
std::int64_t window_of(const Mixer& mixer) {
  if (const auto* sliding = std::get_if<SlidingAttention>(&mixer)) return sliding->window;
  if (const auto* compressed = std::get_if<CompressedAttention>(&mixer)) return compressed->window;
  const auto* chunked = std::get_if<ChunkedAttention>(&mixer);
  return chunked != nullptr ? chunked->chunk : 0;
}

/// DeepSeek-V4 keeps, beside its window (src/llama-kv-cache-dsv4.cpp, llama_kv_cache_dsv4 and llama_dsv4_comp_state): an entry and the indexer's
/// key for every `compress_ratio` tokens, and what the compressor has not finished, its values and their scores in f32. All of it is kept for
/// each sequence, a unified cache or not. Windows of the smallest ratio overlap: twice the tokens, twice the values.
constexpr std::int64_t kOverlappingRatio = 4;

struct Compressed {
  std::int64_t entry = 0;  ///< values cached for every `compress_ratio` tokens
  std::int64_t state = 0;  ///< values of the compressor, for one sequence
};

Compressed compressed_of(const CompressedAttention& a) {
  if (a.compress_ratio == 0) return {};
  const std::int64_t overlap = a.compress_ratio == kOverlappingRatio ? 2 : 1;
  const std::int64_t entry = a.head_dim + a.indexer.head_dim;
  return {entry, 2 * overlap * a.compress_ratio * overlap * entry};
}

FormulaRow entries_row(bool explain, const CompressedAttention& a, const Settings& s, std::int64_t layers) {
  return make_row(explain, "latent",
                  {{"layers", layers},
                   {"values_per_token", compressed_of(a).entry},
                   {"elements_per_block", s.type_k.block_size, Op::divide},
                   {"bytes_per_block", s.type_k.block_bytes},
                   {"cells", compressed_cells(a, s)},
                   {"streams", s.n_seq_max}});
}

FormulaRow compressor_row(bool explain, const CompressedAttention& a, const Settings& s, std::int64_t layers) {
  return make_row(explain, "recurrent_layers",
                  {{"state_values", compressed_of(a).state}, {"layers", layers}, {"sequences", s.n_seq_max}, {"bytes_per_value", 4}});
}

/// Layers of one kind on one device.
struct Run {
  const Mixer* mixer = nullptr;
  std::int64_t layers = 0;
};

std::vector<Run> runs_on(const Job& job, const Settings& settings, const Placement& placement, int device) {
  std::vector<Run> runs;
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) {
    const int place = settings.offload_kqv ? placement.layer_device[layer] : Placement::kHost;
    if (place != device) continue;
    const Mixer& mixer = job.model.layers[layer].mixer;
    const Rows rows = rows_of(mixer, settings);
    if (job.model.layers[layer].shares_cache || rows.key + rows.value == 0) continue;
    if (runs.empty() || !(*runs.back().mixer == mixer)) runs.push_back({&mixer, 0});
    ++runs.back().layers;
  }
  return runs;
}

std::int64_t streams_of(const Mixer& mixer, const Settings& s) {
  return std::holds_alternative<CompressedAttention>(mixer) ? s.n_seq_max : s.n_streams;
}

FormulaRow row_of(std::string_view label, const Run& run, const Settings& s, DType type, std::int64_t row) {
  return make_row(true, label,
                  {{"layers", run.layers},
                   {"values_per_token", row},
                   {"elements_per_block", type.block_size, Op::divide},
                   {"bytes_per_block", type.block_bytes},
                   {"cells", cells_of(*run.mixer, s)},
                   {"streams", streams_of(*run.mixer, s)}});
}

}  // namespace

CachedHeads cached_heads(const Mixer& mixer, const Settings& s) {
  if (const FullAttention* a = grouped_attention(mixer)) return {a->head_dim_k, a->head_dim_v, a->n_kv_heads};
  const auto* a = std::get_if<LatentAttention>(&mixer);
  if (a == nullptr) return {};
  if (s.unfolds_latents) return {a->qk_nope_head_dim + a->qk_rope_head_dim, a->head_dim_v, a->n_heads};
  return {a->kv_lora_rank + a->qk_rope_head_dim, 0, 1};
}

std::int64_t widest_values(const Model& model, const Settings& s) {
  std::int64_t widest = 0;
  for (const LayerSpec& layer : model.layers.kinds()) widest = std::max(widest, rows_of(layer.mixer, s).value);
  return widest;
}

bool has_window(const Mixer& mixer) { return window_of(mixer) > 0; }

std::int64_t cells_of(const Mixer& mixer, const Settings& s) {
  const std::int64_t window = window_of(mixer);
  if (window == 0 || !s.keeps_windows || s.swa_full) return s.cells;
  const std::int64_t sequences = streams_of(mixer, s) == 1 ? s.n_seq_max : 1;
  return std::min(s.cells, padded_cells(window * sequences + s.n_ubatch));
}

std::int64_t compressed_cells(const CompressedAttention& a, const Settings& s) {
  return a.compress_ratio > 0 ? padded_cells(ceil_div(s.cells, a.compress_ratio)) : 0;
}

Bytes cache_bytes(const Mixer& mixer, const Settings& s, bool padded) {
  const Rows rows = rows_of(mixer, s);
  const auto tensor = [&](DType type, std::int64_t row) {
    return row == 0 ? Bytes() : buffer_bytes(type, row, cells_of(mixer, s) * streams_of(mixer, s), padded);
  };
  Bytes bytes = tensor(s.type_k, rows.key) + tensor(s.type_v, rows.value) + tensor(s.type_k, rows.indexer);
  if (const auto* a = std::get_if<CompressedAttention>(&mixer); a != nullptr && a->compress_ratio > 0)
    bytes += entries_row(false, *a, s, 1).bytes + compressor_row(false, *a, s, 1).bytes;
  return bytes;
}

Term cache_term(const Job& job, const Settings& settings, const Placement& placement, int device, bool padded) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::exact;
  term.records = kRecords;
  term.source = kSource;
  Bytes counted;
  bool is_compressed = false;
  for (const Run& run : runs_on(job, settings, placement, device)) {
    term.bytes += cache_bytes(*run.mixer, settings, padded) * static_cast<std::uint64_t>(run.layers);
    const auto* compressed = std::get_if<CompressedAttention>(run.mixer);
    is_compressed = is_compressed || compressed != nullptr;
    if (!job.explain) continue;
    if (compressed != nullptr && compressed->compress_ratio > 0) {
      term.formula.rows.push_back(entries_row(true, *compressed, settings, run.layers));
      term.formula.rows.push_back(compressor_row(true, *compressed, settings, run.layers));
    }
    const Rows rows = rows_of(*run.mixer, settings);
    if (rows.key > 0) term.formula.rows.push_back(row_of(rows.value > 0 ? "keys" : "latent", run, settings, settings.type_k, rows.key));
    if (rows.indexer > 0) term.formula.rows.push_back(row_of("indexer_keys", run, settings, settings.type_k, rows.indexer));
    if (rows.value > 0) term.formula.rows.push_back(row_of("values", run, settings, settings.type_v, rows.value));
  }
  for (const FormulaRow& row : term.formula.rows) counted += row.bytes;
  if (job.explain && term.bytes > counted) term.formula.rows.push_back({"row_padding", {}, term.bytes - counted, true});
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim", "kv_lora_rank", "qk_rope_head_dim"};
  term.low = term.high = term.bytes;
  if (!knows_file_of(job.model)) {
    // What else the engine's own class for the model keeps is not known: Qwen3.8-Flash-Next has a third cache, which is 22 % more (#27742).
    term.basis = Basis::modelled;
    term.records = 0;
    term.high = term.bytes + term.bytes / 3;
  }
  if (is_compressed) {
    // Read from the source, not measured: paddings and what is kept for rollbacks change from build to build.
    term.basis = Basis::modelled;
    term.records = 0;
    term.low = term.bytes / 10 * 8;
    term.high = term.bytes + term.bytes / 4;
  }
  return term;
}

Term recurrent_term(const Job& job, const Settings& settings, const Placement& placement, int device) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::exact;
  term.records = kRecurrentRecords;
  term.source = kRecurrentSource;
  const auto lies_here = [&](std::size_t layer) { return (settings.offload_kqv ? placement.layer_device[layer] : Placement::kHost) == device; };
  for (const RecurrentRun& run : recurrent_runs(job.model, lies_here)) {
    constexpr std::int64_t f32_bytes = 4;
    const Factor convolution{"convolution_values", run.mixer->conv_values()};
    const Factor state{"state_values", run.mixer->state_values, Op::plus};
    const Factor layers{"layers", run.layers};
    const Factor sequences{"sequences", settings.n_seq_max};
    const Factor kept{"states_to_go_back", 1 + settings.n_rs_seq};
    const Factor value{"bytes_per_value", f32_bytes};
    FormulaRow row = settings.n_rs_seq > 0 ? make_row(job.explain, "recurrent_layers", {convolution, state, layers, sequences, kept, value})
                                           : make_row(job.explain, "recurrent_layers", {convolution, state, layers, sequences, value});
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  term.low = term.high = term.bytes;
  return term;
}

}  // namespace weighbridge::llama_cpp

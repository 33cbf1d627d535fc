// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V4's caches (vllm-project/vllm vllm/models/deepseek_v4/{attention,compressor}.py, vllm/v1/attention/backends/mla/sparse_swa.py,
// vllm/v1/kv_cache_interface.py): windows, compressed entries, and the state of what compresses them.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/vllm/layout.hpp"

namespace weighbridge::vllm {

namespace {

/// Pages of one kind of cache, in bytes.
struct Pages {
  std::int64_t bytes = 0;
  std::int64_t tokens = 0;  ///< that one page stands for
  std::int64_t window = 0;  ///< 0: every page stays
  std::int64_t layers = 0;

  [[nodiscard]] PageKind kind() const {
    PageKind kind;
    kind.keeps = window > 0 ? Keeps::window : Keeps::all;
    kind.window = window;
    kind.block = tokens;
    return kind;
  }
};

/// Blocks count 256 tokens, windows' pages 64. An entry is E4M3 but for 64 rotated values of 16 bits, with a scale byte for every 64 values and
/// one spare (512: 584 bytes); pages are padded to multiples of 576. The compressor keeps values and scores of its window in f32, in pages of 4
/// tokens (ratio 4, whose windows overlap) or 8.
std::vector<Pages> compressed_pages(const Model& model, bool wide_entries, const Stage& stage) {
  constexpr std::int64_t block = 256, window_block = 64, rotated = 64, alignment = 576, overlapping_ratio = 4;
  std::vector<Pages> kinds;
  const auto add = [&](std::int64_t bytes, std::int64_t tokens, std::int64_t window) {
    const Pages page{ceil_div(bytes, alignment) * alignment, tokens, window, 1};
    for (Pages& kind : kinds)
      if (kind.bytes == page.bytes && kind.tokens == tokens && kind.window == window) return void(++kind.layers);
    kinds.push_back(page);
  };
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    const auto* a = std::get_if<CompressedAttention>(&model.layers[i].mixer);
    if (a == nullptr || !stage.holds(static_cast<std::int64_t>(i))) continue;
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

}  // namespace

bool is_compressed(const Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(),
                     [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); });
}

/// Read from the source, not measured. Low: nothing in flight. High: every page as large as the largest, as where the engine evens them out, and
/// 16-bit entries unless fp8 is asked for.
Term compressed_cache_term(const Job& job, const Settings& settings, const Stage& stage) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  std::int64_t most = 0;
  for (const Pages& pages : compressed_pages(job.model, settings.cache_value_bytes > 1, stage)) most = std::max(most, pages.bytes);
  for (const Pages& pages : compressed_pages(job.model, false, stage)) {
    const auto row_with = [&](std::int64_t blocks, std::int64_t bytes) {
      return make_row(job.explain, pages.window > 0 ? "sliding_sequences" : "full_sequences",
                      {{"n_layers", pages.layers}, {"bytes_per_block", bytes}, {"window_blocks", blocks}});
    };
    const std::int64_t blocks = 1 + held_blocks(pages.kind(), settings);
    FormulaRow row = row_with(blocks, pages.bytes);
    term.bytes += row.bytes;
    const std::int64_t window = std::min(pages.window, settings.tokens_per_sequence);
    const std::int64_t kept = pages.window > 0 ? settings.sequences * ceil_div(window, pages.tokens) : blocks;
    term.low += row_with(std::min(kept, blocks), pages.bytes).bytes;
    term.high += row_with(blocks, most).bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "head_dim", "sliding_window", "compress_ratios", "index_head_dim"};
  return term;
}

PoolReport report_compressed_pool(const Model& model, const Settings& s, const Stage& stage, Bytes pool) {
  Bytes request;
  for (const Pages& pages : compressed_pages(model, false, stage))
    request += value_of({{"n_layers", pages.layers}, {"bytes_per_block", pages.bytes}, {"blocks", request_blocks(pages.kind(), s, s.max_model_len)}});
  const double concurrency = static_cast<double>(pool.count()) / static_cast<double>(std::max<std::uint64_t>(1, request.count()));
  return {static_cast<std::int64_t>(concurrency * static_cast<double>(s.max_model_len)), concurrency};
}

}  // namespace weighbridge::vllm

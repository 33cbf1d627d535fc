// SPDX-License-Identifier: Apache-2.0
// DeepSeek-V4's caches (vllm-project/vllm vllm/models/deepseek_v4/{attention,compressor}.py, vllm/v1/attention/backends/mla/sparse_swa.py,
// vllm/v1/kv_cache_interface.py): windows, compressed entries, and the state of what compresses them. Layers that keep the same tokens form groups
// with a block table each; all groups take their blocks from one pool, and a block is as large as what any group puts into it
// (vllm/v1/core/kv_cache_utils.py _get_kv_cache_groups_uniform_groups).
#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <set>

#include "engine/formula.hpp"
#include "engine/serving_rules.hpp"
#include "engine/vllm/layout.hpp"

namespace weighbridge::vllm {

namespace {

/// What one layer keeps: the bytes of a page, the tokens that the page stands for, and the window behind which it is freed (0: never).
struct Cache {
  std::int64_t bytes = 0;
  std::int64_t tokens = 0;
  std::int64_t window = 0;
  std::int64_t layer = 0;
};

/// Caches with one block table.
struct Group {
  std::vector<Cache> caches;

  [[nodiscard]] PageKind kind() const {
    PageKind kind;
    kind.keeps = caches.front().window > 0 ? Keeps::window : Keeps::all;
    kind.window = caches.front().window;
    kind.block = caches.front().tokens;
    return kind;
  }
  [[nodiscard]] std::int64_t page() const {
    std::int64_t sum = 0;
    for (const Cache& cache : caches) sum += cache.bytes;
    return sum;
  }
  /// Pages of each size (UniformTypeKVCacheSpecs.get_page_sizes).
  [[nodiscard]] std::map<std::int64_t, std::int64_t> counts() const {
    std::map<std::int64_t, std::int64_t> counts;
    for (const Cache& cache : caches) ++counts[cache.bytes];
    return counts;
  }
  /// get_num_layer_tuples
  [[nodiscard]] std::int64_t tuples() const {
    std::int64_t most = 0;
    for (const auto& [bytes, count] : counts()) most = std::max(most, count);
    return most;
  }
};

/// Blocks count 256 tokens, windows' pages 64. An entry is E4M3 but for 64 rotated values of 16 bits, with a scale byte for every 64 values and
/// one spare (512: 584 bytes); pages are padded to multiples of 576. The compressor keeps values and scores of its window in f32, in pages of 4
/// tokens (ratio 4, whose windows overlap) or 8.
void add_caches(const CompressedAttention& a, bool wide_entries, std::int64_t layer, std::vector<Cache>& caches) {
  constexpr std::int64_t block = 256, window_block = 64, rotated = 64, alignment = 576, overlapping_ratio = 4;
  const auto add = [&](std::int64_t bytes, std::int64_t tokens, std::int64_t window) {
    caches.push_back({ceil_div(bytes, alignment) * alignment, tokens, window, layer});
  };
  const std::int64_t plain = std::max<std::int64_t>(0, a.head_dim - rotated);
  const std::int64_t entry = wide_entries ? 2 * a.head_dim : plain + 2 * std::min(rotated, a.head_dim) + plain / 64 + 1;
  add(window_block * entry, window_block, a.window);
  if (a.compress_ratio == 0) return;
  add(ceil_div(block, a.compress_ratio) * entry, block, 0);
  const std::int64_t overlap = a.compress_ratio == overlapping_ratio ? 2 : 1;
  const std::int64_t state_block = overlap == 2 ? 4 : 8;
  const auto add_state = [&](std::int64_t head_dim) {
    if (a.compress_ratio > 1) add(state_block * 2 * overlap * head_dim * 4, state_block, overlap * a.compress_ratio);
  };
  add_state(a.head_dim);
  if (a.indexer.head_dim == 0) return;
  add(ceil_div(block, a.compress_ratio) * indexer_key_bytes(a.indexer), block, 0);
  add_state(a.indexer.head_dim);
}

/// _approximate_gcd: the size of groups, at least `least`, that pads `counts` up to multiples of it least; the larger of equals.
std::int64_t group_size(const std::vector<std::int64_t>& counts, std::int64_t least) {
  std::int64_t best = least;
  std::int64_t best_padding = -1;
  for (std::int64_t size = least; size <= *std::max_element(counts.begin(), counts.end()); ++size) {
    std::int64_t padding = 0;
    for (const std::int64_t count : counts) padding += (size - count % size) % size;
    if (best_padding >= 0 && padding > best_padding) continue;
    best = size;
    best_padding = padding;
  }
  return best;
}

/// The groups of all layers; the first one keeps every token.
std::vector<Group> groups_of(const Model& model, const Settings& s, bool wide_entries) {
  std::vector<Cache> caches;
  const auto add_layers = [&](const LayerList& layers, std::int64_t first) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (const auto* a = std::get_if<CompressedAttention>(&layers[i].mixer))
        add_caches(*a, wide_entries, first + static_cast<std::int64_t>(i), caches);
  };
  add_layers(model.layers, 0);
  if (s.drafts_with_mtp) add_layers(model.mtp_layers, model.n_layers());
  std::vector<Group> specs(1);
  for (const Cache& cache : caches) {
    const auto is_alike = [&](const Group& g) {
      return cache.window == 0 ? &g == &specs.front()
                               : &g != &specs.front() && g.caches.front().tokens == cache.tokens && g.caches.front().window == cache.window;
    };
    auto found = std::find_if(specs.begin(), specs.end(), is_alike);
    if (found == specs.end()) found = specs.insert(found, Group{});
    found->caches.push_back(cache);
  }
  std::vector<std::int64_t> counts;
  for (const Group& spec : specs) counts.push_back(std::max<std::int64_t>(1, spec.tuples()));
  const std::int64_t size = group_size(counts, counts.front());
  std::vector<Group> groups{specs.front()};
  for (std::size_t i = 1; i < specs.size(); ++i) {
    const std::int64_t parts = ceil_div(counts[i], size);
    const std::size_t first = groups.size();
    groups.resize(first + static_cast<std::size_t>(parts));
    std::map<std::int64_t, std::int64_t> dealt;  // layers are dealt out in turn, of each size of page
    for (const Cache& cache : specs[i].caches) groups[first + static_cast<std::size_t>(dealt[cache.bytes]++ % parts)].caches.push_back(cache);
  }
  return groups;
}

/// How the groups of one stage lie in the pool.
struct Layout {
  std::vector<Group> groups;  ///< of the stage; none is empty
  Bytes block;                ///< of one block number: whichever group has it, no other does
  Bytes reserved;             ///< of one block number, as _max_memory_usage_bytes_from_groups reckons when it checks that one request fits
  std::int64_t first = 0;     ///< bytes of a page of the group that keeps all tokens
};

Layout layout_of(const Model& model, const Settings& s, const Stage& stage, bool wide_entries) {
  Layout layout;
  layout.groups = groups_of(model, s, wide_entries);
  std::set<std::int64_t> sizes;  // of the group that keeps all tokens
  for (const Cache& cache : layout.groups.front().caches) sizes.insert(cache.bytes);
  for (Group& group : layout.groups) {
    group.caches.erase(std::remove_if(group.caches.begin(), group.caches.end(), [&](const Cache& c) { return !stage.holds(c.layer); }),
                       group.caches.end());
    if (s.compressed_pool == CompressedPool::dense) continue;
    for (Cache& cache : group.caches)  // pages of other groups are padded to the next size of the first one's
      if (const auto size = sizes.lower_bound(cache.bytes); size != sizes.end()) cache.bytes = *size;
  }
  const auto is_empty = [](const Group& group) { return group.caches.empty(); };
  layout.groups.erase(std::remove_if(layout.groups.begin(), layout.groups.end(), is_empty), layout.groups.end());
  if (layout.groups.empty()) return layout;
  layout.first = layout.groups.front().page();
  std::int64_t tuples = 0;
  std::int64_t dense = 0;
  std::map<std::int64_t, std::int64_t> slots;
  for (const Group& group : layout.groups) {
    tuples = std::max(tuples, group.tuples());
    dense = std::max(dense, group.page());
    for (const auto& [bytes, count] : group.counts()) slots[bytes] = std::max(slots[bytes], count);
  }
  std::int64_t of_tuple = 0;
  for (const auto& [bytes, count] : layout.groups.front().counts()) of_tuple += bytes;
  std::int64_t of_slots = 0;
  for (const auto& [bytes, count] : slots) of_slots += bytes * count;
  const std::int64_t block = s.compressed_pool == CompressedPool::tuples ? tuples * of_tuple
                                                                         : (s.compressed_pool == CompressedPool::slots ? of_slots : dense);
  layout.block = Bytes(static_cast<std::uint64_t>(block));
  layout.reserved = Bytes(static_cast<std::uint64_t>(tuples * of_tuple));
  return layout;
}

/// layout_of(), counted once for all contexts and requests.
std::shared_ptr<const Layout> kept_layout(const Job& job, const Settings& s, const Stage& stage, bool wide_entries) {
  using Key = std::array<std::int64_t, 4>;
  using Kept = std::vector<std::pair<Key, std::shared_ptr<const Layout>>>;
  const auto count = [&] { return std::make_shared<const Layout>(layout_of(job.model, s, stage, wide_entries)); };
  if (job.memo == nullptr) return count();
  if (job.memo->layouts == nullptr) job.memo->layouts = std::make_shared<Kept>();
  Kept& kept = *std::static_pointer_cast<Kept>(job.memo->layouts);
  const int flags = (stage.is_first ? 1 : 0) + (stage.is_last ? 2 : 0) + (wide_entries ? 4 : 0) + (s.drafts_with_mtp ? 8 : 0);
  const Key key{stage.first, stage.end, flags, static_cast<std::int64_t>(s.compressed_pool)};
  for (const auto& [known, layout] : kept)
    if (known == key) return layout;
  return kept.emplace_back(key, count()).second;
}

std::uint64_t blocks_of_request(const Layout& layout, const Settings& s, std::int64_t tokens) {
  std::int64_t blocks = 0;
  for (const Group& group : layout.groups) blocks += request_blocks(group.kind(), s, tokens);
  return static_cast<std::uint64_t>(blocks);
}

/// Low: nothing in flight. High: two batches in flight whatever the version, and 16-bit entries unless fp8 is asked for.
Term pool_term(const Job& job, const Settings& settings, const Stage& stage) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  term.records = 3;  // vllm-project/vllm#51041 (0.26), #44376 (0.22); bytes of a block: #48993, #54703
  const std::shared_ptr<const Layout> kept = kept_layout(job, settings, stage, false);
  const Layout& layout = *kept;
  const auto add = [&](std::string_view label, std::int64_t blocks) {
    FormulaRow row = make_row(job.explain, label, {{"window_blocks", blocks}, {"bytes_per_block", static_cast<std::int64_t>(layout.block.count())}});
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  std::int64_t least = 1;
  std::int64_t most = 1;
  add("null_block", 1);
  for (const Group& group : layout.groups) {
    const PageKind kind = group.kind();
    const std::int64_t held = held_blocks(kind, settings, settings.tokens_in_flight);
    add(kind.keeps == Keeps::window ? "sliding_sequences" : "full_sequences", held);
    const std::int64_t seen = std::min(kind.window, settings.tokens_per_sequence);
    least += kind.keeps == Keeps::window ? std::min(held, settings.sequences * ceil_div(seen, kind.block)) : held;
    most += std::max(held, held_blocks(kind, settings));
  }
  const Bytes widest = settings.cache_value_bytes > 1 ? kept_layout(job, settings, stage, true)->block : layout.block;
  term.low = layout.block * static_cast<std::uint64_t>(least);
  term.high = widest * static_cast<std::uint64_t>(most);
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "head_dim", "sliding_window", "compress_ratios", "index_head_dim"};
  return term;
}

PoolReport pool_report(const Model& model, const Settings& s, const Stage& stage, Bytes pool) {
  const Layout layout = layout_of(model, s, stage, false);
  if (layout.block == Bytes()) return {};
  const std::uint64_t blocks = pool / layout.block;
  std::uint64_t each = 0;
  if (s.compressed_pool == CompressedPool::dense) {
    each = blocks_of_request(layout, s, s.max_model_len);
  } else {
    // get_max_concurrency_for_kv_cache_config: all that a request keeps, in pages of the first group.
    std::uint64_t bytes = 0;
    for (const Group& group : layout.groups) bytes += static_cast<std::uint64_t>(request_blocks(group.kind(), s, s.max_model_len) * group.page());
    each = (bytes + static_cast<std::uint64_t>(layout.first) - 1) / static_cast<std::uint64_t>(layout.first);
  }
  const double concurrency = static_cast<double>(blocks) / static_cast<double>(std::max<std::uint64_t>(1, each));
  return {static_cast<std::int64_t>(concurrency * static_cast<double>(s.max_model_len)), concurrency};
}

Bytes request_bytes(const Model& model, const Settings& s, const Stage& stage, std::int64_t tokens) {
  const Layout layout = layout_of(model, s, stage, false);
  return layout.reserved * blocks_of_request(layout, s, tokens);
}

}  // namespace

bool is_compressed(const Model& model) {
  return std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                     [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); });
}

const CompressedRules kCompressedRules{pool_term, pool_report, request_bytes};

}  // namespace weighbridge::vllm

// SPDX-License-Identifier: Apache-2.0
// How vLLM pages its caches: vllm/v1/kv_cache_interface.py (the pages of a layer) and vllm/v1/core/kv_cache_utils.py (groups, blocks, tokens).
#pragma once

#include "engine/vllm/vllm.hpp"

namespace weighbridge::vllm {

/// Which tokens of a request keep their pages.
enum class Keeps { all, window, chunk, state };

/// Layers whose pages are alike (KVCacheSpec).
struct PageKind {
  Keeps keeps = Keeps::all;
  std::int64_t values = 0;  ///< of one token in one layer on one rank; of a state: its elements
  std::int64_t value_bytes = 2;
  std::int64_t window = 0;  ///< tokens of the window or chunk
  std::int64_t block = 0;   ///< tokens of a page
  std::int64_t state = 0;   ///< bytes of one state
  std::string_view caption;
  std::vector<std::int64_t> layers;  ///< ascending; layers of multi-token prediction follow the model's own

  [[nodiscard]] std::int64_t page() const { return keeps == Keeps::state ? state : values * value_bytes * block; }
};

/// get_kv_cache_groups: layers that keep the same tokens have one block table; others have groups of `group_size` layers with a table each,
/// whose blocks come from one pool of equal pages.
struct PageLayout {
  std::vector<PageKind> kinds;
  std::int64_t group_size = 0;  ///< 0: one table for all layers
  std::int64_t page = 0;        ///< bytes of one page of one layer, where all are equal

  [[nodiscard]] bool pooled() const { return group_size > 0; }
  [[nodiscard]] std::int64_t groups_of(const PageKind& kind) const;
};

[[nodiscard]] PageLayout page_layout(const Model& model, const Settings& settings);

/// Layers of `kind` in `stage`; with groups of a pool, as many layers as its largest group has there, for each of its groups.
[[nodiscard]] std::int64_t layers_in(const PageLayout& layout, const PageKind& kind, const Stage& stage);
/// Layers that share one block number in `stage`, padding included; of a pool only.
[[nodiscard]] std::int64_t pool_layers(const PageLayout& layout, const Stage& stage);
/// Bytes of one block number over all layers of `stage`.
[[nodiscard]] Bytes block_bytes(const PageLayout& layout, const Stage& stage);

/// Blocks of one request of `tokens` in one group, as the engine reckons (KVCacheSpec.max_memory_usage_bytes).
[[nodiscard]] std::int64_t request_blocks(const PageKind& kind, const Settings& settings, std::int64_t tokens);
/// The same over all groups.
[[nodiscard]] std::int64_t request_blocks(const PageLayout& layout, const Settings& settings, std::int64_t tokens);

/// The bytes of a state of one layer and sequence on one rank, and how many of them its convolution takes.
struct StateBytes {
  std::int64_t all = 0;
  std::int64_t convolution = 0;
};
/// `width`: bytes of an element of the state itself. `copied`: channels that groups share are on every rank.
[[nodiscard]] StateBytes state_bytes(const RecurrentMixer& mixer, const Settings& settings, std::int64_t width, bool copied);
/// Bytes of an element of the state: what the options say, or what the model's class asks for.
[[nodiscard]] std::int64_t state_width(const Model& model, const RecurrentMixer& mixer, const Settings& settings);

}  // namespace weighbridge::vllm

// SPDX-License-Identifier: Apache-2.0
#include "engine/vllm/layout.hpp"

#include <algorithm>

#include "engine/recurrent.hpp"
#include "overloaded.hpp"

namespace weighbridge::vllm {

namespace {

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

/// The kind that is like `kind`, which is added if there is none.
PageKind& same_kind(std::vector<PageKind>& kinds, const PageKind& kind) {
  for (PageKind& k : kinds)
    if (k.keeps == kind.keeps && k.values == kind.values && k.value_bytes == kind.value_bytes && k.window == kind.window && k.state == kind.state &&
        k.caption == kind.caption)
      return k;
  return kinds.emplace_back(kind);
}

/// Layers that are alike in a list, numbered from `first`.
struct Alike {
  const LayerList& list;
  std::size_t kind;
  std::int64_t first;
};

void add_pages(std::vector<PageKind>& kinds, const PageKind& kind, const Alike& alike) {
  std::vector<std::int64_t>& layers = same_kind(kinds, kind).layers;
  for (std::size_t i = 0; i < alike.list.size(); ++i) {
    const std::int64_t layer = alike.first + static_cast<std::int64_t>(i);
    if (alike.list.kind_of(i) == alike.kind) layers.insert(std::upper_bound(layers.begin(), layers.end(), layer), layer);
  }
}

PageKind kind_of(const Mixer& mixer, const Settings& s) {
  PageKind kind;
  kind.values = local_values(mixer, s.tensor);
  kind.value_bytes = s.cache_value_bytes;
  kind.block = s.block_size;
  kind.caption = "kv_values_here";
  if (const auto* sliding = std::get_if<SlidingAttention>(&mixer)) {
    kind.keeps = Keeps::window;
    kind.window = sliding->window;
  } else if (const auto* chunked = std::get_if<ChunkedAttention>(&mixer)) {
    kind.keeps = Keeps::chunk;
    kind.window = chunked->chunk;
  }
  return kind;
}

/// A latent is cached once for all heads; a sparse attention caches its indexer's keys in a layer of their own. In fp8 a sparse one's latent
/// has an f32 scale for every 128 values and a rotated part of 16 bits (fp8_ds_mla, 656 bytes: vllm/v1/attention/backends/mla).
void add_latent(std::vector<PageKind>& kinds, const LatentAttention& latent, const Settings& s, const Alike& alike) {
  PageKind kind = kind_of(latent, s);
  kind.caption = "latent_values";
  const bool is_sparse = latent.indexer.top_k > 0;
  if (is_sparse && s.cache_value_bytes == 1) kind.values = latent.kv_lora_rank + 4 * ceil_div(latent.kv_lora_rank, 128) + 2 * latent.qk_rope_head_dim;
  add_pages(kinds, kind, alike);
  if (!is_sparse) return;
  kind.values = ceil_div(indexer_key_bytes(latent.indexer), latent.indexer.tokens_per_key);
  kind.value_bytes = 1;
  if (kind.values > 0) add_pages(kinds, kind, alike);
}

void add_layers(std::vector<PageKind>& kinds, const Model& model, const LayerList& layers, const Settings& s, std::int64_t first) {
  for (std::size_t i = 0; i < layers.kinds().size(); ++i) {
    const LayerSpec& layer = layers.kinds()[i];
    const Alike alike{layers, i, first};
    if (const RecurrentMixer* state = recurrent_part(layer)) {
      PageKind kind;
      kind.keeps = Keeps::state;
      kind.state = state_bytes(*state, s, state_width(model, *state, s), false).all;
      add_pages(kinds, kind, alike);
    }
    if (layer.shares_cache || local_values(layer.mixer, s.tensor) == 0) continue;
    if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer))
      add_latent(kinds, *latent, s, alike);
    else
      add_pages(kinds, kind_of(layer.mixer, s), alike);
  }
}

/// The layer of EAGLE keeps every token, in heads like the model's own or in a latent (vllm/model_executor/models/llama_eagle.py,
/// deepseek_eagle.py).
LayerList eagle_layers(const Model& model) {
  if (const FullAttention* heads = first_grouped_attention(model.layers)) return {LayerSpec{*heads}};
  if (const LatentAttention* latent = first_latent_attention(model.layers)) return {LayerSpec{*latent}};
  return {};
}

/// unify_hybrid_kv_cache_specs: where some layers see everything, windows are ignored and every layer keeps every token.
void ignore_windows(std::vector<PageKind>& kinds) {
  std::vector<PageKind> merged;
  for (PageKind& kind : kinds) {
    if (kind.keeps != Keeps::state) {
      kind.keeps = Keeps::all;
      kind.window = 0;
    }
    PageKind one = kind;
    one.layers.clear();
    PageKind& same = same_kind(merged, one);
    for (const std::int64_t layer : kind.layers) same.layers.push_back(layer);
  }
  kinds = std::move(merged);
}

/// UniformTypeKVCacheSpecs: all layers keep the same tokens, whatever a token takes; states must be alike.
bool is_uniform(const std::vector<PageKind>& kinds) {
  const PageKind& first = kinds.front();
  return std::all_of(kinds.begin(), kinds.end(), [&](const PageKind& kind) {
    return kind.keeps == first.keeps && kind.window == first.window && (kind.keeps != Keeps::state || &kind == &first);
  });
}

/// unify_kv_cache_spec_page_size: smaller pages get more tokens, up to the largest, of which they must be a whole part; a state's page is padded.
bool unify_pages(std::vector<PageKind>& kinds) {
  std::int64_t largest = 0;
  for (const PageKind& kind : kinds) largest = std::max(largest, kind.page());
  const auto divides = [&](const PageKind& kind) { return kind.keeps == Keeps::state || largest % kind.page() == 0; };
  if (!std::all_of(kinds.begin(), kinds.end(), divides)) return false;
  for (PageKind& kind : kinds)
    if (kind.keeps != Keeps::state) kind.block *= largest / kind.page();
  return true;
}

/// _get_kv_cache_groups_uniform_page_size: the smallest kind sets the size of a group, unless that would pad a kind that is hardly larger.
/// "Hardly" was less than 1.25 times and is less than 1.5 times; no model with a window that is read here lies between.
std::int64_t group_size_of(const std::vector<PageKind>& kinds) {
  std::size_t least = kinds.front().layers.size();
  std::size_t most = least;
  for (const PageKind& kind : kinds) {
    least = std::min(least, kind.layers.size());
    most = std::max(most, kind.layers.size());
  }
  return static_cast<std::int64_t>(2 * most < 3 * least ? most : least);
}

}  // namespace

std::int64_t indexer_key_bytes(const Indexer& indexer) { return indexer.head_dim + 4 * ceil_div(indexer.head_dim, 128); }

StateBytes state_bytes(const RecurrentMixer& mixer, const Settings& s, std::int64_t width, bool copied) {
  const std::int64_t split = copied ? std::min(mixer.inner_size, mixer.conv_channels) : mixer.conv_channels;
  const std::int64_t channels = ceil_div(split, s.tensor) + (mixer.conv_channels - split);
  // Drafted tokens stay in the convolution until they are accepted (mamba_utils.py, conv_kernel - 1 + num_spec).
  const std::int64_t kept = mixer.conv_kernel > 0 ? mixer.conv_kernel - 1 + s.drafted_tokens : 0;
  const std::int64_t convolution = channels * kept * 2;
  return {ceil_div(mixer.state_values, s.tensor) * width + convolution, convolution};
}

std::int64_t state_width(const Model& model, const RecurrentMixer& mixer, const Settings& s) {
  if (s.state_width > 0) return s.state_width;
  // Kimi's is f32 (kda_state_dtype); Qwen3.5's configs and Nemotron-H's ask for it; all others have the model's type ("auto").
  if (mixer.kind == RecurrentKind::kimi_delta) return 4;
  return model.architecture.starts_with("qwen3_5") || model.architecture.starts_with("nemotron_h") ? 4 : 2;
}

std::int64_t PageLayout::groups_of(const PageKind& kind) const {
  return pooled() ? ceil_div(static_cast<std::int64_t>(kind.layers.size()), group_size) : 1;
}

PageLayout page_layout(const Model& model, const Settings& settings) {
  PageLayout layout;
  add_layers(layout.kinds, model, model.layers, settings, 0);
  if (settings.drafts_with_mtp) add_layers(layout.kinds, model, model.mtp_layers, settings, model.n_layers());
  if (settings.drafts_with_eagle) add_layers(layout.kinds, model, eagle_layers(model), settings, model.n_layers());
  if (settings.draft != nullptr) add_layers(layout.kinds, *settings.draft, settings.draft->layers, settings, model.n_layers());
  std::vector<PageKind>& kinds = layout.kinds;
  if (kinds.empty()) return layout;  // an encoder only
  if (!settings.hybrid_cache && !is_uniform(kinds)) ignore_windows(kinds);
  if (is_uniform(kinds)) return layout;
  if (!unify_pages(kinds)) {
    ignore_windows(kinds);
    if (is_uniform(kinds)) return layout;
  }
  layout.group_size = group_size_of(kinds);
  for (const PageKind& kind : kinds) layout.page = std::max(layout.page, kind.page());
  return layout;
}

namespace {

std::int64_t count_in(const PageKind& kind, const Stage& stage, std::int64_t from, std::int64_t step) {
  if (stage.is_first && stage.is_last) return ceil_div(static_cast<std::int64_t>(kind.layers.size()) - from, step);
  std::int64_t count = 0;
  for (auto i = static_cast<std::size_t>(from); i < kind.layers.size(); i += static_cast<std::size_t>(step))
    if (stage.holds(kind.layers[i])) ++count;
  return count;
}

}  // namespace

std::int64_t pool_layers(const PageLayout& layout, const Stage& stage) {
  // Layers are dealt out to the groups of their kind in turn, so that every stage has some of each.
  std::int64_t most = 0;
  for (const PageKind& kind : layout.kinds) {
    const std::int64_t groups = layout.groups_of(kind);
    for (std::int64_t group = 0; group < groups; ++group) most = std::max(most, count_in(kind, stage, group, groups));
  }
  return most;
}

std::int64_t layers_in(const PageLayout& layout, const PageKind& kind, const Stage& stage) {
  return layout.pooled() ? layout.groups_of(kind) * pool_layers(layout, stage) : count_in(kind, stage, 0, 1);
}

Bytes block_bytes(const PageLayout& layout, const Stage& stage) {
  const auto bytes = [](std::int64_t page, std::int64_t layers) {
    return Bytes(static_cast<std::uint64_t>(page)) * static_cast<std::uint64_t>(layers);
  };
  if (layout.pooled()) return bytes(layout.page, pool_layers(layout, stage));
  Bytes sum;
  for (const PageKind& kind : layout.kinds) sum += bytes(kind.page(), layers_in(layout, kind, stage));
  return sum;
}

std::int64_t request_blocks(const PageKind& kind, const Settings& s, std::int64_t tokens) {
  switch (kind.keeps) {
    case Keeps::all:
      return ceil_div(ceil_div(tokens, s.context_parallel), kind.block);  // each rank of a context-parallel group keeps its part
    case Keeps::window:
      return ceil_div(std::min(kind.window - 1 + s.tokens_in_flight, tokens), kind.block) + 1;  // a window may straddle one block more
    case Keeps::chunk:
      return ceil_div(std::min(kind.window + s.tokens_in_flight, tokens), kind.block);
    case Keeps::state:
      return s.keeps_all_states ? ceil_div(tokens, s.block_size) : s.states_per_sequence;
  }
  return 0;
}

std::int64_t request_blocks(const PageLayout& layout, const Settings& s, std::int64_t tokens) {
  if (!layout.pooled()) return layout.kinds.empty() ? 0 : request_blocks(layout.kinds.front(), s, tokens);
  std::int64_t blocks = 0;
  for (const PageKind& kind : layout.kinds) blocks += layout.groups_of(kind) * request_blocks(kind, s, tokens);
  return blocks;
}

}  // namespace weighbridge::vllm

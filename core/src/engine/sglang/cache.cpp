// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/cached_token.hpp"
#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/sglang/sglang.hpp"

namespace weighbridge::sglang {

namespace {

constexpr Source kSource{"sgl-project/sglang python/sglang/srt/model_executor/pool_configurator.py, mem_cache/memory_pool.py",
                         "https://github.com/sgl-project/sglang/tree/main/python/sglang/srt/mem_cache"};
constexpr Source kStateSource{"sgl-project/sglang python/sglang/srt/configs/mamba_utils.py, mem_cache/kv_cache_configurator.py",
                              "https://github.com/sgl-project/sglang/blob/main/python/sglang/srt/configs/mamba_utils.py"};

/// State slots that a request may take: its own, one that it is copied from and one that the radix cache keeps; two more where the scheduler
/// tracks them in a buffer (MAMBA_CACHE_SIZE_MAX_RUNNING_REQUESTS_RATIO, MAMBA_CACHE_V2_ADDITIONAL_RATIO_OVERLAP).
constexpr std::int64_t kSlotsPerRequest = 3;
constexpr std::int64_t kMostSlotsPerRequest = 5;

/// srt/configs/model_config.py is_hybrid_swa_model, by model type.
constexpr std::array<std::string_view, 10> kWindowPools{"llama4",  "gpt_oss", "mimo_v2",        "mimo_v2_flash", "step3p5",
                                                        "step3p7", "gemma4",  "gemma4_unified", "laguna",        "mellum"};

/// Layers of a stage that keep the same of a token.
struct Kind {
  std::int64_t bytes = 0;
  std::int64_t window = 0;  ///< 0: in the pool that every token stays in
  std::int64_t layers = 0;
};

std::vector<Kind> kinds_of(const Model& model, const Settings& s, const Stage& stage) {
  std::vector<Kind> each;  // of each kind of layer, what one keeps
  for (const LayerSpec& spec : model.layers.kinds()) {
    const std::int64_t bytes = spec.shares_cache ? 0 : cached_bytes(spec.mixer, {s.cache_halves, true}, s.attention_ranks());
    each.push_back({bytes, s.window_pool ? window_of(spec.mixer) : 0, 1});
  }
  std::vector<Kind> kinds;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) {
    const Kind& one = each[model.layers.kind_of(static_cast<std::size_t>(layer))];
    if (one.bytes == 0) continue;
    const auto same = [&](const Kind& k) { return k.bytes == one.bytes && k.window == one.window; };
    const auto kind = std::find_if(kinds.begin(), kinds.end(), same);
    if (kind == kinds.end())
      kinds.push_back(one);
    else
      ++kind->layers;
  }
  return kinds;
}

/// Bytes of a token in the pool of layers with or without a window.
std::int64_t token_bytes(const std::vector<Kind>& kinds, bool windowed) {
  std::int64_t bytes = 0;
  for (const Kind& kind : kinds)
    if ((kind.window > 0) == windowed) bytes += kind.bytes * kind.layers;
  return bytes;
}

std::int64_t widest_window(const std::vector<Kind>& kinds) {
  std::int64_t widest = 0;
  for (const Kind& kind : kinds) widest = std::max(widest, kind.window);
  return widest;
}

std::int64_t whole_pages(std::int64_t tokens, const Settings& s) { return ceil_div(tokens, s.page_size) * s.page_size; }

/// Those behind a window: the window, a page at its end, and what two prefill steps in flight add (SWAChunkCapPoolConfigurator).
std::int64_t window_tokens(const Settings& s, std::int64_t window) {
  const auto behind = [&](std::int64_t tokens) { return std::min(whole_pages(tokens, s), whole_pages(window + s.page_size, s)); };
  return std::min(s.held_tokens, std::max(s.full_length * behind(s.held), behind(s.longest)) + whole_pages(2 * s.chunk, s));
}

/// Tokens of the pool of all, such that both pools hold their part: the other one has `window_ratio` as many.
std::int64_t pool_for(const Settings& s, std::int64_t full, std::int64_t windowed) {
  const auto for_window = static_cast<std::int64_t>(std::ceil(static_cast<double>(windowed) / s.window_ratio));
  return whole_pages(std::max(full, for_window), s);
}

std::int64_t share_of_window(const Settings& s, std::int64_t tokens) {
  const auto part = static_cast<std::int64_t>(static_cast<double>(tokens) * s.window_ratio);
  return part / s.page_size * s.page_size;
}

/// Bytes of both pools with `tokens` in the one of all; each has a page more, for tokens of padded batches.
Bytes pool_bytes(const Settings& s, const std::vector<Kind>& kinds, std::int64_t tokens) {
  const std::int64_t full = token_bytes(kinds, false);
  const std::int64_t windowed = token_bytes(kinds, true);
  const std::int64_t behind = full == 0 ? tokens : share_of_window(s, tokens);
  return value_of({{"tokens", tokens + s.page_size}, {"bytes", full}}) +
         (windowed > 0 ? value_of({{"tokens", behind + s.page_size}, {"bytes", windowed}}) : Bytes());
}

FormulaRow kind_row(const Job& job, const Kind& kind, std::int64_t tokens) {
  return make_row(job.explain, kind.window > 0 ? "window_pool" : "token_pool",
                  {{"n_layers", kind.layers}, {"kv_bytes_here", kind.bytes}, {"pool_tokens", tokens}});
}

/// The draft's layers have the same cache a token (EAGLE: cell x (1 + draft layers / layers)).
double draft_factor(const Settings& s, const Stage& stage) {
  const std::int64_t layers = stage.end - stage.first;
  return !s.draft_in_pool || layers == 0 ? 1.0 : 1.0 + static_cast<double>(s.draft_layers) / static_cast<double>(layers);
}

/// The state of one recurrent layer: heads and channels are split, the convolution is of 16 bits and the state f32
/// (SGLANG_MAMBA_SSM_DTYPE, mamba_ssm_dtype).
std::int64_t state_bytes(const RecurrentMixer& mixer, std::int64_t ranks, std::int64_t width) {
  return ceil_div(mixer.state_values, ranks) * width + ceil_div(mixer.conv_channels, ranks) * std::max<std::int64_t>(0, mixer.conv_kernel - 1) * 2;
}

/// Bytes of one slot: a state of every recurrent layer.
std::int64_t slot_bytes(const Model& model, const Settings& s, const Stage& stage, std::int64_t width) {
  std::int64_t bytes = 0;
  for (const RecurrentRun& run : recurrent_runs(model, [&](std::size_t layer) { return stage.holds(static_cast<std::int64_t>(layer)); }))
    bytes += run.layers * state_bytes(*run.mixer, s.attention_ranks(), width);
  return bytes;
}

Bytes slots(std::int64_t count, std::int64_t bytes) { return value_of({{"slots", count + 1}, {"bytes", bytes}}); }

Term cache_term(const Job& job, const Settings& s, const Stage& stage) {
  const std::vector<Kind> kinds = kinds_of(job.model, s, stage);
  const std::int64_t window = widest_window(kinds);
  const std::int64_t full = s.held_tokens;
  const std::int64_t tokens = window == 0 ? full : pool_for(s, full, window_tokens(s, window));
  const double drafts = draft_factor(s, stage);
  Term term;
  term.id = "kv_cache";
  term.source = kSource;
  term.basis = window == 0 ? Basis::exact : Basis::modelled;
  term.bytes = scaled(pool_bytes(s, kinds, tokens), drafts);
  // Behind a window nothing need be freed before a request ends, and at best only the window stays.
  term.low = window == 0 ? term.bytes : scaled(pool_bytes(s, kinds, full), drafts);
  term.high = window == 0 ? term.bytes : std::max(term.bytes, scaled(pool_bytes(s, kinds, pool_for(s, full, full)), drafts));
  term.records = window == 0
                     ? 4
                     : 0;  // pools printed by vllm-project/vllm#21348, sgl-project/sglang#18263, zufayu/ClaudeSkillsE2EPerf, shun8686/for_debug
  if (!job.explain) return term;
  const bool latent = first_latent_attention(job.model.layers) != nullptr;
  Bytes shown;
  for (const Kind& kind : kinds) {
    const bool behind = kind.window > 0 && token_bytes(kinds, false) > 0;
    term.formula.rows.push_back(kind_row(job, kind, (behind ? share_of_window(s, tokens) : tokens) + s.page_size));
    shown += term.formula.rows.back().bytes;
  }
  if (term.bytes > shown) term.formula.rows.push_back({"draft_cache", {}, term.bytes - shown, true});
  term.formula.note = cache_note(job, s.cache_halves == 2, latent, s.attention_ranks());
  if (latent)
    term.formula.config_keys = {"num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"};
  else
    term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  if (window > 0) term.formula.config_keys.emplace_back("sliding_window");
  return term;
}

/// _handle_max_mamba_cache: of what is left after the weights, ratio / (1 + ratio) is for states, whatever they need; without a radix cache, as
/// many slots as requests.
void share_with_states(const Job& job, const Settings& s, const Stage& stage, Pools& pools) {
  const std::int64_t slot = slot_bytes(job.model, s, stage, 4);
  if (slot == 0) return;
  const std::int64_t least = slot_bytes(job.model, s, stage, 2);
  Term& states = pools.states;
  states.id = "recurrent_state";
  states.basis = Basis::modelled;
  states.source = kStateSource;
  const std::int64_t each = s.radix_cache ? kSlotsPerRequest : 1;
  const std::int64_t most = s.radix_cache ? kMostSlotsPerRequest : 1;
  const Bytes needed = slots(each * s.full_length, slot);
  states.bytes = needed;
  states.low = slots(each * s.full_length, least);
  states.high = slots(most * s.full_length, slot);
  if (job.explain)
    states.formula.rows.push_back(make_row(
        true, "recurrent_slots", {{"requests", s.full_length}, {"slots_per_request", each}, {"spare_slots", 1, Op::plus}, {"bytes_per_slot", slot}}));
  if (!s.radix_cache) return;
  // Whichever part is short makes the other one larger than it need be.
  const auto split = [&](Bytes& cache, Bytes& state) {
    const Bytes for_cache = scaled(state, 1 / s.recurrent_ratio);
    const Bytes for_state = scaled(cache, s.recurrent_ratio);
    cache = std::max(cache, for_cache);
    state = std::max(state, for_state);
  };
  Bytes cache = pools.cache.bytes;
  split(cache, states.bytes);
  if (job.explain && states.bytes > needed) states.formula.rows.push_back({"unused_by_split", {}, states.bytes - needed, true});
  if (job.explain && cache > pools.cache.bytes) pools.cache.formula.rows.push_back({"unused_by_split", {}, cache - pools.cache.bytes, true});
  pools.cache.bytes = cache;
  split(pools.cache.low, states.low);
  split(pools.cache.high, states.high);
  pools.cache.low = std::min(pools.cache.low, pools.cache.bytes);
  pools.cache.basis = Basis::modelled;
  pools.cache.records = 0;
}

/// DeepSeek-V4 (DSV4PoolConfigurator): the window's entries of every layer in a pool of `swa_full_tokens_ratio`, one entry for every 4 or 128
/// tokens beside it, an indexer's keys for every 4, and the compressors' states in f32. An entry is 584 bytes.
double compressed_cell(const Model& model, const Settings& s, const Stage& stage) {
  constexpr double rotated = 64;
  constexpr double ring = 8;  // get_compress_state_ring_size(4): rows of a state for every window of 128 tokens
  double cell = 0;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) {
    const auto* a = std::get_if<CompressedAttention>(&model.layers[static_cast<std::size_t>(layer)].mixer);
    if (a == nullptr) continue;
    const double head = static_cast<double>(a->head_dim);
    const double entry = head - rotated + 2 * rotated + 8;
    cell += s.window_ratio * entry;
    if (a->compress_ratio == 0) continue;
    cell += entry / static_cast<double>(a->compress_ratio);
    if (a->compress_ratio != 4) continue;
    const double index = static_cast<double>(a->indexer.head_dim);
    cell += (index + index / 128 * 4) / 4;
    cell += s.window_ratio * ring / static_cast<double>(std::max<std::int64_t>(1, a->window)) * 4 * (head + index) * 4;
  }
  return cell;
}

Term compressed_term(const Job& job, const Settings& s, const Stage& stage) {
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::modelled;
  term.source = kSource;
  const std::int64_t tokens = s.held_tokens + s.page_size;
  Settings least = s;
  least.window_ratio = s.window_ratio / 8;  // releases for this model set a lower ratio than the usual 0.8
  const auto bytes_of = [&](const Settings& settings) {
    return scaled(Bytes(static_cast<std::uint64_t>(tokens)), compressed_cell(job.model, settings, stage) * draft_factor(s, stage));
  };
  // Compressors of 128 tokens keep a ring of f32 values and scores for each request.
  std::int64_t rings = 0;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) {
    const auto* a = std::get_if<CompressedAttention>(&job.model.layers[static_cast<std::size_t>(layer)].mixer);
    if (a != nullptr && a->compress_ratio == 128) rings += 2 * a->head_dim * 4 * 128;
  }
  FormulaRow row = make_row(job.explain, "compressor_states", {{"requests", s.requests + 2}, {"bytes", rings}});
  term.bytes = bytes_of(s) + row.bytes;
  term.low = bytes_of(least) + row.bytes;
  term.high = term.bytes + term.bytes / 4;
  if (!job.explain) return term;
  term.formula.rows.push_back({"token_pool", {{"pool_tokens", tokens}}, bytes_of(s), true});
  term.formula.rows.push_back(std::move(row));
  term.formula.config_keys = {"num_hidden_layers", "head_dim", "sliding_window", "compress_ratios", "index_head_dim"};
  return term;
}

}  // namespace

bool has_window_pool(const Model& model, const Rules& rules) {
  if (model.architecture == "gpt_oss" && !rules.gpt_oss_windows) return false;
  const SlidingLayers sliding = sliding_layers(model);
  const bool chunked = std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                                   [](const LayerSpec& layer) { return std::holds_alternative<ChunkedAttention>(layer.mixer); });
  return (sliding.n_layers > 0 || chunked) && std::find(kWindowPools.begin(), kWindowPools.end(), model.architecture) != kWindowPools.end();
}

bool is_compressed(const Model& model) {
  return std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(),
                     [](const LayerSpec& layer) { return std::holds_alternative<CompressedAttention>(layer.mixer); });
}

bool has_fp4_experts(const Job& job) {
  const auto is_one = [](const Tensor& tensor) { return tensor.role == TensorRole::expert_gate_up && tensor.type == dtype::fp4; };
  return is_compressed(job.model) && std::any_of(job.tensors.begin(), job.tensors.end(), is_one);
}

Pools pools_of(const Job& job, const Settings& s, const Stage& stage) {
  Pools pools;
  pools.cache = is_compressed(job.model) ? compressed_term(job, s, stage) : cache_term(job, s, stage);
  share_with_states(job, s, stage, pools);
  return pools;
}

double cell_bytes(const Model& model, const Settings& s, const Stage& stage) {
  if (is_compressed(model)) return compressed_cell(model, s, stage);
  const std::vector<Kind> kinds = kinds_of(model, s, stage);
  const auto full = static_cast<double>(token_bytes(kinds, false));
  const auto windowed = static_cast<double>(token_bytes(kinds, true));
  return full == 0 ? windowed : full + s.window_ratio * windowed;
}

std::int64_t pool_tokens(const Model& model, const Settings& s, const Stage& stage, Bytes pool) {
  const double cell = cell_bytes(model, s, stage) * draft_factor(s, stage);
  if (cell <= 0) return 0;
  const std::int64_t slot = slot_bytes(model, s, stage, 4);
  Bytes rest = pool;
  if (slot > 0) rest = s.radix_cache ? scaled(pool, 1 / (1 + s.recurrent_ratio)) : pool - slots(s.requests, slot);
  const auto tokens = static_cast<std::int64_t>(static_cast<double>(rest.count()) / cell);
  return tokens / s.page_size * s.page_size;
}

}  // namespace weighbridge::sglang

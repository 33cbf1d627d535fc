// SPDX-License-Identifier: Apache-2.0
// What the requests of the workload hold of vLLM's pool, and what a pool is to the engine.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/serving_rules.hpp"
#include "engine/vllm/layout.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kSource{"vllm-project/vllm vllm/v1/kv_cache_interface.py, vllm/v1/core/kv_cache_utils.py",
                         "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/kv_cache_interface.py"};

constexpr Source kRecurrentSource{"vllm-project/vllm vllm/model_executor/layers/mamba/mamba_utils.py (state shapes and types)",
                                  "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/model_executor/layers/mamba/mamba_utils.py"};

/// Batches whose tokens may hold blocks before the window frees them: the running one and, with asynchronous scheduling, the one before.
constexpr std::int64_t kBatchesInFlight = 2;

FormulaRow sequences_row(const Job& job, const PageLayout& layout, const PageKind& kind, const Settings& s, const Stage& stage) {
  const std::int64_t blocks = held_blocks(kind, s);
  const std::int64_t layers = layers_in(layout, kind, stage);
  if (kind.keeps != Keeps::all)
    return make_row(job.explain, "sliding_sequences",
                    {{"n_layers", layers},
                     {kind.caption, kind.values},
                     {"bytes_per_value", kind.value_bytes},
                     {"window_blocks", blocks},
                     {"block_size", kind.block}});
  // Requests of equal length that share nothing are a plain product; else the blocks are counted.
  if (blocks % s.sequences == 0)
    return make_row(job.explain, "full_sequences",
                    {{"n_layers", layers},
                     {kind.caption, kind.values},
                     {"bytes_per_value", kind.value_bytes},
                     {"tokens_in_blocks", blocks / s.sequences * kind.block},
                     {"sequences", s.sequences}});
  return make_row(
      job.explain, "full_sequences",
      {{"n_layers", layers}, {kind.caption, kind.values}, {"bytes_per_value", kind.value_bytes}, {"tokens_in_blocks", blocks * kind.block}});
}

/// Block 0 is never handed out (vllm/v1/core/block_pool.py, null_block).
FormulaRow null_block_row(const Job& job, const PageLayout& layout, const PageKind& kind, const Stage& stage) {
  const std::int64_t layers = layout.pooled() ? pool_layers(layout, stage) : layers_in(layout, kind, stage);
  return make_row(job.explain, "null_block",
                  {{"n_layers", layers}, {kind.caption, kind.values}, {"bytes_per_value", kind.value_bytes}, {"block_size", kind.block}});
}

bool keeps_state(const PageKind& kind) { return kind.keeps == Keeps::state; }

/// The largest of one token in one attention layer, in bytes.
std::int64_t widest_token(const PageLayout& layout) {
  std::int64_t widest = 0;
  for (const PageKind& kind : layout.kinds)
    if (!keeps_state(kind)) widest = std::max(widest, kind.values * kind.value_bytes);
  return widest;
}

}  // namespace

std::int64_t held_blocks(const PageKind& kind, const Settings& s) { return held_blocks(kind, s, kBatchesInFlight * s.max_num_batched_tokens); }

std::int64_t held_blocks(const PageKind& kind, const Settings& s, std::int64_t in_flight) {
  const std::int64_t longest = request_blocks(kind, s, s.max_model_len);
  if (kind.keeps == Keeps::state) return s.sequences * longest;
  Settings running = s;
  running.tokens_in_flight = in_flight;
  const std::int64_t each = request_blocks(kind, running, s.tokens_per_sequence);
  if (kind.keeps == Keeps::all) {
    // Full blocks of a common beginning are held once.
    const std::int64_t shared = s.prefix_caching ? std::min(each, s.shared_tokens / s.context_parallel / kind.block) : 0;
    const std::int64_t all = s.sequences * (each - shared) + shared;
    return s.tokens_per_sequence < s.max_model_len ? std::max(all, longest) : all;
  }
  // Behind a window a sequence keeps its last tokens, which may straddle a block at both ends; the tokens of a running batch are shared by all.
  return std::min(s.sequences * each, s.sequences * (ceil_div(kind.window - 1, kind.block) + 2) + ceil_div(in_flight, kind.block));
}

std::int64_t hybrid_block_size(const Model& model, const Settings& s) {
  if (!s.has_state) return s.block_size;
  const PageLayout layout = page_layout(model, s);
  const std::int64_t token = widest_token(layout);
  if (token == 0) return s.block_size;
  std::int64_t state = 0;
  for (const PageKind& kind : layout.kinds) state = std::max(state, kind.state);
  return std::max(s.block_size, ceil_div(state, s.block_size * token) * s.block_size);
}

PoolReport report_pool(const Model& model, const PageLayout& layout, const Settings& s, const Rules& rules, const Stage& stage, Bytes pool) {
  if (is_compressed(model)) return serving_rules().compressed->report_pool(model, s, stage, pool);
  if (layout.kinds.empty() || block_bytes(layout, stage) == Bytes()) return {};
  const auto blocks = static_cast<std::int64_t>(pool / block_bytes(layout, stage));
  std::int64_t groups = 0;
  std::int64_t tokens_per_block = 0;
  for (const PageKind& kind : layout.kinds) {
    groups += layout.groups_of(kind);
    if (!keeps_state(kind)) tokens_per_block = tokens_per_block == 0 ? kind.block : std::min(tokens_per_block, kind.block);
    if (!layout.pooled()) break;  // one table serves all kinds
  }
  if (tokens_per_block == 0) tokens_per_block = s.max_model_len;  // states only
  PoolReport report;
  const std::int64_t each = std::max<std::int64_t>(1, request_blocks(layout, s, s.max_model_len));
  report.concurrency = static_cast<double>(blocks) / static_cast<double>(each);
  report.tokens = rules.tokens_by_concurrency ? static_cast<std::int64_t>(report.concurrency * static_cast<double>(s.max_model_len))
                                              : blocks / groups * tokens_per_block * s.context_parallel;
  return report;
}

Term cache_term(const Job& job, const PageLayout& layout, const Settings& settings, const Stage& stage) {
  if (is_compressed(job.model)) {
    Term term = serving_rules().compressed->cache_term(job, settings, stage);
    term.source = kSource;
    return term;
  }
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::exact;
  term.source = kSource;
  term.records = 10;  // token counts that engines printed for their pools: tests/truth/serving.jsonl
  bool has_null_block = false;
  for (const PageKind& kind : layout.kinds) {
    if (keeps_state(kind)) continue;
    const auto add = [&](FormulaRow row) {
      term.bytes += row.bytes;
      if (job.explain) term.formula.rows.push_back(std::move(row));
    };
    add(sequences_row(job, layout, kind, settings, stage));
    if (!layout.pooled() || !has_null_block) add(null_block_row(job, layout, kind, stage));
    has_null_block = true;
    if (kind.keeps == Keeps::all && settings.tokens_per_sequence == settings.max_model_len) continue;
    term.basis = Basis::modelled;  // how many blocks lie behind a window at a time, or how long requests grow, is a bound, not a count
    term.records = 0;
  }
  if (settings.drafts_with_eagle) {  // how many heads its layer has is not known
    term.basis = Basis::modelled;
    term.records = 0;
  }
  term.low = term.high = term.bytes;
  if (!job.explain) return term;
  const bool latent = settings.latent != nullptr;
  term.formula.note = cache_note(job, settings.cache_value_bytes == 1, latent, settings.tensor);
  if (latent)
    term.formula.config_keys = {"num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"};
  else
    term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  if (sliding_layers(job.model).n_layers > 0) term.formula.config_keys.emplace_back("sliding_window");
  return term;
}

Term recurrent_term(const Job& job, const PageLayout& layout, const Settings& settings, const Stage& stage) {
  Term term;
  term.id = "recurrent_state";
  term.basis = Basis::modelled;
  term.source = kRecurrentSource;
  const auto here = [&](std::size_t layer) { return stage.holds(static_cast<std::int64_t>(layer)); };
  std::int64_t counted = 0;
  for (const RecurrentRun& run : recurrent_runs(job.model, here)) {
    const std::int64_t kept = run.layers * settings.sequences * settings.states_per_sequence;
    const RecurrentMixer& mixer = *run.mixer;
    const std::int64_t width = state_width(job.model, mixer, settings);
    const StateBytes state = state_bytes(mixer, settings, width, false);
    FormulaRow row = make_row(job.explain, "recurrent_layers",
                              {{"state_values", ceil_div(mixer.state_values, settings.tensor)},
                               {"bytes_per_value", width},
                               {"convolution_bytes", state.convolution, Op::plus},
                               {"layers_x_sequences", kept}});
    counted += run.layers;
    term.bytes += row.bytes;
    const auto over_layers = [&](std::int64_t each) { return value_of({{"bytes", each}, {"layers_x_sequences", kept}}); };
    // A type that is not asked for follows the model's; Kimi's is always f32.
    term.low += over_layers(state_bytes(mixer, settings, mixer.kind == RecurrentKind::kimi_delta ? 4 : 2, false).all);
    term.high += over_layers(state_bytes(mixer, settings, 4, true).all);
    if (job.explain) term.formula.rows.push_back(std::move(row));
  }
  if (!layout.pooled() || counted == 0) return term;
  // Beside attention every state has a page of its size, and groups are filled up.
  Bytes pages;
  for (const PageKind& kind : layout.kinds)
    if (keeps_state(kind))
      pages += value_of({{"page", layout.page}, {"layers", layers_in(layout, kind, stage)}, {"blocks", held_blocks(kind, settings)}});
  const Bytes padding = pages - term.bytes;
  if (job.explain && padding > Bytes()) term.formula.rows.push_back({"row_padding", {}, padding, true});
  term.bytes += padding;
  term.high = std::max(term.high, term.bytes);
  // Where prefixes are not cached a request holds one state; where they are, two.
  if (!settings.keeps_all_states) term.low = term.low / static_cast<std::uint64_t>(settings.states_per_sequence);
  if (settings.states_per_sequence == 1) term.high += term.bytes;
  return term;
}

}  // namespace weighbridge::vllm

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "engine/exllama/exllama.hpp"
#include "engine/exllama/exllamav3.hpp"
#include "engine/formula.hpp"
#include "engine/recurrent.hpp"
#include "engine/steps.hpp"

namespace weighbridge::exllamav3 {

namespace {

constexpr Source kCacheSource{"turboderp-org/exllamav3 exllamav3/cache/{fp16,quant,mla}.py, modules/sliding_attn.py",
                              "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/cache/quant.py"};
constexpr Source kStateSource{
    "turboderp-org/exllamav3 exllamav3/modules/{gated_delta_net,mamba2,short_conv}.py",
    "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/modules/gated_delta_net.py"};
constexpr Source kStepSource{
    "turboderp-org/exllamav3 exllamav3/modules/{attn,mlp,block_sparse_mlp,mla_attn}.py, quant/exl3.py reconstruct_hgemm",
    "https://github.com/turboderp-org/exllamav3/blob/4f8ad0121f483ba66a5336244a4c3b6d7210385e/exllamav3/modules/quant/exl3.py"};

constexpr std::int64_t kRingSpare = 2 * exllama::kPage;  // sliding_attn.py sliding_window_overp
constexpr std::int64_t kWidestMatrix = 32768;            // exl3.py MAX_RECONSTRUCT_SLICE_N: outputs that are unpacked at once
constexpr std::int64_t kWidestFfn = 55296;               // constants.py MAX_MLP_INTERMEDIATE
constexpr std::int64_t kMlaTile = 4096;                  // mla_triton.py mla_attn_triton_prefill_mha tile_size
constexpr std::int64_t kStateBytes = 10;                 // of a hidden value: the residual in f32, its norm in f16, a block's output in f32
constexpr std::int64_t kExpertStateBytes = 10;           // of one routed expert: its input, two transformed inputs in f16, its output in f32
constexpr std::int64_t kExpertRows = 128;                // block_sparse_mlp.py TEMP_ROWS_FUSED
constexpr std::int64_t kExpertGroups = 24;               // exl3_moe_max_concurrency: one for every eight multiprocessors, 188 on the largest card
constexpr std::int64_t kSortBytes = 48;                  // of a token's choice of an expert: indices, weights, and their sorted copies

/// Rows of layers that are alike: `count` layers of which each gives `key`.
template <class Key>
struct Run {
  Key key;
  std::int64_t layers = 0;
};

template <class Key, class Of>
std::vector<Run<Key>> runs_of(const Model& model, const Stage& stage, Of of) {
  std::vector<Run<Key>> runs;
  for (std::int64_t layer = stage.first; layer < stage.end; ++layer) {
    const Key key = of(model.layers[static_cast<std::size_t>(layer)]);
    auto run = std::find_if(runs.begin(), runs.end(), [&](const Run<Key>& r) { return r.key == key; });
    if (run == runs.end()) run = runs.insert(run, {key, 0});
    ++run->layers;
  }
  return runs;
}

std::vector<FormulaRow> cache_rows(const Job& job, const Settings& s, const TokenBits& token, std::int64_t layers) {
  if (token.plain == 0) return exllama::cache_rows(job.explain, s.cache_tokens, token.keys, s.k_bits, token.values, s.v_bits, layers);
  return {exllama::cache_row(job.explain, "latent", s.cache_tokens, token.keys, s.k_bits, layers),
          exllama::cache_row(job.explain, "rotated_keys", s.cache_tokens, token.plain, 16, layers)};
}

/// Tokens of the ring that a layer with a window keeps for each sequence; 0: it has none.
std::int64_t ring_tokens(const LayerSpec& layer, const Settings& s) {
  const auto* sliding = std::get_if<SlidingAttention>(&layer.mixer);
  return s.ring_windows && sliding != nullptr ? exllama::in_pages(sliding->window + kRingSpare) : 0;
}

FormulaRow ring_row(const Job& job, const Settings& s, std::int64_t ring, std::int64_t values, std::int64_t layers) {
  return make_row(job.explain, "window_rings",
                  {{"ring_tokens", ring}, {"sequences", s.sequences}, {"values_per_token", values}, {"layers", layers}, {"bytes_per_value", 2}});
}

FormulaRow attention_step(const Job& job, const Settings& s, const FullAttention& a) {
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t heads = a.n_heads * (a.head_dim_k + a.head_dim_v) + a.n_kv_heads * (a.head_dim_k + a.head_dim_v);
  return make_row(job.explain, "attention_step",
                  {{"values_of_heads", heads},
                   {"bytes_per_value", 2},
                   {"bytes_of_hidden_states", kStateBytes * hidden, Op::plus},
                   {"batch_tokens", s.chunk},
                   {"bytes_of_unpacked_matrix", 2 * hidden * std::min(kWidestMatrix, a.n_heads * a.head_dim_k), Op::plus}});
}

/// The past is unpacked from the latents a tile at a time; one set of buffers serves all layers.
FormulaRow latent_step(const Job& job, const Settings& s, const LatentAttention& a) {
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t queries = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
  const std::int64_t tile = a.kv_lora_rank + a.qk_rope_head_dim + a.n_heads * (a.qk_nope_head_dim + a.head_dim_v);
  const std::int64_t matrix = std::max(std::max<std::int64_t>(a.q_lora_rank, 1) * std::min(kWidestMatrix, queries),
                                       a.n_heads * a.head_dim_v * hidden);
  return make_row(job.explain, "attention_step",
                  {{"values_of_heads", a.q_lora_rank + 2 * queries + 3 * a.n_heads * a.head_dim_v + 4 * a.n_heads},
                   {"bytes_per_value", 2},
                   {"bytes_of_hidden_states", kStateBytes * hidden, Op::plus},
                   {"batch_tokens", s.chunk},
                   {"bytes_of_unpacked_latents", 2 * kMlaTile * tile, Op::plus},
                   {"bytes_of_unpacked_matrix", 2 * matrix, Op::plus}});
}

FormulaRow recurrent_step(const Job& job, const Settings& s, const RecurrentMixer& r) {
  const std::int64_t hidden = job.model.hidden_size;
  return make_row(job.explain, "recurrent_mixer",
                  {{"values_of_heads", 4 * r.conv_channels + 5 * r.inner_size},
                   {"bytes_per_value", 2},
                   {"bytes_of_hidden_states", kStateBytes * hidden, Op::plus},
                   {"batch_tokens", s.chunk},
                   {"bytes_of_unpacked_matrix", 2 * hidden * std::min(kWidestMatrix, r.conv_channels + r.inner_size), Op::plus}});
}

FormulaRow feed_forward_step(const Job& job, const Settings& s, std::int64_t ffn_size) {
  const std::int64_t size = std::min(ffn_size, kWidestFfn);
  return make_row(job.explain, "dense_ffn",
                  {{"ffn_size", size},
                   {"bytes_of_gate_up_and_product", s.ffn_bytes},
                   {"bytes_of_hidden_states", kStateBytes * job.model.hidden_size, Op::plus},
                   {"batch_tokens", s.chunk},
                   {"bytes_of_unpacked_matrix", 2 * job.model.hidden_size * std::min(kWidestMatrix, size), Op::plus}});
}

/// Loading runs a prompt of equal tokens, which all go to the same experts.
FormulaRow routed_step(const Job& job, const Settings& s, const MoeFfn& moe) {
  const std::int64_t hidden = job.model.hidden_size;
  return make_row(job.explain, "routed_experts",
                  {{"moe_ffn_size", moe.moe_ffn_size},
                   {"bytes_of_gate_up_and_product", 4},
                   {"bytes_of_hidden_states", (kStateBytes + kExpertStateBytes) * hidden, Op::plus},
                   {"bytes_of_choices", kSortBytes * moe.n_experts_used, Op::plus},
                   {"batch_tokens", s.chunk},
                   {"bytes_of_expert_buffers", kExpertGroups * kExpertRows * 4 * (hidden + moe.moe_ffn_size), Op::plus},
                   {"bytes_of_unpacked_matrix", 2 * hidden * moe.moe_ffn_size, Op::plus}});
}

}  // namespace

const Architecture* find_architecture(std::string_view model_type) {
  // exllamav3/architecture of v1.4.1, by model_type. Intermediates of 16 bits are multiplied in place; of 32, or of the type of a kernel's output,
  // they are copied.
  static constexpr auto kAll = std::to_array<Architecture>({
      {"afmoe", 10, true},
      {"apertus", 10},
      {"arcee", 6},
      {"cohere", 10},
      {"cohere2", 10},
      {"deepseek_v3", 4},
      {"dots1", 4},
      {"ernie4_5", 4},
      {"ernie4_5_moe", 10},
      {"exaone4", 4},
      {"gemma2", 6},
      {"gemma3", 6},
      {"gemma3_text", 6},
      {"gemma4", 4, true},
      {"gemma4_text", 4, true},
      {"gemma4_unified", 4, true},
      {"glm4", 4},
      {"glm4_moe", 4},
      {"glm4v", 4},
      {"glm4v_moe", 4},
      {"gpt_oss", 4, true},
      {"hy_v3", 4},
      {"hyperclovax", 4},
      {"kimi_k2", 4},
      {"laguna", 10, true},
      {"lfm2_moe", 4},
      {"llama", 10},
      {"mimo", 10},
      {"minimax_m2", 4},
      {"ministral3", 6},
      {"mistral", 10},
      {"mistral3", 6},
      {"mistral4", 4},
      {"mixtral", 4},
      {"nanochat", 10},
      {"nemotron-nas", 6},
      {"nemotron_h", 4},
      {"olmo3", 4},
      {"olmo_hybrid", 4},
      {"phi3", 6},
      {"qwen2", 10},
      {"qwen2_5_vl", 10},
      {"qwen3", 4},
      {"qwen3_5", 4},
      {"qwen3_5_moe", 4},
      {"qwen3_5_moe_text", 4},
      {"qwen3_5_text", 4},
      {"qwen3_moe", 4},
      {"qwen3_next", 4},
      {"qwen3_vl", 4},
      {"qwen3_vl_moe", 4},
      {"seed_oss", 10},
      {"smollm3", 4},
      {"solar_open", 4},
      {"step3p5", 4, true},
      {"step3p7", 4, true},
  });
  const auto* found = std::find_if(kAll.begin(), kAll.end(), [&](const Architecture& known) { return known.name == model_type; });
  return found == kAll.end() ? nullptr : found;
}

TokenBits token_of(const LayerSpec& layer, const Settings& s) {
  if (layer.shares_cache || ring_tokens(layer, s) > 0) return {};
  if (const auto* latent = std::get_if<LatentAttention>(&layer.mixer)) return {latent->kv_lora_rank, 0, latent->qk_rope_head_dim};
  const FullAttention* heads = grouped_attention(layer.mixer);
  return heads == nullptr ? TokenBits{} : TokenBits{heads->n_kv_heads * heads->head_dim_k, heads->n_kv_heads * heads->head_dim_v, 0};
}

Bytes cache_bytes(const TokenBits& token, const Settings& s) {
  const auto of = [&](std::int64_t values, std::int64_t bits) {
    return value_of({{"", s.cache_tokens}, {"", values}, {"", exllama::group_bits(bits)}, {"", 8 * exllama::kCacheGroup, Op::divide}});
  };
  return of(token.keys, s.k_bits) + of(token.values, s.v_bits) + of(token.plain, 16);
}

Bytes state_bytes(const LayerSpec& layer, const Settings& s) {
  Bytes bytes;
  if (const std::int64_t ring = ring_tokens(layer, s); ring > 0)
    bytes += value_of({{"", s.sequences}, {"", ring}, {"", cache_values_per_token(layer.mixer)}, {"", 2}});
  if (const RecurrentMixer* r = recurrent_part(layer))
    bytes += value_of({{"", 4 * r->state_values}, {"", 2 * r->conv_channels * r->conv_kernel, Op::plus}, {"", s.sequences}});
  return bytes;
}

Term cache_term(const Job& job, const Settings& s, const Stage& stage) {
  constexpr Bytes segment = 2 * kMiB;  // c10/cuda/CUDACachingAllocator.cpp: of large tensors the last one of each may be begun
  Term term;
  term.id = "kv_cache";
  term.source = kCacheSource;
  term.records = kRecords;
  std::int64_t tensors = 0;
  const auto add = [&](FormulaRow row, std::int64_t layers) {
    term.bytes += row.bytes;
    tensors += 2 * layers;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  for (const Run<TokenBits>& run : runs_of<TokenBits>(job.model, stage, [&](const LayerSpec& layer) { return token_of(layer, s); }))
    for (FormulaRow& row : cache_rows(job, s, run.key, run.layers)) add(std::move(row), run.layers);
  using Ring = std::pair<std::int64_t, std::int64_t>;
  const auto ring_of = [&](const LayerSpec& layer) { return Ring{ring_tokens(layer, s), cache_values_per_token(layer.mixer)}; };
  for (const Run<Ring>& run : runs_of<Ring>(job.model, stage, ring_of))
    if (run.key.first > 0) add(ring_row(job, s, run.key.first, run.key.second, run.layers), run.layers);
  term.low = term.bytes;
  term.high = term.bytes + std::min(term.bytes / 50, segment * static_cast<std::uint64_t>(tensors));
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

Term state_term(const Job& job, const Settings& s, const Stage& stage) {
  Term term;
  term.id = "recurrent_state";
  term.source = kStateSource;
  const auto add = [&](FormulaRow row) {
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  for (const RecurrentRun& run : recurrent_runs(job.model, [&](std::size_t layer) {
         const auto index = static_cast<std::int64_t>(layer);
         return index >= stage.first && index < stage.end;
       }))
    add(make_row(job.explain, "recurrent_layers",
                 {{"state_values", run.mixer->state_values},
                  {"bytes_per_value", 4},
                  {"convolution_bytes", 2 * run.mixer->conv_channels * run.mixer->conv_kernel, Op::plus},
                  {"sequences", s.sequences},
                  {"layers", run.layers}}));
  term.low = term.bytes;
  term.high = term.bytes + term.bytes / 50;
  return term;
}

Term compute_term(const Job& job, const Settings& s) {
  const Model& model = job.model;
  std::vector<FormulaRow> rows;
  rows.push_back(make_row(job.explain, "sampler", {{"vocab_size", model.vocab_size}, {"sampled_rows", s.sequences}, {"bytes_per_logit", 10}}));
  if (const FullAttention* heads = first_grouped_attention(model.layers)) rows.push_back(attention_step(job, s, *heads));
  if (const LatentAttention* latent = first_latent_attention(model.layers)) rows.push_back(latent_step(job, s, *latent));
  for (const RecurrentRun& run : recurrent_runs(model, [](std::size_t) { return true; })) rows.push_back(recurrent_step(job, s, *run.mixer));
  if (const std::int64_t ffn = largest_dense_ffn(model); ffn > 0) rows.push_back(feed_forward_step(job, s, ffn));
  if (const MoeFfn* moe = first_moe(model)) rows.push_back(routed_step(job, s, *moe));
  Term term = largest_step_term(job.explain, std::move(rows), kStepSource);
  term.records = first_moe(model) == nullptr && first_grouped_attention(model.layers) != nullptr ? kRecords : 0;
  term.low = term.bytes / 2;
  term.high = 2 * term.bytes + 128 * kMiB;
  return term;
}

}  // namespace weighbridge::exllamav3

// SPDX-License-Identifier: Apache-2.0
// The peak of a forward pass, counted from the tensors that are alive at once in src/transformers/models/*/modeling_*.py. generate() reads the
// whole prompt in one step. Of a layer's own: its input, the sum after attention and its norm; the embeddings stay alive as well.
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/transformers/transformers.hpp"

namespace weighbridge::transformers {

namespace {

constexpr Source kSource{
    "huggingface/transformers src/transformers/models/qwen2/modeling_qwen2.py, integrations/sdpa_attention.py, integrations/moe.py",
    "https://github.com/huggingface/transformers/blob/v4.46.0/src/transformers/models/qwen2/modeling_qwen2.py"};
constexpr std::int64_t kScoreBytes = 8;     // eager: scores, their softmax in f32, and that in 16 bit
constexpr std::int64_t kMaskIndex = 8;      // one_hot of the chosen experts is int64
constexpr std::int64_t kSampledBytes = 32;  // a row of logits: 16 bit, f32, processed, sorted with indices, softmax, running sum, two masks
constexpr Bytes kUnseen = 64 * kMiB;        // kernels' own workspaces

/// The sizes of one layer's step.
struct Step {
  const Job& job;
  const Rules& rules;
  const Settings& s;
  std::int64_t tokens = 0;  ///< of all sequences
  std::int64_t states = 0;  ///< hidden states alive beside a feed-forward block
};

/// Of one token: hidden states, its cosines and sines, and four of its numbers in int64 (ids, mask, positions).
std::int64_t kept_values(const Step& step, std::int64_t states) {
  return states * step.job.model.hidden_size + 2 * step.job.model.rotary_dim + 4 * 8 / step.s.value_bytes;
}

struct Heads {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;
  std::int64_t dim_k = 0;
  std::int64_t dim_v = 0;
};

Heads heads_of(const Mixer& mixer) {
  if (const auto* latent = std::get_if<LatentAttention>(&mixer))
    return {latent->n_heads, latent->n_heads, latent->qk_nope_head_dim + latent->qk_rope_head_dim, latent->head_dim_v};
  if (const FullAttention* a = grouped_attention(mixer)) return {a->n_heads, a->n_kv_heads, a->head_dim_k, a->head_dim_v};
  return {};
}

/// As a factor of a formula: the largest whole number for anything beyond it.
std::int64_t whole_number(Bytes bytes) { return difference(bytes, Bytes()); }

bool is_packed(const DType& type) { return type.block_size > 1; }

/// A 16-bit copy of the largest packed matrix, made for a product with many tokens (WQLinear_GEMM, MatMul4Bit); the kernels of GPTQ have a buffer
/// for it (exllama_buffer).
std::int64_t dequantized_values(const Job& job) {
  std::int64_t most = 0;
  if (is_gptq(job)) return most;
  for (const Tensor& tensor : job.tensors)
    if (tensor.part == ModelPart::text && !tensor.is_scale && is_packed(tensor.type)) most = std::max(most, tensor.rows * tensor.cols);
  return most;
}

bool has_int8_product(const Job& job) {
  return std::any_of(job.tensors.begin(), job.tensors.end(),
                     [&](const Tensor& t) {
                       return t.type == dtype::int8 && t.recipe > 0 &&
                              job.model.recipes[static_cast<std::size_t>(t.recipe - 1)].quantization == WeightQuantization::bnb_int8;
                     }) ||
         job.scenario.weights_format == "bnb-int8";
}

FormulaRow dense_row(const Step& step, const DenseFfn& ffn, std::int64_t matrix) {
  const std::int64_t inner = ffn.gated ? 3 : 2;
  FormulaRow whole = make_row(step.job.explain, "feed_forward",
                              {{"ffn_size", ffn.ffn_size},
                               {ffn.gated ? "gate_up_and_product" : "fc1_and_its_activation", inner},
                               {"kept_a_token", kept_values(step, step.states), Op::plus},
                               {"batch_tokens", step.tokens},
                               {"bytes_per_value", step.s.value_bytes}});
  if (matrix == 0) return whole;
  FormulaRow copied = make_row(step.job.explain, "feed_forward",
                               {{"ffn_size", ffn.ffn_size},
                                {"gate_and_up", inner - 1},
                                {"kept_a_token", kept_values(step, step.states), Op::plus},
                                {"batch_tokens", step.tokens},
                                {"dequantized_values", matrix, Op::plus},
                                {"bytes_per_value", step.s.value_bytes}});
  return copied.bytes > whole.bytes ? copied : whole;
}

/// linear_matmul of LLM.int8(): the product in int32 beside the result in 16 bit.
FormulaRow int8_row(const Step& step, const DenseFfn& ffn) {
  return make_row(step.job.explain, "feed_forward",
                  {{"ffn_size", ffn.ffn_size},
                   {"act_product_and_its_int32", 4},
                   {"kept_a_token", kept_values(step, step.states), Op::plus},
                   {"batch_tokens", step.tokens},
                   {"bytes_per_value", step.s.value_bytes}});
}

FormulaRow expert_row(const Step& step, const MoeFfn& moe) {
  const std::int64_t hidden = step.job.model.hidden_size;
  const std::int64_t inner = moe.gated ? 3 : 2;
  if (step.rules.grouped_experts)
    return make_row(step.job.explain, "expert_step",
                    {{"moe_ffn_size", moe.moe_ffn_size},
                     {"gate_up_and_product", inner},
                     {"sorted_states", 4 * hidden, Op::plus},
                     {"n_experts_used", moe.n_experts_used},
                     {"kept_a_token", kept_values(step, step.states + 1), Op::plus},
                     {"batch_tokens", step.tokens},
                     {"bytes_per_value", step.s.value_bytes}});
  // One expert after another, each with its even share of the tokens; the sum, and one_hot of the choice for all of them.
  const std::int64_t share = ceil_div(step.tokens * moe.n_experts_used, moe.n_experts);
  const std::int64_t a_token = (step.states + 1) * hidden * step.s.value_bytes + moe.n_experts * (moe.n_experts_used * kMaskIndex + 4);
  const std::int64_t kept = whole_number(value_of({{"", step.tokens}, {"", a_token}}));
  return make_row(step.job.explain, "expert_step",
                  {{"moe_ffn_size", moe.moe_ffn_size},
                   {"gate_up_and_product", inner},
                   {"hidden_size", hidden, Op::plus},
                   {"tokens_of_an_expert", share},
                   {"bytes_per_value", step.s.value_bytes},
                   {"states_and_choice", kept, Op::plus}});
}

/// Queries rotated: themselves, times the cosines, their halves turned, and these times the sines.
FormulaRow rotation_row(const Step& step, const Heads& heads) {
  return make_row(step.job.explain, "attention_step",
                  {{"n_heads", heads.n_heads},
                   {"head_size", heads.dim_k},
                   {"copies_of_queries", 4},
                   {"keys_and_values", heads.n_kv_heads * (heads.dim_k + heads.dim_v), Op::plus},
                   {"kept_a_token", kept_values(step, step.states - 1), Op::plus},
                   {"batch_tokens", step.tokens},
                   {"bytes_per_value", step.s.value_bytes}});
}

/// Keys and values copied for every query head (repeat_kv), and with eager attention the scores of all pairs, which nothing splits.
FormulaRow product_row(const Step& step, const Heads& heads, std::int64_t queries, std::int64_t keys) {
  const bool is_eager = step.s.attention == Attention::eager;
  const bool repeats = heads.n_heads != heads.n_kv_heads && (is_eager || step.rules.repeats_heads || step.s.cache == CacheKind::fixed);
  const std::int64_t copied = repeats ? heads.n_heads * (heads.dim_k + heads.dim_v) * step.s.value_bytes : 0;
  const std::int64_t scores = is_eager ? queries * (heads.n_heads * kScoreBytes + step.s.value_bytes) : 0;
  const std::int64_t beside = queries * ((step.states - 1) * step.job.model.hidden_size + 2 * heads.n_heads * heads.dim_k) * step.s.value_bytes;
  return make_row(step.job.explain, is_eager ? "attention_scores" : "copied_keys_and_values",
                  {{"scores_bytes", scores},
                   {"copied_heads_bytes", copied, Op::plus},
                   {"context_tokens", keys},
                   {"queries_and_hidden_states", beside, Op::plus},
                   {"sequences", step.s.sequences}});
}

/// Projections, convolution and what the chunked scan keeps of them.
FormulaRow recurrent_row(const Step& step, const RecurrentMixer& mixer) {
  return make_row(step.job.explain, "recurrent_mixer",
                  {{"convolution_values", 3 * mixer.conv_channels},
                   {"inner_values", 3 * mixer.inner_size, Op::plus},
                   {"kept_a_token", kept_values(step, step.states - 1), Op::plus},
                   {"batch_tokens", step.tokens},
                   {"bytes_per_value", step.s.value_bytes}});
}

/// torch.cat makes a layer's new keys before the old ones go; a quantized cache unpacks a layer and joins it with the newest tokens.
FormulaRow grown_row(const Step& step, const Heads& heads) {
  const bool unpacks = step.s.cache == CacheKind::quantized;
  const std::int64_t values = heads.n_kv_heads * (unpacks ? 2 * (heads.dim_k + heads.dim_v) : std::max(heads.dim_k, heads.dim_v));
  return make_row(step.job.explain, "grown_keys",
                  {{"context_tokens", step.s.total_tokens},
                   {"sequences", step.s.sequences},
                   {"values_per_token", values},
                   {"bytes_per_value", step.s.value_bytes}});
}

class Peak {
 public:
  /// Keeps the largest row of each label.
  void add(FormulaRow row) {
    if (row.bytes == Bytes()) return;
    for (FormulaRow& kept : rows_)
      if (kept.label == row.label) {
        if (row.bytes > kept.bytes) kept = std::move(row);
        return;
      }
    rows_.push_back(std::move(row));
  }
  [[nodiscard]] std::vector<FormulaRow>& rows() { return rows_; }

 private:
  std::vector<FormulaRow> rows_;
};

void add_layer(Peak& peak, const Step& step, const LayerSpec& layer, std::int64_t matrix, bool is_int8) {
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) {
    peak.add(dense_row(step, *dense, matrix));
    if (is_int8) peak.add(int8_row(step, *dense));
  }
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn)) {
    peak.add(expert_row(step, *moe));
    if (moe->shared_ffn_size > 0) peak.add(dense_row(step, {moe->shared_ffn_size, moe->gated}, matrix));
  }
  if (const RecurrentMixer* mixer = recurrent_part(layer)) peak.add(recurrent_row(step, *mixer));
  const Heads heads = heads_of(layer.mixer);
  if (heads.n_heads == 0) return;
  peak.add(rotation_row(step, heads));
  if (step.s.attention != Attention::flash) peak.add(product_row(step, heads, step.s.step_tokens, step.s.prompt_tokens));
}

/// The steps in which a prompt is read.
Peak prompt_peak(const Job& job, const Rules& rules, const Settings& s, const Share& share) {
  const Step step{job, rules, s, s.sequences * s.step_tokens, share.is_first ? 4 : 3};
  const std::int64_t matrix = dequantized_values(job);
  const bool is_int8 = has_int8_product(job);
  Peak peak;
  for (const auto& [layer, count] : layers_of(job.model, share)) add_layer(peak, step, *layer, matrix, is_int8);
  const bool has_head = share.runs(job.model.tied_embeddings ? 0 : job.model.n_layers() + 1);
  if (has_head && s.logit_rows > 1)
    peak.add(make_row(job.explain, "logits",
                      {{"vocab_size", job.model.vocab_size},
                       {"bytes_of_a_logit", s.logit_bytes},
                       {"output_rows", s.logit_rows},
                       {"hidden_states_kept", s.step_tokens * job.model.hidden_size * s.value_bytes, Op::plus},
                       {"sequences", s.sequences}}));
  // accelerate's io_same_device: the answer of the last device goes to the one that the tokens came from.
  if (!has_head && share.is_first && s.logit_rows > 1)
    peak.add(make_row(job.explain, "moved_logits",
                      {{"vocab_size", job.model.vocab_size},
                       {"bytes_of_a_logit", s.logit_bytes > 2 ? 4 : 2},
                       {"output_rows", s.logit_rows},
                       {"sequences", s.sequences}}));
  return peak;
}

/// One more token of every sequence when they are full.
Peak token_peak(const Job& job, const Rules& rules, const Settings& s, const Share& share) {
  const Step step{job, rules, s, s.sequences, share.is_first ? 4 : 3};
  Peak peak;
  for (const auto& [layer, count] : layers_of(job.model, share)) {
    const Heads heads = heads_of(layer->mixer);
    if (heads.n_heads == 0) continue;
    if (s.cache != CacheKind::fixed) peak.add(grown_row(step, heads));
    if (s.attention != Attention::flash) peak.add(product_row(step, heads, 1, s.total_tokens));
  }
  if (share.runs(job.model.tied_embeddings ? 0 : job.model.n_layers() + 1))
    peak.add(
        make_row(job.explain, "sampling", {{"vocab_size", job.model.vocab_size}, {"bytes_of_a_logit", kSampledBytes}, {"sequences", s.sequences}}));
  return peak;
}

/// What the cache will still grow by is free while the prompt is read; layers with a window may hold more of it than later.
void count_missing_cache(FormulaRow& row, Bytes now, Bytes full, bool explain) {
  const bool grows = full >= now;
  const Bytes missing = grows ? full - now : now - full;
  if (missing == Bytes()) return;
  grows ? row.bytes -= missing : row.bytes += missing;
  if (explain) row.factors.push_back({grows ? "cache_still_to_come" : "cache_outside_windows", whole_number(missing), grows ? Op::minus : Op::plus});
}

const FormulaRow* largest(const std::vector<FormulaRow>& rows) {
  const auto found = std::max_element(rows.begin(), rows.end(), [](const FormulaRow& a, const FormulaRow& b) { return a.bytes < b.bytes; });
  return found == rows.end() ? nullptr : &*found;
}

/// Every token to the same expert, where experts take turns; the other way of multiplying where it is one product.
Bytes uneven_experts(const Job& job, const Settings& s, const Share& share) {
  Bytes most;
  for (const auto& [layer, count] : layers_of(job.model, share)) {
    const auto* moe = std::get_if<MoeFfn>(&layer->ffn);
    if (moe == nullptr) continue;
    most = std::max(most, value_of({{"", 3 * moe->moe_ffn_size + job.model.hidden_size}, {"", s.sequences * s.step_tokens}, {"", s.value_bytes}}));
  }
  return most;
}

}  // namespace

Term compute_term(const Job& job, const Rules& rules, const Settings& settings, const Share& share) {
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = kSource;
  std::vector<FormulaRow> rows = std::move(token_peak(job, rules, settings, share).rows());
  // Tables made with transformers 4.51 show neither the step that reads the prompt nor the copy of a layer's keys: only what stays.
  const Bytes least = rows.empty() ? Bytes() : rows.back().bytes;
  const Bytes full = cached_bytes(job, rules, settings, share, settings.total_tokens, false);
  const Bytes now = cached_bytes(job, rules, settings, share, settings.prompt_tokens, true);
  Peak prompt = prompt_peak(job, rules, settings, share);
  for (FormulaRow& row : prompt.rows()) {
    count_missing_cache(row, now, full, job.explain);
    const bool is_known = std::any_of(rows.begin(), rows.end(), [&](const FormulaRow& r) { return r.label == row.label && r.bytes >= row.bytes; });
    if (!is_known) rows.push_back(std::move(row));
  }
  if (is_awq(job) && job.model.tied_embeddings && share.part.holds(0)) {
    // AutoAWQ stores the head beside the embeddings: both are there until they are tied, before there is a cache.
    FormulaRow loading = make_row(job.explain, "loading",
                                  {{"vocab_size", job.model.vocab_size}, {"hidden_size", job.model.hidden_size}, {"bytes_per_value", 2}});
    count_missing_cache(loading, Bytes(), full, job.explain);
    rows.push_back(std::move(loading));
  }
  const FormulaRow* peak = largest(rows);
  term.bytes = peak != nullptr ? peak->bytes : Bytes();
  const bool is_plain = first_moe(job.model) == nullptr && settings.attention == Attention::flash && !job.model.vision;
  term.records = is_plain ? 3 : 0;
  term.low = std::min(least, term.bytes);
  term.high = term.bytes + term.bytes / (is_plain ? 20 : 5) + kUnseen + uneven_experts(job, settings, share);
  // Two published runs over several devices hold still more of the moved logits than one copy.
  for (const FormulaRow& row : rows)
    if (row.label == "moved_logits") term.high += row.bytes;
  if (!job.explain) return term;
  term.formula.is_maximum = true;
  for (FormulaRow& row : rows) row.chosen = &row == peak;
  sort_largest_first(rows);
  term.formula.rows = std::move(rows);
  term.formula.config_keys = {"hidden_size", "intermediate_size", "vocab_size"};
  term.formula.note = "one_step_at_a_time";
  return term;
}

}  // namespace weighbridge::transformers

// SPDX-License-Identifier: Apache-2.0
// Graphs: ggml-org/llama.cpp v0.5.0 src/llama-graph.cpp (build_ffn, build_moe_ffn, build_attn_mha), src/models/*.cpp.
#include "engine/llama_cpp/stages.hpp"

#include <algorithm>
#include <limits>

#include "engine/formula.hpp"
#include "overloaded.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr std::int64_t kFloat = 4;
constexpr std::int64_t kHalf = 2;

/// Elements of all query heads of one token.
std::int64_t query_size(const Mixer& mixer) {
  // The projected queries of a latent attention leave before the hidden states come back.
  const FullAttention* heads = grouped_attention(mixer);
  return heads != nullptr ? heads->n_heads * heads->head_dim_k : 0;
}

/// Experts chosen by plain softmax keep their gate and up products while the results are weighted; with a bias on the choice or a shared
/// expert two sets of results live beside one product.
FormulaRow moe_stage(const Job& job, const MoeFfn& f, const Settings& s, Bytes inputs) {
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t products = f.n_experts_used * f.moe_ffn_size;
  const std::int64_t results = f.n_experts_used * hidden;
  const std::int64_t before = 3 * products + 3 * hidden;
  const bool biased = f.router_bias || f.shared_ffn_size > 0;
  const std::int64_t kept = results > 2 * products ? 4 * hidden : 0;
  const std::int64_t after = biased ? 2 * results + 2 * products + 5 * hidden : results + 3 * products + kept;
  return make_row(job.explain, "routed_experts",
                  {{"values_alive_per_token", std::max(before, after)},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

FormulaRow dense_stage(const Job& job, const LayerSpec& layer, const DenseFfn& f, const Settings& s, Bytes inputs) {
  const std::int64_t hidden = job.model.hidden_size;
  // Heads wider than the hidden state leave a hole of their size for one of its three copies.
  const bool fused = job.model.architecture == "phi3";  // gate and up are views of one product, and one state is gone
  const std::int64_t states = (fused ? 1 : 2) * hidden + std::max(hidden, query_size(layer.mixer));
  return make_row(job.explain, "dense_ffn",
                  {{"ffn_size", f.ffn_size},
                   {"gate_up_and_product", 3},
                   {"hidden_states_kept", states, Op::plus},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

FormulaRow full_attention_stage(const Job& job, const FullAttention& a, std::int64_t cells, const Settings& s, Bytes inputs, bool with_value_index) {
  const std::int64_t tail = with_value_index || s.flash_attention ? 2 * a.n_kv_heads * a.head_dim_v : 0;
  const std::int64_t states = 2 * job.model.hidden_size + 2 * a.n_heads * a.head_dim_k + tail;
  if (!s.flash_attention)
    return make_row(job.explain, "attention_scores",
                    {{"n_heads", a.n_heads},
                     {"cells", cells},
                     {"queries_and_hidden_states", states, Op::plus},
                     {"micro_batch_tokens", s.n_ubatch},
                     {"bytes_per_value", kFloat},
                     {"graph_inputs", as_factor(inputs), Op::plus}});
  // Flash attention reads 16-bit floats: a cache of another type is copied, for all cells of one layer.
  const std::int64_t copied = (s.type_k == dtype::f16 ? 0 : a.n_kv_heads * a.head_dim_k) + (s.type_v == dtype::f16 ? 0 : a.n_kv_heads * a.head_dim_v);
  const Bytes f16_copy = value_of({{"copied_values", copied}, {"cells", cells}, {"streams", s.n_streams}, {"bytes_per_value", kHalf}});
  return make_row(job.explain, "flash_attention",
                  {{"queries_and_hidden_states", states},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"cache_as_f16", as_factor(f16_copy), Op::plus},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

/// MLA multiplies queries into the latent space. Without flash attention the scores come last and lie beyond all else, unless they fit into the
/// hole that the multiplied queries left.
FormulaRow latent_attention_stage(const Job& job, const LatentAttention& a, const Settings& s, Bytes inputs) {
  const std::int64_t latent = a.kv_lora_rank + a.qk_rope_head_dim;
  const std::int64_t query = a.qk_nope_head_dim + a.qk_rope_head_dim;
  const std::int64_t hidden = 2 * job.model.hidden_size;
  if (s.flash_attention)
    return make_row(job.explain, "flash_attention",
                    {{"n_heads", a.n_heads},
                     {"latent_query_and_result_per_head", latent + a.kv_lora_rank + query + a.head_dim_v},
                     {"hidden_states_kept", hidden, Op::plus},
                     {"micro_batch_tokens", s.n_ubatch},
                     {"bytes_per_value", kFloat},
                     {"graph_inputs", as_factor(inputs), Op::plus}});
  return make_row(job.explain, "attention_scores",
                  {{"cells", s.cells > a.kv_lora_rank ? s.cells : 0},
                   {"latent_query_and_result_per_head", latent + a.kv_lora_rank + query + a.qk_rope_head_dim, Op::plus},
                   {"n_heads", a.n_heads},
                   {"hidden_states_kept", hidden + a.q_lora_rank + latent, Op::plus},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

/// A bound, not a replay: input and output of the mixer, its gate, the convolved channels and one state of every sequence live together.
FormulaRow recurrent_stage(const Job& job, const RecurrentMixer& mixer, const Settings& s, Bytes inputs) {
  const std::int64_t alive = 2 * job.model.hidden_size + 3 * mixer.inner_size + 2 * mixer.conv_channels;
  const Bytes states = value_of({{"state_values", mixer.state_values}, {"sequences", (2 + s.n_rs_seq) * s.n_seq_max}, {"bytes_per_value", kFloat}});
  return make_row(job.explain, "recurrent_mixer",
                  {{"values_alive_per_token", alive},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"states_alive", as_factor(states), Op::plus},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

/// gpt-oss keeps the last layer's sum beside its norm.
std::int64_t output_states(const Model& model) { return model.architecture == "gpt_oss" ? 2 : 1; }

}  // namespace

void Stages::add(FormulaRow row) {
  row.chosen = false;
  // Layers take turns with windows or experts: each kind of stage stands here once.
  const auto is_known = [&](const FormulaRow& known) { return known.label == row.label && known.bytes == row.bytes; };
  if (std::none_of(rows.begin(), rows.end(), is_known)) rows.push_back(std::move(row));
}

Bytes Stages::settle() {
  if (rows.empty()) return {};
  const auto widest = std::max_element(rows.begin(), rows.end(), [](const FormulaRow& a, const FormulaRow& b) { return a.bytes < b.bytes; });
  widest->chosen = true;
  return widest->bytes;
}

std::int64_t as_factor(Bytes bytes) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return static_cast<std::int64_t>(std::min(bytes.count(), most));
}

Bytes mask_bytes(const Model& model, const Settings& s) {
  const auto is_encoder = [](const LayerSpec& layer) { return std::holds_alternative<EncoderAttention>(layer.mixer); };
  const auto has_window = [](const LayerSpec& layer) {
    const auto* a = std::get_if<EncoderAttention>(&layer.mixer);
    return a != nullptr && a->window > 0;
  };
  // Without a cache tokens see each other only (build_attn_inp_no_cache).
  if (std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(), is_encoder))
    return value_of({{"masks", std::any_of(model.layers.kinds().begin(), model.layers.kinds().end(), has_window) ? 2 : 1},
                     {"tokens", s.n_ubatch},
                     {"micro_batch_tokens", s.n_ubatch},
                     {"bytes_per_value", s.flash_attention ? kHalf : kFloat}});
  const auto attends = [](const LayerSpec& layer) { return cache_values_per_token(layer.mixer) > 0; };
  if (std::none_of(model.layers.kinds().begin(), model.layers.kinds().end(), attends)) return {};  // build_rs_inp: the states' indices only
  std::int64_t windowed = 0;
  if (s.keeps_windows)
    for (const LayerSpec& layer : model.layers)
      if (std::holds_alternative<SlidingAttention>(layer.mixer)) windowed = cells_of(layer.mixer, s);
  return value_of({{"cells", s.cells},
                   {"windowed_cells", windowed, Op::plus},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", s.flash_attention ? kHalf : kFloat}});
}

Bytes value_index_bytes(const Model& model, const Settings& s) {
  constexpr std::int64_t index = 8;
  std::int64_t widest = 0;
  for (const LayerSpec& layer : model.layers.kinds())
    if (const FullAttention* a = grouped_attention(layer.mixer)) widest = std::max(widest, a->n_kv_heads * a->head_dim_v);
  const std::int64_t caches = s.keeps_windows && sliding_layers(model).n_layers > 0 ? 2 : 1;
  return s.flash_attention ? Bytes()
                           : value_of({{"values", widest}, {"caches", caches}, {"micro_batch_tokens", s.n_ubatch}, {"bytes_per_index", index}});
}

Bytes hidden_bytes(const Model& model, const Settings& s) {
  return value_of({{"hidden_size", model.hidden_size}, {"micro_batch_tokens", s.n_ubatch}, {"bytes_per_value", kFloat}});
}

FormulaRow output_stage(const Job& job, const Settings& s, Bytes inputs) {
  return make_row(job.explain, "logits",
                  {{"vocab_size", job.model.vocab_size},
                   {"hidden_states_kept", output_states(job.model) * job.model.hidden_size, Op::plus},
                   {"output_tokens", s.n_outputs},
                   {"bytes_per_value", kFloat},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

FormulaRow ffn_stage(const Job& job, const LayerSpec& layer, const Settings& s, Bytes inputs) {
  return std::visit(Overloaded{[&](const DenseFfn& f) { return dense_stage(job, layer, f, s, inputs); },
                               [&](const MoeFfn& f) { return moe_stage(job, f, s, inputs); },
                               [&](const NoFfn&) { return dense_stage(job, layer, {}, s, inputs); }},
                    layer.ffn);
}

FormulaRow attention_stage(const Job& job, const LayerSpec& layer, const Settings& s, Bytes inputs, bool with_value_index) {
  return std::visit(
      Overloaded{[&](const FullAttention& a) { return full_attention_stage(job, a, s.cells, s, inputs, with_value_index); },
                 [&](const SlidingAttention& a) { return full_attention_stage(job, a.heads, cells_of(layer.mixer, s), s, inputs, with_value_index); },
                 [&](const ChunkedAttention& a) { return full_attention_stage(job, a.heads, cells_of(layer.mixer, s), s, inputs, with_value_index); },
                 [&](const CrossAttention& a) { return full_attention_stage(job, a.heads, s.cells, s, inputs, with_value_index); },
                 [&](const EncoderAttention& a) { return full_attention_stage(job, a.heads, s.n_ubatch, s, inputs, with_value_index); },
                 [&](const LatentAttention& a) { return latent_attention_stage(job, a, s, inputs); },
                 [&](const CompressedAttention& a) {
                   return full_attention_stage(job, {a.n_heads, 1, a.head_dim, a.head_dim}, s.cells, s, inputs, with_value_index);
                 },
                 [&](const RecurrentMixer& a) { return recurrent_stage(job, a, s, inputs); },
                 [&](const NoMixer&) { return recurrent_stage(job, {}, s, inputs); }},
      layer.mixer);
}

FormulaRow copied_down_stage(const Job& job, const LayerSpec& layer, const Settings& s, Bytes matrix, Bytes inputs) {
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t alive = std::visit(Overloaded{[&](const DenseFfn& f) { return f.ffn_size + 3 * hidden; },
                                                   [&](const NoFfn&) { return 3 * hidden; },
                                                   [&](const MoeFfn& f) { return f.n_experts_used * (f.moe_ffn_size + 2 * hidden) + 2 * hidden; }},
                                        layer.ffn);
  return make_row(job.explain, "copied_matrix_down",
                  {{"values_alive_per_token", alive},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"matrix_copy", as_factor(matrix), Op::plus},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

FormulaRow copied_up_stage(const Job& job, const LayerSpec& layer, const Settings& s, Bytes matrix, Bytes inputs) {
  const std::int64_t hidden = job.model.hidden_size;
  const std::int64_t alive = std::visit(Overloaded{[&](const DenseFfn& f) { return 2 * f.ffn_size + 3 * hidden; },
                                                   [&](const NoFfn&) { return 3 * hidden; },
                                                   [&](const MoeFfn& f) { return 2 * f.n_experts_used * f.moe_ffn_size + 3 * hidden; }},
                                        layer.ffn);
  return make_row(job.explain, "copied_matrix_up",
                  {{"values_alive_per_token", alive},
                   {"micro_batch_tokens", s.n_ubatch},
                   {"bytes_per_value", kFloat},
                   {"matrix_copy", as_factor(matrix), Op::plus},
                   {"graph_inputs", as_factor(inputs), Op::plus}});
}

}  // namespace weighbridge::llama_cpp

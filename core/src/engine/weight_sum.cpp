// SPDX-License-Identifier: Apache-2.0
#include "engine/weight_sum.hpp"

#include <algorithm>

#include "engine/formula.hpp"

namespace weighbridge {

void WeightSum::add(const Tensor& tensor, const Tensor& local) {
  const Bytes bytes = local.bytes();
  bytes_ += bytes;
  if (!explain_) return;
  const std::string_view label = row_label(tensor);
  auto group = std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.type == tensor.type && g.label == label; });
  if (group == groups_.end()) group = groups_.insert(group, Group{label, tensor.type, 0, 0, {}});
  group->elements += tensor.elements();
  group->local_elements += local.elements();
  group->local_bytes += bytes;
}

/// "total x width / ranks" where that is what happens; else the rank's own count.
FormulaRow WeightSum::row_of(const Group& group, std::int64_t ranks) {
  FormulaRow row{group.label, {}, group.local_bytes, true};
  const bool whole_blocks = group.local_elements % group.type.block_size == 0;
  if (!whole_blocks || size_of(group.type, group.local_elements) != group.local_bytes) return row;
  const bool even = ranks > 1 && group.local_elements * ranks == group.elements;
  row.factors.push_back({even || ranks == 1 ? "elements" : (group.elements == group.local_elements ? "elements_copied" : "elements_here"),
                         even ? group.elements : group.local_elements});
  row.factors.push_back({group.type.block_size == 1 ? "bytes_per_element" : "bytes_per_block", group.type.block_bytes});
  if (group.type.block_size > 1) row.factors.push_back({"elements_per_block", group.type.block_size, Op::divide});
  if (even) row.factors.push_back({"tensor_parallel", ranks, Op::divide});
  return row;
}

std::vector<FormulaRow> WeightSum::rows(std::int64_t ranks) const {
  std::vector<FormulaRow> rows;
  rows.reserve(groups_.size());
  for (const Group& group : groups_) rows.push_back(row_of(group, ranks));
  sort_largest_first(rows);
  return rows;
}

Term summed_weights(const Job& job, std::int64_t ranks, const Source& source, const std::function<std::optional<Tensor>(const Tensor&)>& held) {
  WeightSum sum(job.explain);
  for (const Tensor& tensor : job.tensors)
    if (const std::optional<Tensor> local = held(tensor)) sum.add(tensor, *local);
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = source;
  term.bytes = sum.bytes();
  if (!job.explain) return term;
  term.formula.rows = sum.rows(ranks);
  term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};
  return term;
}

void add_row(const Job& job, Term& term, FormulaRow row) {
  if (row.bytes == Bytes()) return;
  term.bytes += row.bytes;
  if (job.explain) term.formula.rows.push_back(std::move(row));
}

void bound_unmeasured_weights(Term& weights) {
  weights.low = weights.bytes - weights.bytes / 33;
  weights.high = weights.bytes + weights.bytes / 25;
}

namespace {

bool is_gemma4(const Model& model) { return model.architecture.starts_with("gemma4"); }

/// Gemma 4 rotates all of the wider heads of its layers that see everything, by a table of their own (rotary_embedding/gemma4_rope.py,
/// rotary_dim = head_size); 0: no other table is wider.
std::int64_t wide_rotary_dim(const Model& model) {
  std::int64_t wide = 0;
  if (!is_gemma4(model)) return wide;
  for (const LayerSpec& layer : model.layers.kinds())
    if (const auto* heads = std::get_if<FullAttention>(&layer.mixer)) wide = std::max(wide, heads->head_dim_k);
  return wide;
}

}  // namespace

bool serves_as_values(const Job& job, const Tensor& tensor) {
  if (tensor.role != TensorRole::attention_k || !is_gemma4(job.model)) return false;
  return std::none_of(job.tensors.begin(), job.tensors.end(),
                      [&](const Tensor& other) { return other.role == TensorRole::attention_v && other.layers.holds(tensor.layers.first); });
}

FormulaRow rotary_table_row(const Model& model, std::int64_t width, std::int64_t lengths) {
  const std::int64_t wide = wide_rotary_dim(model);
  const std::int64_t dim = model.rotary_dim + wide;
  const std::int64_t tables = wide > 0 ? 1 : model.n_rotary_tables * lengths;
  FormulaRow row{"rope_cache", {{"max_position_embeddings", model.max_context_tokens}, {"rotary_dim", dim}, {"bytes_per_element", width}}, {}, true};
  if (tables > 1) row.factors.push_back({"rope_tables", tables});
  row.bytes = Bytes(static_cast<std::uint64_t>(model.max_context_tokens * dim * width * tables));
  return row;
}

}  // namespace weighbridge

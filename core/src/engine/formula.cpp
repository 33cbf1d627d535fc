// SPDX-License-Identifier: Apache-2.0
#include "engine/formula.hpp"

#include <algorithm>

namespace weighbridge {

Bytes value_of(std::initializer_list<Factor> factors) {
  Bytes value(1);
  for (const Factor& factor : factors) {
    const auto number = static_cast<std::uint64_t>(factor.value);
    switch (factor.op) {
      case Op::times:
        value *= number;
        break;
      case Op::divide:
        value = value / number;
        break;
      case Op::ceil_divide:
        value = (value + Bytes(number - 1)) / number;
        break;
      case Op::plus:
        value += Bytes(number);
        break;
      case Op::minus:
        value -= Bytes(number);
        break;
    }
  }
  return value;
}

FormulaRow make_row(bool explain, std::string_view label, std::initializer_list<Factor> factors) {
  FormulaRow row;
  row.label = label;
  row.bytes = value_of(factors);
  if (explain) row.factors = factors;
  return row;
}

std::string_view row_label(const Tensor& tensor) {
  if (tensor.is_scale) return "scales";
  switch (tensor.role) {
    case TensorRole::embedding:
      return "embeddings";
    case TensorRole::output_head:
      return "output_head";
    case TensorRole::norm:
      return "norms";
    case TensorRole::position_embedding:
    case TensorRole::layer_embedding:
      return "embeddings";
    case TensorRole::recurrent_in:
    case TensorRole::recurrent_out:
    case TensorRole::recurrent_state:
      return "recurrent";
    case TensorRole::projection:
      return "projections";
    case TensorRole::router:
      return "router";
    case TensorRole::expert_gate_up:
    case TensorRole::expert_down:
      return "routed_experts";
    case TensorRole::shared_gate_up:
    case TensorRole::shared_down:
      return "shared_experts";
    case TensorRole::ffn_gate_up:
    case TensorRole::ffn_down:
      return "dense_ffn";
    case TensorRole::generic:
      return "parameters";
    case TensorRole::tower:
      return "vision";
    case TensorRole::attention_q:
    case TensorRole::attention_k:
    case TensorRole::attention_v:
    case TensorRole::attention_output:
    case TensorRole::attention_sinks:
    case TensorRole::latent_q_down:
    case TensorRole::latent_q_up:
    case TensorRole::latent_kv_down:
    case TensorRole::latent_kv_up:
    case TensorRole::indexer:
    case TensorRole::mtp_projection:
      return "attention";
  }
  return "attention";
}

FormulaRow& choose_largest(std::span<FormulaRow> rows) {
  for (FormulaRow& row : rows) row.chosen = false;
  FormulaRow& largest = *std::max_element(rows.begin(), rows.end(), [](const FormulaRow& a, const FormulaRow& b) { return a.bytes < b.bytes; });
  largest.chosen = true;
  return largest;
}

void sort_largest_first(std::vector<FormulaRow>& rows) {
  // Insertion sort: a sum has a dozen rows, and std::stable_sort would be 4 kB of WebAssembly.
  const auto is_larger = [](const FormulaRow& a, const FormulaRow& b) { return a.bytes > b.bytes; };
  for (auto row = rows.begin(); row != rows.end(); ++row) std::rotate(std::upper_bound(rows.begin(), row, *row, is_larger), row, row + 1);
}

}  // namespace weighbridge

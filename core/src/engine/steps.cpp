// SPDX-License-Identifier: Apache-2.0
#include "engine/steps.hpp"

#include <algorithm>

#include "engine/formula.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kActivationBytes = 2;
constexpr std::int64_t kLiveHiddenStates = 4;  // residual, normed input, block output, next hidden state

}  // namespace

FormulaRow dense_step(bool explain, std::int64_t ffn_size, std::int64_t hidden_size, std::int64_t ranks, std::int64_t tokens) {
  return make_row(explain, "dense_ffn",
                  {{"ffn_size", ffn_size},
                   {"gate_up_and_product", 3},
                   {"tensor_parallel", ranks, Op::ceil_divide},
                   {"hidden_states_4", kLiveHiddenStates * hidden_size, Op::plus},
                   {"batch_tokens", tokens},
                   {"bytes_per_value", kActivationBytes}});
}

FormulaRow expert_step(bool explain, const MoeFfn& moe, std::int64_t hidden_size, std::int64_t ranks, std::int64_t tokens) {
  const std::int64_t local = ceil_div(moe.moe_ffn_size, ranks);
  return make_row(explain, "routed_experts",
                  {{"widest_expert_buffer", std::max(2 * local, hidden_size)},
                   {"expert_product", local, Op::plus},
                   {"n_experts_used", moe.n_experts_used},
                   {"hidden_states_4", kLiveHiddenStates * hidden_size, Op::plus},
                   {"batch_tokens", tokens},
                   {"bytes_per_value", kActivationBytes}});
}

void add_feed_forward_steps(bool explain, const Model& model, const StepShare& share, std::vector<FormulaRow>& rows) {
  if (const std::int64_t ffn = largest_dense_ffn(model); ffn > 0)
    rows.push_back(dense_step(explain, ffn, model.hidden_size, share.dense_ranks, share.dense_tokens));
  if (const MoeFfn* moe = first_moe(model)) rows.push_back(expert_step(explain, *moe, model.hidden_size, share.expert_ranks, share.expert_tokens));
}

Term largest_step_term(bool explain, std::vector<FormulaRow> rows, const Source& source) {
  Term term;
  term.id = "compute";
  term.basis = Basis::modelled;
  term.source = source;
  term.bytes = choose_largest(rows).bytes;
  if (!explain) return term;
  term.formula.is_maximum = true;
  term.formula.rows = std::move(rows);
  term.formula.note = "largest_step";
  return term;
}

}  // namespace weighbridge

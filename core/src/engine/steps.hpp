// SPDX-License-Identifier: Apache-2.0
#pragma once

// The widest moments of one step of a serving engine whose layers grew from vLLM's: activations of 16 bits, with the hidden states that live beside.
#include "weighbridge/estimate.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// Gate, up and their product of `tokens` tokens, on one of `ranks` ranks.
[[nodiscard]] FormulaRow dense_step(bool explain, std::int64_t ffn_size, std::int64_t hidden_size, std::int64_t ranks, std::int64_t tokens);
/// The buffers of the fused expert kernels for `tokens` tokens, each expert split over `ranks` ranks.
[[nodiscard]] FormulaRow expert_step(bool explain, const MoeFfn& moe, std::int64_t hidden_size, std::int64_t ranks, std::int64_t tokens);

/// How many ranks share a step's dense blocks and each expert, and how many tokens either sees.
struct StepShare {
  std::int64_t dense_ranks = 1;
  std::int64_t dense_tokens = 0;
  std::int64_t expert_ranks = 1;
  std::int64_t expert_tokens = 0;
};
/// Adds those of the model's widest dense block and of its experts, where it has them.
void add_feed_forward_steps(bool explain, const Model& model, const StepShare& share, std::vector<FormulaRow>& rows);

/// The term of the largest of `rows`, which all are shown; its bounds are its caller's. There is at least one.
[[nodiscard]] Term largest_step_term(bool explain, std::vector<FormulaRow> rows, const Source& source);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

/// Gemma 3n and 4: what every layer gets of each token beside the state, [width, tokens, layers]. `state`: the embedded tokens.
[[nodiscard]] Node* per_layer_inputs(Builder& b, Node* state);

/// What layer `il` makes of its slice of `inputs`, gated by `state`: to be added to the state.
[[nodiscard]] Node* gated_layer_input(Builder& b, Node* state, Node* inputs, int il);

/// The matrix at `index` of a stack of them.
[[nodiscard]] Node* slice(Graph& graph, Node* a, std::int64_t index);

}  // namespace weighbridge::llama_graph

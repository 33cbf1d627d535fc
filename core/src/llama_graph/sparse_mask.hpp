// SPDX-License-Identifier: Apache-2.0
// Attention to chosen tokens only: the lightning indexer of DeepSeek-V3.2 and V4 (ggml-org/llama.cpp v0.5.0 src/models/deepseek32.cpp, deepseek4.cpp).
#pragma once

#include "llama_graph/graph.hpp"

namespace weighbridge::llama_graph {

/// `weights` [heads, tokens] of the scores of each head.
Node* weights_by_stream(Graph& graph, Node* weights, std::int64_t streams);
/// The `top_k` keys of `k` [head, 1, cells, streams] that score best for each query of `q` [head, heads, tokens].
Node* choose_best(Graph& graph, Node* q, Node* k, Node* weights, Node* mask, std::int64_t top_k);
/// `mask` with everything hidden but the chosen tokens. `zeros`: the type in which the others are written.
Node* hide_others(Graph& graph, Node* mask, Node* chosen, Type zeros);

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/sparse_mask.hpp"

#include <algorithm>

namespace weighbridge::llama_graph {

Node* weights_by_stream(Graph& graph, Node* weights, std::int64_t streams) {
  const auto n = static_cast<std::uint64_t>(streams);
  return graph.view(weights, {weights->ne[0], weights->ne[1] / streams, 1, streams},
                    {weights->nb[0], weights->nb[1], weights->nb[2] / n, weights->nb[3] / n}, 0);
}

Node* choose_best(Graph& graph, Node* q, Node* k, Node* weights, Node* mask, std::int64_t top_k) {
  const std::int64_t streams = k->ne[3];
  q = graph.view(q, {q->ne[0], q->ne[1], q->ne[2] / streams, streams}, {q->nb[0], q->nb[1], q->nb[2], q->nb[3] / static_cast<std::uint64_t>(streams)},
                 0);
  Node* scores = graph.make(Op::lightning_indexer, dtype::f32, {k->ne[2], q->ne[2], 1, streams}, {q, k, weights, mask});
  return graph.cont(graph.top_k(scores, std::min(scores->ne[0], top_k)));
}

Node* hide_others(Graph& graph, Node* mask, Node* chosen, Type zeros) {
  Node* hidden = graph.same(Op::fill, mask);
  hidden = graph.view(hidden, {1, mask->ne[0], mask->ne[1], mask->ne[3]}, {mask->nb[0], mask->nb[0], mask->nb[1], mask->nb[2]}, 0);
  Node* rows = graph.view(chosen, {chosen->ne[0], chosen->ne[1], chosen->ne[3], 1},
                          {chosen->nb[0], chosen->nb[1], chosen->nb[2], chosen->nb[3] * static_cast<std::uint64_t>(chosen->ne[3])}, 0);
  Node* shown = graph.same(Op::fill, graph.blank(zeros, {1, rows->ne[0], rows->ne[1], rows->ne[2]}));
  shown = graph.set_rows(hidden, shown, rows);
  shown = graph.view(shown, mask->ne, {shown->nb[0], shown->nb[2], shown->nb[3], shown->nb[3]}, 0);
  return graph.add(shown, mask);
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
// src/models/gemma3n.cpp and gemma4.cpp: build_inp_per_layer, project_per_layer_inputs.
#include "llama_graph/per_layer_inputs.hpp"

namespace weighbridge::llama_graph {

Node* per_layer_inputs(Builder& b, Node* state) {
  Graph& g = b.graph;
  Node* table = b.matrix("per_layer_token_embd", kNowhere);
  const Shape by_layer{table->ne[0] / b.n_layers(), b.n_layers(), b.n_tokens, 1};
  Node* looked_up = g.scale(g.reshape(g.get_rows(table, g.input(dtype::int32, {b.n_tokens, 1, 1, 1})), by_layer));
  g.expand(looked_up);
  Node* projected = g.reshape(g.scale(g.mul_mat(b.matrix("per_layer_model_proj", kNowhere), state)), by_layer);
  projected = b.norm(projected, "per_layer_proj_norm", kNowhere);
  return g.cont(g.permute(g.scale(g.add(projected, looked_up)), {0, 2, 1, 3}));
}

Node* gated_layer_input(Builder& b, Node* state, Node* inputs, int il) {
  Graph& g = b.graph;
  Node* gate = g.activate(Unary::gelu, g.mul_mat(b.matrix("inp_gate", il), state));
  Node* added = g.mul_mat(b.matrix("proj", il), g.mul(gate, slice(g, inputs, il)));
  return b.norm(added, "post_norm", il);
}

Node* slice(Graph& graph, Node* a, std::int64_t index) {
  return graph.view_2d(a, a->ne[0], a->ne[1], row_bytes(a->type, a->ne[0]), row_bytes(a->type, index * a->ne[0] * a->ne[1]));
}

}  // namespace weighbridge::llama_graph

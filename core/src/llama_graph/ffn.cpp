// SPDX-License-Identifier: Apache-2.0
// src/llama-graph.cpp: build_ffn, build_moe_ffn.
#include <string>

#include "llama_graph/builder.hpp"

namespace weighbridge::llama_graph {

Node* Builder::ffn(Node* a, int il, std::string_view suffix, Unary activation, std::int64_t ffn_size) {
  const auto part = [&](std::string_view name) { return linear(std::string(name).append(suffix), il); };
  const Linear gate = part("ffn_gate");
  Node* up = apply(part("ffn_up"), a);
  Node* inner = nullptr;
  if (gate)
    inner = graph.glu(apply(gate, a), up);
  else if (up->ne[0] == 2 * ffn_size)
    inner = graph.glu_halves(up);
  else
    inner = graph.activate(activation, up);
  if (activation == Unary::relu && !gate) inner = graph.same(Op::sqr, inner);          // squared: the only ReLU of a block without a gate
  if (vector("ffn_sub_norm", il) != nullptr) inner = norm(inner, "ffn_sub_norm", il);  // BitNet
  return apply(part("ffn_down"), inner);
}

namespace {

/// The engine refuses groups that are none (src/llama-model.cpp, load_hparams).
bool has_groups(const MoeFfn& moe) {
  return moe.n_groups > 1 && moe.n_experts % moe.n_groups == 0 && moe.n_groups_used > 0 && moe.n_groups_used < moe.n_groups;
}

/// The scores of the experts that may be chosen: with groups, those outside the best ones are masked.
Node* keep_best_groups(Graph& graph, Node* scores, std::int64_t groups, std::int64_t used, std::int64_t n_tokens) {
  const std::int64_t n_experts = scores->ne[0];
  Node* grouped = graph.reshape(scores, {n_experts / groups, groups, n_tokens, 1});
  Node* best = graph.argsort_top_k(grouped, 2);
  Node* sums = graph.get_rows(graph.reshape(grouped, {1, grouped->ne[0], grouped->ne[1], grouped->ne[2]}), best);
  sums = graph.sum_rows(graph.reshape(sums, {sums->ne[1], sums->ne[2], sums->ne[3], 1}));
  sums = graph.reshape(sums, {sums->ne[1], sums->ne[2], 1, 1});
  Node* chosen = graph.argsort_top_k(sums, used);
  Node* kept = graph.get_rows(grouped, chosen);
  kept = graph.set_rows(graph.same(Op::fill, grouped), kept, chosen);
  return graph.reshape(kept, {n_experts, n_tokens, 1, 1});
}

Node* gate_probabilities(Graph& graph, Node* logits, Gating gating) {
  switch (gating) {
    case Gating::softmax:
      return graph.soft_max(logits);
    case Gating::sigmoid:
      return graph.activate(Unary::sigmoid, logits);
    case Gating::sqrt_softplus:
      return graph.same(Op::sqrt, graph.activate(Unary::softplus, logits));
    case Gating::softmax_of_chosen:
      break;
  }
  return logits;
}

/// The experts' results, added up one after the other.
Node* sum_of_experts(Graph& graph, Node* results, std::int64_t used) {
  std::vector<Node*> parts;
  for (std::int64_t i = 0; i < used; ++i) {
    parts.push_back(graph.view_2d(results, results->ne[0], results->ne[2], results->nb[2], static_cast<std::uint64_t>(i) * results->nb[1]));
    graph.expand(parts.back());
  }
  Node* sum = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    sum = graph.add(sum, parts[i]);
    graph.expand(sum);
  }
  return used == 1 ? graph.cont(sum) : sum;
}

/// One factor of each expert for the chosen ones.
Node* of_chosen(Graph& graph, Node* factors, Node* chosen, std::int64_t n_tokens) {
  const std::int64_t n_experts = factors->ne[0];
  return graph.get_rows(graph.repeat(graph.reshape(factors, {1, n_experts, 1, 1}), {1, n_experts, n_tokens, 1}), chosen);
}

Node* expert_weights(Graph& graph, Node* probabilities, Node* chosen, const MoeStyle& style) {
  const std::int64_t used = chosen->ne[0];
  const std::int64_t n_tokens = probabilities->ne[1];
  const Shape flat{used, n_tokens, 1, 1};
  const Shape deep{1, used, n_tokens, 1};
  Node* weights = graph.get_rows(graph.reshape(probabilities, {1, probabilities->ne[0], n_tokens, 1}), chosen);
  if (style.gating == Gating::softmax_of_chosen) weights = graph.reshape(graph.soft_max(graph.reshape(weights, flat)), deep);
  if (style.normalizes) {
    weights = graph.reshape(weights, flat);
    Node* sum = graph.same(Op::clamp, graph.sum_rows(weights));
    weights = graph.reshape(graph.binary(Op::div, weights, sum), deep);
  }
  return style.scales ? graph.scale(weights) : weights;
}

}  // namespace

Node* Builder::experts(Node* input, Node* chosen, int il, Unary activation) {
  const auto project = [&](std::string_view name, Node* a) {
    Node* result = graph.mul_mat_id(matrix(name, il), a, chosen);
    if (Node* scale = vector(std::string(name).append(".scale"), il)) result = graph.mul(result, of_chosen(graph, scale, chosen, input->ne[2]));
    Node* bias = vector(name, il);
    return bias != nullptr ? graph.add_id(result, bias, chosen) : result;
  };
  Node* inner = nullptr;
  if (matrix("ffn_gate_up_exps", il) != nullptr) {
    Node* both = project("ffn_gate_up_exps", input);
    const Shape half{both->ne[0] / 2, both->ne[1], both->ne[2], 1};
    Node* gate = graph.view_3d(both, half, both->nb[1], both->nb[2], 0);
    inner = graph.glu(gate, graph.view_3d(both, half, both->nb[1], both->nb[2], row_bytes(both->type, half[0])));
  } else if (matrix("ffn_gate_exps", il) != nullptr) {
    Node* up = project("ffn_up_exps", input);
    inner = graph.glu(project("ffn_gate_exps", input), up);
  } else {
    inner = graph.activate(activation, project("ffn_up_exps", input));
    if (activation == Unary::relu) inner = graph.same(Op::sqr, inner);
  }
  return project("ffn_down_exps", inner);
}

Node* Builder::moe(Node* a, int il, const MoeFfn& spec, const MoeStyle& style, Node* logits) {
  const std::int64_t n = a->ne[1];
  const std::int64_t used = spec.n_experts_used;
  if (logits == nullptr) logits = apply(linear("ffn_gate_inp", il), a);
  Node* probabilities = gate_probabilities(graph, logits, style.gating);
  Node* scores = probabilities;
  if (Node* bias = vector("exp_probs_b", il)) scores = graph.add(probabilities, bias);
  if (style.weights_inputs) scores = logits;
  if (has_groups(spec)) scores = keep_best_groups(graph, scores, spec.n_groups, spec.n_groups_used, n);
  Node* chosen = style.chosen != nullptr ? style.chosen : graph.argsort_top_k(scores, used);
  Node* weights = expert_weights(graph, probabilities, chosen, style);
  graph.expand(weights);  // early, so that routing can be fused
  Node* input = graph.reshape(a, {a->ne[0], 1, n, 1});
  if (style.weights_inputs) input = graph.mul(graph.repeat(input, {a->ne[0], used, n, 1}), weights);
  Node* results = experts(input, chosen, il, style.activation);
  results->is_precise = style.precise_results;
  if (!style.weights_inputs) results = graph.mul(results, weights);
  graph.expand(results);
  return sum_of_experts(graph, results, used);
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
// The operations that CUDA computes as one: what they read must live until they are done. ggml-org/llama.cpp v0.5.0 ggml/src/ggml-cuda/ggml-cuda.cu,
// ggml_cuda_topk_moe_fusion and ggml_cuda_match_moe_weighted_reduction.
#include <algorithm>

#include "llama_graph/backend.hpp"

namespace weighbridge::llama_graph {

namespace {

/// One split of the graph.
struct Nodes {
  Node* const* begin;
  int size;

  [[nodiscard]] const Node& at(int i) const { return *begin[i]; }
  [[nodiscard]] bool is(int i, Op op) const { return i < size && at(i).op == op; }
  /// Node i is `op` of the node before it.
  [[nodiscard]] bool follows(int i, Op op) const { return is(i, op) && at(i).src[0] == begin[i - 1]; }
};

/// ggml.c, ggml_can_fuse_subgraph_ext: nothing outside reads the nodes [first, last), but for `results`.
bool is_closed(const Nodes& nodes, int first, int last, std::initializer_list<int> results) {
  for (int i = first; i < last; ++i) {
    const Node& node = nodes.at(i);
    if (std::find(results.begin(), results.end(), i) != results.end()) continue;
    if (node.is_output) return false;
    int uses = 0;  // most nodes are read by the next one only
    for (int j = i + 1; j < last && uses < node.uses; ++j)
      for (const Node* source : nodes.at(j).sources()) uses += static_cast<int>(source == &node);
    if (uses != node.uses) return false;
    if (!node.is_view() || node.view_src->is_weight) continue;
    if (std::find(nodes.begin + first, nodes.begin + last, node.view_src) == nodes.begin + last) return false;
  }
  return true;
}

constexpr int kMostReduced = 15;  // MOE_WEIGHTED_REDUCTION_MAX_EXPERTS

/// experts * weights, and the sum over the experts.
struct Reduction {
  Node* experts = nullptr;
  Node* scale = nullptr;  ///< of each expert, if it has one
  Node* weights = nullptr;
  int n_nodes = 0;  ///< 0: no match
};

/// A product of full vectors with one weight each.
bool split_product(const Node& product, Node*& full, Node*& weights) {
  const auto is_plain = [](const Node* t) { return t != nullptr && t->type == dtype::f32 && t->is_contiguous(); };
  const auto is_weight = [&](const Node* t) {
    return t != nullptr && t->ne[0] == 1 && t->ne[1] == product.ne[1] && t->ne[2] == product.ne[2] && t->ne[3] == product.ne[3] && is_plain(t);
  };
  for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
    Node* a = product.src[i];
    Node* b = product.src[1 - i];
    if (!is_weight(b) || !is_plain(a) || !is_same_shape(*a, product)) continue;  // most products are of norms, which are no weights
    full = a;
    weights = b;
    return true;
  }
  return false;
}

/// Views of the experts' results in turn, and their running sum. Any order in which a sum does not come before its parts.
bool sums_up(const Nodes& nodes, int first, int last, const Node& weighted) {
  const auto n_experts = static_cast<int>(weighted.ne[1]);
  std::vector<const Node*> views;
  const Node* sum = nullptr;
  int n_sums = 0;
  for (int i = first; i < last; ++i) {
    const Node& node = nodes.at(i);
    if (node.op == Op::view) {
      if (static_cast<int>(views.size()) >= n_experts || node.src[0] != &weighted) return false;
      views.push_back(&node);
      continue;
    }
    if (node.op != Op::add || views.size() < 2 || n_sums + 1 >= static_cast<int>(views.size())) return false;
    if (node.src[0] != (n_sums == 0 ? views[0] : sum) || node.src[1] != views[static_cast<std::size_t>(n_sums) + 1]) return false;
    sum = &node;
    ++n_sums;
  }
  return static_cast<int>(views.size()) == n_experts && n_sums == n_experts - 1;
}

/// Node `first` is a product.
Reduction match_reduction(const Nodes& nodes, int first) {
  Reduction match;
  if (!nodes.at(first).is_contiguous()) return match;
  const Node* weighted = &nodes.at(first);
  int n_products = 1;
  if (nodes.is(first + 1, Op::mul) && nodes.at(first + 1).is_contiguous()) {
    Node* scaled = nullptr;
    Node* route = nullptr;
    Node* raw = nullptr;
    Node* scale = nullptr;
    if (split_product(nodes.at(first + 1), scaled, route) && scaled == weighted && split_product(*weighted, raw, scale)) {
      weighted = &nodes.at(first + 1);
      match = {raw, scale, route, 0};
      n_products = 2;
    }
  }
  if (match.experts == nullptr && !split_product(*weighted, match.experts, match.weights)) return {};
  const std::int64_t n_experts = weighted->ne[1];
  if (n_experts < 2 || n_experts > kMostReduced) return {};
  const int n_nodes = static_cast<int>(2 * n_experts) + n_products - 1;
  const int last = first + n_nodes;
  if (last > nodes.size || !sums_up(nodes, first + n_products, last, *weighted) || !is_closed(nodes, first, last, {last - 1})) return {};
  match.n_nodes = n_nodes;
  return match;
}

/// Numbers of experts for which there is a routing kernel (topk-moe.cu, ggml_cuda_should_use_topk_moe).
bool has_routing_kernel(std::int64_t n_experts) {
  return ((n_experts & (n_experts - 1)) == 0 && n_experts <= 512) || n_experts == 288 || n_experts == 576;
}

/// Activation, choice of the experts and their weights, from node `first` on; the node behind it, or `first` if there is no match.
int match_routing(const Nodes& nodes, int first) {
  const Node& gate = nodes.at(first);
  int i = first;
  if (gate.op == Op::unary && gate.unary == Unary::softplus && nodes.follows(i + 1, Op::sqrt))
    ++i;
  else if (gate.op != Op::soft_max && !(gate.op == Op::unary && gate.unary == Unary::sigmoid))
    return first;
  if (gate.op == Op::soft_max && (gate.src[1] != nullptr || gate.src[2] != nullptr)) return first;
  const int probs = i;
  if (!nodes.follows(++i, Op::reshape)) return first;
  const Node* reshaped = &nodes.at(i);
  const Node* ranked = &nodes.at(probs);
  if (nodes.is(i + 1, Op::add) && nodes.at(i + 1).src[0] == ranked) ranked = &nodes.at(++i);
  if (!nodes.is(++i, Op::argsort) || nodes.at(i).src[0] != ranked) return first;
  if (!nodes.follows(++i, Op::view)) return first;
  const int ids = i;
  if (!nodes.is(++i, Op::get_rows) || nodes.at(i).src[0] != reshaped || nodes.at(i).src[1] != &nodes.at(ids)) return first;
  const bool is_normalized = nodes.follows(i + 1, Op::reshape) && nodes.follows(i + 2, Op::sum_rows) && nodes.follows(i + 3, Op::clamp) &&
                             nodes.is(i + 4, Op::div) && nodes.at(i + 4).src[1] == &nodes.at(i + 3) && nodes.at(i + 4).src[0] == &nodes.at(i + 1) &&
                             nodes.follows(i + 5, Op::reshape);
  if (is_normalized) i += 5;
  if (nodes.follows(i + 1, Op::scale)) ++i;
  const Node& chosen = nodes.at(ids);
  const std::uint64_t n_experts = chosen.nb[1] / chosen.nb[0];
  if (!has_routing_kernel(static_cast<std::int64_t>(n_experts)) || !is_closed(nodes, first, i + 1, {ids, i})) return first;
  return i + 1;
}

}  // namespace

std::vector<Dependency> fused_dependencies(Node* const* begin, int n_nodes) {
  const Nodes nodes{begin, n_nodes};
  std::vector<Dependency> dependencies;
  for (int i = 0; i < n_nodes; ++i) {
    const Op op = begin[i]->op;
    if (op == Op::mul) {
      const Reduction match = match_reduction(nodes, i);
      if (match.n_nodes == 0) continue;
      i += match.n_nodes - 1;
      for (Node* tensor : {match.experts, match.weights, match.scale})
        if (tensor != nullptr) dependencies.push_back({tensor, begin[i]});
    }
    if (op != Op::unary && op != Op::soft_max) continue;
    const int behind = match_routing(nodes, i);
    if (behind == i || behind >= n_nodes) continue;
    for (; i < behind; ++i) {
      dependencies.push_back({begin[i], begin[behind]});
      for (Node* source : begin[i]->sources())
        if (source != nullptr) dependencies.push_back({source, begin[behind]});
    }
    --i;
  }
  return dependencies;
}

}  // namespace weighbridge::llama_graph

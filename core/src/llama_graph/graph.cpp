// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/graph.hpp"

namespace weighbridge::llama_graph {

namespace {

/// Blocks of a row. Few types have blocks, and a division takes longer than all else here.
std::int64_t blocks_of(Type type, std::int64_t elements) { return type.block_size == 1 ? elements : elements / type.block_size; }

Strides packed(Type type, const Shape& ne) {
  Strides nb{};
  nb[0] = static_cast<std::uint64_t>(type.block_bytes);
  nb[1] = nb[0] * static_cast<std::uint64_t>(blocks_of(type, ne[0]));
  nb[2] = nb[1] * static_cast<std::uint64_t>(ne[1]);
  nb[3] = nb[2] * static_cast<std::uint64_t>(ne[2]);
  return nb;
}

}  // namespace

std::uint64_t row_bytes(Type type, std::int64_t elements) {
  return static_cast<std::uint64_t>(elements) * static_cast<std::uint64_t>(type.block_bytes) / static_cast<std::uint64_t>(type.block_size);
}

bool is_same_shape(const Node& a, const Node& b) { return a.ne == b.ne; }

std::uint64_t Node::bytes() const {
  for (const std::int64_t n : ne)
    if (n <= 0) return 0;
  std::uint64_t sum = type.block_size == 1 ? static_cast<std::uint64_t>(type.block_bytes) + static_cast<std::uint64_t>(ne[0] - 1) * nb[0]
                                           : static_cast<std::uint64_t>(ne[0]) * nb[0] / static_cast<std::uint64_t>(type.block_size);
  for (std::size_t i = 1; i < 4; ++i) sum += static_cast<std::uint64_t>(ne[i] - 1) * nb[i];
  return sum;
}

bool Node::is_contiguous() const {
  std::uint64_t next = static_cast<std::uint64_t>(type.block_bytes);
  if (ne[0] != type.block_size && nb[0] != next) return false;
  next *= static_cast<std::uint64_t>(blocks_of(type, ne[0]));
  for (std::size_t i = 1; i < 4; ++i) {
    if (ne[i] == 1) continue;
    if (nb[i] != next) return false;
    next *= static_cast<std::uint64_t>(ne[i]);
  }
  return true;
}

Node* Graph::create(Type type, Shape ne) {
  Node& tensor = arena_->make();
  tensor.type = type;
  tensor.ne = ne;
  tensor.nb = packed(type, ne);
  return &tensor;
}

Node* Graph::present(Node* a) {
  if (a != nullptr) return a;
  is_incomplete = true;
  return create(dtype::f32, {1, 1, 1, 1});
}

Node* Graph::create_view(Op op, Node* a, Shape ne, Strides nb, std::uint64_t offset) {
  a = present(a);
  Node* result = create(a->type, ne);
  result->op = op;
  result->nb = nb;
  result->view_src = a->view_src != nullptr ? a->view_src : a;
  result->view_offset = a->view_offset + offset;
  result->src[0] = a;
  result->n_src = 1;
  return result;
}

Node* Graph::input(Type type, Shape ne) {
  Node* result = create(type, ne);
  result->is_input = true;
  return result;
}

Node* Graph::stored(Type type, Shape ne, int buffer, int layer, bool is_weight) {
  Node* result = create(type, ne);
  result->buffer = buffer;
  result->layer = layer;
  result->is_weight = is_weight;
  return result;
}

Node* Graph::blank(Type type, Shape ne) { return create(type, ne); }

Node* Graph::declare(Node* leaf, Shape ne) {
  leaf->ne = ne;
  leaf->nb = packed(leaf->type, ne);
  return leaf;
}

Node* Graph::view(Node* a, Shape ne, Strides nb, std::uint64_t offset) {
  a = present(a);
  return create_view(Op::view, a, ne, nb, offset);
}

Node* Graph::view_1d(Node* a, std::int64_t ne0, std::uint64_t offset) {
  a = present(a);
  const Shape ne{ne0, 1, 1, 1};
  return view(a, ne, packed(a->type, ne), offset);
}

Node* Graph::view_2d(Node* a, std::int64_t ne0, std::int64_t ne1, std::uint64_t nb1, std::uint64_t offset) {
  a = present(a);
  const std::uint64_t nb2 = nb1 * static_cast<std::uint64_t>(ne1);
  return view(a, {ne0, ne1, 1, 1}, {static_cast<std::uint64_t>(a->type.block_bytes), nb1, nb2, nb2}, offset);
}

Node* Graph::view_3d(Node* a, Shape ne, std::uint64_t nb1, std::uint64_t nb2, std::uint64_t offset) {
  a = present(a);
  return view(a, ne, {static_cast<std::uint64_t>(a->type.block_bytes), nb1, nb2, nb2 * static_cast<std::uint64_t>(ne[2])}, offset);
}

Node* Graph::alias(Node* a) {
  a = present(a);
  Node* result = create_view(Op::none, a, a->ne, a->nb, 0);
  result->src[0] = nullptr;
  result->n_src = 0;
  return result;
}

Node* Graph::reshape(Node* a, Shape ne) {
  a = present(a);
  return create_view(Op::reshape, a, ne, packed(a->type, ne), 0);
}

Node* Graph::permute(Node* a, std::array<int, 4> axes) {
  a = present(a);
  Shape ne{};
  Strides nb{};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i]);
    ne[axis] = a->ne[i];
    nb[axis] = a->nb[i];
  }
  return create_view(Op::permute, a, ne, nb, 0);
}

Node* Graph::transpose(Node* a) {
  a = present(a);
  return create_view(Op::transpose, a, {a->ne[1], a->ne[0], a->ne[2], a->ne[3]}, {a->nb[1], a->nb[0], a->nb[2], a->nb[3]}, 0);
}

Node* Graph::make(Op op, Type type, Shape ne, std::initializer_list<Node*> sources) {
  Node* result = create(type, ne);
  result->op = op;
  std::size_t i = 0;
  for (Node* source : sources) result->src[i++] = source;
  result->n_src = static_cast<std::uint8_t>(i);
  return result;
}

Node* Graph::get_rows(Node* a, Node* ids) {
  a = present(a);
  ids = present(ids);
  const Type type = a->type == dtype::int32 ? dtype::int32 : dtype::f32;
  return make(Op::get_rows, type, {a->ne[0], ids->ne[0], ids->ne[1], ids->ne[2]}, {a, ids});
}

Node* Graph::set_rows(Node* a, Node* b, Node* ids) {
  Node* result = alias(a);
  result->op = Op::set_rows;
  result->src = {b, ids, a};
  result->n_src = 3;
  return result;
}

Node* Graph::binary(Op op, Node* a, Node* b) {
  a = present(a);
  b = present(b);
  return make(op, a->type, a->ne, {a, b});
}

Node* Graph::add_id(Node* a, Node* b, Node* ids) {
  a = present(a);
  b = present(b);
  return make(Op::add_id, a->type, a->ne, {a, b, ids});
}

Node* Graph::same(Op op, Node* a) {
  a = present(a);
  return make(op, a->type, a->ne, {a});
}

Node* Graph::scale_inplace(Node* a) {
  Node* result = alias(a);
  result->op = Op::scale;
  result->src[0] = a;
  result->n_src = 1;
  return result;
}

Node* Graph::activate(Unary unary, Node* a) {
  Node* result = same(Op::unary, a);
  result->unary = unary;
  return result;
}

Node* Graph::glu(Node* gate, Node* up) {
  gate = present(gate);
  up = present(up);
  return make(Op::glu, gate->type, gate->ne, {gate, up});
}

Node* Graph::glu_halves(Node* a) {
  a = present(a);
  return make(Op::glu, a->type, {a->ne[0] / 2, a->ne[1], a->ne[2], a->ne[3]}, {a});
}

Node* Graph::mul_mat(Node* a, Node* b) {
  a = present(a);
  b = present(b);
  return make(Op::mul_mat, dtype::f32, {a->ne[1], b->ne[1], b->ne[2], b->ne[3]}, {a, b});
}

Node* Graph::mul_mat_id(Node* experts, Node* b, Node* ids) {
  experts = present(experts);
  b = present(b);
  ids = present(ids);
  return make(Op::mul_mat_id, dtype::f32, {experts->ne[1], ids->ne[0], b->ne[2], 1}, {experts, b, ids});
}

Node* Graph::soft_max(Node* a, Node* mask, Node* sinks) { return make(Op::soft_max, a->type, a->ne, {a, mask, sinks}); }

Node* Graph::rope(Node* a, Node* positions, Node* factors) { return make(Op::rope, a->type, a->ne, {a, positions, factors}); }

Node* Graph::flash_attn_ext(Node* q, Node* k, Node* v, Node* mask, Node* sinks) {
  return make(Op::flash_attn_ext, dtype::f32, {v->ne[0], q->ne[2], q->ne[1], q->ne[3]}, {q, k, v, mask, sinks});
}

Node* Graph::cont(Node* a, Shape ne) { return make(Op::cont, a->type, ne, {a}); }

Node* Graph::cast(Node* a, Type type) {
  Node* result = make(Op::cpy, type, a->ne, {a});
  result->n_src = 2;
  result->src[1] = result;  // as the engine has it, which counts as a use
  return result;
}

Node* Graph::cpy(Node* a, Node* b) {
  Node* result = alias(b);
  result->op = Op::cpy;
  result->src = {a, b};
  result->n_src = 2;
  return result;
}

Node* Graph::concat(Node* a, Node* b, int dimension) {
  a = present(a);
  b = present(b);
  Shape ne = a->ne;
  ne[static_cast<std::size_t>(dimension)] += b->ne[static_cast<std::size_t>(dimension)];
  return make(Op::concat, a->type, ne, {a, b});
}

Node* Graph::repeat(Node* a, Shape ne) {
  a = present(a);
  return make(Op::repeat, a->type, ne, {a});
}

Node* Graph::pad(Node* a, Shape by) { return make(Op::pad, a->type, {a->ne[0] + by[0], a->ne[1] + by[1], a->ne[2] + by[2], a->ne[3] + by[3]}, {a}); }

Node* Graph::argsort(Node* a) { return make(Op::argsort, dtype::int32, a->ne, {a}); }

Node* Graph::argsort_top_k(Node* a, std::int64_t k) {
  Node* sorted = argsort(a);
  return view(sorted, {k, sorted->ne[1], sorted->ne[2], sorted->ne[3]}, sorted->nb, 0);
}

Node* Graph::top_k(Node* a, std::int64_t k) { return make(Op::top_k, dtype::int32, {k, a->ne[1], a->ne[2], a->ne[3]}, {a}); }

Node* Graph::sum_rows(Node* a) { return make(Op::sum_rows, a->type, {1, a->ne[1], a->ne[2], a->ne[3]}, {a}); }

Node* Graph::ssm_conv(Node* window, Node* kernel) {
  return make(Op::ssm_conv, dtype::f32, {kernel->ne[1], window->ne[0] - kernel->ne[0] + 1, window->ne[2], 1}, {window, kernel});
}

void Graph::expand(Node* a) {
  if (a->is_visited) return;
  a->is_visited = true;
  for (Node* source : a->sources()) {
    if (source == nullptr) continue;
    expand(source);
    ++source->uses;
  }
  (a->op == Op::none ? leafs : nodes).push_back(a);
}

void Graph::restore() {
  for (const Replaced& replaced : replaced_) *replaced.place = replaced.source;
  replaced_.clear();
  arena_->shrink(n_built_);
  for (const auto* list : {&nodes, &leafs})
    for (Node* node : *list) static_cast<PlanNotes&>(*node) = {};
}

}  // namespace weighbridge::llama_graph

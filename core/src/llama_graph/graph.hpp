// SPDX-License-Identifier: Apache-2.0
// The graph that llama.cpp builds for one batch, without data: what each operation makes, from what, and where that lies. The operations,
// their shapes, the order of their sources and which results are views follow ggml-org/llama.cpp v0.5.0 ggml/src/ggml.c, whose names they have.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "weighbridge/ggml_type.hpp"

namespace weighbridge::llama_graph {

enum class Op : std::uint8_t {
  none,
  view,
  reshape,
  permute,
  transpose,
  get_rows,
  set_rows,
  add,
  add_id,
  sub,
  mul,
  div,
  scale,
  clamp,
  sqr,
  sqrt,
  fill,
  unary,
  glu,
  norm,
  rms_norm,
  l2_norm,
  group_norm,
  mul_mat,
  mul_mat_id,
  soft_max,
  rope,
  flash_attn_ext,
  cont,
  cpy,
  concat,
  repeat,
  pad,
  argsort,
  top_k,
  sum_rows,
  mean,
  cumsum,
  tri,
  diag,
  solve_tri,
  ssm_conv,
  ssm_scan,
  gated_delta_net,
  rwkv_wkv7,
  lightning_indexer,
  dsv4_hc_pre,
  dsv4_hc_comb,
  dsv4_hc_post,
};

enum class Unary : std::uint8_t { none, silu, gelu, relu, sigmoid, tanh, softplus, exp, neg };

/// Elements by dimension, the innermost first.
using Shape = std::array<std::int64_t, 4>;
/// Bytes from one element of a dimension to the next.
using Strides = std::array<std::uint64_t, 4>;

constexpr int kMaxSources = 10;  // ggml.h, GGML_MAX_SRC
constexpr int kNowhere = -1;     // no backend, no buffer

/// A DType that takes little room and is quickly compared: what graphs ask of it.
struct Type {
  std::uint64_t name = 0;  ///< its first eight characters, which tell ggml's types apart
  std::int32_t block_size = 1;
  std::int32_t block_bytes = 1;

  constexpr Type(DType type) : block_size(type.block_size), block_bytes(type.block_bytes) {  // NOLINT: stands for it wherever it is used
    for (std::size_t i = 0; i < type.name.size() && i < sizeof name; ++i) name = name << 8 | static_cast<unsigned char>(type.name[i]);
  }
  friend constexpr bool operator==(const Type&, const Type&) = default;
};
[[nodiscard]] constexpr bool is_quantized(Type type) { return type.block_size > 1; }

struct Node;

/// What the scheduler and the allocator write down of a node.
struct PlanNotes {
  // scheduler
  int backend = kNowhere;
  int copies = kNowhere;  ///< index of its copies on other backends
  int keeps = kNowhere;   ///< index of the tensors that must live until it is computed
  bool is_held = false;   ///< of a pipeline: never reused, as if it were read after the run
  // allocator
  int n_children = 0;
  int n_views = 0;
  bool is_allocated = false;
  int home = kNowhere;  ///< the backend whose compute buffer it lies in
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  ///< there, before alignment
  bool is_listed = false;  ///< among what lives at a moment
};

/// All of a node but its sources.
struct NodeNotes : PlanNotes {
  NodeNotes() {}  // NOLINT: sets each member where it lies; a defaulted one would clear the whole before

  Op op = Op::none;
  Unary unary = Unary::none;
  bool is_input = false;   ///< the engine writes it before each run
  bool is_output = false;  ///< read after the run: never reused
  bool is_weight = false;
  bool is_copy = false;     ///< of a tensor in another backend's buffer
  bool is_precise = false;  ///< a product whose second factor must stay f32 (ggml_prec_set_src)
  Type type = dtype::f32;
  Shape ne{1, 1, 1, 1};
  Strides nb{};
  Node* view_src = nullptr;  ///< whose memory it looks into; never a view itself
  std::uint64_t view_offset = 0;
  std::uint8_t n_src = 0;  ///< how far the sources are filled; some may be null
  int buffer = kNowhere;   ///< the backend in whose buffer it lies before the graph is allocated: weights and caches
  int layer = kNowhere;    ///< of a weight or cache
  // graph
  bool is_visited = false;
  int uses = 0;  ///< as a source in the graph
};

/// A result or a leaf of the graph (ggml_tensor).
struct Node : NodeNotes {
  std::array<Node*, kMaxSources> src{};  ///< null from n_src on

  [[nodiscard]] std::span<Node*> sources() { return {src.data(), n_src}; }
  [[nodiscard]] std::span<Node* const> sources() const { return {src.data(), n_src}; }
  [[nodiscard]] std::int64_t elements() const { return ne[0] * ne[1] * ne[2] * ne[3]; }
  [[nodiscard]] std::int64_t rows() const { return ne[1] * ne[2] * ne[3]; }
  /// From the first byte to the last, holes included.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] bool is_contiguous() const;
  [[nodiscard]] bool is_view() const { return view_src != nullptr; }
  /// Where it lies if that is fixed before the graph is planned.
  [[nodiscard]] int fixed_buffer() const { return view_src != nullptr ? view_src->buffer : buffer; }
};

[[nodiscard]] std::uint64_t row_bytes(Type type, std::int64_t elements);
[[nodiscard]] bool is_same_shape(const Node& a, const Node& b);
/// Reshapes, views, permutations: nothing to compute.
[[nodiscard]] constexpr bool is_view_op(Op op) { return op == Op::view || op == Op::reshape || op == Op::permute || op == Op::transpose; }

/// Where the tensors of graphs are made; used again by the next graph.
class Arena {
 public:
  [[nodiscard]] std::size_t used() const { return n_used_; }
  /// Forgets all but the first `used` that were made.
  void shrink(std::size_t used) { n_used_ = used; }
  Node& make() {
    if (n_used_ == chunks_.size() * kChunk) chunks_.push_back(std::make_unique<Node[]>(kChunk));
    Node& node = chunks_[n_used_ / kChunk][n_used_ % kChunk];
    ++n_used_;
    for (Node*& source : node.sources()) source = nullptr;
    std::construct_at(static_cast<NodeNotes*>(&node));
    return node;
  }

 private:
  static constexpr std::size_t kChunk = 128;
  std::vector<std::unique_ptr<Node[]>> chunks_;
  std::size_t n_used_ = 0;
};

/// An arena to work in, as long as this lives. Afterwards the next one takes it over with its memory: a system takes longer to hand out new memory
/// than a graph takes to be made in it. Nothing of a graph is read from it once that is gone.
class LentArena {
 public:
  LentArena() {
    if (idle().empty()) idle().push_back(std::make_unique<Arena>());
    arena_ = std::move(idle().back());
    idle().pop_back();
  }
  ~LentArena() { idle().push_back(std::move(arena_)); }
  LentArena(const LentArena&) = delete;
  LentArena& operator=(const LentArena&) = delete;

  operator Arena&() { return *arena_; }  // NOLINT: stands for it

 private:
  /// As many as ever worked at once in this thread.
  static std::vector<std::unique_ptr<Arena>>& idle() {
    thread_local std::vector<std::unique_ptr<Arena>> arenas;
    return arenas;
  }

  std::unique_ptr<Arena> arena_;
};

/// The tensors of one graph, and the order in which it computes them. Results are made in the order of the calls; they enter the graph with
/// expand(), each after its sources.
class Graph {
 public:
  /// `arena` must outlive the graph, and holds one at a time.
  explicit Graph(Arena& arena) : arena_(&arena) { arena.shrink(0); }

  /// A leaf that the engine fills in.
  Node* input(Type type, Shape ne);
  /// A leaf in a buffer of its own, such as a weight. `buffer`: the backend.
  Node* stored(Type type, Shape ne, int buffer, int layer, bool is_weight);
  /// A leaf without a buffer.
  Node* blank(Type type, Shape ne);
  /// A leaf with the dimensions that the engine declares, where the inventory has the same elements in others.
  static Node* declare(Node* leaf, Shape ne);

  Node* view(Node* a, Shape ne, Strides nb, std::uint64_t offset);
  Node* view_1d(Node* a, std::int64_t ne0, std::uint64_t offset);
  Node* view_2d(Node* a, std::int64_t ne0, std::int64_t ne1, std::uint64_t nb1, std::uint64_t offset);
  Node* view_3d(Node* a, Shape ne, std::uint64_t nb1, std::uint64_t nb2, std::uint64_t offset);
  /// The same memory, the same shape; `op` none as the scheduler uses it.
  Node* alias(Node* a);
  Node* reshape(Node* a, Shape ne);
  /// Dimension i of `a` becomes dimension axes[i].
  Node* permute(Node* a, std::array<int, 4> axes);
  Node* transpose(Node* a);

  Node* get_rows(Node* a, Node* ids);
  /// Rows of `b` into those of `a` that `ids` names; the result is `a`.
  Node* set_rows(Node* a, Node* b, Node* ids);
  /// add, sub, mul, div: the shape of `a`.
  Node* binary(Op op, Node* a, Node* b);
  Node* add(Node* a, Node* b) { return binary(Op::add, a, b); }
  Node* mul(Node* a, Node* b) { return binary(Op::mul, a, b); }
  Node* add_id(Node* a, Node* b, Node* ids);
  /// One source, its shape, f32 unless it says otherwise: scale, clamp, sqr, norm and so on.
  Node* same(Op op, Node* a);
  Node* scale(Node* a) { return same(Op::scale, a); }
  Node* scale_inplace(Node* a);
  Node* activate(Unary unary, Node* a);
  /// A gated unit of two tensors of one shape.
  Node* glu(Node* gate, Node* up);
  /// A gated unit whose halves are the rows' halves.
  Node* glu_halves(Node* a);
  Node* mul_mat(Node* a, Node* b);
  Node* mul_mat_id(Node* experts, Node* b, Node* ids);
  Node* soft_max(Node* a, Node* mask = nullptr, Node* sinks = nullptr);
  Node* rope(Node* a, Node* positions, Node* factors = nullptr);
  Node* flash_attn_ext(Node* q, Node* k, Node* v, Node* mask, Node* sinks = nullptr);
  Node* cont(Node* a, Shape ne);
  Node* cont(Node* a) { return cont(a, a->ne); }
  Node* cast(Node* a, Type type);
  /// Into the memory of `b`.
  Node* cpy(Node* a, Node* b);
  Node* concat(Node* a, Node* b, int dimension);
  Node* repeat(Node* a, Shape ne);
  Node* pad(Node* a, Shape by);
  Node* argsort(Node* a);
  Node* argsort_top_k(Node* a, std::int64_t k);
  Node* top_k(Node* a, std::int64_t k);
  Node* sum_rows(Node* a);
  /// A convolution over time of `window` [tokens and those before, channels, sequences]: [channels, tokens, sequences].
  Node* ssm_conv(Node* window, Node* kernel);
  /// Any operation by hand: its result's type and shape, its sources.
  Node* make(Op op, Type type, Shape ne, std::initializer_list<Node*> sources);

  /// ggml_build_forward_expand: `a` and all it needs, sources first.
  void expand(Node* a);

  /// The scheduler's: `source`, one of a node's, becomes `copy`.
  void replace(Node*& source, Node* copy) {
    replaced_.push_back({&source, source});
    source = copy;
  }
  /// The graph is built: restore() comes back to here.
  void keep() { n_built_ = arena_->used(); }
  /// Takes back what a scheduler and an allocator made of the graph, so that it can be planned another way.
  void restore();

  std::vector<Node*> nodes;
  std::vector<Node*> leafs;

  /// How far the graph had come when a layer was built.
  struct Mark {
    std::size_t nodes = 0;
    std::size_t leafs = 0;
  };
  std::vector<Mark> marks;
  /// An operation lacked a source: the file has not the tensors that its architecture needs. What was built is worth nothing.
  bool is_incomplete = false;

 private:
  Node* create(Type type, Shape ne);
  /// `a`, or a stand-in if it is not there.
  Node* present(Node* a);
  Node* create_view(Op op, Node* a, Shape ne, Strides nb, std::uint64_t offset);

  struct Replaced {
    Node** place;
    Node* source;
  };

  Arena* arena_;
  std::size_t n_built_ = 0;  ///< of the arena
  std::vector<Replaced> replaced_;
};

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/allocator.hpp"

#include <algorithm>

namespace weighbridge::llama_graph {

namespace {

/// Of a buffer without end: which parts are free, and how far it was ever used (ggml_dyn_tallocr with one chunk).
class FreeList {
 public:
  /// `alignment`: a power of two.
  explicit FreeList(std::uint64_t alignment) : alignment_(alignment), blocks_{{0, std::uint64_t{1} << 62}} {}

  [[nodiscard]] std::uint64_t peak() const { return peak_; }
  [[nodiscard]] const std::vector<Block>& free() const { return blocks_; }
  [[nodiscard]] std::uint64_t aligned(std::uint64_t size) const { return (size + alignment_ - 1) & ~(alignment_ - 1); }

  /// The smallest free block that is large enough, the last of equals; the endless one only if there is no other.
  std::uint64_t take(std::uint64_t size) {
    size = aligned(size);
    std::size_t best = blocks_.size() - 1;
    std::uint64_t best_size = ~std::uint64_t{0};
    for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) {
      if (blocks_[i].size < size || blocks_[i].size > best_size) continue;
      best = i;
      best_size = blocks_[i].size;
    }
    Block& block = blocks_[best];
    const std::uint64_t offset = block.offset;
    block.offset += size;
    block.size -= size;
    if (block.size == 0) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(best));
    peak_ = std::max(peak_, offset + size);
    return offset;
  }

  /// Joins the part to the free block that it touches, or makes it one.
  void give(std::uint64_t offset, std::uint64_t size) {
    size = aligned(size);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      Block& block = blocks_[i];
      if (block.offset + block.size == offset) {
        block.size += size;
        if (i + 1 < blocks_.size() && block.offset + block.size == blocks_[i + 1].offset) join_next(i);
        return;
      }
      if (offset + size == block.offset) {
        block.offset = offset;
        block.size += size;
        if (i > 0 && blocks_[i - 1].offset + blocks_[i - 1].size == block.offset) join_next(i - 1);
        return;
      }
    }
    const auto after = std::find_if(blocks_.begin(), blocks_.end(), [&](const Block& block) { return block.offset >= offset; });
    blocks_.insert(after, {offset, size});
  }

 private:
  void join_next(std::size_t i) {
    blocks_[i].size += blocks_[i + 1].size;
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(i + 1));
  }

  std::uint64_t alignment_;
  std::uint64_t peak_ = 0;
  std::vector<Block> blocks_;
};

/// ggml-alloc.c, ggml_op_can_inplace
bool works_in_place(Op op) {
  switch (op) {
    case Op::fill:
    case Op::scale:
    case Op::add:
    case Op::add_id:
    case Op::sub:
    case Op::mul:
    case Op::div:
    case Op::sqr:
    case Op::sqrt:
    case Op::unary:
    case Op::rope:
    case Op::rms_norm:
    case Op::clamp:
    case Op::soft_max:
      return true;
    default:
      return false;
  }
}

/// Its room is for no other tensor.
bool is_kept(const Node& tensor) { return tensor.is_output || tensor.is_held; }

bool is_same_layout(const Node& a, const Node& b) { return a.ne == b.ne && a.nb == b.nb && a.type == b.type; }

class Allocator {
 public:
  /// `trace` may be null.
  Allocator(const std::vector<Backend>& backends, Trace* trace)
      : backends_(backends), reserved_(backends.size(), Reserved{0, kNowhere}), trace_(trace) {
    for (const Backend& backend : backends) lists_.emplace_back(backend.alignment());
  }

  /// `before`(step) and `at`(step): before and while the node of the schedule is computed.
  template <class Before, class At>
  void run(const Schedule& schedule, Before before, At at) {
    if (trace_ != nullptr) trace_->events.reserve(2 * schedule.nodes.size());
    for (const Placed& leaf : schedule.leafs) place(*leaf.tensor, leaf.backend);
    for (const Placed& node : schedule.nodes) count_uses(*node.tensor, node.backend);
    const int end = static_cast<int>(schedule.nodes.size());
    for (step_ = 0; step_ < end; ++step_) {
      before(step_);
      const Placed& node = schedule.nodes[static_cast<std::size_t>(step_)];
      for (Node* source : node.tensor->sources())
        if (source != nullptr) place(*source, node.backend);
      place(*node.tensor, node.backend);
      at(step_);
      for (Node* source : node.tensor->sources())
        if (source != nullptr) release(*source);
    }
    before(end);
  }

  void stop() {
    const std::size_t first = trace_->free.size();
    for (const FreeList& list : lists_) trace_->free.insert(trace_->free.end(), list.free().begin(), list.free().end());
    trace_->stops.push_back({trace_->events.size(), first, trace_->free.size()});
  }

  [[nodiscard]] const std::vector<Reserved>& reserved() const { return reserved_; }

 private:
  /// Inputs are placed before anything that could overwrite them.
  void count_uses(Node& node, int backend) {
    if (node.is_view() && node.op != Op::none) ++node.view_src->n_views;
    if (node.is_input) place(node, backend);
    for (Node* source : node.sources()) {
      if (source == nullptr) continue;
      ++source->n_children;
      if (source->is_input) place(*source, backend);
    }
  }

  void place(Node& tensor, int backend) {
    if (tensor.buffer != kNowhere || tensor.is_allocated || tensor.is_view()) return;
    tensor.is_allocated = true;
    if (works_in_place(tensor.op) && takes_over_source(tensor)) return;
    const auto id = static_cast<std::size_t>(backend);
    tensor.home = backend;
    tensor.size = backends_[id].alloc_size(tensor);
    tensor.offset = lists_[id].take(tensor.size);
    note(Trace::Kind::take, backend, {tensor.offset, tensor.size});
    if (lists_[id].peak() > reserved_[id].bytes) reserved_[id] = {lists_[id].peak(), step_};
  }

  /// A view is never allocated itself, so what it looks into is not taken over either.
  bool takes_over_source(Node& node) {
    for (Node* parent : node.sources()) {
      if (parent == nullptr || !parent->is_allocated || is_kept(*parent)) continue;
      if (parent->n_children != 1 || parent->n_views != 0 || !is_same_layout(node, *parent)) continue;
      node.home = parent->home;
      node.offset = parent->offset;
      node.size = backends_[static_cast<std::size_t>(node.home)].alloc_size(node);
      parent->is_allocated = false;
      note(Trace::Kind::take_over, node.home, {node.offset, 0});
      free_rest(node, *parent);
      return true;
    }
    return false;
  }

  void free_rest(const Node& node, const Node& parent) {
    const FreeList& list = lists_[static_cast<std::size_t>(parent.home)];
    const std::uint64_t had = list.aligned(parent.size);
    const std::uint64_t needs = list.aligned(node.size);
    if (had > needs) give(parent.home, parent.offset + needs, had - needs);
  }

  void release(Node& parent) {
    --parent.n_children;
    if (parent.n_children != 0 || parent.n_views != 0) return;
    if (!parent.is_view()) {
      if (parent.is_allocated) free(parent);
      return;
    }
    Node& source = *parent.view_src;
    --source.n_views;
    if (source.n_views == 0 && source.n_children == 0 && source.is_allocated) free(source);
  }

  void free(Node& tensor) {
    if (is_kept(tensor)) return;
    give(tensor.home, tensor.offset, tensor.size);
    tensor.is_allocated = false;
  }

  void give(int home, std::uint64_t offset, std::uint64_t size) {
    lists_[static_cast<std::size_t>(home)].give(offset, size);
    note(Trace::Kind::give, home, {offset, size});
  }

  void note(Trace::Kind kind, int backend, Block block) {
    if (trace_ != nullptr) trace_->events.push_back({kind, backend, block});
  }

  const std::vector<Backend>& backends_;
  std::vector<FreeList> lists_;
  std::vector<Reserved> reserved_;
  Trace* trace_;
  int step_ = kNowhere;
};

/// Calls `visit` for every tensor of the schedule, some of them several times.
template <class Visit>
void for_each_tensor(const Schedule& schedule, Visit visit) {
  for (const Placed& leaf : schedule.leafs) visit(*leaf.tensor);
  for (const Placed& node : schedule.nodes) {
    visit(*node.tensor);
    for (Node* source : node.tensor->sources())
      if (source != nullptr) visit(*source);
  }
}

}  // namespace

std::vector<Reserved> allocate(const Schedule& schedule, const std::vector<Backend>& backends, Trace* trace) {
  Allocator allocator(backends, trace);
  std::size_t next = trace == nullptr ? schedule.marks.size() : 0;
  const auto stop = [&](int step) {
    for (; next < schedule.marks.size() && schedule.marks[next] == static_cast<std::size_t>(step); ++next) allocator.stop();
  };
  allocator.run(schedule, stop, [](int) {});
  return allocator.reserved();
}

std::vector<std::vector<const Node*>> living_at_fullest(const Schedule& schedule, const std::vector<Backend>& backends,
                                                        const std::vector<Reserved>& reserved) {
  for_each_tensor(schedule, [](Node& node) {
    node.n_children = node.n_views = 0;
    node.is_allocated = false;
  });
  std::vector<std::vector<const Node*>> living(backends.size());
  const auto list = [&](std::size_t backend) {
    for_each_tensor(schedule, [&](Node& node) {
      if (!node.is_allocated || node.home != static_cast<int>(backend) || node.is_listed) return;
      node.is_listed = true;  // once
      living[backend].push_back(&node);
    });
  };
  Allocator(backends, nullptr)
      .run(
          schedule, [](int) {},
          [&](int step) {
            for (std::size_t backend = 0; backend < backends.size(); ++backend)
              if (reserved[backend].bytes > 0 && std::max(reserved[backend].fullest, 0) == step) list(backend);
          });
  return living;
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/scheduler.hpp"

#include <algorithm>

namespace weighbridge::llama_graph {

namespace {

/// Nodes that one backend computes without a break, and what it takes over from others.
struct Split {
  int backend = 0;
  std::size_t first = 0;
  std::size_t last = 0;  ///< one past the end
  std::vector<Node*> inputs;
};

class Scheduler {
 public:
  Scheduler(Graph& graph, const Machine& machine) : graph_(graph), machine_(machine), host_(machine.host()) {}

  Schedule run() {
    assign_by_buffers();
    if (expand_all()) assign_rest();
    assign_sources();
    make_splits();
    collect_dependencies();
    return schedule();
  }

 private:
  [[nodiscard]] const Backend& backend(int id) const { return machine_.backends[static_cast<std::size_t>(id)]; }

  /// A backend reads buffers of its own only.
  [[nodiscard]] static bool reads(int id, int buffer) { return id == buffer; }

  [[nodiscard]] bool supports(int id, const Node& node) const {
    // What lies in another device's buffer is out of reach.
    if (id != host_)
      for (const Node* source : node.sources())
        if (source != nullptr && source->buffer != kNowhere && source->buffer != host_ && source->buffer != id) return false;
    return backend(id).supports(node);
  }

  /// The backend in whose buffer `tensor` lies, if it runs `node`.
  [[nodiscard]] int backend_from_buffer(const Node& tensor, const Node& node) const {
    const int buffer = tensor.fixed_buffer();
    return buffer != kNowhere && supports(buffer, node) ? buffer : kNowhere;
  }

  [[nodiscard]] int backend_of_weights(const Node& node) const {
    // Frequency factors and sinks are too small to decide.
    if (node.op == Op::rope || node.op == Op::flash_attn_ext) return kNowhere;
    for (const Node* source : node.sources()) {
      if (source == nullptr || source->buffer == kNowhere || !source->is_weight) continue;
      const int id = backend_from_buffer(*source, node);
      if (machine_.op_offload && id == host_ && source->buffer == host_)
        for (int device = 0; device < host_; ++device)
          if (supports(device, node) && backend(device).wants(node)) return device;
      return id;
    }
    return kNowhere;
  }

  [[nodiscard]] int first_choice(const Node& tensor) const {
    if (const int id = backend_from_buffer(tensor, tensor); id != kNowhere) return id;
    if (tensor.is_input) return host_;
    return backend_of_weights(tensor);
  }

  void assign_by_buffers() {
    for (Node* leaf : graph_.leafs)
      if (leaf->backend == kNowhere) leaf->backend = first_choice(*leaf);
    for (Node* node : graph_.nodes)
      if (node->backend == kNowhere) node->backend = first_choice(*node);
  }

  /// Nodes without a place get that of the node before; with `devices_only`, only devices spread. Whether some are still without.
  template <class Iterator>
  bool expand(Iterator begin, Iterator end, bool devices_only) {
    int current = kNowhere;
    bool is_open = false;
    for (Iterator it = begin; it != end; ++it) {
      Node& node = **it;
      if (is_view_op(node.op)) continue;
      if (node.backend != kNowhere)
        current = devices_only && node.backend == host_ ? kNowhere : node.backend;
      else if (current != kNowhere && supports(current, node))
        node.backend = current;
      else
        is_open = true;
    }
    return is_open;
  }

  /// Whether some are without a place in the end.
  bool expand_all() {
    for (const bool devices_only : {true, false}) {
      if (!expand(graph_.nodes.begin(), graph_.nodes.end(), devices_only)) return false;
      if (!expand(graph_.nodes.rbegin(), graph_.nodes.rend(), devices_only)) return false;
    }
    return true;
  }

  /// Whether backend `id` can read `tensor` where it is, or where it is going to be.
  [[nodiscard]] bool can_read(const Node& tensor, int id) const {
    if (const int buffer = tensor.fixed_buffer(); buffer != kNowhere) return reads(id, buffer);
    int at = tensor.backend;
    if (at == kNowhere && tensor.view_src != nullptr) at = tensor.view_src->backend;
    return at != kNowhere && reads(id, at);
  }

  /// What no neighbour could take goes where most of its sources are.
  void assign_rest() {
    for (Node* node : graph_.nodes) {
      if (is_view_op(node->op) || node->backend != kNowhere) continue;
      int most = -1;
      for (int id = 0; id <= host_; ++id) {
        if (!supports(id, *node)) continue;
        const std::span<Node*> sources = node->sources();
        const auto readable = static_cast<int>(
            std::count_if(sources.begin(), sources.end(), [&](const Node* source) { return source != nullptr && can_read(*source, id); }));
        if (readable <= most) continue;
        most = readable;
        node->backend = id;
      }
    }
  }

  void assign_sources() {
    for (Node* node : graph_.nodes) {
      if (node->view_src != nullptr && node->backend == kNowhere) node->backend = node->view_src->backend;
      for (Node* source : node->sources())
        if (source != nullptr && source->backend == kNowhere)
          source->backend = source->view_src != nullptr ? source->view_src->backend : node->backend;
      for (int id = 0; id <= host_ && node->backend == kNowhere; ++id)
        if (supports(id, *node)) node->backend = id;
    }
  }

  /// Weights of another backend are copied one split at a time, so that their room is used again.
  [[nodiscard]] bool starts_split(const Node& node, const Split& split) const {
    if (split.inputs.empty()) return false;
    const std::span<Node* const> sources = node.sources();
    return std::any_of(sources.begin(), sources.end(), [&](const Node* source) {
      return source != nullptr && source->buffer != kNowhere && source->is_weight && source->backend != split.backend &&
             !can_read(*source, split.backend);
    });
  }

  void make_splits() {
    const auto first = std::find_if(graph_.nodes.begin(), graph_.nodes.end(), [](const Node* node) { return !is_view_op(node->op); });
    if (first == graph_.nodes.end()) return;
    splits_.push_back({(*first)->backend, 0, 0, {}});
    for (auto i = static_cast<std::size_t>(first - graph_.nodes.begin()); i < graph_.nodes.size(); ++i) {
      Node& node = *graph_.nodes[i];
      if (is_view_op(node.op)) continue;
      if (node.backend != splits_.back().backend || starts_split(node, splits_.back())) {
        splits_.back().last = i;
        splits_.push_back({node.backend, i, i, {}});
      }
      for (Node*& source : node.sources())
        if (source != nullptr && bring(source, splits_.back())) arrivals_.push_back({i, splits_.back().first});
    }
    splits_.back().last = graph_.nodes.size();
  }

  /// Makes `source` readable for the split: by a copy, if it must be. Whether one was made.
  bool bring(Node*& source, Split& split) {
    if (source->is_input && machine_.copies > 1 && copy_of(*source, source->backend, 0) == nullptr) {
      for (int c = 0; c < machine_.copies; ++c) {
        Node* copy = c == 0 ? source : duplicate(*source);
        copy->is_input = copy->is_held = true;  // never overwritten
        copy_of(*source, source->backend, c) = copy;
      }
      graph_inputs_.push_back(source);
    }
    if (source->backend == split.backend || can_read(*source, split.backend)) return false;
    const bool is_new = copy_of(*source, split.backend, 0) == nullptr;
    if (is_new) {
      for (int c = 0; c < machine_.copies; ++c) {
        Node* copy = duplicate(*source);
        if (machine_.copies > 1) copy->is_input = copy->is_held = true;
        copy_of(*source, split.backend, c) = copy;
      }
      split.inputs.push_back(source);
    }
    graph_.replace(source, copy_of(*source, split.backend, 0));
    return is_new;
  }

  /// With the same strides: of a view the whole span is copied.
  Node* duplicate(const Node& tensor) {
    Node* copy = graph_.blank(tensor.type, tensor.ne);
    copy->nb = tensor.nb;
    copy->is_copy = tensor.fixed_buffer() != kNowhere;
    return copy;
  }

  Node*& copy_of(Node& tensor, int id, int copy) {
    const int per_tensor = static_cast<int>(machine_.backends.size()) * machine_.copies;
    if (tensor.copies == kNowhere) {
      tensor.copies = static_cast<int>(copies_.size());
      copies_.resize(copies_.size() + static_cast<std::size_t>(per_tensor), nullptr);
    }
    return copies_[static_cast<std::size_t>(tensor.copies + id * machine_.copies + copy)];
  }

  void collect_dependencies() {
    for (const Split& split : splits_) {
      if (backend(split.backend).kind != BackendKind::cuda) continue;
      for (const Dependency& d : fused_dependencies(graph_.nodes.data() + split.first, static_cast<int>(split.last - split.first))) {
        if (d.until->keeps == kNowhere) {
          d.until->keeps = static_cast<int>(kept_.size());
          kept_.emplace_back();
        }
        std::vector<Node*>& kept = kept_[static_cast<std::size_t>(d.until->keeps)];
        if (std::find(kept.begin(), kept.end(), d.tensor) == kept.end()) kept.push_back(d.tensor);
      }
    }
  }

  /// Nodes that are never computed, but need `tensors` until here.
  void add_dependency(const std::vector<Node*>& tensors, int id, Schedule& schedule) {
    for (std::size_t k = 0; k < tensors.size(); k += kMaxSources) {
      Node* node = graph_.alias(tensors[k]);
      for (std::size_t i = 0; i < kMaxSources && k + i < tensors.size(); ++i) node->src[node->n_src++] = tensors[k + i];
      schedule.nodes.push_back({node, id});
    }
  }

  Schedule schedule() {
    Schedule schedule;
    schedule.nodes.reserve(graph_.nodes.size() + 64);
    const auto mark = [&](std::size_t node) {
      while (schedule.marks.size() < graph_.marks.size() && graph_.marks[schedule.marks.size()].nodes == node)
        schedule.marks.push_back(schedule.nodes.size());
    };
    for (Split& split : splits_) {
      for (Node* input : split.inputs) {
        add_dependency({input}, input->backend, schedule);
        schedule.nodes.push_back({copy_of(*input, split.backend, 0), split.backend});
      }
      for (std::size_t i = split.first; i < split.last; ++i) {
        mark(i);
        Node* node = graph_.nodes[i];
        schedule.nodes.push_back({node, node->backend});
        if (node->keeps != kNowhere) add_dependency(kept_[static_cast<std::size_t>(node->keeps)], split.backend, schedule);
      }
    }
    if (machine_.copies > 1) add_copies(schedule);
    schedule.arrivals = std::move(arrivals_);
    for (Node* leaf : graph_.leafs) schedule.leafs.push_back({leaf, leaf->backend});
    return schedule;
  }

  /// All copies are allocated first.
  void add_copies(Schedule& schedule) {
    for (Node* input : graph_inputs_)
      for (int c = 0; c < machine_.copies; ++c) schedule.leafs.push_back({copy_of(*input, input->backend, c), input->backend});
    for (const Split& split : splits_)
      for (Node* input : split.inputs)
        for (int c = 0; c < machine_.copies; ++c) schedule.leafs.push_back({copy_of(*input, split.backend, c), split.backend});
  }

  Graph& graph_;
  const Machine& machine_;
  int host_;
  std::vector<Split> splits_;
  std::vector<Schedule::Arrival> arrivals_;
  std::vector<Node*> graph_inputs_;
  std::vector<Node*> copies_;             ///< by tensor, backend and copy
  std::vector<std::vector<Node*>> kept_;  ///< by Node::keeps
};

}  // namespace

Schedule split(Graph& graph, const Machine& machine) { return Scheduler(graph, machine).run(); }

}  // namespace weighbridge::llama_graph

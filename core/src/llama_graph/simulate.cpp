// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/simulate.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "gguf/architecture.hpp"
#include "llama_graph/builder.hpp"
#include "llama_graph/models.hpp"
#include "llama_graph/scheduler.hpp"

namespace weighbridge::llama_graph {

namespace {

BackendKind kind_of(const Device& device) {
  if (llama_cpp::pads_rows(device)) return BackendKind::cuda;
  return device.backend == "metal" ? BackendKind::metal : BackendKind::vulkan;
}

Machine machine_of(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement) {
  Machine machine;
  machine.copies = static_cast<int>(placement.copies);
  machine.op_offload = settings.op_offload;
  for (const std::size_t group : llama_cpp::device_groups(job.scenario)) machine.backends.push_back({kind_of(job.scenario.hardware[group].device)});
  machine.backends.push_back({BackendKind::host});
  return machine;
}

/// A kind that a person can make sense of.
std::string_view label_of(const Model& model, const Node& node) {
  if (node.is_copy) return node.type == dtype::f16 || node.ne[2] > 1 ? "copied_cache" : "matrix_copy";
  if (node.op == Op::none) return "graph_inputs";
  if (node.is_output && node.ne[0] >= model.vocab_size) return "logits";
  if (node.op == Op::mul_mat_id || node.op == Op::add_id || (node.op == Op::glu && node.ne[2] > 1)) return "routed_experts";
  if (node.op == Op::flash_attn_ext) return "flash_attention";
  if (node.op == Op::ssm_conv || node.op == Op::ssm_scan || node.op == Op::gated_delta_net || node.op == Op::rwkv_wkv7) return "recurrent_mixer";
  if (node.op == Op::soft_max && node.ne[1] > 1 && node.ne[2] > 1) return "attention_scores";
  if (node.op == Op::mul_mat && !node.src[0]->is_weight && node.ne[2] > 1) return "attention_scores";
  if (node.op == Op::glu) return "dense_ffn";
  if (node.ne[0] == model.hidden_size && node.ne[2] == 1) return "hidden_states";
  if (node.op == Op::rope || node.ne[2] > 1) return "queries_and_keys";
  return node.ne[0] > model.hidden_size ? "dense_ffn" : "projections";
}

void add_to(std::vector<Part>& parts, std::string_view label, Bytes bytes) {
  const auto part = std::find_if(parts.begin(), parts.end(), [&](const Part& p) { return p.label == label; });
  if (part == parts.end())
    parts.push_back({label, bytes});
  else
    part->bytes += bytes;
}

std::vector<Part> parts_of(const Model& model, const Backend& backend, const std::vector<const Node*>& living, Bytes reserved) {
  std::vector<Part> parts;
  Bytes sum;
  for (const Node* node : living) {
    const Bytes bytes(backend.alloc_size(*node));
    add_to(parts, label_of(model, *node), bytes);
    sum += bytes;
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
  // Alignment, and holes that nothing fits into.
  if (reserved > sum) parts.push_back({"gaps", reserved - sum});
  return parts;
}

/// What was done for the kept layers, one after the other.
class Steadiness {
 public:
  Steadiness(const Graph& graph, const Schedule& schedule, const Machine& machine, const Trace& trace)
      : graph_(graph), schedule_(schedule), trace_(trace), copies_(machine.copies) {}

  /// Whether the periods left out of `stretch` would have changed nothing: somewhere a period, or two of them in turn, did as the one before.
  [[nodiscard]] bool holds(const Stretch& stretch) const {
    const std::size_t most = stretch.kept > 4 ? 2 : 1;
    for (std::size_t n = 1; n <= most; ++n)
      for (std::size_t end = 2 * n + 1; end <= stretch.kept; ++end) {
        const auto mark = [&](std::size_t periods) { return stretch.first + periods * stretch.period - 1; };
        if (repeats(mark(end - 2 * n), mark(end - n), mark(end))) return true;
      }
    return false;
  }

 private:
  /// From `second` to `third` the same happened as from `first` to `second`, and left the same room.
  [[nodiscard]] bool repeats(std::size_t first, std::size_t second, std::size_t third) const {
    return leaves_same_room(second, third) && !has_new_leafs(first, third) && arrive_alike(first, second, third) &&
           std::equal(event_at(first), event_at(second), event_at(second), event_at(third));
  }

  [[nodiscard]] bool leaves_same_room(std::size_t a, std::size_t b) const {
    const auto free = [&](std::size_t block) { return trace_.free.begin() + static_cast<std::ptrdiff_t>(block); };
    const Trace::Stop& x = trace_.stops[a];
    const Trace::Stop& y = trace_.stops[b];
    return std::equal(free(x.first), free(x.last), free(y.first), free(y.last));
  }

  /// Inputs are allocated at once for the whole graph.
  [[nodiscard]] bool has_new_leafs(std::size_t from, std::size_t to) const {
    const auto leaf = [&](std::size_t mark) { return graph_.leafs.begin() + static_cast<std::ptrdiff_t>(graph_.marks[mark].leafs); };
    return std::any_of(leaf(from), leaf(to), [](const Node* node) { return node->fixed_buffer() == kNowhere; });
  }

  /// Copies are allocated where a split begins, those of a pipeline at once for the whole graph.
  [[nodiscard]] bool arrive_alike(std::size_t first, std::size_t second, std::size_t third) const {
    const auto arrival_at = [&](std::size_t mark) {
      return std::find_if(schedule_.arrivals.begin(), schedule_.arrivals.end(),
                          [&](const Schedule::Arrival& arrival) { return arrival.node >= graph_.marks[mark].nodes; });
    };
    if (copies_ > 1) return arrival_at(first) == arrival_at(third);
    const std::size_t length = graph_.marks[third].nodes - graph_.marks[second].nodes;
    return std::equal(arrival_at(first), arrival_at(second), arrival_at(second), arrival_at(third),
                      [&](const Schedule::Arrival& a, const Schedule::Arrival& b) {
                        return a.node + length == b.node && a.split + length == b.split;
                      });
  }

  [[nodiscard]] std::vector<Trace::Event>::const_iterator event_at(std::size_t mark) const {
    return trace_.events.begin() + static_cast<std::ptrdiff_t>(trace_.stops[mark].events);
  }

  const Graph& graph_;
  const Schedule& schedule_;
  const Trace& trace_;
  const int copies_;
};

bool explains(const Job& job, Purpose purpose) { return job.explain && purpose == Purpose::plan; }

/// All that a replay depends on besides the model.
using Key = std::tuple<std::vector<std::int64_t>, std::string_view, std::string_view>;

Key key_of(const Job& job, const llama_cpp::Settings& s, const llama_cpp::Placement& placement, Purpose purpose) {
  std::vector<std::int64_t> numbers{s.cells,
                                    s.n_ctx,
                                    s.n_seq_max,
                                    s.n_streams,
                                    s.n_ubatch,
                                    s.n_outputs,
                                    s.n_rs_seq,
                                    s.widest_values,
                                    static_cast<std::int64_t>(s.pooling),
                                    static_cast<std::int64_t>(purpose)};
  for (const bool flag : {s.offloads_all, s.flash_attention, s.swa_full, s.keeps_windows, s.offload_kqv, s.op_offload, s.unfolds_latents,
                          s.embeddings, s.drafts, s.caches_idle_layers})
    numbers.push_back(flag ? 1 : 0);
  for (const std::size_t group : llama_cpp::device_groups(job.scenario))
    numbers.push_back(static_cast<std::int64_t>(kind_of(job.scenario.hardware[group].device)));
  numbers.insert(numbers.end(), {placement.output_device, placement.copies, job.scenario.cpu_moe_layers});
  numbers.insert(numbers.end(), placement.layer_device.begin(), placement.layer_device.end());
  numbers.insert(numbers.end(), placement.moved.begin(), placement.moved.end());
  return {std::move(numbers), s.type_k.name, s.type_v.name};
}

}  // namespace

/// Kept from one answer to the next (Memo::replays).
struct Replays {
  struct Known {
    std::optional<Buffers> buffers;
    bool is_counted = false;
    bool is_explained = false;  ///< with the parts of its buffers
  };
  std::map<Key, Known> known;
  Detail detail = Detail::few_periods;  ///< what was enough last time
};

namespace {

std::shared_ptr<Replays> replays_of(const Job& job) {
  if (job.memo == nullptr) return std::make_shared<Replays>();
  if (job.memo->replays == nullptr) job.memo->replays = std::make_shared<Replays>();
  return std::static_pointer_cast<Replays>(job.memo->replays);
}

}  // namespace

Simulation::Simulation(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement)
    : job_(job), settings_(settings), placement_(placement), replays_(replays_of(job)) {}

Simulation::~Simulation() = default;

std::optional<Buffers> Simulation::buffers(Purpose purpose, Detail least) {
  Replays::Known& known = replays_->known[key_of(job_, settings_, placement_, purpose)];
  if (known.is_counted && (known.is_explained || !explains(job_, purpose))) return known.buffers;
  // Where graphs cross devices three periods are rarely enough.
  const bool crosses = placement_.n_devices > 1 || placement_.is_partial();
  replays_->detail = std::max({least, crosses ? Detail::four_periods : Detail::few_periods, std::min(replays_->detail, Detail::more_periods)});
  known = {replay(purpose), true, explains(job_, purpose)};
  return known.buffers;
}

/// With as little as is enough to be sure.
std::optional<Buffers> Simulation::replay(Purpose purpose) {
  Detail& detail = replays_->detail;
  if (built_ != nullptr) detail = std::max(detail, detail_);
  for (;; detail = static_cast<Detail>(static_cast<int>(detail) + 1)) {
    bool is_sure = false;
    std::optional<Buffers> buffers = replay(purpose, detail, is_sure);
    if (!buffers || is_sure) return buffers;
  }
}

/// Null if the architecture's graph is not read.
Builder* Simulation::build(bool is_of_one, Detail detail) {
  if (built_ != nullptr && is_of_one_ == is_of_one && detail_ == detail) {
    built_->graph.restore();
    return built_.get();
  }
  built_ = std::make_unique<Builder>(job_, settings_, placement_, is_of_one, detail, arena_);
  is_of_one_ = is_of_one;
  detail_ = detail;
  if (!build_graph(*built_, gguf::architecture_of(job_.model)) || built_->graph.is_incomplete) return nullptr;
  built_->graph.keep();
  return built_.get();
}

/// One attempt. `is_sure`: what was left out changes nothing.
std::optional<Buffers> Simulation::replay(Purpose purpose, Detail detail, bool& is_sure) {
  Builder* builder = build(purpose == Purpose::run_one, detail);
  if (builder == nullptr) return std::nullopt;
  if (purpose != Purpose::plan) builder->pin_nodes();
  const Machine machine = machine_of(job_, settings_, placement_);
  const Schedule schedule = split(builder->graph, machine);
  const std::vector<Stretch>& stretches = builder->kept().stretches;
  Trace trace;
  const std::vector<Reserved> reserved = allocate(schedule, machine.backends, stretches.empty() ? nullptr : &trace);
  const Steadiness steadiness(builder->graph, schedule, machine, trace);
  is_sure = std::all_of(stretches.begin(), stretches.end(), [&](const Stretch& stretch) { return steadiness.holds(stretch); });
  if (job_.memo != nullptr) job_.memo->work.nodes += static_cast<int>(schedule.nodes.size()), ++job_.memo->work.replayed;
  if (!is_sure) return Buffers();
  std::vector<std::vector<const Node*>> living(reserved.size());
  if (explains(job_, purpose)) living = living_at_fullest(schedule, machine.backends, reserved);
  Buffers buffers;
  buffers.is_as_run = builder->is_as_run();
  for (int backend = 0; backend <= machine.host(); ++backend) {
    const auto id = static_cast<std::size_t>(backend);
    Buffer buffer{Bytes(reserved[id].bytes), {}};
    if (explains(job_, purpose) && reserved[id].bytes > 0) buffer.parts = parts_of(job_.model, machine.backends[id], living[id], buffer.bytes);
    if (backend == machine.host())
      buffers.host = std::move(buffer);
    else
      buffers.devices.push_back(std::move(buffer));
  }
  return buffers;
}

bool runs_flash_attention(const Device& device, std::int64_t head) {
  LentArena arena;
  Graph graph(arena);
  Node* q = graph.input(dtype::f32, {head, 1, 1, 1});
  Node* k = graph.input(dtype::f16, {head, 1, 1, 1});
  Node* v = graph.input(dtype::f16, {head, 1, 1, 1});
  return Backend{kind_of(device)}.supports(*graph.flash_attn_ext(q, k, v, nullptr));
}

bool runs_flash_attention(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement) {
  LentArena arena;
  const Machine machine = machine_of(job, settings, placement);
  const Mixer* last = nullptr;
  for (std::size_t il = 0; il < job.model.layers.size(); ++il) {
    const Mixer& mixer = job.model.layers[il].mixer;
    const int device = placement.layer_device[il];
    const llama_cpp::CachedHeads heads = llama_cpp::cached_heads(mixer, settings);
    if (device == llama_cpp::Placement::kHost || !settings.offload_kqv || heads.heads == 0 || (last != nullptr && *last == mixer)) continue;
    last = &mixer;
    const auto* latent = std::get_if<LatentAttention>(&mixer);
    const FullAttention* grouped = grouped_attention(mixer);
    const std::int64_t queries = latent != nullptr ? latent->n_heads : grouped->n_heads;
    const std::int64_t cells = llama_cpp::cells_of(mixer, settings);
    Graph graph(arena);
    Node* q = graph.input(dtype::f32, {heads.key, 1, queries, settings.n_streams});
    Node* k = graph.input(settings.type_k, {heads.key, cells, heads.heads, settings.n_streams});
    Node* v = graph.input(settings.type_v, {heads.value == 0 ? latent->kv_lora_rank : heads.value, cells, heads.heads, settings.n_streams});
    Node* mask = graph.input(dtype::f16, {cells, 1, 1, settings.n_streams});
    if (!machine.backends[static_cast<std::size_t>(device)].supports(*graph.flash_attn_ext(q, k, v, mask))) return false;
  }
  return true;
}

}  // namespace weighbridge::llama_graph

// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/simulate.hpp"

#include <algorithm>

#include "gguf/architecture.hpp"
#include "llama_graph/builder.hpp"
#include "llama_graph/models.hpp"
#include "llama_graph/scheduler.hpp"

namespace weighbridge::llama_graph {

namespace {

Machine machine_of(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement) {
  Machine machine;
  machine.copies = static_cast<int>(placement.copies);
  machine.op_offload = settings.op_offload;
  for (const std::size_t group : llama_cpp::device_groups(job.scenario))
    machine.backends.push_back({llama_cpp::pads_rows(job.scenario.hardware[group].device) ? BackendKind::cuda : BackendKind::other});
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

std::vector<Part> parts_of(const Model& model, const Schedule& schedule, const Machine& machine, int backend, const Reserved& reserved) {
  std::vector<Part> parts;
  const Backend& kind = machine.backends[static_cast<std::size_t>(backend)];
  Bytes sum;
  for (const Node* node : living_at(schedule, machine.backends, backend, std::max(reserved.fullest, 0))) {
    const Bytes bytes(kind.alloc_size(*node));
    add_to(parts, label_of(model, *node), bytes);
    sum += bytes;
  }
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.bytes > b.bytes; });
  // Alignment, and holes that nothing fits into.
  if (Bytes(reserved.bytes) > sum) parts.push_back({"gaps", Bytes(reserved.bytes) - sum});
  return parts;
}

}  // namespace

std::optional<Buffers> simulate(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement, Purpose purpose) {
  Builder builder(job, settings, placement, purpose);
  if (!build_graph(builder, gguf::architecture_of(job.model)) || builder.graph.is_incomplete) return std::nullopt;
  const Machine machine = machine_of(job, settings, placement);
  const Schedule schedule = split(builder.graph, machine);
  const std::vector<Reserved> reserved = allocate(schedule, machine.backends);
  Buffers buffers;
  for (int backend = 0; backend <= machine.host(); ++backend) {
    const Reserved& r = reserved[static_cast<std::size_t>(backend)];
    Buffer buffer{Bytes(r.bytes), {}};
    if (job.explain && r.bytes > 0) buffer.parts = parts_of(job.model, schedule, machine, backend, r);
    if (backend == machine.host())
      buffers.host = std::move(buffer);
    else
      buffers.devices.push_back(std::move(buffer));
  }
  return buffers;
}

bool runs_flash_attention(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement) {
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
    Graph graph;
    Node* q = graph.input(dtype::f32, {heads.key, 1, queries, settings.n_streams});
    Node* k = graph.input(settings.type_k, {heads.key, cells, heads.heads, settings.n_streams});
    Node* v = graph.input(settings.type_v, {heads.value == 0 ? latent->kv_lora_rank : heads.value, cells, heads.heads, settings.n_streams});
    Node* mask = graph.input(dtype::f16, {cells, 1, 1, settings.n_streams});
    if (!machine.backends[static_cast<std::size_t>(device)].supports(*graph.flash_attn_ext(q, k, v, mask))) return false;
  }
  return true;
}

}  // namespace weighbridge::llama_graph

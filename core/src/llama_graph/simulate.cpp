// SPDX-License-Identifier: Apache-2.0
#include "llama_graph/simulate.hpp"

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

}  // namespace

std::optional<Buffers> simulate(const Job& job, const llama_cpp::Settings& settings, const llama_cpp::Placement& placement) {
  Builder builder(job, settings, placement);
  if (!build_graph(builder, gguf::architecture_of(job.model))) return std::nullopt;
  const Machine machine = machine_of(job, settings, placement);
  const std::vector<std::uint64_t> sizes = allocate(split(builder.graph, machine), machine.backends);
  Buffers buffers;
  for (const std::uint64_t size : sizes) buffers.devices.emplace_back(size);
  buffers.host = buffers.devices.back();
  buffers.devices.pop_back();
  return buffers;
}

}  // namespace weighbridge::llama_graph

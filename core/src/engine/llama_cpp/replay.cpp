// SPDX-License-Identifier: Apache-2.0
// The buffer of the graph on each device and on the host, replayed (llama_graph/simulate.hpp).
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "gguf/architecture.hpp"
#include "llama_graph/simulate.hpp"

namespace weighbridge::llama_cpp {

namespace {

constexpr Source kSource{
    "ggml-org/llama.cpp v0.5.0 src/models (graphs), ggml/src/ggml-backend.cpp (splits), ggml/src/ggml-alloc.c (allocation), replayed; equal to the "
    "byte in the contexts that the engine planned itself",
    "https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-alloc.c"};
constexpr int kRecords = 5000;

/// One buffer as the engine plans it, as it runs, and if all tokens are of one sequence.
struct Reservations {
  const llama_graph::Buffer& planned;
  const llama_graph::Buffer& run;
  const llama_graph::Buffer& one_sequence;
};

Term term_of(const Job& job, const Reservations& reserved) {
  const llama_graph::Buffer& largest = reserved.one_sequence.bytes > reserved.planned.bytes ? reserved.one_sequence : reserved.planned;
  Term term;
  term.id = "compute";
  term.basis = Basis::exact;
  term.records = kRecords;
  term.source = kSource;
  term.bytes = largest.bytes;
  term.low = std::min(reserved.planned.bytes, reserved.run.bytes);
  term.high = std::max(largest.bytes, reserved.run.bytes);
  if (!job.explain) return term;
  for (const llama_graph::Part& part : largest.parts) term.formula.rows.push_back({part.label, {}, part.bytes, true});
  term.formula.config_keys = {"hidden_size", "intermediate_size", "moe_intermediate_size", "num_experts_per_tok", "num_attention_heads",
                              "head_dim",    "vocab_size"};
  return term;
}

/// Metal and Vulkan: the graph is the same and so are its sizes, but these backends put it into another order before it is allocated
/// (ggml_graph_optimize, ggml_vk_graph_optimize), which is not replayed.
void widen(Term& term) {
  term.basis = Basis::modelled;
  term.records = 0;
  term.low = term.low - term.low / 10;
  term.high = term.high + term.high / 5;
}

}  // namespace

ComputeTerms compute_terms(const Job& job, const Settings& s, const Loads& loads, const Placement& placement) {
  llama_graph::Simulation simulation(job, s, placement);
  const auto planned = simulation.buffers(llama_graph::Purpose::plan);
  if (!planned) return bounded_compute_terms(job, s, loads, placement);
  // What the engine pins matters with several devices, and with attention on the host.
  const bool may_differ = (placement.n_devices > 1 || !s.offload_kqv) && !planned->is_as_run;
  const bool differs = may_differ && (job.memo == nullptr || job.memo->bounds);
  const auto run = differs ? simulation.buffers(llama_graph::Purpose::run) : planned;
  // Running, the engine reserves this graph for one sequence too (sched_reserve, TAG_RESERVE_DIAG_DECAY).
  const bool again = s.n_seq_max > 1 && gguf::architecture_of(job.model) == "kimi-linear";
  const auto one = again ? simulation.buffers(llama_graph::Purpose::run_one) : planned;
  const std::vector<std::size_t> groups = device_groups(job.scenario);
  ComputeTerms terms;
  bool all_padded = true;
  for (std::size_t device = 0; device < groups.size(); ++device) {
    terms.devices.push_back(term_of(job, {planned->devices[device], run->devices[device], one->devices[device]}));
    const bool is_read = pads_rows(job.scenario.hardware[groups[device]].device);
    if (!is_read) widen(terms.devices.back());
    all_padded = all_padded && is_read;
  }
  terms.host = term_of(job, {planned->host, run->host, one->host});
  if (!all_padded) widen(terms.host);
  return terms;
}

}  // namespace weighbridge::llama_cpp

// SPDX-License-Identifier: Apache-2.0
#include "engine/exllama/exllama.hpp"

#include <algorithm>

#include "engine/device_context.hpp"
#include "engine/formula.hpp"
#include "engine/gpu_notices.hpp"
#include "engine/module_sizes.hpp"
#include "engine/weight_sum.hpp"
#include "json_text.hpp"
#include "quantize.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::exllama {

FormulaRow cache_row(bool explain, std::string_view label, std::int64_t tokens, std::int64_t values, std::int64_t bits, std::int64_t layers) {
  return make_row(explain, label,
                  {{"pool_tokens", tokens},
                   {"values_per_token", values},
                   {"layers", layers},
                   {"bits", group_bits(bits)},
                   {"bits_of_values", 8 * kCacheGroup, Op::divide}});
}

std::vector<FormulaRow> cache_rows(bool explain, std::int64_t tokens, std::int64_t keys, std::int64_t k_bits, std::int64_t values,
                                   std::int64_t v_bits, std::int64_t layers) {
  std::vector<FormulaRow> rows;
  const auto add = [&](std::string_view label, std::int64_t of_token, std::int64_t bits) {
    if (of_token > 0) rows.push_back(cache_row(explain, label, tokens, of_token, bits, layers));
  };
  if (k_bits == v_bits) {
    add("full_sequences", keys + values, k_bits);
  } else {
    add("keys", keys, k_bits);
    add("values", values, v_bits);
  }
  return rows;
}

Bytes tied_head(const Job& job) {
  if (!job.model.tied_embeddings) return {};
  const bool is_packed = stored_format(job).starts_with("exl");
  return value_of({{"", job.model.vocab_size}, {"", job.model.hidden_size}, {"", is_packed ? kExlHeadBits : 16}, {"", 8, Op::divide}});
}

Term weights_term(const Job& job, const Stage& stage, const Source& source, int records, const std::function<Tensor(const Tensor&)>& share) {
  WeightSum sum(job.explain);
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part != ModelPart::text || tensor.is_copy || tensor.role == TensorRole::embedding) continue;
    const Tensor held = within(tensor, stage, false);
    if (held.copies() > 0) sum.add(held, share ? share(held) : held);
  }
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = source;
  term.records = records;
  term.bytes = sum.bytes();
  if (job.explain) term.formula.rows = sum.rows(1);
  if (const Bytes head = tied_head(job); stage.is_last && head > Bytes()) {
    term.bytes += head;
    if (job.explain) term.formula.rows.push_back({"output_head", {}, head, true});
  }
  // Tables of pointers, small buffers that layers share, and what the allocator rounds up of thousands of small tensors.
  term.low = term.bytes - term.bytes / 100;
  term.high = term.bytes + term.bytes / 33 + 64 * kMiB;
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};
  return term;
}

Term host_embeddings(const Job& job, const Source& source) {
  Term term;
  term.id = "weights";
  term.source = source;
  for (const Tensor& tensor : job.tensors)
    if (tensor.role == TensorRole::embedding && tensor.part == ModelPart::text && !tensor.is_copy) term.bytes += tensor.bytes();
  term.low = term.high = term.bytes;
  if (job.explain) term.formula.rows.push_back({"embeddings", {}, term.bytes, true});
  return term;
}

Term overhead_term(const Job& job, const Device& device, Bytes moving, const Source& source) {
  constexpr Bytes workspace = 32 * kMiB;
  constexpr Bytes spare = 22 * kMiB;
  const Taken context = driver_context(device);
  Term term;
  term.id = "overhead";
  term.basis = Basis::modelled;
  term.source = source;
  term.bytes = context.usual + workspace + spare;
  term.low = context.low;
  term.high = context.high + workspace + spare + 192 * kMiB + moving / 10;
  if (!job.explain) return term;
  term.formula.rows.push_back({"driver_context", {}, context.usual, true});
  term.formula.rows.push_back({"cublas_workspace", {}, workspace, true});
  term.formula.rows.push_back({"allocator_spare", {}, spare, true});
  return term;
}

std::vector<Stage> deal_out(const Job& job, const std::function<Bytes(const LayerSpec&)>& of_layer,
                            const std::function<Bytes(const Device&, std::int64_t)>& taken) {
  ModuleSizes scratch;
  const ModuleSizes& sizes = module_sizes(job, scratch);
  std::vector<Bytes> loads(sizes.bytes.begin() + 1, sizes.bytes.end());  // the embeddings are left out; the last is the head
  std::vector<Bytes> caches;                                             // of each kind of layer
  for (const LayerSpec& layer : job.model.layers.kinds()) caches.push_back(of_layer(layer));
  for (std::size_t layer = 0; layer < job.model.layers.size(); ++layer) loads[layer] += caches[job.model.layers.kind_of(layer)];
  if (job.memo != nullptr) job.memo->block_tokens = kPage;
  loads.back() += tied_head(job);
  const auto layers = static_cast<std::int64_t>(job.model.layers.size());
  const std::int64_t devices = job.scenario.device_count();
  std::vector<Stage> stages;
  std::size_t next = 0;
  for (const DeviceGroup& group : job.scenario.hardware)
    for (std::int64_t i = 0; i < group.count; ++i) {
      const auto number = static_cast<std::int64_t>(stages.size());
      const Bytes room = group.capacity() - taken(group.device, number);
      const std::size_t first = next;
      const bool is_last = number + 1 == devices;
      for (Bytes used; next < loads.size() && (is_last || used + loads[next] <= room); ++next) used += loads[next];
      const auto begin = std::min(static_cast<std::int64_t>(first), layers);
      stages.push_back({begin, std::min(static_cast<std::int64_t>(next), layers), false, first < loads.size() && next == loads.size()});
    }
  return stages;
}

void pass_on_excess(std::vector<DevicePlan>& devices) {
  Bytes excess;
  for (DevicePlan& device : devices) {
    device.terms.front().high += excess;
    excess = &device == &devices.back() ? Bytes() : device.high() - device.limit;
    Bytes over = excess;
    for (Term& term : device.terms) {
      const Bytes cut = std::min(over, term.high - term.bytes);
      term.high -= cut;
      over -= cut;
    }
  }
}

std::optional<Notice> cache_size_problem(const Scenario& scenario, std::int64_t needed) {
  const std::optional<std::int64_t>& size = scenario.options.library.cache_tokens;
  if (std::optional<Notice> small = too_small_cache("cache_size", size, needed)) return small;
  if (size.value_or(0) % kPage == 0) return std::nullopt;
  return notice::out_of_range("params.engine.options.cache_size", "cache_size", grouped(*size), "a multiple of " + grouped(kPage));
}

std::optional<Notice> device_problem(const Scenario& s, const std::string& engine, int least_capability) {
  if (s.hardware.empty())
    return notice::custom("needs_device", "params.hardware", engine + " needs at least one NVIDIA GPU.", "hardware", "[]", "at least one GPU");
  const Parallel& p = s.parallel;
  if (p.pipeline != 1 || p.data != 1 || p.expert)
    return notice::custom("layout_not_counted", "params.parallel",
                          engine + " deals whole layers out to the GPUs: expected no pipeline, data or expert parallel.", "parallel",
                          "pipeline " + grouped(p.pipeline) + ", data " + grouped(p.data), "layers over all GPUs");
  for (const DeviceGroup& group : s.hardware) {
    if (group.device.backend != "cuda")
      return notice::custom("unsupported", "params.hardware", engine + " is counted on NVIDIA GPUs only: expected a CUDA device.", "backend",
                            group.device.backend, "CUDA");
    if (const int capability = group.device.compute_capability; capability > 0 && capability < least_capability)
      return needs_capability("params.hardware", engine, least_capability, capability);
  }
  return std::nullopt;
}

}  // namespace weighbridge::exllama

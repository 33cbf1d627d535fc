// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/transformers/transformers.hpp"

namespace weighbridge::transformers {

namespace {

constexpr Source kSource{"huggingface/transformers src/transformers/modeling_utils.py; pytorch/pytorch c10/cuda/CUDACachingAllocator.cpp",
                         "https://github.com/huggingface/transformers/blob/v4.51.3/src/transformers/modeling_utils.py"};

/// How many of a tensor's copies lie in `part`.
std::int64_t copies_in(const Model& model, const Tensor& tensor, const Part& part) {
  if (tensor.part != ModelPart::text || tensor.layers.first < 0) {
    const bool is_head = tensor.part == ModelPart::text && (tensor.role == TensorRole::output_head || tensor.role == TensorRole::norm);
    return part.holds(is_head ? model.n_layers() + 1 : 0) ? tensor.copies() : 0;
  }
  const LayerSet& set = tensor.layers;
  const auto before = [&](std::int64_t module) {  // of its layers
    return module - 1 <= set.first ? 0 : std::min(set.count, ceil_div(module - 1 - set.first, set.stride));
  };
  return std::max<std::int64_t>(0, before(part.end) - before(part.first)) * tensor.per_layer;
}

/// CUDACachingAllocator: a tensor of 10 MiB and more gets a segment of whole 2 MiB, and what is left of it is a block of its own only above 1 MiB.
Bytes rounding(Bytes tensor) {
  constexpr Bytes large = 10 * kMiB;
  constexpr Bytes step = 2 * kMiB;
  if (tensor < large) return Bytes();
  const Bytes rest = (tensor + step - Bytes(1)) / step * step - tensor;
  return rest <= kMiB ? rest : Bytes();
}

struct Group {
  std::string_view label;
  DType type;
  std::int64_t elements = 0;
  Bytes bytes;
};

FormulaRow explain(const Group& group) {
  FormulaRow row{group.label, {}, group.bytes, true};
  if (group.elements % group.type.block_size != 0 || size_of(group.type, group.elements) != group.bytes) return row;
  row.factors.push_back({"elements_here", group.elements});
  row.factors.push_back({group.type.block_size == 1 ? "bytes_per_element" : "bytes_per_block", group.type.block_bytes});
  if (group.type.block_size > 1) row.factors.push_back({"elements_per_block", group.type.block_size, Op::divide});
  return row;
}

/// cos_cached and sin_cached of each attention, in 16 bit for all positions.
FormulaRow rotary_row(const Job& job, const Part& part) {
  std::int64_t layers = 0;
  for (const auto& [layer, count] : layers_of(job.model, {part, {}, true}))
    if (grouped_attention(layer->mixer) != nullptr) layers += count;
  return make_row(job.explain, "rope_cache",
                  {{"max_position_embeddings", job.model.max_context_tokens},
                   {"rotary_dim", job.model.rotary_dim},
                   {"bytes_per_element", 4},
                   {"layers", layers}});
}

/// temp_dq of the exllama kernels: one matrix in 16 bit, the largest on the device.
FormulaRow exllama_row(const Job& job, const Part& part) {
  std::int64_t most = 0;
  for (const Tensor& tensor : job.tensors)
    if (tensor.type.block_size > 1 && !tensor.is_scale && copies_in(job.model, tensor, part) > 0) most = std::max(most, tensor.rows * tensor.cols);
  return make_row(job.explain, "exllama_buffer", {{"elements_here", most}, {"bytes_per_element", 2}});
}

/// Published peaks of FP8 checkpoints (QwenLM/Qwen3 docs, Qwen3-0.6B, 1.7B and 4B) hold the head a second time although it is tied.
FormulaRow untied_row(const Job& job) {
  return make_row(job.explain, "output_head", {{"vocab_size", job.model.vocab_size}, {"hidden_size", job.model.hidden_size}, {"bytes_per_value", 2}});
}

/// Llama's and Gemma's tables were computed for each step, never kept.
bool keeps_tables(const Model& model) { return model.rotary_dim > 0 && model.architecture != "llama" && model.architecture != "gemma"; }

}  // namespace

Term weights_term(const Job& job, const Rules& rules, const Part& part, bool on_device) {
  Term term;
  term.id = "weights";
  term.basis = Basis::modelled;
  term.source = kSource;
  std::vector<Group> groups;
  Bytes rounded;
  bool is_quantized = false;
  for (const Tensor& tensor : job.tensors) {
    if (tensor.part == ModelPart::mtp || tensor.is_copy) continue;
    const std::int64_t copies = copies_in(job.model, tensor, part);
    if (copies == 0) continue;
    is_quantized = is_quantized || tensor.is_scale;
    const Bytes of_one = tensor.bytes() / static_cast<std::uint64_t>(tensor.copies());
    const Bytes bytes = of_one * static_cast<std::uint64_t>(copies);
    term.bytes += bytes;
    rounded += rounding(of_one) * static_cast<std::uint64_t>(copies);
    if (!job.explain) continue;
    const std::string_view label = row_label(tensor);
    auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& g) { return g.label == label && g.type == tensor.type; });
    if (group == groups.end()) group = groups.insert(group, Group{label, tensor.type, 0, {}});
    group->elements += copies * tensor.rows * tensor.cols;
    group->bytes += bytes;
  }
  for (const Group& group : groups) term.formula.rows.push_back(explain(group));
  sort_largest_first(term.formula.rows);
  const auto add = [&](FormulaRow row) {
    if (row.bytes == Bytes()) return;
    term.bytes += row.bytes;
    if (job.explain) term.formula.rows.push_back(std::move(row));
  };
  if (on_device && !rules.warm_allocator) add({"allocator_rounding", {}, rounded, true});
  if (on_device && is_gptq(job)) add(exllama_row(job, part));
  if (is_fp8(job) && job.model.tied_embeddings && part.holds(0)) add(untied_row(job));
  if (rules.rotary_tables && keeps_tables(job.model)) add(rotary_row(job, part));
  if (job.explain) term.formula.config_keys = {"num_hidden_layers", "hidden_size", "vocab_size", "quantization_config"};
  // Published peaks of dense Qwen models: three tables, one for each generation (QwenLM/Qwen3 docs, speed_benchmark). Repacking kernels and
  // buffers of the quantized formats add what no checkpoint shows.
  term.records = first_moe(job.model) == nullptr && !job.model.vision ? 3 : 0;
  term.low = term.bytes - (on_device && rules.warm_allocator ? Bytes() : std::min(rounded, term.bytes)) - term.bytes / 100;
  term.high = term.bytes + term.bytes / (is_quantized ? 25 : 50) + (rules.warm_allocator ? rounded : Bytes());
  return term;
}

}  // namespace weighbridge::transformers

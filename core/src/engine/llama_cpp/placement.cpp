// SPDX-License-Identifier: Apache-2.0
// src/llama-model.cpp, llama_model_base::load_tensors: the last layers go to the devices first, each device in turn takes its share of them.
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "gguf/architecture.hpp"

namespace weighbridge::llama_cpp {

namespace {

/// Shares summed up and scaled to 1, in the engine's own single precision.
std::vector<float> cumulative_shares(const Scenario& scenario, const std::vector<std::size_t>& groups) {
  std::vector<double> given = scenario.options.llama_cpp.tensor_split;
  given.resize(std::min(given.size(), groups.size()));  // what it says of devices that are not there is not read
  if (std::all_of(given.begin(), given.end(), [](double share) { return share == 0; })) given.clear();
  std::vector<float> shares;
  float sum = 0;
  for (std::size_t device = 0; device < groups.size(); ++device) {
    const DeviceGroup& group = scenario.hardware[groups[device]];
    const double share = device < given.size() ? given[device] : 0;  // a shorter list gives the others nothing
    sum += given.empty() ? static_cast<float>((group.capacity() - context_bytes(group.device)).count()) : static_cast<float>(share);
    shares.push_back(sum);
  }
  for (float& share : shares) share = sum > 0 ? share / sum : 1;
  return shares;
}

/// src/llama-context.cpp: pipeline parallelism needs all layers on devices that can copy asynchronously, and no rule that moves a
/// tensor, whether it matches one or not.
bool works_as_pipeline(const Job& job, const Settings& settings, int n_devices) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  const bool asynchronous = std::all_of(job.scenario.hardware.begin(), job.scenario.hardware.end(),
                                        [](const DeviceGroup& g) { return pads_rows(g.device); });
  return n_devices > 1 && settings.offloads_all && settings.offload_kqv && job.scenario.cpu_moe_layers == 0 && o.moved.empty() &&
         o.override_tensor.empty() && asynchronous;
}

constexpr std::int64_t kPipelineCopies = 4;  // ggml/include/ggml-backend.h: GGML_SCHED_MAX_COPIES

/// Tensors that do not lie with their layer.
void move_tensors(const Job& job, Placement& placement) {
  const std::vector<MovedTensor>& moved = job.scenario.options.llama_cpp.moved;
  if (moved.empty()) return;
  placement.moved.assign(job.tensors.size(), Placement::kUnmoved);
  for (const MovedTensor& move : moved) {
    placement.moved[move.tensor] = move.device;
    const bool leaves_device = move.device == Placement::kHost && layer_place(job, placement, move.tensor) != Placement::kHost;
    placement.experts_on_host = placement.experts_on_host || leaves_device;
  }
}

}  // namespace

bool Placement::has_layers(int device) const {
  return output_device == device || std::find(layer_device.begin(), layer_device.end(), device) != layer_device.end();
}

bool Placement::is_partial() const { return has_layers(kHost) || experts_on_host; }

std::vector<std::size_t> device_groups(const Scenario& scenario) {
  std::vector<std::size_t> groups;
  for (std::size_t group = 0; group < scenario.hardware.size(); ++group)
    groups.insert(groups.end(), static_cast<std::size_t>(scenario.hardware[group].count), group);
  if (scenario.options.llama_cpp.split_mode != SplitMode::none || groups.empty()) return groups;
  const auto main = static_cast<std::size_t>(scenario.options.llama_cpp.main_gpu.value_or(0));
  return {groups[std::min(main, groups.size() - 1)]};
}

bool experts_stay(const Job& job, std::int64_t layer) {
  if (layer < job.scenario.cpu_moe_layers) return true;
  const std::vector<MovedTensor>& moved = job.scenario.options.llama_cpp.moved;
  return std::any_of(moved.begin(), moved.end(), [&](const MovedTensor& move) {
    const Tensor& tensor = job.tensors[move.tensor];
    return move.device == Placement::kHost && tensor.layers.first == layer && is_routed(tensor);
  });
}

bool drafts(const Job& job) { return job.scenario.options.llama_cpp.mtp.value_or(false) && !job.model.mtp_layers.empty(); }

std::int64_t layers_of_file(const Job& job) {
  const bool has_predictions = job.scenario.options.llama_cpp.has_predictions.value_or(job.model.from_gguf || gguf::keeps_predictions(job.model) ||
                                                                                       drafts(job));
  return job.model.n_layers() + (has_predictions ? static_cast<std::int64_t>(job.model.mtp_layers.size()) : 0);
}

Section section_of(const Job& job, const Tensor& tensor) {
  if (tensor.role == TensorRole::embedding || tensor.role == TensorRole::position_embedding || tensor.role == TensorRole::layer_embedding)
    return Section::input;
  if (tensor.name == "per_layer_model_proj" || tensor.name == "per_layer_proj_norm") return Section::first_layer;
  // LFM2 calls its last norm so (LLM_TENSOR_OUTPUT_NORM_LFM2).
  if (tensor.name == "token_embd_norm" && !gguf::architecture_of(job.model).starts_with("lfm2")) return Section::first_layer;
  return Section::output;
}

int layer_place(const Job& job, const Placement& placement, std::size_t index) {
  const Tensor& tensor = job.tensors[index];
  if (tensor.layers.first < 0) {
    const Section section = section_of(job, tensor);
    if (section == Section::input) return Placement::kHost;
    return section == Section::first_layer ? placement.layer_device.front() : placement.output_device;
  }
  if (is_routed(tensor) && tensor.layers.first < job.scenario.cpu_moe_layers) return Placement::kHost;
  if (const std::int64_t prediction = tensor.layers.first - job.model.n_layers(); prediction >= 0)
    return placement.draft_device[static_cast<std::size_t>(prediction)];
  return placement.layer_device[static_cast<std::size_t>(tensor.layers.first)];
}

int place_of(const Job& job, const Placement& placement, std::size_t index) {
  const bool is_moved = !placement.moved.empty() && placement.moved[index] != Placement::kUnmoved;
  return is_moved ? placement.moved[index] : layer_place(job, placement, index);
}

Placement place(const Job& job, const Settings& settings) {
  Placement placement;
  const std::vector<std::size_t> groups = device_groups(job.scenario);
  placement.n_devices = static_cast<int>(groups.size());
  const std::int64_t n_layers = job.model.n_layers();
  const std::int64_t n_file = layers_of_file(job);
  placement.layer_device.assign(static_cast<std::size_t>(n_layers), Placement::kHost);
  placement.draft_device.assign(job.model.mtp_layers.size(), Placement::kHost);
  placement.experts_on_host = job.scenario.cpu_moe_layers > 0 && first_moe(job.model) != nullptr;
  if (groups.empty() || settings.gpu_layers == 0) {
    move_tensors(job, placement);
    return placement;
  }
  const std::vector<float> shares = cumulative_shares(job.scenario, groups);
  const std::int64_t first = std::max<std::int64_t>(n_file + 1 - settings.gpu_layers, 0);
  const auto device_of = [&](std::int64_t layer) {
    const float at = static_cast<float>(layer - first) / static_cast<float>(settings.gpu_layers);
    const auto found = std::upper_bound(shares.begin(), shares.end(), at);
    return std::min(static_cast<int>(found - shares.begin()), placement.n_devices - 1);
  };
  for (std::int64_t layer = first; layer < n_layers; ++layer) placement.layer_device[static_cast<std::size_t>(layer)] = device_of(layer);
  for (std::int64_t layer = std::max(first, n_layers); layer < n_file; ++layer)
    placement.draft_device[static_cast<std::size_t>(layer - n_layers)] = device_of(layer);
  placement.output_device = device_of(n_file);
  if (works_as_pipeline(job, settings, placement.n_devices)) placement.copies = kPipelineCopies;
  move_tensors(job, placement);
  return placement;
}

}  // namespace weighbridge::llama_cpp

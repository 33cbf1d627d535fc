// SPDX-License-Identifier: Apache-2.0
// src/llama-model.cpp, llama_model_base::load_tensors: the last layers go to the devices first, each device in turn takes its share of them.
#include <algorithm>

#include "engine/llama_cpp.hpp"

namespace weighbridge::llama_cpp {

namespace {

/// Shares summed up and scaled to 1, in the engine's own single precision.
std::vector<float> cumulative_shares(const Scenario& scenario, const std::vector<std::size_t>& groups) {
  std::vector<float> shares;
  float sum = 0;
  for (std::size_t device = 0; device < groups.size(); ++device) {
    const std::vector<double>& given = scenario.options.llama_cpp.tensor_split;
    const DeviceGroup& group = scenario.hardware[groups[device]];
    sum += given.empty() ? static_cast<float>((group.capacity() - context_bytes(group.device)).count()) : static_cast<float>(given[device]);
    shares.push_back(sum);
  }
  for (float& share : shares) share = sum > 0 ? share / sum : 1;
  return shares;
}

/// src/llama-context.cpp: pipeline parallelism needs all layers on devices that can copy asynchronously, and no tensor moved by hand.
bool works_as_pipeline(const Job& job, const Settings& settings, int n_devices) {
  const bool all_layers = settings.gpu_layers > job.model.n_layers();
  const bool asynchronous = std::all_of(job.scenario.hardware.begin(), job.scenario.hardware.end(),
                                        [](const DeviceGroup& g) { return pads_rows(g.device); });
  return n_devices > 1 && all_layers && settings.offload_kqv && job.scenario.cpu_moe_layers == 0 && asynchronous;
}

constexpr std::int64_t kPipelineCopies = 4;  // ggml/include/ggml-backend.h: GGML_SCHED_MAX_COPIES

}  // namespace

bool Placement::has_layers(int device) const {
  return output_device == device || std::find(layer_device.begin(), layer_device.end(), device) != layer_device.end();
}

bool Placement::is_partial() const { return has_layers(kHost) || experts_on_host; }

std::vector<std::size_t> device_groups(const Scenario& scenario) {
  std::vector<std::size_t> groups;
  const bool only_first = scenario.options.llama_cpp.split_mode == SplitMode::none;
  for (std::size_t group = 0; group < scenario.hardware.size(); ++group)
    for (std::int64_t i = 0; i < scenario.hardware[group].count; ++i)
      if (groups.empty() || !only_first) groups.push_back(group);
  return groups;
}

bool experts_stay(const Job& job, std::int64_t layer) { return layer < job.scenario.cpu_moe_layers; }

Placement place(const Job& job, const Settings& settings) {
  Placement placement;
  const std::vector<std::size_t> groups = device_groups(job.scenario);
  placement.n_devices = static_cast<int>(groups.size());
  const std::int64_t n_layers = job.model.n_layers();
  placement.layer_device.assign(static_cast<std::size_t>(n_layers), Placement::kHost);
  placement.experts_on_host = job.scenario.cpu_moe_layers > 0 && first_moe(job.model) != nullptr;
  if (groups.empty() || settings.gpu_layers == 0) return placement;
  const std::vector<float> shares = cumulative_shares(job.scenario, groups);
  const std::int64_t first = std::max<std::int64_t>(n_layers + 1 - settings.gpu_layers, 0);
  const auto device_of = [&](std::int64_t layer) {
    const float at = static_cast<float>(layer - first) / static_cast<float>(settings.gpu_layers);
    const auto found = std::upper_bound(shares.begin(), shares.end(), at);
    return std::min(static_cast<int>(found - shares.begin()), placement.n_devices - 1);
  };
  for (std::int64_t layer = first; layer < n_layers; ++layer) placement.layer_device[static_cast<std::size_t>(layer)] = device_of(layer);
  placement.output_device = device_of(n_layers);
  if (works_as_pipeline(job, settings, placement.n_devices)) placement.copies = kPipelineCopies;
  return placement;
}

}  // namespace weighbridge::llama_cpp

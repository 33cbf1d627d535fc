// SPDX-License-Identifier: Apache-2.0
// `--override-tensor`: the first rule whose pattern is found in a tensor's name says where it lies.
#include <algorithm>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "json_text.hpp"
#include "python_regex.hpp"

namespace weighbridge::llama_cpp {

namespace {

struct BackendName {
  std::string_view backend;
  std::string_view devices;
};
// ggml/src: GGML_CUDA_NAME (CUDA, ROCm), GGML_VK_NAME, and ggml-metal-device.m.
constexpr BackendName kBackendDevices[] = {{"cuda", "CUDA"}, {"rocm", "ROCm"}, {"vulkan", "Vulkan"}, {"metal", "MTL"}};

std::string_view devices_called(const Device& device) {
  for (const BackendName& row : kBackendDevices)
    if (row.backend == device.backend) return row.devices;
  return "CUDA";
}

/// The device that a rule's buffer belongs to; nothing if there is none of that name.
std::optional<int> find_buffer(const Scenario& scenario, const std::string& buffer, int n_devices) {
  if (buffer == "CPU") return Placement::kHost;
  for (int device = 0; device < n_devices; ++device)
    if (buffer == device_name(scenario, device)) return device;
  return std::nullopt;
}

Notice bad_rule(const TensorOverride& rule, const std::string& expected) {
  const std::string text = rule.pattern + "=" + rule.buffer;
  return notice::custom("unsupported", "params.engine.options.override_tensor", "`override_tensor` " + text + ": expected " + expected + ".",
                        "override_tensor", text, expected);
}

}  // namespace

std::string device_name(const Scenario& scenario, int device) {
  const std::vector<std::size_t> groups = device_groups(scenario);
  const std::string_view called = devices_called(scenario.hardware[groups[static_cast<std::size_t>(device)]].device);
  int number = 0;
  for (int other = 0; other < device; ++other)
    if (devices_called(scenario.hardware[groups[static_cast<std::size_t>(other)]].device) == called) ++number;
  return std::string(called) + std::to_string(number);
}

std::string gguf_name(const std::vector<Tensor>& tensors, std::size_t index) {
  const Tensor& tensor = tensors[index];
  const std::string name = (tensor.layers.first >= 0 ? "blk." + std::to_string(tensor.layers.first) + "." : "") + std::string(tensor.name);
  if (tensor.name.ends_with(".bias") || tensor.name.ends_with(".scale") || is_any_of(tensor.name, {"ssm_a", "ssm_d"})) return name;
  // The vector of a matrix is its bias; of two vectors with one name, the first is a norm's weight.
  const auto is_namesake = [&](const Tensor& other) { return other.name == tensor.name && other.layers == tensor.layers; };
  const bool repeats = index > 0 && is_namesake(tensors[index - 1]);
  const bool precedes = index + 1 < tensors.size() && is_namesake(tensors[index + 1]) && tensors[index + 1].cols > 1;
  return name + (tensor.cols == 1 && (repeats || precedes) ? ".bias" : ".weight");
}

Result<std::vector<MovedTensor>> moved_tensors(const Job& job) {
  std::vector<MovedTensor> moved;
  const int n_devices = static_cast<int>(device_groups(job.scenario).size());
  std::vector<std::string> names;
  for (std::size_t row = 0; row < job.tensors.size(); ++row)
    names.push_back(is_loaded(job, job.tensors[row]) ? gguf_name(job.tensors, row) : std::string());
  for (const TensorOverride& rule : job.scenario.options.llama_cpp.override_tensor) {
    const std::string pattern = ".*(" + rule.pattern + ")";
    if (!is_known_regex(pattern)) return fail(bad_rule(rule, "a regular expression of letters, classes, groups and repetitions"));
    const std::optional<int> device = find_buffer(job.scenario, rule.buffer, n_devices);
    if (!device) return fail(bad_rule(rule, n_devices == 0 ? "the buffer CPU" : "the buffer CPU, or " + device_name(job.scenario, 0) + " and so on"));
    for (const std::size_t index : regex_matching(pattern, names)) {
      const auto is_it = [&](const MovedTensor& move) { return move.tensor == index; };
      if (!names[index].empty() && std::none_of(moved.begin(), moved.end(), is_it)) moved.push_back({index, *device});
    }
  }
  return moved;
}

}  // namespace weighbridge::llama_cpp

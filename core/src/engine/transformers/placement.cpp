// SPDX-License-Identifier: Apache-2.0
// Which device holds which module: huggingface/accelerate src/accelerate/utils/modeling.py (1.10), with whole layers as the modules that
// are not split. It looks at weights only: neither cache nor activations take part.
#include <algorithm>
#include <numeric>

#include "engine/transformers/transformers.hpp"

namespace weighbridge::transformers {

namespace {

/// get_balanced_memory: an even share and a quarter more than the largest layer for each device but the last; 90 % of a single one, and of
/// each where bitsandbytes needs room to quantize (adjust_max_memory).
std::vector<Bytes> memory_of_devices(const Job& job, const ModuleSizes& sizes) {
  const LibraryOptions& o = job.scenario.options.library;
  std::vector<Bytes> memory;
  for (const DeviceGroup& group : job.scenario.hardware)
    for (std::int64_t i = 0; i < group.count; ++i)
      memory.push_back(o.max_memory_gib ? std::min(scaled(kGiB, *o.max_memory_gib), group.capacity()) : group.capacity());
  const std::string map = o.device_map.value_or("auto");
  if (map != "sequential") {
    if (memory.size() == 1 && !o.max_memory_gib) memory[0] = memory[0] * 9 / 10;
    const Bytes all = std::accumulate(sizes.bytes.begin(), sizes.bytes.end(), Bytes());
    const bool low_zero = map == "balanced_low_0" && memory.size() > 1;
    const Bytes layer = sizes.bytes.size() > 2 ? *std::max_element(sizes.bytes.begin() + 1, sizes.bytes.end() - 1) : Bytes();
    const Bytes share = all / (memory.size() - (low_zero ? 1 : 0)) + layer * 5 / 4;
    for (std::size_t i = low_zero ? 1 : 0; i + 1 < memory.size(); ++i) memory[i] = std::min(memory[i], share);
    if (low_zero) {
      const Bytes others = std::accumulate(memory.begin() + 1, memory.end(), Bytes());
      memory[0] = std::min(memory[0], all - others);
    }
  }
  if (is_bitsandbytes(job))
    for (Bytes& bytes : memory) bytes = bytes * 9 / 10;
  return memory;
}

}  // namespace

Placement place(const Job& job, const ModuleSizes& sizes) {
  const std::vector<Bytes> memory = memory_of_devices(job, sizes);
  const std::size_t modules = sizes.bytes.size();
  std::vector<Bytes> largest_after(modules + 1);  // infer_auto_device_map keeps room for it on the first device
  for (std::size_t i = modules; i-- > 0;) largest_after[i] = std::max(largest_after[i + 1], sizes.bytes[i]);
  Placement placement;
  std::size_t next = 0;
  for (std::size_t device = 0; device < memory.size(); ++device) {
    const std::size_t first = next;
    Bytes used;
    while (next < modules) {
      const Bytes kept = device == 0 ? largest_after[next + 1] : Bytes();
      if (used + sizes.bytes[next] + kept > memory[device]) break;
      used += sizes.bytes[next++];
    }
    placement.devices.push_back({static_cast<std::int64_t>(first), static_cast<std::int64_t>(next)});
  }
  placement.host = {static_cast<std::int64_t>(next), static_cast<std::int64_t>(modules)};
  return placement;
}

}  // namespace weighbridge::transformers

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weighbridge/units.hpp"

namespace weighbridge {

/// The runtimes that a device may be counted for.
inline constexpr std::string_view kBackendNames = "cuda, rocm, metal or vulkan";
[[nodiscard]] constexpr bool is_backend(std::string_view name) { return name == "cuda" || name == "rocm" || name == "metal" || name == "vulkan"; }

/// Dense operations a second, in 10^12, by what is multiplied; 0: not known. Matrix units where a device has them.
struct Tflops {
  double fp32 = 0;
  double fp16 = 0;          ///< FP16 and BF16, sums in 32 bits
  double fp16_fp16acc = 0;  ///< FP16, sums in 16 bits, where that is a rate of its own (GeForce)
  double int8 = 0;
  double fp8 = 0;
  double fp4 = 0;

  friend bool operator==(const Tflops&, const Tflops&) = default;
};

/// An accelerator as the catalogue knows it.
struct Device {
  std::string id;
  std::string slug;
  std::string name;
  std::string short_name;
  std::string vendor;
  std::string kind;  ///< consumer, laptop, workstation, datacenter, edge, apu, apple, slice; custom for one that a request describes
  std::string architecture;
  std::string backend = "cuda";  ///< cuda, rocm, metal, vulkan: the runtime that the byte figures are of
  int compute_capability = 0;    ///< 90 for 9.0; 0 if it has none
  double marketed_gb = 0;        ///< the vendor's number, for display only
  Bytes driver_bytes;            ///< what nvidia-smi reports
  Bytes runtime_bytes;           ///< what the runtime sees (cudaMemGetInfo total, Metal's recommendedMaxWorkingSetSize): the real ceiling
  bool runtime_measured = false;
  bool unified_memory = false;
  bool mig = false;                  ///< a MIG slice of a GPU, by itself to whoever runs on it
  Bytes default_limit_bytes;         ///< unified memory: what the system lets a GPU take as delivered; 0 where no such limit exists
  Bytes raised_limit_bytes;          ///< what it lets it take after `raise_command`, with room left for the system
  std::string raise_command;         ///< the command or kernel parameter that raises the limit; empty if none
  std::vector<std::string> formats;  ///< formats its matrix units run: fp16, bf16, fp8, int8, int4
  double bandwidth_gb_s = 0;         ///< of its memory, in 10^9 bytes a second; 0: not known
  double link_gb_s = 0;              ///< to another device beside it, in one direction, as delivered; 0: not known
  Tflops tflops;

  [[nodiscard]] bool runs(std::string_view format) const;
  /// No other one can work beside it on the same model: that of a laptop, and a MIG slice (slices_problem() in estimate.cpp).
  [[nodiscard]] bool stands_alone() const { return mig || kind == "laptop"; }

  friend bool operator==(const Device&, const Device&) = default;
};

/// `count` equal devices, each with `used` bytes taken by something else.
struct DeviceGroup {
  Device device;
  std::int64_t count = 1;
  Bytes used;                 ///< what other models take (Scenario::running) is part of it
  Bytes by_running;           ///< that part
  bool raised_limit = false;  ///< the system's share was raised (Device::raise_command); `device.runtime_bytes` is then the raised one

  /// What the runtime sees of the card, less what is already used there.
  [[nodiscard]] Bytes capacity() const { return device.runtime_bytes - used; }

  friend bool operator==(const DeviceGroup&, const DeviceGroup&) = default;
};

}  // namespace weighbridge

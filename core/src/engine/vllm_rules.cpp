// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>

#include "engine/vllm.hpp"

namespace weighbridge::vllm {

namespace {

constexpr std::int64_t kGraphBefore014 = 10'800'333;  // 10.3 MiB: 67 graphs took 0.67 to 0.68 GiB in 0.10.2
constexpr std::int64_t kGraphSince014 = 6'815'744;    // 6.5 MiB: 86 graphs 0.54 GiB in 0.14, 54 graphs 0.35 GiB in 0.22
constexpr std::int64_t kTorchSampler = 374;           // 37.4 bytes a logit: sort values, indices and their workspace
constexpr std::int64_t kFlashInferSampler = 140;      // 14 bytes a logit: bf16, f32, scaled f32, probabilities

constexpr std::array kRules{
    Rules{"0.9", 0.90, true, false, false, kGraphBefore014, kTorchSampler},
    Rules{"0.10", 0.90, false, false, false, kGraphBefore014, kTorchSampler},
    Rules{"0.11", 0.90, false, false, true, kGraphBefore014, kTorchSampler},
    Rules{"0.14", 0.90, false, false, true, kGraphSince014, kTorchSampler},
    Rules{"0.18", 0.90, false, false, true, kGraphSince014, kTorchSampler},
    Rules{"0.21", 0.92, false, true, true, kGraphSince014, kTorchSampler},
    Rules{"0.22", 0.92, false, true, true, kGraphSince014, kFlashInferSampler},
    Rules{"0.27", 0.92, false, true, true, kGraphSince014, kFlashInferSampler},
};

/// "0.11", "v0.11.2", "0.26.1rc1.dev156" -> 11, 11, 26; -1 for what is no version 0.x.
int minor_version(std::string_view version) {
  if (version.starts_with("v")) version.remove_prefix(1);
  if (!version.starts_with("0.")) return -1;
  int minor = -1;
  std::from_chars(version.data() + 2, version.data() + version.size(), minor);
  return minor;
}

}  // namespace

const Rules& rules_for(std::string_view version) {
  const int minor = minor_version(version);
  if (version.empty() || minor < 0) return kRules.back();
  const Rules* found = &kRules.front();
  for (const Rules& rules : kRules)
    if (minor_version(rules.version) <= minor) found = &rules;
  return *found;
}

bool is_known_version(std::string_view version) {
  for (const Rules& rules : kRules)
    if (minor_version(rules.version) == minor_version(version)) return true;
  return version.empty();
}

std::vector<std::string_view> versions() {
  std::vector<std::string_view> names;
  for (const Rules& rules : kRules) names.push_back(rules.version);
  return names;
}

}  // namespace weighbridge::vllm

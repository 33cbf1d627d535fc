// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>

#include "engine/local_rules.hpp"
#include "engine/vllm/vllm.hpp"

namespace weighbridge::vllm {

namespace {

constexpr std::int64_t kGraphBefore014 = 10'800'333;  // 10.3 MiB: 67 graphs took 0.67 to 0.70 GiB in 0.8.5 and 0.10.2
constexpr std::int64_t kGraphSince014 = 6'815'744;    // 6.5 MiB: 86 graphs 0.54 GiB in 0.14 and 0.51 in 0.17, 54 graphs 0.35 GiB in 0.22
constexpr std::int64_t kMla128k = 131'072;            // `128 * 1024` in the copies up to 0.10
constexpr std::int64_t kMla64k = 65'536;              // `64 * 1024` in determine_chunked_prefill_workspace_size

using enum NcclAccount;
using enum CompressedPool;

// Budget: 0.9 subtracts all that is on the card outside torch; 0.10 measures the increase since a snapshot taken before NCCL starts;
// since 0.11 NCCL starts first (vllm-project/vllm#25359); since 0.20 graphs are set aside and the default share is 0.92: logs of 0.20.0 say that
// profiling them is on, and list a share of 0.9 among what is not the default. Its last release, 0.20.2, prints tokens by concurrency, 0.20.0 does not.
// The hybrid KV cache manager came within 0.9, with 0.9.1. Windows are reserved for two batches since the scheduler runs one ahead
// (VllmConfig.max_in_flight_tokens, read in 0.27.1; the log of Gemma 4 under 0.25.1 still has one, that of 0.26.0 two: 13.25 requests of 16,384
// tokens in 182.37 GiB). DeepSeek-V4's blocks: 0.22's check of one
// request (#44376), 0.26's tokens (#51041) and 0.28's groups (#54703) are met by these three layouts. A model spans machines by processes as well as
// by Ray since #23691, which is documented since 0.13 (docs/serving/parallelism_scaling.md); of 0.11 to 0.13, which have one row, Ray is what all know.
// Recurrent models cache no prefixes unless asked until #50991 after 0.27.1 (config/model.py is_prefix_caching_supported, 0.23 and 0.28.1rc1).
// `--quantization fp8` holds the whole model in 16 bits first, and since 0.13 both (#29196, #32773), until #31914 after 0.14.
constexpr std::array kRules{
    Rules{"0.9", 0.90, true, with_context, false, false, kGraphBefore014, kTorchSampler, kMla128k, false, false, 1, false, tuples, false, false,
          false},
    Rules{"0.10", 0.90, false, in_budget, false, false, kGraphBefore014, kTorchSampler, kMla128k, true, false, 1, false, tuples, false, false, false},
    Rules{"0.11", 0.90, false, with_context, false, true, kGraphBefore014, kTorchSampler, kMla64k, true, false, 1, false, tuples, false, false,
          false},
    Rules{"0.14", 0.90, false, with_context, false, true, kGraphSince014, kTorchSampler, kMla64k, true, false, 1, false, tuples, true, false, false},
    Rules{"0.17", 0.90, false, with_context, false, true, kGraphSince014, kLeanSampler, kMla64k, true, false, 1, true, tuples, true, true, false},
    Rules{"0.20", 0.92, false, with_context, true, true, kGraphSince014, kLeanSampler, kMla64k, true, true, 1, true, tuples, true, true, false},
    Rules{"0.23", 0.92, false, with_context, true, true, kGraphSince014, kLeanSampler, kMla64k, true, true, 1, true, slots, true, true, false},
    Rules{"0.26", 0.92, false, with_context, true, true, kGraphSince014, kLeanSampler, kMla64k, true, true, 2, true, slots, true, true, false},
    Rules{"0.27", 0.92, false, with_context, true, true, kGraphSince014, kLeanSampler, kMla64k, true, true, 2, true, dense, true, true, false},
    Rules{"0.28", 0.92, false, with_context, true, true, kGraphSince014, kLeanSampler, kMla64k, true, true, 2, true, dense, true, true, true},
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

// A program without local rules has the newest release's alone, and leaves the others to one that has them (has_rules of estimate.cpp).

const Rules& rules_for(std::string_view version) {
  if (!has_local_rules()) return kRules.back();
  if (version.empty()) return kRules.back();
  const int minor = minor_version(version);
  if (minor < 0) return kRules.back();
  const Rules* found = &kRules.front();
  for (const Rules& rules : kRules)
    if (minor_version(rules.version) <= minor) found = &rules;
  return *found;
}

bool is_older(std::string_view version, int minor) {
  if (!has_local_rules() || version.empty()) return false;
  const int asked = minor_version(version);
  return asked >= 0 && asked < minor;
}

bool is_known_version(std::string_view version) {
  if (!has_local_rules()) return true;
  for (const Rules& rules : kRules)
    if (minor_version(rules.version) == minor_version(version)) return true;
  return version.empty();
}

std::vector<std::string_view> versions() {
  std::vector<std::string_view> names;
  names.reserve(kRules.size());
  for (const Rules& rules : kRules) names.push_back(rules.version);
  return names;
}

}  // namespace weighbridge::vllm

// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>

#include "engine/transformers/transformers.hpp"

namespace weighbridge::transformers {

namespace {

// huggingface/transformers: modeling_qwen2.py, cache_utils.py, integrations/{moe,sdpa_attention}.py, modeling_utils.py of these releases.
constexpr std::array kRules{
    Rules{"4.38", true, true, false, true, false, false},  Rules{"4.46", false, false, false, true, false, false},
    Rules{"4.51", false, false, true, true, false, false}, Rules{"4.56", false, false, true, false, true, false},
    Rules{"5.0", false, false, true, false, true, true},
};

/// "4.46.2" -> 4046; 0 for what is no version.
int rank_of(std::string_view version) {
  if (version.starts_with("v")) version.remove_prefix(1);
  int major = 0;
  int minor = 0;
  const auto dot = version.find('.');
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (dot != std::string_view::npos) std::from_chars(version.data() + dot + 1, version.data() + version.size(), minor);
  return major * 1000 + minor;
}

}  // namespace

const Rules& rules_for(std::string_view version) {
  if (version.empty() || rank_of(version) == 0) return kRules.back();
  const Rules* found = &kRules.front();
  for (const Rules& rules : kRules)
    if (rank_of(rules.version) <= rank_of(version)) found = &rules;
  return *found;
}

bool is_known_version(std::string_view version) {
  for (const Rules& rules : kRules)
    if (rank_of(rules.version) == rank_of(version)) return true;
  return version.empty();
}

std::vector<std::string_view> versions() {
  std::vector<std::string_view> names;
  for (const Rules& rules : kRules) names.push_back(rules.version);
  return names;
}

}  // namespace weighbridge::transformers

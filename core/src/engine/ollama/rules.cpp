// SPDX-License-Identifier: Apache-2.0
// What changed from release to release of Ollama, read in its repository: envconfig/config.go, api/types.go, server/routes.go, server/sched.go,
// llm/memory.go, llm/server.go, llm/llama_server.go, llama/llama.go, fs/ggml/ggml.go.
#include <algorithm>
#include <array>
#include <charconv>

#include "engine/local_rules.hpp"
#include "engine/ollama/ollama.hpp"

namespace weighbridge::ollama {

namespace {

using enum Placing;

// Context: 2,048 until 0.6.7 (api/types.go), 4,096 until 0.15.5, then by memory (server/routes.go). Parallel: 4, 2 and 1 (server/sched.go,
// defaultParallel; envconfig/config.go). 0.11.11 lets its own engine measure its graphs; 0.12.11 lays out llama.cpp's layers in the same way;
// 0.13.4 hands llama.cpp the choice of flash attention; 0.30 has no engine of its own any more and starts llama-server.
constexpr std::array kRules{
    Rules{"0.6.3", 2048, 4, estimated, estimated, false, false, false, false, true, false, false, "d7cfe1f"},
    Rules{"0.6.7", 4096, 2, estimated, estimated, false, false, false, false, true, false, false, "2016f07"},
    Rules{"0.7", 4096, 2, estimated, estimated, true, true, false, false, true, false, false, "de4c07f"},
    Rules{"0.7.1", 4096, 2, estimated, estimated, true, false, true, false, true, false, false, "de4c07f"},
    Rules{"0.10", 4096, 1, estimated, estimated, true, false, true, false, true, false, false, "de4c07f"},
    Rules{"0.11.5", 4096, 1, estimated, estimated, true, false, true, true, false, false, false, "e54d41b"},
    Rules{"0.11.11", 4096, 1, estimated, laid_out, true, false, true, true, false, false, false, "e54d41b"},
    Rules{"0.12.11", 4096, 1, laid_out, laid_out, true, false, true, true, false, false, false, "3cfa9c3"},
    Rules{"0.13.4", 4096, 1, laid_out, laid_out, true, false, true, true, false, true, false, "17f7f4b"},
    Rules{"0.15.5", 0, 1, laid_out, laid_out, true, false, true, true, false, true, false, "ec98e20"},
    Rules{"0.30", 0, 1, llama_server, llama_server, true, false, true, true, false, true, false, "b9452"},
    Rules{"0.31.2", 0, 1, llama_server, llama_server, true, false, true, true, false, true, true, "b9888"},
    Rules{"0.33", 0, 1, llama_server, llama_server, true, false, true, true, false, true, true, ""},
};
static_assert(kRules.size() == kVersions.size());

/// The first release whose own engine runs an architecture, and the first that turns flash attention on for it; 0: none. By llama.cpp's names:
/// what Ollama's converter calls by another name (qwen25vl, glm4moelite) llama.cpp's runs.
struct Ways {
  std::string_view architecture;
  int itself;
  int flashes;
};
constexpr Ways kWays[] = {{"gemma3", 6'000, 12'006},      {"mistral3", 6'005, 13'002},   {"llama4", 6'007, 0},
                          {"mllama", 7'000, 0},           {"gemma3n", 9'003, 0},         {"gpt-oss", 11'000, 11'008},
                          {"qwen3", 12'000, 12'004},      {"qwen3moe", 12'002, 12'004},  {"qwen3vl", 12'007, 12'008},
                          {"qwen3vlmoe", 12'007, 12'008}, {"deepseek2", 13'000, 0},      {"nomic-bert", 13'001, 0},
                          {"olmo3", 13'004, 13'004},      {"bert", 13'005, 13'005},      {"lfm2", 14'003, 14'003},
                          {"qwen3next", 15'005, 15'005},  {"lfm2moe", 17'001, 17'001},   {"nemotron_h", 17'001, 17'001},
                          {"qwen35", 17'001, 17'001},     {"qwen35moe", 17'001, 17'001}, {"nemotron_h_moe", 17'001, 17'001},
                          {"gemma4", 20'000, 20'004}};

const Ways* ways_of(std::string_view architecture) {
  const auto found = std::find_if(std::begin(kWays), std::end(kWays), [&](const Ways& way) { return way.architecture == architecture; });
  return found == std::end(kWays) ? nullptr : found;
}

}  // namespace

std::optional<int> release_number(std::string_view version) {
  if (version.starts_with("v")) version.remove_prefix(1);
  if (!version.starts_with("0.")) return std::nullopt;
  constexpr int parts = 1000;
  int minor = 0;
  int patch = 0;
  const char* end = version.data() + version.size();
  const auto [next, error] = std::from_chars(version.data() + 2, end, minor);
  if (error != std::errc() || minor < 0 || minor > parts) return std::nullopt;
  if (next != end && *next == '.') std::from_chars(next + 1, end, patch);
  return minor * parts + std::clamp(patch, 0, parts - 1);
}

const Rules& rules_for(std::string_view version) {
  const std::optional<int> release = release_number(version);
  if (!release) return kRules.back();
  const Rules* found = &kRules.front();
  for (const Rules& rules : kRules)
    if (*release_number(rules.version) <= *release) found = &rules;
  return *found;
}

int release_of(std::string_view version, const Rules& rules) {
  return std::max(release_number(version).value_or(0), release_number(rules.version).value_or(0));
}

bool is_read(std::string_view version) {
  const std::optional<int> release = release_number(version);
  if (!release) return version.empty();
  return *release >= *release_number(kRules.front().version) && *release < *release_number(kVersion) + 1000;
}

bool runs_itself(const Rules& rules, int release, std::string_view architecture) {
  const Ways* ways = ways_of(architecture);
  constexpr int withdrawn = 12'005;  // for this one release qwen3 went back
  if (rules.own == llama_server || ways == nullptr || (release == withdrawn && architecture == "qwen3")) return false;
  return release >= ways->itself;
}

bool flashes(int release, std::string_view architecture) {
  const Ways* ways = ways_of(architecture);
  return ways != nullptr && ways->flashes > 0 && release >= ways->flashes;
}

}  // namespace weighbridge::ollama

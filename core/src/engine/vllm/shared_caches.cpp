// SPDX-License-Identifier: Apache-2.0
// Decode context parallel: ranks that share the tokens of a cache, and the caches that they cannot share.
#include <algorithm>

#include "engine/recurrent.hpp"
#include "engine/vllm/vllm.hpp"
#include "json_text.hpp"

namespace weighbridge::vllm {

namespace {

/// Caches that ranks cannot share, in the engine's words: SlidingWindowSpec.max_memory_usage_bytes (vllm/v1/kv_cache_interface.py), and groups of
/// several kinds where prefixes are cached, HybridKVCacheCoordinator (vllm/v1/core/kv_cache_coordinator.py). Read up to v0.30.
const char* unshared_cache(const Job& job) {
  const Settings s = settle(job, rules_for(job.scenario.engine_version));
  bool has_window = false;
  bool has_state = false;
  for (const LayerSpec& layer : job.model.layers.kinds()) {
    has_window = has_window || std::holds_alternative<SlidingAttention>(layer.mixer) || std::holds_alternative<ChunkedAttention>(layer.mixer) ||
                 std::holds_alternative<CompressedAttention>(layer.mixer);
    has_state = has_state || recurrent_part(layer) != nullptr;
  }
  if (has_window && s.hybrid_cache) return "DCP not support sliding window.";
  return has_state && s.prefix_caching ? "DCP not support hybrid attn now." : nullptr;
}

}  // namespace

/// vllm/config/model.py verify_with_parallel_config: ranks that share a cache come from those that hold the same heads.
std::optional<Notice> shared_caches_problem(const Job& job, const Parallel& p) {
  const std::int64_t shared = job.scenario.options.vllm.decode_context_parallel_size.value_or(1);
  if (shared == 1) return std::nullopt;
  // mla/common.py, later mla_attention.py; until #44044 of June 2026
  const std::string& type = job.scenario.kv_type;
  if (is_older(job.scenario.engine_version, 27) && settle(job, rules_for(job.scenario.engine_version)).cache_value_bytes == 1 &&
      first_latent_attention(job.model.layers) != nullptr)
    return notice::custom("unsupported", "params.kv_cache", "DCP not support fp8 kvcache now.", "kv_cache", type, type == "auto" ? "bf16" : "auto");
  if (const char* unshared = unshared_cache(job))
    return notice::custom("unsupported", "params.engine.options.decode_context_parallel_size", unshared, "decode_context_parallel_size",
                          grouped(shared), "1");
  const FullAttention* a = first_grouped_attention(job.model.layers);
  const std::int64_t copies = first_latent_attention(job.model.layers) != nullptr || a == nullptr ? p.tensor : p.tensor / a->n_kv_heads;
  const auto works = [&](std::int64_t ranks) { return ranks <= std::max<std::int64_t>(1, copies) && p.tensor % ranks == 0; };
  if (works(shared)) return std::nullopt;
  if (!job.explain) return Notice{};
  std::int64_t nearest = std::min(shared, p.tensor);
  while (!works(nearest)) --nearest;
  return notice::out_of_range("params.engine.options.decode_context_parallel_size", "decode_context_parallel_size", grouped(shared),
                              "at most " + grouped(nearest));
}

}  // namespace weighbridge::vllm

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include "advise/advise_trials.hpp"

namespace weighbridge {

// What engines call a setting that a request has a place of its own for; given, the option wins, so it goes when that place is written to.
inline constexpr std::array<std::string_view, 5> kContextOptions{"max_model_len", "max_seq_len", "context_length", "n_ctx", "num_ctx"};
inline constexpr std::array<std::string_view, 6> kSequenceOptions{"max_num_seqs", "max_running_requests", "max_batch_size",
                                                                  "n_seq_max",    "num_parallel",         "parallel"};
inline constexpr std::array<std::string_view, 2> kLayerOptions{"n_gpu_layers", "num_gpu"};
inline constexpr std::array<std::string_view, 4> kCacheOptions{"kv_cache_dtype", "type_k", "type_v", "kv_cache_type"};
/// How a model is spread over as many devices as there are.
inline constexpr std::array<std::string_view, 5> kSplitOptions{"tensor_split", "decode_context_parallel_size", "dp_size", "ep_size",
                                                               "enable_dp_attention"};
/// What else depends on the very devices.
inline constexpr std::array<std::string_view, 5> kPlaceOptions{"main_gpu", "override_tensor", "max_memory_gib", "n_gpu_layers", "num_gpu"};

/// `patch`, which also takes out those of `names` that are given.
template <class Names>
[[nodiscard]] Json leave_out(const Trials& trials, Json patch, const Names& names) {
  for (const std::string_view name : names)
    if (!trials.option(name).is_null()) patch["engine"]["options"][std::string(name)] = nullptr;
  return patch;
}

[[nodiscard]] inline Json sequences_patch(const Trials& trials, std::int64_t sequences) {
  return leave_out(trials, Json{{"workload", {{"sequences", sequences}}}}, kSequenceOptions);
}

[[nodiscard]] inline Json gpu_layers_patch(const Trials& trials, const Json& layers) {
  return leave_out(trials, Json{{"offload", {{"gpu_layers", layers}}}}, kLayerOptions);
}

[[nodiscard]] inline Json cache_patch(const Trials& trials, std::string_view type) {
  return leave_out(trials, Json{{"kv_cache", {{"k", type}, {"v", type}}}}, kCacheOptions);
}

/// What is said of fewer tokens than a sequence has goes where it would be more than `tokens`.
[[nodiscard]] Json context_patch(const Trials& trials, std::int64_t tokens);

}  // namespace weighbridge

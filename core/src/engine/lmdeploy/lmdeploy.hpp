// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/layout.hpp"

namespace weighbridge::lmdeploy {

/// How keys and values are cached (`quant_policy`): bits of a value, and bytes of a head's scale and zero point beside.
struct CacheType {
  std::int64_t key_bits = 16;
  std::int64_t value_bits = 16;
  std::int64_t key_bytes = 0;
  std::int64_t value_bytes = 0;
};

/// The settings in force: what was asked, else the defaults of TurbomindEngineConfig and PytorchEngineConfig, which are the same.
struct Settings {
  std::int64_t tensor = 1;
  bool experts_whole = false;      ///< `ep`: whole experts, dealt out to the ranks; PyTorch engine only
  double share = 0.8;              ///< cache_max_entry_count
  std::int64_t context = 0;        ///< session_len
  std::int64_t requests = 0;       ///< max_batch_size
  std::int64_t held_requests = 0;  ///< of them, those that the workload has
  std::int64_t batch_tokens = 0;   ///< max_prefill_token_num
  std::int64_t block = 64;         ///< cache_block_seq_len
  bool caches_prefixes = false;    ///< enable_prefix_caching
  std::int64_t spare_blocks = 0;   ///< of the pool, that no request gets
  CacheType cache;
  bool graphs = true;  ///< PyTorch engine: not in `eager_mode`

  [[nodiscard]] Split split() const { return {tensor, tensor, experts_whole ? 1 : tensor, experts_whole ? tensor : 1}; }
};

/// What `quant_policy` is: as given, else by the type of the cache.
[[nodiscard]] std::int64_t quant_policy(const Scenario& scenario);

/// Bytes of one token in the blocks of one rank; a window forgets nothing.
[[nodiscard]] std::int64_t token_bytes(const Model& model, const Settings& settings);
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings, const Source& source);
/// States of recurrent layers for `sequences`, `width` bytes a value beside the 16-bit inputs of the convolution; the bounds are its caller's.
[[nodiscard]] Term state_term(const Job& job, const Settings& settings, const Source& source, std::int64_t width, std::int64_t sequences);
/// The driver's context and NCCL's buffers.
[[nodiscard]] Term context_term(const Job& job, const Settings& settings, const Source& source);

// turbomind.cpp
/// Why TurboMind does not run this job, or nothing.
[[nodiscard]] std::optional<Notice> turbomind_refusal(const Job& job);
/// Whether TurboMind has code for models of this kind.
[[nodiscard]] bool is_turbomind_model(const Model& model);
[[nodiscard]] DevicePlan plan_turbomind(const Job& job, const Settings& settings, EngineReport& report);

// pytorch.cpp
[[nodiscard]] std::optional<Notice> pytorch_refusal(const Job& job);
[[nodiscard]] DevicePlan plan_pytorch(const Job& job, const Settings& settings, EngineReport& report);

}  // namespace weighbridge::lmdeploy

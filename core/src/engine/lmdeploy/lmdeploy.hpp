// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/layout.hpp"

namespace weighbridge::lmdeploy {

/// The settings in force: what was asked, else the defaults of TurbomindEngineConfig.
struct Settings {
  std::int64_t tensor = 1;
  double share = 0.8;              ///< cache_max_entry_count
  std::int64_t context = 0;        ///< session_len
  std::int64_t requests = 0;       ///< max_batch_size
  std::int64_t held_requests = 0;  ///< of them, those that the workload has
  std::int64_t held = 0;           ///< tokens that each of those holds
  std::int64_t batch_tokens = 0;   ///< max_prefill_token_num
  std::int64_t block = 64;         ///< cache_block_seq_len
  std::int64_t cache_bits = 16;    ///< quant_policy: 8 or 4

  [[nodiscard]] Split split() const { return {tensor, tensor, tensor, 1}; }
};

[[nodiscard]] Term weights_term(const Job& job, const Settings& settings);
/// Bytes of one token in the blocks of one rank; a window forgets nothing.
[[nodiscard]] std::int64_t token_bytes(const Model& model, const Settings& settings);
[[nodiscard]] Term cache_term(const Job& job, const Settings& settings);
/// Checkpoints of recurrent layers, which lie in the same pool.
[[nodiscard]] Term state_term(const Job& job, const Settings& settings);
[[nodiscard]] Term compute_term(const Job& job, const Settings& settings);

}  // namespace weighbridge::lmdeploy

// SPDX-License-Identifier: Apache-2.0
#pragma once

// What engines with one pool of tokens for all layers have in common.
#include "engine/engine.hpp"

namespace weighbridge {

/// Whether every layer has heads or a latent: other mixers have no place in such a pool.
[[nodiscard]] bool has_attention_only(const Model& model);

/// Tokens that `requests` of the workload hold of a pool with blocks of `block` tokens: whole blocks of each, those that are full of what all begin with
/// once if prefixes are cached. Where requests are shorter than their limit, one of full length has to find room all the same.
[[nodiscard]] std::int64_t pooled_tokens(const Scenario& scenario, std::int64_t requests, std::int64_t block, bool caches_prefixes = true);

/// The cache term that has `row` alone, on one of `ranks` ranks; `copies_latents`: each rank has the whole of a latent.
[[nodiscard]] Term pool_term(const Job& job, FormulaRow row, const Source& source, std::int64_t ranks, bool copies_latents = true);

/// What the engine would say of a pool whose tokens take `token_bytes` each, in whole blocks, for requests of `context_tokens`; nothing for solvers.
void report_pool(const Job& job, EngineReport& report, Bytes pool, std::int64_t token_bytes, std::int64_t block_tokens, std::int64_t context_tokens);

}  // namespace weighbridge

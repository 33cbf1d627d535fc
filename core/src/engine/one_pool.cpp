// SPDX-License-Identifier: Apache-2.0
#include "engine/one_pool.hpp"

#include <algorithm>

namespace weighbridge {

bool has_attention_only(const Model& model) {
  return std::all_of(model.layers.kinds().begin(), model.layers.kinds().end(), [](const LayerSpec& layer) {
    return grouped_attention(layer.mixer) != nullptr || std::holds_alternative<LatentAttention>(layer.mixer);
  });
}

std::int64_t pooled_tokens(const Scenario& scenario, std::int64_t requests, std::int64_t block, bool caches_prefixes) {
  const auto whole = [&](std::int64_t tokens) { return ceil_div(tokens, block) * block; };
  const std::int64_t each = std::min(scenario.average_tokens.value_or(scenario.context_tokens), scenario.context_tokens);
  // The last token of a prompt is computed for every request, and with it the block that it lies in.
  const std::int64_t shared = caches_prefixes ? std::min(scenario.shared_prefix_tokens, each - 1) / block * block : 0;
  return std::max(shared + requests * whole(each - shared), whole(scenario.context_tokens));
}

Term pool_term(const Job& job, FormulaRow row, const Source& source, std::int64_t ranks, bool copies_latents) {
  Term term;
  term.id = "kv_cache";
  term.source = source;
  term.bytes = term.low = row.bytes;
  term.high = term.bytes + term.bytes / 50;
  if (!job.explain) return term;
  term.formula.rows.push_back(std::move(row));
  const bool is_copied = copies_latents && first_latent_attention(job.model.layers) != nullptr;
  if (ranks > 1) term.formula.note = is_copied ? "latent_cache_copied" : "kv_heads_split";
  term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

void report_pool(const Job& job, EngineReport& report, Bytes pool, std::int64_t token_bytes, std::int64_t block_tokens, std::int64_t context_tokens) {
  if (!job.explain || token_bytes == 0) return;
  report.kv_cache_pool = pool;
  report.kv_cache_tokens = static_cast<std::int64_t>(pool.count()) / token_bytes / block_tokens * block_tokens;
  report.max_concurrency = static_cast<double>(*report.kv_cache_tokens) / static_cast<double>(context_tokens);
}

}  // namespace weighbridge

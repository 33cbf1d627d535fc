// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/formula.hpp"
#include "engine/vllm.hpp"
#include "overloaded.hpp"

namespace weighbridge::vllm {

namespace {

constexpr Source kSource{"vllm-project/vllm vllm/v1/kv_cache_interface.py, vllm/v1/core/kv_cache_utils.py",
                         "https://github.com/vllm-project/vllm/blob/v0.11.0/vllm/v1/kv_cache_interface.py"};

/// Values of one token in one layer on one rank: whole heads, at least one; an MLA latent is the same on every rank.
std::int64_t local_values(const Mixer& mixer, std::int64_t ranks) {
  const auto heads = [&](const FullAttention& a) { return std::max<std::int64_t>(1, a.n_kv_heads / ranks) * (a.head_dim_k + a.head_dim_v); };
  return std::visit(Overloaded{heads, [&](const SlidingAttention& a) { return heads(a.heads); },
                               [](const LatentAttention& a) { return a.kv_lora_rank + a.qk_rope_head_dim; }},
                    mixer);
}

struct LayerKind {
  std::int64_t values = 0;  ///< per token, on one rank
  std::int64_t layers = 0;
  std::string_view caption;
};

/// Layers by the size of their cache entries.
std::vector<LayerKind> layer_kinds(const Model& model, const Settings& settings) {
  std::vector<LayerKind> kinds;
  for (const LayerSpec& layer : model.layers) {
    const std::int64_t values = local_values(layer.mixer, settings.tensor);
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const LayerKind& k) { return k.values == values; });
    if (kind == kinds.end()) {
      const bool latent = std::holds_alternative<LatentAttention>(layer.mixer);
      kind = kinds.insert(kind, LayerKind{values, 0, latent ? "latent_values" : "kv_values_here"});
    }
    ++kind->layers;
  }
  return kinds;
}

}  // namespace

Bytes block_bytes(const Model& model, const Settings& settings) {
  Bytes bytes;
  for (const LayerKind& kind : layer_kinds(model, settings))
    bytes += value_of({{"n_layers", kind.layers}, {kind.caption, kind.values}, {"bytes_per_value", settings.cache_value_bytes}, {"block_size", settings.block_size}});
  return bytes;
}

Term cache_term(const Job& job, const Settings& settings) {
  const Scenario& scenario = job.scenario;
  const std::int64_t tokens = ceil_div(scenario.context_tokens, settings.block_size) * settings.block_size;
  Term term;
  term.id = "kv_cache";
  term.basis = Basis::exact;
  term.source = kSource;
  term.records = 10;  // token counts that engines printed for their pools: see tests/core/vllm_test.cpp
  for (const LayerKind& kind : layer_kinds(job.model, settings)) {
    FormulaRow full = make_row(job.explain, "full_sequences",
                               {{"n_layers", kind.layers},
                                {kind.caption, kind.values},
                                {"bytes_per_value", settings.cache_value_bytes},
                                {"tokens_in_blocks", tokens},
                                {"sequences", scenario.sequences}});
    // Block 0 is never handed out (vllm/v1/core/block_pool.py, null_block).
    FormulaRow spare = make_row(job.explain, "null_block",
                                {{"n_layers", kind.layers}, {kind.caption, kind.values}, {"bytes_per_value", settings.cache_value_bytes}, {"block_size", settings.block_size}});
    term.bytes += full.bytes + spare.bytes;
    if (!job.explain) continue;
    term.formula.rows.push_back(std::move(full));
    term.formula.rows.push_back(std::move(spare));
  }
  term.low = term.high = term.bytes;
  if (!job.explain) return term;
  const bool latent = std::holds_alternative<LatentAttention>(job.model.layers.front().mixer);
  term.formula.note = latent ? "latent_cache_copied" : (settings.tensor > 1 ? "kv_heads_split" : "");
  if (latent)
    term.formula.config_keys = {"num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"};
  else
    term.formula.config_keys = {"num_hidden_layers", "num_key_value_heads", "head_dim"};
  return term;
}

}  // namespace weighbridge::vllm

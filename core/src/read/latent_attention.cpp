// SPDX-License-Identifier: Apache-2.0
#include "read/latent_attention.hpp"

#include <algorithm>

#include "json_text.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

namespace {

/// Which layers choose their own tokens; the others read those that the last such layer chose (huggingface/transformers
/// models/glm_moe_dsa/configuration_glm_moe_dsa.py): `indexer_types`, `index_topk_pattern`, or `index_topk_freq` and `index_skip_topk_offset`.
LayerFlags read_indexer_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags flags;
  if (const Json* types = list_per_layer(config, "indexer_types", n_layers)) {
    for (const Json& type : *types) flags.push_back(type == "shared" ? 0 : 1);
    return flags;
  }
  const std::optional<std::string> pattern = config.text_if_given("index_topk_pattern");
  if (pattern && static_cast<std::int64_t>(pattern->size()) == n_layers) {
    for (const char kind : *pattern) flags.push_back(kind == 'S' ? 0 : 1);
    return flags;
  }
  const std::int64_t period = config.positive_or("index_topk_freq", config_limit::layers, 1, "");
  const std::int64_t offset = config.whole_number_if_given("index_skip_topk_offset", 0, config_limit::layers).value_or(2);
  if (config.error()) return flags;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) flags.push_back(std::max<std::int64_t>(layer - offset + 1, 0) % period == 0 ? 1 : 0);
  return flags;
}

}  // namespace

LatentAttention read_latent_attention(KeyReader& config, const LatentAttention& otherwise) {
  LatentAttention a;
  a.n_heads = config.positive("num_attention_heads", config_limit::heads);
  a.q_lora_rank = config.json().contains("q_lora_rank") ? config.count_or_zero("q_lora_rank", config_limit::hidden) : otherwise.q_lora_rank;
  a.kv_lora_rank = config.positive_or("kv_lora_rank", config_limit::head_dim, otherwise.kv_lora_rank, "");
  a.qk_nope_head_dim = config.positive_or("qk_nope_head_dim", config_limit::head_dim, otherwise.qk_nope_head_dim, "");
  a.qk_rope_head_dim = config.whole_number_if_given("qk_rope_head_dim", 0, config_limit::head_dim).value_or(otherwise.qk_rope_head_dim);
  a.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, otherwise.head_dim_v, "");
  return a;
}

Indexer read_indexer(KeyReader& config, const Indexer& otherwise) {
  return {config.positive_or("index_n_heads", config_limit::heads, otherwise.n_heads, ""),
          config.positive_or("index_head_dim", config_limit::head_dim, otherwise.head_dim, ""),
          config.positive_or("index_topk", config_limit::context, otherwise.top_k, ""), otherwise.tokens_per_key};
}

void read_latent_moe(KeyReader& config, Draft& draft, const LatentMoeStyle& style) {
  Model& model = draft.model;
  read_common(config, model);
  LatentAttention attention = read_latent_attention(config, style.attention);
  const bool sparse = style.attention.indexer.n_heads > 0;
  if (sparse) attention.indexer = read_indexer(config, style.attention.indexer);
  const ExpertStack stack = read_expert_stack(config, style.experts);
  const bool bias = config.flag_or("attention_bias", false);
  if (config.error()) return;
  const LayerFlags chooses = sparse ? read_indexer_layers(config, stack.n_layers) : LayerFlags{};
  if (config.error()) return;
  LatentAttention follower = attention;
  follower.indexer = {0, 0, attention.indexer.top_k, 1};
  const auto mixer = [&](std::int64_t layer) { return sparse && chooses[static_cast<std::size_t>(layer)] == 0 ? Mixer(follower) : Mixer(attention); };
  fill_layers(model, stack, mixer, attention);
  model.rotary_dim = attention.qk_rope_head_dim;
  add_decoder(draft, {.root = style.root, .head = style.head, .qkv_bias = bias, .output_bias = bias});
}

}  // namespace weighbridge

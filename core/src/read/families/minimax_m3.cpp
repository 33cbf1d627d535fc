// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/towers/minimax_vit.hpp"

namespace weighbridge {

namespace {

constexpr ExpertNames kExperts{.router = "block_sparse_moe.gate",
                               .router_bias = "block_sparse_moe.e_score_correction_bias",
                               .gate = "block_sparse_moe.experts.{expert}.w1",
                               .up = "block_sparse_moe.experts.{expert}.w3",
                               .down = "block_sparse_moe.experts.{expert}.w2",
                               .shared = "block_sparse_moe.shared_experts.",
                               .router_type = dtype::f32};

/// Which layers choose blocks of tokens, and by what.
struct SparseLayers {
  Indexer indexer;
  LayerFlags sparse;
};

/// Layers without a list of their own are those with experts: dense blocks come with attention to everything.
SparseLayers read_sparse(KeyReader& config, const ExpertStack& stack) {
  SparseLayers s{{4, 128, 16 * 128, 1}, stack.has_experts};
  if (const Json* types = list_per_layer(config, "layer_types", stack.n_layers)) {
    for (std::size_t layer = 0; layer < s.sparse.size(); ++layer) s.sparse[layer] = (*types)[layer] == "minimax_m3_sparse" ? 1 : 0;
  }
  s.indexer.n_heads = config.positive_or("index_n_heads", config_limit::heads, s.indexer.n_heads, "");
  s.indexer.head_dim = config.positive_or("index_head_dim", config_limit::head_dim, s.indexer.head_dim, "");
  if (!config.has("sparse_attention_config") || !config.json().find("sparse_attention_config")->is_object()) return s;
  KeyReader own = config.under("sparse_attention_config");
  s.indexer.n_heads = own.positive_or("sparse_num_index_heads", config_limit::heads, s.indexer.n_heads, "");
  s.indexer.head_dim = own.positive_or("sparse_index_dim", config_limit::head_dim, s.indexer.head_dim, "");
  s.indexer.top_k = own.positive_or("sparse_topk_blocks", config_limit::context, 16, "") * own.positive_or("sparse_block_size", 4096, 128, "");
  if (const Json* list = list_per_layer(own, "sparse_attention_freq", stack.n_layers))
    for (std::size_t layer = 0; layer < s.sparse.size(); ++layer) s.sparse[layer] = (*list)[layer] == 0 ? 0 : 1;
  if (!own.flag_or("use_sparse_attention", true)) s.sparse.assign(s.sparse.size(), 0);
  config.adopt(own);
  return s;
}

void add_block_indexer(TensorList& tensors, const Indexer& indexer, std::int64_t hidden) {
  tensors.linear("self_attn.index_q_proj", indexer.n_heads * indexer.head_dim, hidden);
  tensors.linear("self_attn.index_k_proj", indexer.head_dim, hidden);
  tensors.norm("self_attn.index_q_norm", indexer.head_dim);
  tensors.norm("self_attn.index_k_norm", indexer.head_dim);
}

void read_text(KeyReader& config, Draft& draft, std::string_view root, std::string_view head) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  ExpertStack stack = read_expert_stack(config,
                                        {.experts = "num_local_experts",
                                         .width = "intermediate_size",
                                         .dense_width = config.has("dense_intermediate_size") ? "dense_intermediate_size" : "intermediate_size",
                                         .n_dense = 3,
                                         .n_shared = 1,
                                         .router_bias = config.flag_or("use_routing_bias", true)});
  const std::int64_t n_shared = config.whole_number_if_given("n_shared_experts", 0, 64).value_or(1);
  stack.moe.shared_ffn_size = n_shared * config.positive_or("shared_intermediate_size", config_limit::ffn, stack.moe.moe_ffn_size, "");
  const bool qk_norm = config.flag_or("use_qk_norm", true);
  const bool by_head = config.text_if_given("qk_norm_type").value_or("per_head") == "per_head";
  if (config.error()) return;
  const SparseLayers sparse = read_sparse(config, stack);
  model.rotary_dim = config.positive_or("rotary_dim", config_limit::head_dim,
                                        rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.5)), "");
  if (config.error()) return;
  FullAttention chosen = attention;
  chosen.indexer = sparse.indexer;
  const std::string prefix = std::string(root) + "layers.{layer}.";
  fill_layers(
      model, stack, [&](std::int64_t layer) { return sparse.sparse[static_cast<std::size_t>(layer)] != 0 ? chosen : attention; }, attention);
  add_embeddings(draft, root);
  for (std::int64_t layer = 0; layer < stack.n_layers; ++layer) {
    draft.tensors.at_layer(layer, prefix);
    add_decoder_layer(draft, model.layers[static_cast<std::size_t>(layer)], {.qk_norm = qk_norm, .qk_norm_of_all_heads = !by_head}, kExperts);
    if (sparse.sparse[static_cast<std::size_t>(layer)] != 0) add_block_indexer(draft.tensors, sparse.indexer, model.hidden_size);
  }
  add_head(draft, root, head);
}

}  // namespace

/// The language model of MiniMax-M3 (huggingface/transformers models/minimax_m3_vl): M2's experts beside a shared one, the first layers dense; the
/// other layers read only blocks of tokens that a small attention chooses. The MTP module that the config names is not published.
void read_minimax_m3(KeyReader& config, Draft& draft) { read_text(config, draft, "model.", "lm_head"); }

/// MiniMax-M3 with its image encoder.
void read_minimax_m3_vl(KeyReader& config, Draft& draft) {
  if (!config.has("text_config") || !config.json().find("text_config")->is_object())
    return config.fail(notice::missing_key(config.path("text_config"), "text_config", "an object with the language model's keys"));
  KeyReader text = config.under("text_config");
  read_text(text, draft, "language_model.model.", "language_model.lm_head");
  config.adopt(text);
  if (config.error()) return;
  const std::optional<VisionTower> tower = read_minimax_vit(config);
  if (!tower) return;
  draft.model.vision = tower;
  add_minimax_vit(draft.tensors, config, *tower, draft.model.hidden_size);
}

}  // namespace weighbridge

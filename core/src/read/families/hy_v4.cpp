// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// The gates between the residual streams, in f32: one row a stream going in, and one coming out where there is an `out`.
void add_stream_gates(TensorList& tensors, std::string_view name, std::int64_t streams, std::int64_t hidden, bool out) {
  const std::string base(name);
  const std::int64_t rows = out ? 2 * streams : streams;
  const auto add = [&](const char* part, std::int64_t count, std::int64_t cols) {
    tensors.add({.name = base + part, .rows = count, .cols = cols, .role = TensorRole::norm, .type = dtype::f32});
  };
  add(".fn", rows, streams * hidden);
  add(".base", rows, 1);
  add(".scale", out ? 2 : 1, 1);
}

LatentAttention read_attention(KeyReader& config) {
  LatentAttention a;
  a.n_heads = config.positive("num_attention_heads", config_limit::heads);
  a.q_lora_rank = config.positive_or("q_lora_rank", config_limit::hidden, 2048, "");
  a.kv_lora_rank = config.positive_or("kv_lora_rank", config_limit::head_dim, 512, "");
  a.qk_nope_head_dim = config.positive_or("qk_nope_head_dim", config_limit::head_dim, 192, "");
  a.qk_rope_head_dim = config.positive_or("qk_rope_head_dim", config_limit::head_dim, 64, "");
  a.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, 256, "");
  a.indexer = {config.positive_or("index_n_heads", config_limit::heads, 32, ""),
               config.positive_or("index_head_dim", config_limit::head_dim, 128, ""),
               config.positive_or("index_topk", config_limit::context, 2048, "")};
  return a;
}

/// One layer; `streams` residual streams run beside each other.
void add_layer(Draft& draft, const LayerSpec& layer, std::int64_t streams) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const auto& attention = std::get<LatentAttention>(layer.mixer);
  add_decoder_layer(draft, layer, {});
  tensors.linear("self_attn.attn_gate", attention.n_heads * attention.head_dim_v, hidden);
  tensors.add({.name = "self_attn.sinks", .rows = attention.n_heads, .type = dtype::f32});
  add_stream_gates(tensors, "attn_hc", streams, hidden, true);
  add_stream_gates(tensors, "ffn_hc", streams, hidden, true);
}

}  // namespace

/// Hunyuan 4: gated multi-head latent attention with sinks; an indexer in the layers that `indexer_types` calls "full", whose choice the "shared" ones
/// take over; `hc_mult` residual streams. Source: the class defaults of its configuration and its MLX port (an attn_hc and an ffn_hc of f32 gates per
/// layer, an hc_head at the end).
void read_hy_v4(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const LatentAttention attention = read_attention(config);
  LatentAttention without_indexer = attention;
  without_indexer.indexer = {};
  MoeFfn moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  moe.shared_ffn_size = config.whole_number_if_given("n_shared_experts", 0, 64).value_or(1) * moe.moe_ffn_size;
  moe.router_bias = true;
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t n_dense = config.whole_number_if_given("first_k_dense_replace", 0, config_limit::layers).value_or(1);
  const std::int64_t streams = config.positive_or("hc_mult", 64, 4, "");
  const std::vector<char> shares = read_layer_kinds(config, "indexer_types", n_layers, {"full", "shared"});
  if (config.count_or_zero("num_nextn_predict_layers", 64) > 0)
    config.warn(
        notice::custom("not_counted", config.path("num_nextn_predict_layers"),
                       "The multi-token-prediction layer is not counted: its tensors are not documented. Engines load it for speculation only.",
                       "num_nextn_predict_layers", "", "a checkpoint without it"));
  if (config.error()) return;
  model.rotary_dim = attention.qk_rope_head_dim;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_shared = !shares.empty() && shares[static_cast<std::size_t>(layer)] != 0;
    model.layers.push_back({is_shared ? without_indexer : attention, layer < n_dense ? Ffn(dense) : Ffn(moe)});
    draft.tensors.at_layer(layer);
    add_layer(draft, model.layers.back(), streams);
  }
  draft.tensors.outside();
  add_stream_gates(draft.tensors, "model.hc_head", streams, model.hidden_size, false);
  add_head(draft);
}

}  // namespace weighbridge

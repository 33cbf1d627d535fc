// SPDX-License-Identifier: Apache-2.0
// The tensors that most decoders have in common. A family whose layers are put together otherwise calls the parts itself.
#pragma once

#include "read/draft.hpp"

namespace weighbridge {

/// What a Llama-like decoder's checkpoints have beyond, or other than, Llama's.
struct DecoderStyle {
  std::string_view root = "model.";  ///< what the names of embeddings, layers and last norm begin with
  std::string_view head = "lm_head";
  bool qkv_bias = false;
  bool output_bias = false;
  bool output_gate = false;           ///< q_proj also makes a gate of every head's output (Qwen3-Next)
  bool qk_norm = false;               ///< norms of head_dim on queries and keys
  bool no_value = false;              ///< the family writes its value projection itself (K2 Horizon)
  bool qk_norm_of_all_heads = false;  ///< those norms span all heads together (MiniMax-M2)
  bool ffn_bias = false;
  bool norm_bias = false;  ///< LayerNorm instead of RMSNorm (Nemotron)
  bool head_bias = false;
  std::string_view q_norm = "self_attn.q_norm";
  std::string_view k_norm = "self_attn.k_norm";
  bool post_norms = false;      ///< norms also after attention and after the feed-forward block (Gemma 2 and 3)
  bool fused = false;           ///< q, k, v in one matrix, gate and up in another (Phi-3)
  std::int64_t key_shards = 1;  ///< parts in which the key projection was quantized (MiMo-V2)
};

/// embed_tokens.
void add_embeddings(Draft& draft, std::string_view root = "model.");
/// The last norm, and lm_head unless it is tied and not stored.
void add_head(Draft& draft, std::string_view root = "model.", std::string_view head = "lm_head", std::string_view norm = "norm",
              bool norm_bias = false, bool head_bias = false);
/// Queries, keys and values in one matrix `name`.
void add_fused_qkv(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, std::string_view name, bool bias = false);

/// self_attn.{q,k,v,o}_proj, their biases, q_norm and k_norm, sinks.
void add_attention(TensorList& tensors, const FullAttention& heads, std::int64_t hidden, const DecoderStyle& style);
/// Multi-head latent attention as DeepSeek-V2 and V3 store it, and its indexer if it has one; `bias` is that of the projections from and to `hidden`.
void add_latent_attention(TensorList& tensors, const LatentAttention& attention, std::int64_t hidden, bool bias = false);
/// self_attn.indexer of DeepSeek-V3.2, whose queries come from `query_cols` values (huggingface/transformers models/deepseek_v32).
void add_indexer(TensorList& tensors, const Indexer& indexer, std::int64_t query_cols, std::int64_t hidden);
/// `prefix`{gate,up,down}_proj; no gate unless the block is gated.
void add_dense_ffn(TensorList& tensors, const DenseFfn& ffn, std::int64_t hidden, bool bias = false, bool fused = false,
                   std::string_view prefix = "mlp.");

/// How a family names its router and experts, `.weight` left out.
struct ExpertNames {
  std::string_view router = "mlp.gate";
  std::string_view router_bias = "mlp.gate.e_score_correction_bias";
  std::string_view gate = "mlp.experts.{expert}.gate_proj";
  std::string_view up = "mlp.experts.{expert}.up_proj";
  std::string_view down = "mlp.experts.{expert}.down_proj";
  std::string_view shared = "mlp.shared_experts.";
  std::string_view shared_gate{};                   ///< scales what the shared block adds (Qwen); empty: nothing does
  std::optional<DType> router_type = std::nullopt;  ///< unless it is the checkpoint's base type
};
/// Mixtral's names, which others took over.
[[nodiscard]] ExpertNames mixtral_experts();
/// Router, its correction bias (f32) if it has one, all experts, the shared block.
void add_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden, const ExpertNames& names = {});

/// One layer's mixer and feed-forward block with a norm before each, in the style of Llama. Mixers: grouped attention and latent attention.
void add_decoder_layer(Draft& draft, const LayerSpec& layer, const DecoderStyle& style, const ExpertNames& experts = {});
/// All of a Llama-like decoder: embeddings, layers, head, and MTP layers in DeepSeek-V3's manner.
void add_decoder(Draft& draft, const DecoderStyle& style = {}, const ExpertNames& experts = {});

}  // namespace weighbridge

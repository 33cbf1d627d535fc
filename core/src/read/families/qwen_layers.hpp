// SPDX-License-Identifier: Apache-2.0
// What several generations of Qwen have in common.
#pragma once

#include <optional>

#include "key_reader.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

/// Where a language model stands in a checkpoint that holds more than it.
struct TextPlace {
  std::string_view root = "model.";
  std::string_view head = "lm_head";
  std::optional<bool> tied = std::nullopt;  ///< what the outer config says of tie_word_embeddings; it wins
};

/// Qwen 1.5 to 2.5, dense Qwen3 and Qwen3 MoE: layers and tensors of the decoder.
void read_qwen2_text(KeyReader& config, Draft& draft, const TextPlace& place);
void read_qwen3_text(KeyReader& config, Draft& draft, const TextPlace& place);
void read_qwen3_moe_text(KeyReader& config, Draft& draft, const TextPlace& place);

/// The object under `key`; nothing if it is absent, an error if it is anything else.
[[nodiscard]] std::optional<KeyReader> object_under(KeyReader& config, std::string_view key);

/// hidden_size, and what a config may leave to its class: vocabulary, context, tied embeddings.
void read_sizes(KeyReader& config, Model& model, std::int64_t vocab_size, std::int64_t context_tokens);

/// The width of the block that every token takes, `shared_expert_intermediate_size`, 0 where there is none.
[[nodiscard]] MoeFfn read_qwen_experts(KeyReader& config, std::int64_t n_experts, std::int64_t n_used, std::int64_t moe_ffn_size,
                                       std::int64_t shared_ffn_size);

/// The feed-forward block of every layer: MoE in each `decoder_sparse_step`-th but those of `mlp_only_layers`, else dense with `intermediate_size`
/// or, where that is absent, `dense_size` (0: then it must be there).
[[nodiscard]] std::vector<Ffn> read_sparse_ffns(KeyReader& config, const MoeFfn& moe, std::int64_t n_layers, std::int64_t dense_size = 0);

/// The shared expert of Qwen has a gate of its own.
inline constexpr ExpertNames kQwenExperts{.shared = "mlp.shared_expert.", .shared_gate = "mlp.shared_expert_gate"};

/// The elements of a head that rotate: `partial_rotary_factor`, there or in `rope_parameters`, else a quarter of the head.
[[nodiscard]] std::int64_t read_quarter_rotary(KeyReader& config, std::int64_t head_dim);

/// The gated delta net (arXiv:2412.06464) of Qwen3-Next and later: `linear_num_key_heads` and so on, with the defaults of its class.
[[nodiscard]] RecurrentMixer read_gated_delta_net(KeyReader& config);

/// How a checkpoint stores gated delta nets.
struct DeltaStyle {
  bool fused = false;      ///< q, k, v, z in one matrix and b, a in another (Qwen3-Next); else in_proj_qkv, _z, _b, _a (Qwen3.5)
  bool keeps_f32 = false;  ///< A_log and the norm stay f32 (Qwen3.5, not Qwen3.6: vllm-project/vllm#51836)
};
void add_gated_delta_net(TensorList& tensors, const RecurrentMixer& mixer, std::int64_t hidden, const DeltaStyle& style);

/// The mixer of every layer: gated delta net, but attention where `layer_types` says anything else than "linear_attention" or, without that key,
/// in every `full_attention_interval`-th layer.
[[nodiscard]] std::vector<Mixer> read_hybrid_mixers(KeyReader& config, const RecurrentMixer& delta, const FullAttention& heads,
                                                    std::int64_t n_layers);

/// Heads whose dimension is 256 unless head_dim says otherwise.
[[nodiscard]] FullAttention read_hybrid_attention(KeyReader& config, std::int64_t n_heads, std::int64_t n_kv_heads);

/// Mixer and feed-forward block of a layer of Qwen3-Next and later, without its norms.
void add_hybrid_mixer(Draft& draft, const LayerSpec& layer, const DecoderStyle& attention, const DeltaStyle& delta);
void add_hybrid_ffn(Draft& draft, const LayerSpec& layer);

}  // namespace weighbridge

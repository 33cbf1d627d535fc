// SPDX-License-Identifier: Apache-2.0
// The fields of a model in the order in which a spec holds them: written once, visited by its writer and its reader.
#pragma once

#include <array>
#include <string_view>

#include "weighbridge/model.hpp"

namespace weighbridge::spec {

/// Names of the alternatives of a variant, in its order.
inline constexpr std::array<std::string_view, std::variant_size_v<Mixer>> kMixers{"full",   "sliding",    "chunked",   "cross", "encoder",
                                                                                  "latent", "compressed", "recurrent", "none"};
inline constexpr std::array<std::string_view, std::variant_size_v<Ffn>> kFfns{"dense", "moe", "none"};

/// The last enumerator of each kind that a spec holds as a number.
constexpr int last_of(RecurrentKind) { return static_cast<int>(RecurrentKind::rwkv7); }
constexpr int last_of(WeightQuantization) { return static_cast<int>(WeightQuantization::mlc); }
constexpr int last_of(TensorRole) { return static_cast<int>(TensorRole::generic); }
constexpr int last_of(StatedCache) { return static_cast<int>(StatedCache::fp8_by_compressed_tensors); }
constexpr int last_of(ModelPart) { return static_cast<int>(ModelPart::speech); }

template <class Visitor>
void fields(Visitor& v, Indexer& a) {
  v(a.n_heads), v(a.head_dim), v(a.top_k), v(a.tokens_per_key);
}
template <class Visitor>
void fields(Visitor& v, FullAttention& a) {
  v(a.n_heads), v(a.n_kv_heads), v(a.head_dim_k), v(a.head_dim_v), v(a.sinks), fields(v, a.indexer);
}
template <class Visitor>
void fields(Visitor& v, SlidingAttention& a) {
  v(a.window), fields(v, a.heads);
}
template <class Visitor>
void fields(Visitor& v, ChunkedAttention& a) {
  v(a.chunk), fields(v, a.heads);
}
template <class Visitor>
void fields(Visitor& v, CrossAttention& a) {
  v(a.source_tokens), fields(v, a.heads);
}
template <class Visitor>
void fields(Visitor& v, EncoderAttention& a) {
  v(a.window), fields(v, a.heads);
}
template <class Visitor>
void fields(Visitor& v, LatentAttention& a) {
  v(a.n_heads), v(a.q_lora_rank), v(a.kv_lora_rank), v(a.qk_nope_head_dim), v(a.qk_rope_head_dim), v(a.head_dim_v), fields(v, a.indexer);
}
template <class Visitor>
void fields(Visitor& v, CompressedAttention& a) {
  v(a.n_heads), v(a.head_dim), v(a.window), v(a.compress_ratio), fields(v, a.indexer);
}
template <class Visitor>
void fields(Visitor& v, RecurrentMixer& a) {
  v(a.kind), v(a.inner_size), v(a.n_heads), v(a.state_values), v(a.conv_channels), v(a.conv_kernel);
}
template <class Visitor>
void fields(Visitor&, NoMixer&) {}
template <class Visitor>
void fields(Visitor& v, DenseFfn& f) {
  v(f.ffn_size), v(f.gated);
}
template <class Visitor>
void fields(Visitor& v, MoeFfn& f) {
  v(f.n_experts), v(f.n_experts_used), v(f.moe_ffn_size), v(f.shared_ffn_size), v(f.router_bias), v(f.gated), v(f.n_groups), v(f.n_groups_used),
      v(f.normalizes_weights), v(f.scales_weights);
}
template <class Visitor>
void fields(Visitor&, NoFfn&) {}
template <class Visitor>
void fields(Visitor& v, VisionTower& t) {
  v(t.hidden_size), v(t.ffn_size), v(t.n_layers), v(t.n_heads), v(t.n_channels), v(t.patch_size), v(t.image_size), v(t.tokens_per_image);
}
template <class Visitor>
void fields(Visitor& v, WeightsLayout& l) {
  v(l.quantization), v(l.base), v(l.block_rows), v(l.block_cols), v(l.bits), v(l.scales), v(l.input_scale), v(l.experts_only), v(l.zero_points),
      v(l.activation_order), v(l.nested_scales), v(l.counts_scalars), v(l.counts_scales), v(l.whole_model), v(l.bits_x1000);
}
/// All but the name; the most usual values last, since a row ends where only defaults follow.
template <class Visitor>
void fields(Visitor& v, Tensor& t) {
  v(t.rows), v(t.cols), v(t.layers.first), v(t.layers.count), v(t.role), v(t.per_layer), v(t.recipe), v(t.layers.stride), v(t.part), v(t.type),
      v(t.is_copy), v(t.is_scale), v(t.is_uncounted), v(t.shards);
}
/// What stands beside layers and tensors.
template <class Visitor>
void fields(Visitor& v, Model& m) {
  v(m.hidden_size), v(m.vocab_size), v(m.max_context_tokens), v(m.rotary_dim), v(m.base), v(m.tied_embeddings), v(m.n_rotary_tables),
      v(m.rope_factors), v(m.parameters_by_name), v(m.from_gguf), v(m.stated_cache);
}

}  // namespace weighbridge::spec

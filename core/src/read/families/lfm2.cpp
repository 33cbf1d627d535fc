// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// `layer_types` of "conv" and "full_attention", or `full_attn_idxs`; every layer attends if neither is there.
LayerFlags read_attention_layers(KeyReader& config, std::int64_t n_layers) {
  if (config.has("layer_types")) return read_layer_kinds(config, "layer_types", n_layers, {"conv", "full_attention"});
  if (config.has("full_attn_idxs")) return read_listed_layers(config, "full_attn_idxs", n_layers);
  return LayerFlags(static_cast<std::size_t>(n_layers), 1);
}

/// The width that the blocks really have: two thirds, then up to a multiple (Lfm2MLP).
std::int64_t adjusted(KeyReader& config, std::int64_t width) {
  const double factor = config.fraction("block_ffn_dim_multiplier", 64.0).value_or(1.0);
  const std::int64_t multiple = config.positive_or("block_multiple_of", config_limit::ffn, 256, "");
  if (!config.flag_or("block_auto_adjust_ff_dim", true) || config.error()) return width;
  const auto scaled = static_cast<std::int64_t>(factor * static_cast<double>(2 * width / 3));
  return (scaled + multiple - 1) / multiple * multiple;
}

struct Lfm2 {
  FullAttention attention;
  RecurrentMixer convolution;
  bool conv_bias = false;
};

Lfm2 read_sizes(KeyReader& config, Model& model) {
  Lfm2 lfm;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, 128000, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", config.flag_or("tie_embedding", true));
  lfm.attention = read_full_attention(config, model);
  model.rotary_dim = lfm.attention.head_dim_k;
  lfm.conv_bias = config.flag_or("conv_bias", false);
  const std::int64_t kernel = config.positive_or("conv_L_cache", 4096, 3, "");
  lfm.convolution = {RecurrentKind::short_conv, model.hidden_size, 0, 0, model.hidden_size, kernel};
  return lfm;
}

void add_mixer(TensorList& tensors, const Lfm2& lfm, bool attends, std::int64_t hidden) {
  if (!attends) {
    tensors.linear("conv.in_proj", 3 * hidden, hidden, lfm.conv_bias);
    tensors.linear("conv.conv", hidden, lfm.convolution.conv_kernel, lfm.conv_bias);
    return tensors.linear("conv.out_proj", hidden, hidden, lfm.conv_bias);
  }
  const FullAttention& heads = lfm.attention;
  tensors.linear("self_attn.q_proj", heads.n_heads * heads.head_dim_k, hidden);
  tensors.linear("self_attn.k_proj", heads.n_kv_heads * heads.head_dim_k, hidden);
  tensors.linear("self_attn.v_proj", heads.n_kv_heads * heads.head_dim_v, hidden);
  tensors.linear("self_attn.out_proj", hidden, heads.n_heads * heads.head_dim_v);
  tensors.norm("self_attn.q_layernorm", heads.head_dim_k);
  tensors.norm("self_attn.k_layernorm", heads.head_dim_k);
}

void add_ffn(TensorList& tensors, const Ffn& ffn, std::int64_t hidden) {
  if (const auto* moe = std::get_if<MoeFfn>(&ffn))
    return add_experts(tensors, *moe, hidden,
                       {.router = "feed_forward.gate",
                        .router_bias = "feed_forward.expert_bias",
                        .gate = "feed_forward.experts.{expert}.w1",
                        .up = "feed_forward.experts.{expert}.w3",
                        .down = "feed_forward.experts.{expert}.w2"});
  const std::int64_t width = std::get<DenseFfn>(ffn).ffn_size;
  tensors.linear("feed_forward.w1", width, hidden);
  tensors.linear("feed_forward.w3", width, hidden);
  tensors.linear("feed_forward.w2", hidden, width);
}

/// `ffn_of(index)` is the feed-forward block of a layer.
template <class FfnOf>
void add_layers(KeyReader& config, Draft& draft, const Lfm2& lfm, FfnOf ffn_of) {
  Model& model = draft.model;
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const LayerFlags attends = read_attention_layers(config, n_layers);
  if (config.error()) return;
  add_embeddings(draft);
  for (const char attention_here : attends) {
    draft.tensors.at_layer(model.n_layers());
    model.layers.push_back({attention_here != 0 ? Mixer(lfm.attention) : Mixer(lfm.convolution), ffn_of(model.n_layers())});
    draft.tensors.norm("operator_norm", model.hidden_size);
    add_mixer(draft.tensors, lfm, attention_here != 0, model.hidden_size);
    draft.tensors.norm("ffn_norm", model.hidden_size);
    add_ffn(draft.tensors, model.layers.back().ffn, model.hidden_size);
  }
  add_head(draft, "model.", "lm_head", "embedding_norm");
}

}  // namespace

/// LFM2 (huggingface/transformers models/lfm2): a gated short convolution in most layers, attention in some.
void read_lfm2(KeyReader& config, Draft& draft) {
  const Lfm2 lfm = read_sizes(config, draft.model);
  const std::int64_t width = config.positive(config.has("block_ff_dim") ? "block_ff_dim" : "intermediate_size", config_limit::ffn);
  const Ffn ffn = DenseFfn{adjusted(config, width)};
  add_layers(config, draft, lfm, [&](std::int64_t) { return ffn; });
}

/// LFM2 with experts in all but the first `num_dense_layers` layers (models/lfm2_moe).
void read_lfm2_moe(KeyReader& config, Draft& draft) {
  const Lfm2 lfm = read_sizes(config, draft.model);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  MoeFfn moe = read_routed_experts(config, "num_experts", "moe_intermediate_size");
  moe.router_bias = config.flag_or("use_expert_bias", true);
  const std::int64_t n_dense = config.count_or_zero("num_dense_layers", config_limit::layers);
  add_layers(config, draft, lfm, [&](std::int64_t layer) -> Ffn {
    if (layer < n_dense) return dense;
    return moe;
  });
}

}  // namespace weighbridge

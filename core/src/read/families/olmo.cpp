// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Norms over all heads together on queries and keys.
void add_wide_norms(TensorList& tensors, const FullAttention& heads) {
  tensors.norm("self_attn.q_norm", heads.n_heads * heads.head_dim_k);
  tensors.norm("self_attn.k_norm", heads.n_kv_heads * heads.head_dim_k);
}

/// OLMo 2 and 3: norms after attention and after the feed-forward block, none before.
void add_olmo2_decoder(Draft& draft, bool bias) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_embeddings(draft);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    const FullAttention& heads = *grouped_attention(layer.mixer);
    tensors.at_layer(index++);
    add_attention(tensors, heads, hidden, {.qkv_bias = bias, .output_bias = bias});
    add_wide_norms(tensors, heads);
    tensors.norm("post_attention_layernorm", hidden);
    add_dense_ffn(tensors, std::get<DenseFfn>(layer.ffn), hidden);
    tensors.norm("post_feedforward_layernorm", hidden);
  }
  add_head(draft);
}

/// Sliding layers by `layer_types`, else all but every fourth if the family slides at all.
void read_olmo2_like(KeyReader& config, Draft& draft, bool slides) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 32, .heads = 32, .ffn = 11008, .vocab = 50304, .context = 2048};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t window = slides ? config.positive_or("sliding_window", config_limit::context, 4096, "") : 0;
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t layer) { return (layer + 1) % 4 != 0; }))
    model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_olmo2_decoder(draft, bias);
}

}  // namespace

/// OLMo 1 (huggingface/transformers models/olmo): Llama's layers, norms without weights.
void read_olmo(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 32, .heads = 32, .ffn = 11008, .vocab = 50304, .context = 2048};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    add_attention(draft.tensors, attention, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    add_dense_ffn(draft.tensors, ffn, model.hidden_size);
  }
  draft.tensors.outside();
  if (!model.tied_embeddings) draft.tensors.linear("lm_head", model.vocab_size, model.hidden_size);
}

/// OLMo 2 (huggingface/transformers models/olmo2).
void read_olmo2(KeyReader& config, Draft& draft) { read_olmo2_like(config, draft, false); }

/// OLMo 3 (huggingface/transformers models/olmo3).
void read_olmo3(KeyReader& config, Draft& draft) { read_olmo2_like(config, draft, true); }

/// OLMoE (huggingface/transformers models/olmoe): Llama's norms, OLMo 2's norms on queries and keys, experts in every layer.
void read_olmoe(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 2048, .layers = 16, .heads = 16, .ffn = 2048, .vocab = 50304, .context = 4096};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const std::string_view experts_key = first_key(config, {"num_experts", "num_local_experts"});
  MoeFfn moe;
  moe.n_experts = config.positive_or(experts_key, config_limit::experts, 64, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, 8, "");
  moe.moe_ffn_size = read_dense_ffn(config, defaults).ffn_size;
  check_experts_used(config, moe, experts_key);
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, moe});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias});
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    add_wide_norms(draft.tensors, attention);
  }
}

}  // namespace weighbridge

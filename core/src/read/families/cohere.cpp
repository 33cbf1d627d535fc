// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// One norm a layer, before attention and feed-forward block alike, which run side by side; every query and key head has a norm of its own if
/// `qk_norm`. Embeddings are tied.
void add_parallel_decoder(Draft& draft, bool bias, bool qk_norm) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_embeddings(draft);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    const FullAttention& heads = *grouped_attention(layer.mixer);
    tensors.at_layer(index++);
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, heads, hidden, {.qkv_bias = bias, .output_bias = bias});
    if (qk_norm) {
      tensors.linear("self_attn.q_norm", heads.n_heads, heads.head_dim_k);
      tensors.linear("self_attn.k_norm", heads.n_kv_heads, heads.head_dim_k);
    }
    add_dense_ffn(tensors, std::get<DenseFfn>(layer.ffn), hidden);
  }
  add_head(draft);
}

}  // namespace

/// Command R, R+ and Aya 23 (huggingface/transformers models/cohere).
void read_cohere(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 8192, .layers = 40, .heads = 64, .ffn = 22528, .vocab = 256000, .context = 8192, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const bool qk_norm = config.flag_or("use_qk_norm", false);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_parallel_decoder(draft, bias, qk_norm);
}

/// Command R7B and A (huggingface/transformers models/cohere2): of `sliding_window_pattern` layers the last sees everything.
void read_cohere2(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 8192, .layers = 40, .heads = 64, .ffn = 22528, .vocab = 256000, .context = 8192, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 4096, "");
  const std::int64_t pattern = config.positive_or("sliding_window_pattern", config_limit::layers, 4, "");
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [&](std::int64_t layer) { return (layer + 1) % pattern != 0; }))
    model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_parallel_decoder(draft, bias, false);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/towers/mllama_vision.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kImageTokenRows = 8;  ///< more rows of the embedding than the vocabulary has (MllamaTextModel)

/// `cross_attention_layers`, by default 3, 8, 13, ... 38.
LayerFlags read_cross_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags crosses = read_listed_layers(config, "cross_attention_layers", n_layers);
  if (config.error() || config.has("cross_attention_layers")) return crosses;
  for (std::int64_t layer = 3; layer < std::min<std::int64_t>(n_layers, 39); layer += 5) crosses[static_cast<std::size_t>(layer)] = 1;
  return crosses;
}

/// Attention to the image, gated by two scalars.
void add_cross_layer(TensorList& tensors, const FullAttention& heads, const DenseFfn& ffn, std::int64_t hidden) {
  const std::int64_t q = heads.n_heads * heads.head_dim_k;
  const std::int64_t kv = heads.n_kv_heads * heads.head_dim_k;
  tensors.norm("input_layernorm", hidden);
  tensors.linear("cross_attn.q_proj", q, hidden);
  tensors.linear("cross_attn.k_proj", kv, hidden);
  tensors.linear("cross_attn.v_proj", kv, hidden);
  tensors.linear("cross_attn.o_proj", hidden, q);
  tensors.norm("cross_attn.q_norm", heads.head_dim_k);
  tensors.norm("cross_attn.k_norm", heads.head_dim_k);
  tensors.add({.name = "cross_attn_attn_gate", .rows = 1});
  tensors.norm("post_attention_layernorm", hidden);
  add_dense_ffn(tensors, ffn, hidden);
  tensors.add({.name = "cross_attn_mlp_gate", .rows = 1});
}

/// `source_tokens`: what an image gives the layers that attend to it.
void read_text(KeyReader& config, Draft& draft, std::int64_t source_tokens, const std::string& root, std::string_view head) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 40, .heads = 32, .kv_heads = 8, .ffn = 14336, .vocab = 128256, .context = 131072};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  const LayerFlags crosses = read_cross_layers(config, n_layers);
  if (config.error()) return;
  model.rotary_dim = heads.head_dim_k;
  model.rope_factors = heads.head_dim_k / 2;
  TensorList& tensors = draft.tensors;
  const std::string prefix = root + "layers.{layer}.";
  tensors.linear(root + "embed_tokens", model.vocab_size + kImageTokenRows, model.hidden_size);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool is_cross = crosses[static_cast<std::size_t>(layer)] != 0;
    model.layers.push_back({is_cross ? Mixer(CrossAttention{heads, source_tokens}) : Mixer(heads), ffn});
    tensors.at_layer(layer, prefix);
    if (is_cross)
      add_cross_layer(tensors, heads, ffn, model.hidden_size);
    else
      add_decoder_layer(draft, model.layers.back(), {});
  }
  add_head(draft, root, head);
}

}  // namespace

/// The language model of Llama 3.2 Vision alone (huggingface/transformers models/mllama): nothing to attend to.
void read_mllama_text(KeyReader& config, Draft& draft) { read_text(config, draft, 0, "model.", "lm_head"); }

/// Llama 3.2 Vision: Llama 3.1 with layers between that attend to the image.
void read_mllama(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object())
    return config.fail(notice::missing_key(config.path("vision_config"), "vision_config", "an object with the image encoder's keys"));
  KeyReader vision = config.under("vision_config");
  const MllamaVision v = read_mllama_vision(vision);
  config.adopt(vision);
  if (config.error()) return;
  read_text(*text, draft, v.n_tiles * v.tile_tokens(), "language_model.model.", "language_model.lm_head");
  config.adopt(*text);
  if (config.error()) return;
  draft.model.vision = v.tower;
  add_mllama_vision(draft.tensors, v, draft.model.hidden_size);
}

}  // namespace weighbridge

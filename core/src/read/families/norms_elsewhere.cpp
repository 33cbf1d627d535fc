// SPDX-License-Identifier: Apache-2.0
// Families whose layers are Llama's but for their norms: other names, more of them, fewer, or none.
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// Hyper-parameters of a decoder whose layers are all alike.
LayerSpec read_plain(KeyReader& config, Model& model, const ClassDefaults& defaults, bool gated) {
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  ffn.gated = gated;
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  return {attention, ffn};
}

/// Embeddings and every layer as `add_layer` writes it.
template <class AddLayer>
void add_layers(Draft& draft, AddLayer add_layer) {
  add_embeddings(draft);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    draft.tensors.at_layer(index++);
    add_layer(*grouped_attention(layer.mixer), std::get<DenseFfn>(layer.ffn));
  }
}

}  // namespace

/// Apertus (huggingface/transformers models/apertus): no gate, norms on queries and keys, two learned numbers in each activation (xIELU).
void read_apertus(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 32, .heads = 32, .ffn = 14336, .vocab = 131072, .context = 65536};
  read_plain(config, draft.model, defaults, false);
  const bool bias = config.flag_or("attention_bias", false);
  const bool learned = config.text_if_given("hidden_act").value_or("xielu") == "xielu";
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_layers(draft, [&](const FullAttention& heads, const DenseFfn& ffn) {
    tensors.norm("attention_layernorm", hidden);
    add_attention(tensors, heads, hidden, {.qkv_bias = bias, .output_bias = bias, .qk_norm = true});
    tensors.norm("feedforward_layernorm", hidden);
    add_dense_ffn(tensors, ffn, hidden);
    if (!learned) return;
    tensors.add({.name = "mlp.act_fn.alpha_p", .rows = 1});
    tensors.add({.name = "mlp.act_fn.alpha_n", .rows = 1});
  });
  add_head(draft);
}

/// BitNet b1.58 (huggingface/transformers models/bitnet): a norm also before each block's last matrix.
void read_bitnet(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 2560, .layers = 30, .heads = 20, .kv_heads = 5, .ffn = 6912, .vocab = 128256, .context = 2048, .tied = true};
  read_plain(config, draft.model, defaults, true);
  const bool bias = config.flag_or("attention_bias", false);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_layers(draft, [&](const FullAttention& heads, const DenseFfn& ffn) {
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, heads, hidden, {.qkv_bias = bias, .output_bias = bias});
    tensors.norm("self_attn.attn_sub_norm", hidden);
    tensors.norm("post_attention_layernorm", hidden);
    add_dense_ffn(tensors, ffn, hidden);
    tensors.norm("mlp.ffn_sub_norm", ffn.ffn_size);
  });
  add_head(draft);
}

/// HyperCLOVA X SEED (naver-hyperclovax/HyperCLOVAX-SEED-Think-14B modeling_hyperclovax.py): norms after both blocks if `use_post_norm`.
void read_hyperclovax(KeyReader& config, Draft& draft) {
  read_plain(config, draft.model, {}, true);
  const bool bias = config.flag_or("attention_bias", false);
  const bool ffn_bias = config.flag_or("mlp_bias", false);
  const bool after = config.flag_or("use_post_norm", false);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_layers(draft, [&](const FullAttention& heads, const DenseFfn& ffn) {
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, heads, hidden, {.qkv_bias = bias, .output_bias = bias});
    tensors.norm("post_attention_layernorm", hidden);
    add_dense_ffn(tensors, ffn, hidden, ffn_bias);
    if (after) tensors.norm("post_norm1", hidden);
    if (after) tensors.norm("post_norm2", hidden);
  });
  add_head(draft);
}

/// NanoChat (huggingface/transformers models/nanochat): no gate, norms without weights.
void read_nanochat(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 768, .layers = 12, .heads = 6, .kv_heads = 6, .ffn = 8192, .vocab = 50304, .context = 2048};
  read_plain(config, draft.model, defaults, false);
  const bool bias = config.flag_or("attention_bias", false);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const Model& model = draft.model;
  add_layers(draft, [&](const FullAttention& heads, const DenseFfn& ffn) {
    add_attention(tensors, heads, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    tensors.linear("mlp.fc1", ffn.ffn_size, model.hidden_size);
    tensors.linear("mlp.fc2", model.hidden_size, ffn.ffn_size);
  });
  if (model.tied_embeddings) return;
  tensors.outside();
  tensors.linear("lm_head", model.vocab_size, model.hidden_size);
}

/// VaultGemma (huggingface/transformers models/vaultgemma): Gemma 2 without the norms after its blocks.
void read_vaultgemma(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 2304, .layers = 26, .heads = 8, .kv_heads = 4, .head_dim = 256, .ffn = 9216, .vocab = 256000, .context = 8192, .tied = true};
  Model& model = draft.model;
  const LayerSpec layer = read_plain(config, model, defaults, true);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 4096, "");
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t n_layers = model.n_layers();
  if (config.error()) return;
  model.layers.clear();
  const FullAttention attention = *grouped_attention(layer.mixer);
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t index) { return index % 2 == 0; }))
    model.layers.push_back({mixer, layer.ffn});
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  add_layers(draft, [&](const FullAttention& heads, const DenseFfn& ffn) {
    tensors.norm("input_layernorm", model.hidden_size);
    add_attention(tensors, heads, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    tensors.norm("pre_feedforward_layernorm", model.hidden_size);
    add_dense_ffn(tensors, ffn, model.hidden_size);
  });
  add_head(draft);
}

/// CWM (huggingface/transformers models/cwm): Llama 3 whose layers slide but for every fourth, the first included.
void read_cwm(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 6144, .layers = 64, .heads = 48, .kv_heads = 8, .head_dim = 128, .ffn = 21504, .vocab = 128256, .context = 131072};
  Model& model = draft.model;
  const LayerSpec layer = read_plain(config, model, defaults, true);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 8192, "");
  const std::int64_t n_layers = model.n_layers();
  if (config.error()) return;
  if (has_llama3_scaling(config)) model.rope_factors = model.rotary_dim / 2;
  model.layers.clear();
  const FullAttention attention = *grouped_attention(layer.mixer);
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t index) { return index % 4 != 0; }))
    model.layers.push_back({mixer, layer.ffn});
  if (!config.error()) add_decoder(draft);
}

/// NVIDIA's embedding models on Llama (nvidia/llama-nemotron-embed-1b-v2 llama_bidirectional_model.py): every token sees every other, no head.
void read_llama_bidirec(KeyReader& config, Draft& draft) {
  draft.stores_head = false;
  read_llama(config, draft);
  draft.model.layers.change_all([](LayerSpec& layer) {
    if (const FullAttention* heads = grouped_attention(layer.mixer)) layer.mixer = EncoderAttention{*heads, 0};
  });
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/towers/llama4_vision.hpp"

namespace weighbridge {

namespace {

/// `no_rope_layers`: one entry a layer, 0 where it sees everything and does not rotate. Empty or absent: every fourth.
LayerFlags read_rotating_layers(KeyReader& config, std::int64_t n_layers) {
  LayerFlags rotates(static_cast<std::size_t>(n_layers), 1);
  const std::int64_t period = config.positive_or("nope_layer_interval", config_limit::layers, 4, "");
  const bool listed = config.has("no_rope_layers") && !config.json().find("no_rope_layers")->empty();
  if (config.error()) return rotates;
  for (std::int64_t layer = 0; !listed && layer < n_layers; ++layer) rotates[static_cast<std::size_t>(layer)] = (layer + 1) % period != 0;
  if (!listed) return rotates;
  const Json& given = *config.json().find("no_rope_layers");
  if (!given.is_array() || given.size() != rotates.size()) {
    config.fail(notice::wrong_type(config.path("no_rope_layers"), "no_rope_layers", excerpt(given),
                                   "1 or 0 for each of num_hidden_layers, " + grouped(n_layers)));
    return rotates;
  }
  for (std::size_t layer = 0; layer < rotates.size(); ++layer) rotates[layer] = given[layer] != 0;
  return rotates;
}

/// All experts of a layer lie in one tensor, input features first, gate and up fused; a shared expert of the same width beside them.
void add_experts_of_llama4(TensorList& tensors, const MoeFfn& moe, std::int64_t hidden) {
  tensors.linear("feed_forward.router", moe.n_experts, hidden);
  tensors.copies(moe.n_experts);
  for (int half = 0; half < 2; ++half) tensors.add({.name = "feed_forward.experts.gate_up_proj", .rows = moe.moe_ffn_size, .cols = hidden});
  tensors.add({.name = "feed_forward.experts.down_proj", .rows = hidden, .cols = moe.moe_ffn_size});
  tensors.copies(1);
  add_dense_ffn(tensors, {moe.shared_ffn_size}, hidden, false, false, "feed_forward.shared_expert.");
}

void add_text(Draft& draft, bool bias, const std::string& root, std::string_view head) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::string prefix = root + "layers.{layer}.";
  add_embeddings(draft, root);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++, prefix);
    tensors.norm("input_layernorm", hidden);
    add_attention(tensors, *grouped_attention(layer.mixer), hidden, {.qkv_bias = bias, .output_bias = bias});
    tensors.norm("post_attention_layernorm", hidden);
    if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn))
      add_experts_of_llama4(tensors, *moe, hidden);
    else
      add_dense_ffn(tensors, std::get<DenseFfn>(layer.ffn), hidden, false, false, "feed_forward.");
  }
  add_head(draft, root, head);
}

/// Every `interleave_moe_layer_step`-th layer has experts unless `moe_layers` lists them.
void read_text(KeyReader& config, Draft& draft, const std::string& root, std::string_view head) {
  constexpr ClassDefaults defaults{
      .hidden = 5120, .layers = 48, .heads = 40, .kv_heads = 8, .head_dim = 128, .ffn = 8192, .vocab = 202048, .context = 131072};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention heads = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t chunk = config.positive_or("attention_chunk_size", config_limit::context, 8192, "");
  MoeFfn moe;
  moe.n_experts = config.positive_or("num_local_experts", config_limit::experts, 16, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, 1, "");
  moe.moe_ffn_size = moe.shared_ffn_size = read_dense_ffn(config, defaults).ffn_size;
  check_experts_used(config, moe, "num_local_experts");
  const DenseFfn dense{config.positive_or("intermediate_size_mlp", config_limit::ffn, 16384, "")};
  const std::int64_t n_layers = read_layer_count(config, defaults);
  const std::int64_t step = config.positive_or("interleave_moe_layer_step", config_limit::layers, 1, "");
  if (config.error()) return;
  const bool lists_moe = config.has("moe_layers") && !config.json().find("moe_layers")->empty();
  const LayerFlags listed = read_listed_layers(config, "moe_layers", n_layers);
  const LayerFlags rotates = read_rotating_layers(config, n_layers);
  if (config.error()) return;
  model.rotary_dim = heads.head_dim_k;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const auto at = static_cast<std::size_t>(layer);
    const bool is_moe = lists_moe ? listed[at] != 0 : (layer + 1) % step == 0;
    model.layers.push_back({rotates[at] != 0 ? Mixer(ChunkedAttention{heads, chunk}) : Mixer(heads), is_moe ? Ffn(moe) : Ffn(dense)});
  }
  add_text(draft, bias, root, head);
}

}  // namespace

/// The language model of Llama 4 (huggingface/transformers models/llama4): three of four layers attend within chunks, norms on queries and keys have no
/// weights.
void read_llama4_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model.", "lm_head"); }

/// Llama 4 with its image encoder.
void read_llama4(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_text(*text, draft, "language_model.model.", "language_model.lm_head");
  config.adopt(*text);
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return;
  KeyReader vision = config.under("vision_config");
  const Llama4Vision v = read_llama4_vision(vision);
  config.adopt(vision);
  if (config.error()) return;
  draft.model.vision = v.tower;
  add_llama4_vision(draft.tensors, v, draft.model.hidden_size);
}

}  // namespace weighbridge

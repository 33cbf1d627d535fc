// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"
#include "read/linear_attention.hpp"
#include "read/towers/glm_vit.hpp"

namespace weighbridge {

namespace {

/// The weights that mix the residual streams before and after one block (mHC).
void add_hyper_connection(TensorList& tensors, std::string_view name, std::int64_t n_streams, std::int64_t hidden) {
  const std::int64_t mix = (2 + n_streams) * n_streams;
  tensors.add({.name = std::string(name) + ".fn", .rows = mix, .cols = n_streams * hidden});
  tensors.add({.name = std::string(name) + ".base", .rows = mix, .type = dtype::f32});
  tensors.add({.name = std::string(name) + ".scale", .rows = 3, .type = dtype::f32});
}

void add_layer(Draft& draft, const LayerSpec& layer) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  add_decoder_layer(draft, layer, {});
  if (const auto* delta = std::get_if<RecurrentMixer>(&layer.mixer)) add_kimi_delta(tensors, *delta, hidden, false);
  const auto* latent = std::get_if<LatentAttention>(&layer.mixer);
  if (latent == nullptr || latent->indexer.n_heads == 0) return;
  tensors.add({.name = "self_attn.indexer.index_kpool_compress_gate", .rows = latent->indexer.head_dim, .cols = hidden});
  tensors.add({.name = "self_attn.indexer.index_kpool_compress_ape", .rows = latent->indexer.tokens_per_key, .cols = latent->indexer.head_dim});
}

void add_all(Draft& draft, std::int64_t n_streams, std::string_view root) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::string prefix = std::string(root) + "layers.{layer}.";
  add_embeddings(draft, root);
  std::int64_t index = 0;
  for (const LayerSpec& layer : draft.model.layers) {
    tensors.at_layer(index++, prefix);
    add_layer(draft, layer);
    add_hyper_connection(tensors, "attn_hc", n_streams, hidden);
    add_hyper_connection(tensors, "ffn_hc", n_streams, hidden);
  }
  add_head(draft, root);
  tensors.part(ModelPart::mtp);
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++, prefix);
    add_layer(draft, layer);
    for (const char* name : {"enorm", "hnorm", "shared_head.norm"}) tensors.norm(name, hidden);
    tensors.linear("eh_proj", hidden, 2 * hidden);
  }
  tensors.part(ModelPart::text);
}

/// linear_attn_config, or the keys of the model class.
RecurrentMixer read_delta(KeyReader& config) {
  if (config.has("linear_attn_config") && config.json().find("linear_attn_config")->is_object()) {
    KeyReader linear = config.under("linear_attn_config");
    const RecurrentMixer mixer = read_kimi_delta(linear);
    config.adopt(linear);
    return mixer;
  }
  const std::int64_t n_heads = config.positive_or("linear_num_heads", config_limit::heads, 64, "");
  const std::int64_t head_dim = config.positive_or("linear_head_dim", config_limit::head_dim, 128, "");
  return kimi_delta(n_heads, head_dim, config.positive_or("linear_conv_kernel_dim", config_limit::head_dim, 4, ""));
}

void read_text(KeyReader& config, Draft& draft, std::string_view root) {
  Model& model = draft.model;
  read_common(config, model);
  LatentAttention latent = read_latent_attention(
      config, {.q_lora_rank = 1536, .kv_lora_rank = 512, .qk_nope_head_dim = 256, .qk_rope_head_dim = 0, .head_dim_v = 256, .indexer = {}});
  latent.indexer = read_indexer(config, {32, 128, 2048, config.positive_or("index_kpool", 4096, 16, "")});
  const RecurrentMixer delta = read_delta(config);
  const ExpertStack stack = read_expert_stack(config, {.n_dense = 3, .n_shared = 1});
  const std::int64_t n_streams = config.positive_or("hc_mult", 64, 4, "");
  if (config.error()) return;
  const Json* types = list_per_layer(config, "layer_types", stack.n_layers);
  if (config.error()) return;
  const auto mixer = [&](std::int64_t layer) {
    const bool linear = types != nullptr ? (*types)[static_cast<std::size_t>(layer)] == "linear_attention" : layer % 4 != 3;
    return linear ? Mixer(delta) : Mixer(latent);
  };
  fill_layers(model, stack, mixer, latent);
  model.rotary_dim = latent.qk_rope_head_dim;
  add_all(draft, n_streams, root);
}

}  // namespace

/// The language model of GLM-5.3-Flash (huggingface/transformers models/glm5_next): Kimi Delta Attention, and in every fourth layer latent attention
/// without rotation whose indexer caches one key for several tokens; residual streams mixed by weights of their own, but not in the MTP layer.
void read_glm5_next_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model."); }

/// GLM-5.3-Flash with its image encoder.
void read_glm5_next(KeyReader& config, Draft& draft) {
  if (!config.has("text_config")) return read_text(config, draft, "model.");
  if (!config.json().find("text_config")->is_object())
    return config.fail(notice::wrong_type(config.path("text_config"), "text_config", excerpt(*config.json().find("text_config")), "an object"));
  KeyReader text = config.under("text_config");
  read_text(text, draft, "model.language_model.");
  config.adopt(text);
  if (config.error()) return;
  const std::optional<GlmVit> vit = read_glm_vit(config, true);
  if (!vit) return;
  draft.model.vision = vit->tower;
  add_glm_vit(draft.tensors, *vit);
}

}  // namespace weighbridge

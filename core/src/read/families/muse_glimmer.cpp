// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;

void read_text(KeyReader& config, Draft& draft, std::string_view root) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 2048, "");
  const auto slides = [](std::int64_t layer) { return (layer + 1) % 4 != 0; };
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, slides)) model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_embeddings(draft, root);
  const std::string prefix = std::string(root) + "layers.{layer}.";
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer, prefix);
    add_decoder_layer(draft, model.layers[static_cast<std::size_t>(layer)], {.qkv_bias = bias, .output_bias = bias, .post_norms = true});
    tensors.linear("self_attn.gate_proj", attention.n_heads * attention.head_dim_v, model.hidden_size);
  }
  add_head(draft, root);
}

struct Encoder {
  VisionTower tower;
  std::int64_t patch_values = 0;  ///< of one patch: several frames of its pixels
  std::int64_t positions = 0;
  std::int64_t merged = 0;     ///< width of the values of merge_size x merge_size patches together
  std::int64_t projector = 0;  ///< width between the projection's layers
};

Encoder read_encoder(KeyReader& config) {
  KeyReader vision = config.under("vision_config");
  Encoder encoder;
  VisionTower& tower = encoder.tower;
  tower.hidden_size = vision.positive("hidden_size", config_limit::hidden);
  tower.ffn_size = vision.positive("intermediate_size", config_limit::ffn);
  tower.n_layers = vision.positive("num_hidden_layers", config_limit::layers);
  tower.n_heads = vision.positive("num_attention_heads", config_limit::heads);
  tower.n_channels = 3;
  tower.patch_size = vision.positive("patch_size", 4096);
  const std::int64_t height = vision.positive("pos_emb_height", 4096);
  const std::int64_t width = vision.positive("pos_emb_width", 4096);
  const std::int64_t merge = vision.positive_or("merge_size", 64, 2, "");
  const std::int64_t frames = vision.positive_or("patch_temporal", 64, 2, "");
  config.adopt(vision);
  if (config.error()) return encoder;
  tower.image_size = std::min(height * tower.patch_size, kMostPixels);
  tower.tokens_per_image = height * width / (merge * merge);
  encoder.patch_values = frames * tower.n_channels * tower.patch_size * tower.patch_size;
  encoder.positions = height * width;
  encoder.merged = config.positive_or("out_hidden_size", config_limit::hidden, tower.hidden_size * merge * merge, "");
  encoder.projector = config.positive_or("projector_hidden_size", config_limit::hidden, 4096, "");
  return encoder;
}

void add_encoder(TensorList& tensors, const Encoder& encoder, std::int64_t hidden) {
  const std::int64_t width = encoder.tower.hidden_size;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("model.vision_tower.patch_embedder.patch_embedding", width, encoder.patch_values);
  tensors.linear("model.vision_tower.patch_embedder.position_embedding_table", encoder.positions, width);
  tensors.norm("model.vision_tower.pre_norm", width, true);
  for (std::int64_t layer = 0; layer < encoder.tower.n_layers; ++layer) {
    tensors.at_layer(layer, "model.vision_tower.layers.{layer}.");
    tensors.norm("norm1", width, true);
    for (const std::string_view name : {"attn.q_proj", "attn.k_proj", "attn.v_proj", "attn.o_proj"}) tensors.linear(name, width, width, true);
    tensors.norm("norm2", width, true);
    tensors.linear("mlp.fc1", encoder.tower.ffn_size, width, true);
    tensors.linear("mlp.fc2", width, encoder.tower.ffn_size, true);
  }
  tensors.outside();
  tensors.norm("model.vision_tower.post_norm", width, true);
  tensors.linear("model.vision_projector.fc1", encoder.projector, encoder.merged);
  tensors.linear("model.vision_projector.fc2", encoder.projector, encoder.projector);
  tensors.linear("model.vision_projector.fc3", hidden, encoder.projector);
  tensors.part(ModelPart::text);
}

}  // namespace

/// The language model of Muse Glimmer (sgl-project/sglang python/sglang/srt/models/muse_glimmer.py): four norms a layer, a gate on the output of
/// attention, norms on queries and keys without weights; three of four layers slide.
void read_muse_glimmer_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model."); }

/// Muse Glimmer with its image encoder: `text_config` and `vision_config`.
void read_muse_glimmer(KeyReader& config, Draft& draft) {
  for (const std::string_view key : {"text_config", "vision_config"})
    if (!config.has(key) || !config.json().find(key)->is_object())
      return config.fail(notice::missing_key(config.path(key), std::string(key), "an object"));
  KeyReader text = config.under("text_config");
  read_text(text, draft, "model.language_model.");
  config.adopt(text);
  const Encoder encoder = read_encoder(config);
  if (config.error()) return;
  draft.model.vision = encoder.tower;
  add_encoder(draft.tensors, encoder, draft.model.hidden_size);
}

}  // namespace weighbridge

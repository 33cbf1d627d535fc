// SPDX-License-Identifier: Apache-2.0
#include "read/towers/qwen_vit.hpp"

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

namespace {

using enum QwenVitGeneration;

/// 256 x 256 patches: max_pixels of the published preprocessor_config.json, 12,845,056 = (256 x 14)^2 and 16,777,216 = (256 x 16)^2.
constexpr std::int64_t kMostPatchesPerSide = 256;

struct Vit {
  VisionTower sizes;
  std::int64_t merged = 0;  ///< width of the patches that become one token, together
  std::int64_t out_size = 0;
  std::int64_t patch_values = 0;  ///< of all frames and channels
  std::int64_t n_positions = 0;
  std::int64_t n_deepstack = 0;
};

std::int64_t count_deepstack(KeyReader& vision) {
  if (!vision.has("deepstack_visual_indexes")) return 3;
  const Json& listed = *vision.json().find("deepstack_visual_indexes");
  if (listed.is_array()) return static_cast<std::int64_t>(listed.size());
  vision.fail(notice::wrong_type(vision.path("deepstack_visual_indexes"), "deepstack_visual_indexes", excerpt(listed), "a list of layer numbers"));
  return 0;
}

/// Widths of encoder and MLP. Qwen2-VL calls the encoder's `embed_dim` and gives the MLP as a multiple; its `hidden_size` is the language model's.
void read_widths(KeyReader& vision, QwenVitGeneration generation, Vit& vit) {
  if (generation == qwen2) {
    vit.sizes.hidden_size = vision.positive_or("embed_dim", config_limit::hidden, 1280, "");
    vit.sizes.ffn_size = vit.sizes.hidden_size * vision.positive_or("mlp_ratio", 64, 4, "");
    vit.out_size = vision.positive_or("hidden_size", config_limit::hidden, vit.out_size, "");
    return;
  }
  vit.sizes.hidden_size = vision.positive_or("hidden_size", config_limit::hidden, generation == qwen3 ? 1152 : 1280, "");
  vit.sizes.ffn_size = vision.positive_or("intermediate_size", config_limit::ffn, generation == qwen3 ? 4304 : 3420, "");
  vit.out_size = vision.positive_or("out_hidden_size", config_limit::hidden, vit.out_size, "");
}

Vit read_vit(KeyReader& vision, const QwenVitStyle& style, std::int64_t language_size) {
  Vit vit;
  vit.out_size = language_size;
  VisionTower& sizes = vit.sizes;
  read_widths(vision, style.generation, vit);
  sizes.n_layers = vision.positive_or("depth", config_limit::layers, style.generation == qwen3 ? 27 : 32, "");
  sizes.n_heads = vision.positive_or("num_heads", config_limit::heads, 16, "");
  const std::int64_t channels = vision.positive_or("in_chans", 64, 3, "");
  sizes.n_channels = vision.positive_or("in_channels", 64, channels, "");
  sizes.patch_size = vision.positive_or("patch_size", 1024, style.generation == qwen3 ? 16 : 14, "");
  const std::int64_t merge = vision.positive_or("spatial_merge_size", 16, 2, "");
  vit.patch_values = sizes.n_channels * vision.positive_or("temporal_patch_size", 64, 2, "") * sizes.patch_size * sizes.patch_size;
  vit.merged = sizes.hidden_size * merge * merge;
  sizes.image_size = kMostPatchesPerSide * sizes.patch_size;
  sizes.tokens_per_image = kMostPatchesPerSide * kMostPatchesPerSide / (merge * merge);
  if (style.generation != qwen3) return vit;
  vit.n_positions = vision.positive_or("num_position_embeddings", config_limit::context, 2304, "");
  if (style.has_deepstack) vit.n_deepstack = count_deepstack(vision);
  return vit;
}

void add_block(TensorList& tensors, const VisionTower& sizes, QwenVitGeneration generation) {
  const std::int64_t width = sizes.hidden_size;
  const bool layer_norm = generation != qwen2_5;
  tensors.norm("norm1", width, layer_norm);
  tensors.norm("norm2", width, layer_norm);
  tensors.linear("attn.qkv", 3 * width, width, true);
  tensors.linear("attn.proj", width, width, true);
  if (generation == qwen2_5) return add_dense_ffn(tensors, {sizes.ffn_size}, width, true);
  tensors.linear(generation == qwen2 ? "mlp.fc1" : "mlp.linear_fc1", sizes.ffn_size, width, true);
  tensors.linear(generation == qwen2 ? "mlp.fc2" : "mlp.linear_fc2", width, sizes.ffn_size, true);
}

struct MergerNames {
  const char* norm;
  const char* first;
  const char* second;
};

/// From the patches of one token to the language model's width; the norm is over one patch or, in deepstack mergers, over all of them.
void add_merger(TensorList& tensors, const Vit& vit, const std::string& name, const MergerNames& names, std::int64_t norm_size, bool layer_norm) {
  tensors.norm(name + names.norm, norm_size, layer_norm);
  tensors.linear(name + names.first, vit.merged, vit.merged, true);
  tensors.linear(name + names.second, vit.out_size, vit.merged, true);
}

void add_vit(TensorList& tensors, const Vit& vit, std::string_view root, const QwenVitStyle& style) {
  const std::string base(root);
  const bool is_third = style.generation == qwen3;
  const MergerNames names = is_third && !style.nested_merger ? MergerNames{"norm", "linear_fc1", "linear_fc2"}
                                                             : MergerNames{"ln_q", "mlp.0", "mlp.2"};
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "patch_embed.proj", vit.sizes.hidden_size, vit.patch_values, is_third);
  if (is_third) tensors.linear(base + "pos_embed", vit.n_positions, vit.sizes.hidden_size);
  const std::string block = base + "blocks.{layer}.";
  for (std::int64_t layer = 0; layer < vit.sizes.n_layers; ++layer) {
    tensors.at_layer(layer, block);
    add_block(tensors, vit.sizes, style.generation);
  }
  tensors.outside();
  add_merger(tensors, vit, base + "merger.", names, vit.sizes.hidden_size, style.generation != qwen2_5);
  const std::string deep = base + (style.nested_merger ? "merger_list." : "deepstack_merger_list.");
  for (std::int64_t index = 0; index < vit.n_deepstack; ++index)
    add_merger(tensors, vit, deep + std::to_string(index) + ".", names, vit.merged, true);
  tensors.part(ModelPart::text);
}

}  // namespace

void add_qwen_vit(KeyReader& config, Draft& draft, std::string_view root, const QwenVitStyle& style) {
  if (config.error()) return;
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object())
    return config.warn(notice::custom("not_counted", config.path("vision_config"), "The image encoder is not counted: expected a `vision_config`.",
                                      "vision_config", "", "an object with the encoder's sizes"));
  KeyReader vision = config.under("vision_config");
  const Vit vit = read_vit(vision, style, draft.model.hidden_size);
  config.adopt(vision);
  if (config.error()) return;
  draft.model.vision = vit.sizes;
  add_vit(draft.tensors, vit, root, style);
}

}  // namespace weighbridge

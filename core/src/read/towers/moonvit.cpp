// SPDX-License-Identifier: Apache-2.0
#include "read/towers/moonvit.hpp"

#include "json_text.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 16;

/// Kimi K2.5 and later put "vt_" before what Kimi-VL names plainly.
std::int64_t read_size(KeyReader& config, std::string_view name, std::int64_t most, std::int64_t fallback) {
  const std::string own = "vt_" + std::string(name);
  return config.positive_or(config.has(own) ? std::string_view(own) : name, most, fallback, "");
}

std::int64_t read_merge(KeyReader& config) {
  if (!config.has("merge_kernel_size")) return 4;
  const Json& size = *config.json().find("merge_kernel_size");
  const std::int64_t rows = size.is_array() && size.size() == 2 ? whole_number_of(size[0]).value_or(0) : 0;
  const std::int64_t cols = size.is_array() && size.size() == 2 ? whole_number_of(size[1]).value_or(0) : 0;
  if (rows > 0 && rows <= 64 && cols > 0 && cols <= 64) return rows * cols;
  config.fail(notice::wrong_type(config.path("merge_kernel_size"), "merge_kernel_size", excerpt(size), "two whole numbers such as [2, 2]"));
  return 0;
}

}  // namespace

std::optional<MoonVit> read_moonvit(KeyReader& config) {
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return std::nullopt;
  KeyReader vision = config.under("vision_config");
  MoonVit vit;
  vit.tower.hidden_size = read_size(vision, "hidden_size", config_limit::hidden, 1152);
  vit.tower.ffn_size = read_size(vision, "intermediate_size", config_limit::ffn, 4304);
  vit.tower.n_layers = read_size(vision, "num_hidden_layers", config_limit::layers, 27);
  vit.tower.n_heads = read_size(vision, "num_attention_heads", config_limit::heads, 16);
  vit.tower.n_channels = 3;
  vit.tower.patch_size = vision.positive_or("patch_size", kMostPixels, 14, "");
  vit.attention_width = vision.positive_or("qkv_hidden_size", config_limit::hidden, vit.tower.hidden_size, "");
  vit.merge = read_merge(vision);
  const std::int64_t grid = vision.positive_or("init_pos_emb_height", 4096, 64, "");
  vit.position_rows = grid * vision.positive_or("init_pos_emb_width", 4096, 64, "");
  vit.norm_bias = vision.text_if_given("norm_type").value_or("layernorm") != "rmsnorm";
  vit.bias = vision.flag_or("linear_bias", true);
  vit.patch_bias = vision.flag_or("patch_embed_proj_bias", true);
  vit.norm_before = vision.text_if_given("mm_projector_type").value_or("patchmerger") != "patchmergerv2";
  vit.projector_width = vision.positive_or("mm_hidden_size", config_limit::hidden, vit.tower.hidden_size, "") * vit.merge;
  // One image fills the grid of learned positions at most; what the encoder merges is one token.
  vit.tower.image_size = grid * vit.tower.patch_size;
  config.adopt(vision);
  if (config.error()) return std::nullopt;
  vit.tower.tokens_per_image = vit.position_rows / vit.merge;
  return vit;
}

void add_moonvit(TensorList& tensors, const MoonVit& vit, std::int64_t text_hidden, bool kimi_vl) {
  const VisionTower& t = vit.tower;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("vision_tower.patch_embed.proj", t.hidden_size, t.n_channels * t.patch_size * t.patch_size, vit.patch_bias);
  tensors.add({.name = "vision_tower.patch_embed.pos_emb.weight", .rows = vit.position_rows, .cols = t.hidden_size});
  for (std::int64_t layer = 0; layer < t.n_layers; ++layer) {
    tensors.at_layer(layer, "vision_tower.encoder.blocks.{layer}.");
    tensors.norm("norm0", t.hidden_size, vit.norm_bias);
    tensors.norm("norm1", t.hidden_size, vit.norm_bias);
    tensors.linear("wqkv", 3 * vit.attention_width, t.hidden_size, vit.bias);
    tensors.linear("wo", t.hidden_size, vit.attention_width, vit.bias);
    tensors.linear("mlp.fc0", t.ffn_size, t.hidden_size, vit.bias);
    tensors.linear("mlp.fc1", t.hidden_size, t.ffn_size, vit.bias);
  }
  tensors.outside();
  tensors.norm("vision_tower.encoder.final_layernorm", t.hidden_size, vit.norm_bias);
  const std::string projector = kimi_vl ? "multi_modal_projector." : "mm_projector.";
  if (vit.norm_before) tensors.norm(projector + "pre_norm", t.hidden_size, true);
  tensors.linear(projector + (kimi_vl ? "linear_1" : "proj.0"), vit.projector_width, vit.projector_width, vit.bias);
  tensors.linear(projector + (kimi_vl ? "linear_2" : "proj.2"), text_hidden, vit.projector_width, vit.bias);
  if (!vit.norm_before) tensors.norm(projector + "post_norm", text_hidden);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

constexpr std::string_view kEncoder = "vision_tower.vision_model.";

/// From the encoder's width to the language model's, with a bias unless the config says otherwise.
void add_projector(KeyReader& config, Draft& draft, std::int64_t width) {
  const bool bias = config.flag_or("multimodal_projector_bias", true);
  const std::int64_t hidden = draft.model.hidden_size;
  draft.tensors.part(ModelPart::tower);
  draft.tensors.outside();
  draft.tensors.linear("multi_modal_projector.linear_1", hidden, width * count_feature_layers(config), bias);
  draft.tensors.linear("multi_modal_projector.linear_2", hidden, hidden, bias);
  draft.tensors.part(ModelPart::text);
}

/// The most encoder inputs that one image makes: the whole of it, and the tiles of the largest of `image_grid_pinpoints`.
std::int64_t most_tiles(const KeyReader& config, std::int64_t side) {
  std::int64_t most = 0;
  const auto grids = config.json().find("image_grid_pinpoints");
  if (grids == config.json().end() || !grids->is_array()) return 1;
  for (const Json& grid : *grids) {
    if (!grid.is_array() || grid.size() != 2) continue;
    const std::int64_t height = std::clamp<std::int64_t>(whole_number_of(grid[0]).value_or(0), 0, 1 << 20);
    const std::int64_t width = std::clamp<std::int64_t>(whole_number_of(grid[1]).value_or(0), 0, 1 << 20);
    most = std::max(most, (height / side) * (width / side));
  }
  return most + 1;
}

/// Images larger than the encoder's are cut into tiles, whose rows a learned vector ends.
void read_tiled(KeyReader& config, Draft& draft, std::string_view encoder, std::string_view language) {
  read_language_model(config, draft, {.type = language});
  const std::optional<VisionTower> tower = add_image_encoder(config, draft, kEncoder, encoder);
  if (!tower) return;
  draft.model.vision->tokens_per_image = tower->patches() * most_tiles(config, tower->image_size);
  add_projector(config, draft, tower->hidden_size);
  draft.tensors.part(ModelPart::tower);
  draft.tensors.add({.name = "image_newline", .rows = draft.model.hidden_size});
  draft.tensors.part(ModelPart::text);
}

}  // namespace

/// LLaVA 1.5 and Pixtral 12B (huggingface/transformers models/llava): any encoder and any language model, with two linear layers between them.
void read_llava(KeyReader& config, Draft& draft) {
  read_language_model(config, draft);
  if (const std::optional<VisionTower> tower = add_image_encoder(config, draft, kEncoder, "clip_vision_model"))
    add_projector(config, draft, tower->hidden_size);
}

/// LLaVA 1.6 and Granite Vision (models/llava_next).
void read_llava_next(KeyReader& config, Draft& draft) { read_tiled(config, draft, "clip_vision_model", "llama"); }

/// LLaVA-OneVision (models/llava_onevision).
void read_llava_onevision(KeyReader& config, Draft& draft) { read_tiled(config, draft, "siglip_vision_model", "qwen2"); }

}  // namespace weighbridge

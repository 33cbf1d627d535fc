// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

/// Phi-3 and Phi-3.5 Vision (microsoft/Phi-3.5-vision-instruct modeling_phi3_v.py): Phi-3 with CLIP ViT-L of 336 pixels, which the config only names;
/// four neighbouring patches are laid side by side, and learned vectors part rows and tiles.
void read_phi3_v(KeyReader& config, Draft& draft) {
  constexpr VisionTower kClipLarge{1024, 4096, 24, 16, 3, 14, 336, 0};
  constexpr std::int64_t merged = 4 * 1024;
  constexpr std::int64_t n_tiles = 16 + 1;  // num_crops of the published preprocessor_config.json, and the whole image
  read_phi3(config, draft);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  draft.model.architecture = "phi3";
  draft.model.vision = kClipLarge;
  draft.model.vision->tokens_per_image = n_tiles * kClipLarge.patches() / 4;
  add_clip(tensors, kClipLarge, "model.vision_embed_tokens.img_processor.vision_model.");
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear("model.vision_embed_tokens.img_projection.0", hidden, merged, true);
  tensors.linear("model.vision_embed_tokens.img_projection.2", hidden, hidden, true);
  tensors.add({.name = "model.vision_embed_tokens.glb_GN", .rows = merged});
  tensors.add({.name = "model.vision_embed_tokens.sub_GN", .rows = merged});
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

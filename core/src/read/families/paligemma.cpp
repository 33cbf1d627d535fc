// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

/// PaliGemma 1 and 2 (huggingface/transformers models/paligemma): Gemma with SigLIP, one linear layer between them.
void read_paligemma(KeyReader& config, Draft& draft) {
  read_language_model(config, draft, {.type = "gemma"});
  const std::optional<VisionTower> tower = add_image_encoder(config, draft, "vision_tower.vision_model.", "siglip_vision_model");
  if (!tower) return;
  draft.tensors.part(ModelPart::tower);
  draft.tensors.outside();
  draft.tensors.linear("multi_modal_projector.linear", draft.model.hidden_size, tower->hidden_size, true);
  draft.tensors.part(ModelPart::text);
}

}  // namespace weighbridge

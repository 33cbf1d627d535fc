// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// SigLIP, whose neighbouring patches are laid side by side; one half of the projector's inner values gates the other.
void read_shuffled(KeyReader& config, Draft& draft, std::int64_t inner, bool norm) {
  read_language_model(config, draft, {.type = "cohere2"});
  const std::int64_t factor = config.positive_or("downsample_factor", 64, 2, "");
  const std::int64_t width = config.positive_or("alignment_intermediate_size", config_limit::ffn, inner > 0 ? inner : draft.model.hidden_size, "");
  const std::optional<VisionTower> tower = add_image_encoder(config, draft, "vision_tower.vision_model.", "siglip_vision_model");
  if (!tower) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t patches = tower->hidden_size * factor * factor;
  draft.model.vision->tokens_per_image = std::max<std::int64_t>(1, tower->patches() / (factor * factor));
  tensors.part(ModelPart::tower);
  tensors.outside();
  if (norm) tensors.norm("multi_modal_projector.layernorm", patches, true);
  tensors.linear("multi_modal_projector.linear_1", width, patches, true);
  tensors.linear("multi_modal_projector.linear_2", draft.model.hidden_size, width / 2, true);
  tensors.part(ModelPart::text);
}

}  // namespace

/// Aya Vision (huggingface/transformers models/aya_vision): Command R7B or Aya with SigLIP.
void read_aya_vision(KeyReader& config, Draft& draft) { read_shuffled(config, draft, 0, true); }

/// Command A Vision (models/cohere2_vision): the same without the projector's norm.
void read_cohere2_vision(KeyReader& config, Draft& draft) { read_shuffled(config, draft, 36864, false); }

}  // namespace weighbridge

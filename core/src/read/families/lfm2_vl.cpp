// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

/// LFM2-VL (huggingface/transformers models/lfm2_vl): LFM2 with SigLIP 2, whose neighbouring patches are laid side by side.
void read_lfm2_vl(KeyReader& config, Draft& draft) {
  read_language_model(config, draft, {.root = {}, .type = "lfm2"});
  const std::int64_t factor = config.positive_or("downsample_factor", 64, 2, "");
  const std::int64_t inner = config.positive_or("projector_hidden_size", config_limit::ffn, 2560, "");
  const bool bias = config.flag_or("projector_bias", true);
  const bool norm = config.flag_or("projector_use_layernorm", true);
  const std::optional<VisionTower> tower = add_image_encoder(config, draft, "model.vision_tower.vision_model.", "siglip2_vision_model");
  if (!tower) return;
  const std::int64_t patches = tower->hidden_size * factor * factor;
  draft.model.vision->tokens_per_image = config.positive_or("max_image_tokens", config_limit::context, 256, "");
  TensorList& tensors = draft.tensors;
  tensors.part(ModelPart::tower);
  tensors.outside();
  if (norm) tensors.norm("model.multi_modal_projector.layer_norm", patches, true);
  tensors.linear("model.multi_modal_projector.linear_1", inner, patches, bias);
  tensors.linear("model.multi_modal_projector.linear_2", draft.model.hidden_size, inner, bias);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

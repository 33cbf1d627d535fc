// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

/// Idefics3, SmolVLM and Granite Docling (huggingface/transformers models/idefics3, models/smolvlm): Llama with SigLIP, whose neighbouring patches are
/// laid side by side for one linear layer. The names are the language model's own, a level deeper.
void read_idefics3(KeyReader& config, Draft& draft) {
  read_language_model(config, draft, {.root = {}});
  const std::int64_t factor = config.positive_or("scale_factor", 64, 2, "");
  const std::optional<VisionTower> tower = add_image_encoder(config, draft, "model.vision_model.", "siglip_vision_model");
  if (!tower) return;
  draft.model.vision->tokens_per_image = std::max<std::int64_t>(1, tower->patches() / (factor * factor));
  draft.tensors.part(ModelPart::tower);
  draft.tensors.outside();
  draft.tensors.linear("model.connector.modality_projection.proj", draft.model.hidden_size, tower->hidden_size * factor * factor);
  draft.tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The SigLIP encoder in `vision_config`; nothing if the config does not say all of it, or it is another encoder.
[[nodiscard]] std::optional<VisionTower> read_siglip(KeyReader& config);

/// The sizes of a plain encoder; `otherwise` holds what its class takes for keys that are left out. An image size may be given as height and width.
[[nodiscard]] VisionTower read_image_sizes(KeyReader& vision, const VisionTower& otherwise);

/// SigLIP without its pooling head (huggingface/transformers models/siglip/modeling_siglip.py); names begin with `root`.
void add_siglip(TensorList& tensors, const VisionTower& tower, std::string_view root = "vision_tower.vision_model.");

/// CLIP's image encoder (huggingface/transformers models/clip/modeling_clip.py): a class token, no bias of the patches, a norm before the layers,
/// and one after them unless the checkpoint leaves it out.
void add_clip(TensorList& tensors, const VisionTower& tower, std::string_view root, bool last_norm = true);

/// Counts the encoder that `vision_config` describes, by its model_type CLIP, SigLIP or Pixtral (else `type`); names begin with `root`. A warning,
/// and nothing, where it is another one.
std::optional<VisionTower> add_image_encoder(KeyReader& config, Draft& draft, std::string_view root, std::string_view type);

}  // namespace weighbridge

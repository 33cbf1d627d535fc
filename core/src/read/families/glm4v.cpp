// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/families/glm.hpp"
#include "read/towers/glm_vit.hpp"

namespace weighbridge {

namespace {

constexpr std::string_view kTextRoot = "model.language_model.";

template <class ReadText>
void read_with_encoder(KeyReader& config, Draft& draft, ReadText read_text) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_text(*text);
  config.adopt(*text);
  if (config.error()) return;
  const std::optional<GlmVit> vit = read_glm_vit(config, false);
  if (!vit) return;
  draft.model.vision = vit->tower;
  add_glm_vit(draft.tensors, *vit);
}

}  // namespace

/// GLM-4.1V and GLM-4.6V-Flash (huggingface/transformers models/glm4v): GLM-4-0414 with an image encoder.
void read_glm4v(KeyReader& config, Draft& draft) {
  read_with_encoder(config, draft, [&](KeyReader& text) { read_glm4_text(text, draft, kTextRoot, true); });
}

/// GLM-4.5V and 4.6V (huggingface/transformers models/glm4v_moe): GLM-4.5-Air with an image encoder.
void read_glm4v_moe(KeyReader& config, Draft& draft) {
  read_with_encoder(config, draft, [&](KeyReader& text) { read_glm4_moe_text(text, draft, kTextRoot); });
}

}  // namespace weighbridge

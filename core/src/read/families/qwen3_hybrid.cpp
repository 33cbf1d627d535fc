// SPDX-License-Identifier: Apache-2.0
#include "read/families/qwen3_hybrid.hpp"

namespace weighbridge {

namespace {

void add_layers(Draft& draft, const LayerList& layers, const std::string& prefix, const HybridStyle& style) {
  std::int64_t index = 0;
  for (const LayerSpec& layer : layers) {
    draft.tensors.at_layer(index++, prefix);
    draft.tensors.norm("input_layernorm", draft.model.hidden_size);
    add_hybrid_mixer(draft, layer, style.attention(), style.delta);
    draft.tensors.norm("post_attention_layernorm", draft.model.hidden_size);
    add_hybrid_ffn(draft, layer);
  }
}

}  // namespace

void add_hybrid_decoder(Draft& draft, const TextPlace& place, const HybridStyle& style) {
  draft.model.tied_embeddings = place.tied.value_or(draft.model.tied_embeddings);
  add_embeddings(draft, place.root);
  add_layers(draft, draft.model.layers, std::string(place.root) + "layers.{layer}.", style);
  add_head(draft, place.root, place.head);
}

void add_hybrid_mtp(Draft& draft, const HybridStyle& style, bool own_embeddings) {
  if (draft.model.mtp_layers.empty()) return;
  const std::int64_t hidden = draft.model.hidden_size;
  TensorList& tensors = draft.tensors;
  tensors.part(ModelPart::mtp);
  tensors.outside();
  if (own_embeddings) tensors.linear("mtp.embed_tokens", draft.model.vocab_size, hidden);
  tensors.norm("mtp.pre_fc_norm_embedding", hidden);
  tensors.norm("mtp.pre_fc_norm_hidden", hidden);
  tensors.linear("mtp.fc", hidden, 2 * hidden);
  add_layers(draft, draft.model.mtp_layers, "mtp.layers.{layer}.", style);
  tensors.outside();
  tensors.norm("mtp.norm", hidden);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// Language models that hear through Whisper's encoder.
#include "read/decoder.hpp"
#include "read/families/families.hpp"
#include "read/language_model.hpp"
#include "read/towers/whisper.hpp"

namespace weighbridge {

/// Qwen2-Audio (huggingface/transformers models/qwen2_audio): one linear layer between encoder and Qwen2.
void read_qwen2_audio(KeyReader& config, Draft& draft) {
  read_language_model(config, draft, {.type = "qwen2"});
  const std::optional<Whisper> whisper = read_whisper(config);
  if (!whisper) return;
  TensorList& tensors = draft.tensors;
  add_whisper(tensors, *whisper, "audio_tower.", true);
  tensors.norm("audio_tower.layer_norm", whisper->width, true);
  tensors.linear("multi_modal_projector.linear", draft.model.hidden_size, whisper->width, true);
  tensors.part(ModelPart::text);
}

/// Voxtral (models/voxtral): four frames side by side, two linear layers without biases between encoder and Llama.
void read_voxtral(KeyReader& config, Draft& draft) {
  read_language_model(config, draft);
  const std::optional<Whisper> whisper = read_whisper(config);
  if (!whisper) return;
  TensorList& tensors = draft.tensors;
  add_whisper(tensors, *whisper, "audio_tower.", true);
  tensors.norm("audio_tower.layer_norm", whisper->width, true);
  tensors.linear("multi_modal_projector.linear_1", draft.model.hidden_size, whisper->ffn_size);
  tensors.linear("multi_modal_projector.linear_2", draft.model.hidden_size, draft.model.hidden_size);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

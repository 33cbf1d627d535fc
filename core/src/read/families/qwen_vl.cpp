// SPDX-License-Identifier: Apache-2.0
// Qwen's language models with an image encoder before them.
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/towers/qwen_audio.hpp"
#include "read/towers/qwen_talker.hpp"
#include "read/towers/qwen_vit.hpp"
#include "read/towers/whisper.hpp"

namespace weighbridge {

namespace {

using TextReader = void (*)(KeyReader& config, Draft& draft, const TextPlace& place);

/// The language model under `text_config`, or, in older configs, beside the encoder's.
void read_language(KeyReader& config, Draft& draft, TextReader read, TextPlace place) {
  place.tied = config.flag_if_given("tie_word_embeddings");
  std::optional<KeyReader> text = object_under(config, "text_config");
  if (!text) return read(config, draft, place);
  read(*text, draft, place);
  config.adopt(*text);
}

}  // namespace

/// Qwen2-VL (huggingface/transformers models/qwen2_vl) and Qwen2.5-VL (models/qwen2_5_vl): Qwen2 with an image encoder, under the names that the
/// published checkpoints have.
void read_qwen2_vl(KeyReader& config, Draft& draft) {
  read_language(config, draft, read_qwen2_text, {});
  const bool first = draft.model.architecture == "qwen2_vl";
  add_qwen_vit(config, draft, "visual.", {.generation = first ? QwenVitGeneration::qwen2 : QwenVitGeneration::qwen2_5});
}

/// Qwen3-VL (huggingface/transformers models/qwen3_vl): Qwen3, whose first layers also take what three inner layers of the encoder saw.
void read_qwen3_vl(KeyReader& config, Draft& draft) {
  read_language(config, draft, read_qwen3_text, {.root = "model.language_model."});
  add_qwen_vit(config, draft, "model.visual.", {.generation = QwenVitGeneration::qwen3});
}

/// The same with experts (models/qwen3_vl_moe); the checkpoint stacks them, which changes neither counts nor bytes.
void read_qwen3_vl_moe(KeyReader& config, Draft& draft) {
  read_language(config, draft, read_qwen3_moe_text, {.root = "model.language_model."});
  add_qwen_vit(config, draft, "model.visual.", {.generation = QwenVitGeneration::qwen3});
}

namespace {

/// The part of Qwen2.5-Omni that reads text, images and sound (huggingface/transformers models/qwen2_5_omni), under `root`.
void read_qwen2_5_thinker(KeyReader& config, Draft& draft, const std::string& root) {
  const std::string text = root + "model.";
  const std::string head = root + "lm_head";
  read_language(config, draft, read_qwen2_text, {.root = text, .head = head});
  add_qwen_vit(config, draft, root + "visual.", {.generation = QwenVitGeneration::qwen2_5});
  const std::optional<Whisper> whisper = read_whisper(config);
  if (!whisper) return;
  TensorList& tensors = draft.tensors;
  const std::string audio = root + "audio_tower.";
  add_whisper(tensors, *whisper, audio, false);
  tensors.norm(audio + "ln_post", whisper->width, true);
  tensors.linear(audio + "proj", draft.model.hidden_size, whisper->width, true);
  tensors.linear(audio + "audio_bos_eos_token", 2, draft.model.hidden_size);
  tensors.part(ModelPart::text);
}

}  // namespace

/// Qwen2.5-Omni's thinker alone.
void read_qwen2_5_omni_thinker(KeyReader& config, Draft& draft) { read_qwen2_5_thinker(config, draft, {}); }

/// Qwen2.5-Omni: the thinker, and what speaks, which is not counted: no engine here loads it.
void read_qwen2_5_omni(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> thinker = object_under(config, "thinker_config");
  if (!thinker) {
    if (!config.error())
      config.fail(notice::missing_key(config.path("thinker_config"), "thinker_config", "an object with the language model and the encoders"));
    return;
  }
  read_qwen2_5_thinker(*thinker, draft, "thinker.");
  config.adopt(*thinker);
  if (config.flag_or("enable_audio_output", true))
    config.warn(notice::custom("not_counted", config.path("talker_config"), "The talker and the decoder of its sound are not counted.",
                               "talker_config", "", "the thinker alone"));
}

/// Qwen3-Omni (huggingface/transformers models/qwen3_omni_moe): the thinker, which reads text, images and sound, and what speaks.
void read_qwen3_omni_moe(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> thinker = object_under(config, "thinker_config");
  if (!thinker) {
    if (!config.error())
      config.fail(notice::missing_key(config.path("thinker_config"), "thinker_config", "an object with the language model and the encoders"));
    return;
  }
  read_language(*thinker, draft, read_qwen3_moe_text, {.root = "thinker.model.", .head = "thinker.lm_head"});
  add_qwen_vit(*thinker, draft, "thinker.visual.", {.generation = QwenVitGeneration::qwen3, .nested_merger = true});
  add_qwen_audio(*thinker, draft, "thinker.audio_tower.");
  config.adopt(*thinker);
  if (config.flag_or("enable_audio_output", config.has("talker_config"))) add_qwen_talker(config, draft);
}

}  // namespace weighbridge

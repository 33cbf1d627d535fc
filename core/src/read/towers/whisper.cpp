// SPDX-License-Identifier: Apache-2.0
#include "read/towers/whisper.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

std::optional<Whisper> read_whisper(KeyReader& config) {
  if (config.error()) return std::nullopt;
  if (!config.has("audio_config") || !config.json().find("audio_config")->is_object()) {
    config.warn(notice::custom("not_counted", config.path("audio_config"), "The sound encoder is not counted: expected an `audio_config`.",
                               "audio_config", "", "an object with the encoder's sizes"));
    return std::nullopt;
  }
  KeyReader audio = config.under("audio_config");
  Whisper whisper;
  whisper.width = audio.positive_or(first_key(audio, {"d_model", "hidden_size"}), config_limit::hidden, 1280, "");
  whisper.ffn_size = audio.positive_or(first_key(audio, {"encoder_ffn_dim", "intermediate_size"}), config_limit::ffn, 5120, "");
  whisper.n_layers = audio.positive_or(first_key(audio, {"encoder_layers", "num_hidden_layers"}), config_limit::layers, 32, "");
  whisper.n_mels = audio.positive_or("num_mel_bins", 4096, 128, "");
  whisper.n_positions = audio.positive_or("max_source_positions", config_limit::context, 1500, "");
  config.adopt(audio);
  if (config.error()) return std::nullopt;
  return whisper;
}

void add_whisper(TensorList& tensors, const Whisper& whisper, std::string_view root, bool stores_positions) {
  constexpr std::int64_t window = 3;
  const std::string base(root);
  const std::string layer = base + "layers.{layer}.";
  const std::int64_t width = whisper.width;
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "conv1", width, whisper.n_mels * window, true);
  tensors.linear(base + "conv2", width, width * window, true);
  if (stores_positions) tensors.linear(base + "embed_positions", whisper.n_positions, width);
  for (std::int64_t index = 0; index < whisper.n_layers; ++index) {
    tensors.at_layer(index, layer);
    tensors.norm("self_attn_layer_norm", width, true);
    tensors.linear("self_attn.k_proj", width, width);
    for (const char* name : {"self_attn.q_proj", "self_attn.v_proj", "self_attn.out_proj"}) tensors.linear(name, width, width, true);
    tensors.norm("final_layer_norm", width, true);
    tensors.linear("fc1", whisper.ffn_size, width, true);
    tensors.linear("fc2", width, whisper.ffn_size, true);
  }
  tensors.outside();
}

}  // namespace weighbridge

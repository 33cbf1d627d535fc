// SPDX-License-Identifier: Apache-2.0
#include "read/towers/qwen_audio.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

namespace {

struct Sizes {
  std::int64_t width = 0;
  std::int64_t ffn_size = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_mels = 0;
  std::int64_t channels = 0;  ///< of the convolutions, which halve time and frequency three times
  std::int64_t out_size = 0;
};

Sizes read_sizes_of(KeyReader& audio, std::int64_t language_size) {
  Sizes sizes;
  sizes.width = audio.positive_or("d_model", config_limit::hidden, 1280, "");
  sizes.ffn_size = audio.positive_or("encoder_ffn_dim", config_limit::ffn, 5120, "");
  sizes.n_layers = audio.positive_or("encoder_layers", config_limit::layers, 32, "");
  sizes.n_mels = audio.positive_or("num_mel_bins", 4096, 128, "");
  sizes.channels = audio.positive_or("downsample_hidden_size", config_limit::hidden, 480, "");
  sizes.out_size = audio.positive_or("output_dim", config_limit::hidden, language_size, "");
  return sizes;
}

void add_layer(TensorList& tensors, const Sizes& sizes) {
  tensors.norm("self_attn_layer_norm", sizes.width, true);
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj"})
    tensors.linear(name, sizes.width, sizes.width, true);
  tensors.norm("final_layer_norm", sizes.width, true);
  tensors.linear("fc1", sizes.ffn_size, sizes.width, true);
  tensors.linear("fc2", sizes.width, sizes.ffn_size, true);
}

void add_tensors(TensorList& tensors, const Sizes& sizes, std::string_view root) {
  constexpr std::int64_t window = 3 * 3;
  const std::int64_t bands = (((sizes.n_mels + 1) / 2 + 1) / 2 + 1) / 2;
  const std::string base(root);
  const std::string layer = base + "layers.{layer}.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.linear(base + "conv2d1", sizes.channels, window, true);
  tensors.linear(base + "conv2d2", sizes.channels, sizes.channels * window, true);
  tensors.linear(base + "conv2d3", sizes.channels, sizes.channels * window, true);
  tensors.linear(base + "conv_out", sizes.width, sizes.channels * bands);
  for (std::int64_t index = 0; index < sizes.n_layers; ++index) {
    tensors.at_layer(index, layer);
    add_layer(tensors, sizes);
  }
  tensors.outside();
  tensors.norm(base + "ln_post", sizes.width, true);
  tensors.linear(base + "proj1", sizes.width, sizes.width, true);
  tensors.linear(base + "proj2", sizes.out_size, sizes.width, true);
  tensors.part(ModelPart::text);
}

}  // namespace

void add_qwen_audio(KeyReader& config, Draft& draft, std::string_view root) {
  if (config.error()) return;
  if (!config.has("audio_config") || !config.json().find("audio_config")->is_object())
    return config.warn(notice::custom("not_counted", config.path("audio_config"), "The sound encoder is not counted: expected an `audio_config`.",
                                      "audio_config", "", "an object with the encoder's sizes"));
  KeyReader audio = config.under("audio_config");
  const Sizes sizes = read_sizes_of(audio, draft.model.hidden_size);
  config.adopt(audio);
  if (!config.error()) add_tensors(draft.tensors, sizes, root);
}

}  // namespace weighbridge

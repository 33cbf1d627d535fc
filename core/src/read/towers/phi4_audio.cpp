// SPDX-License-Identifier: Apache-2.0
#include "read/towers/phi4_audio.hpp"

#include <algorithm>

#include "read/decoder.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

namespace {

struct Sizes {
  std::int64_t width = 1024;
  std::int64_t ffn = 1536;
  std::int64_t n_layers = 24;
  std::int64_t n_heads = 16;
  std::int64_t n_mels = 80;
  std::int64_t kernel = 3;
  std::int64_t reduction = 8;  ///< of time and frequency, halved one convolution after the other
};

Sizes read_sizes_of(KeyReader& config) {
  Sizes sizes;
  std::optional<KeyReader> processor = object_under(config, "audio_processor");
  std::optional<KeyReader> keys = processor ? object_under(*processor, "config") : std::nullopt;
  if (!keys) return sizes;
  sizes.width = keys->positive_or("attention_dim", config_limit::hidden, sizes.width, "");
  sizes.ffn = keys->positive_or("linear_units", config_limit::ffn, sizes.ffn, "");
  sizes.n_layers = keys->positive_or("num_blocks", config_limit::layers, sizes.n_layers, "");
  sizes.n_heads = keys->positive_or("attention_heads", config_limit::heads, sizes.n_heads, "");
  sizes.n_mels = keys->positive_or("input_size", 4096, sizes.n_mels, "");
  sizes.kernel = keys->positive_or("kernel_size", 1024, sizes.kernel, "");
  sizes.reduction = keys->positive_or("time_reduction", 1024, sizes.reduction, "");
  config.adopt(*keys);
  return sizes;
}

void add_ffn(TensorList& tensors, const Sizes& sizes, const std::string& name) {
  tensors.norm(name + ".layer_norm", sizes.width, true);
  tensors.linear(name + ".net.0.linear", 2 * sizes.ffn, sizes.width, true);
  tensors.linear(name + ".net.2", sizes.width, sizes.ffn, true);
}

void add_layer(TensorList& tensors, const Sizes& sizes) {
  const std::int64_t width = sizes.width;
  add_ffn(tensors, sizes, "feed_forward_in");
  for (const char* name : {"self_attn.linear_q", "self_attn.linear_k", "self_attn.linear_v", "self_attn.linear_out"})
    tensors.linear(name, width, width, true);
  tensors.norm("conv.layer_norm", width, true);
  tensors.linear("conv.glu.ext_pw_conv_1d", 2 * width, width, true);
  tensors.add({.name = "conv.glu.b1", .rows = width});
  tensors.add({.name = "conv.glu.b2", .rows = width});
  tensors.linear("conv.dw_sep_conv_1d.dw_conv", width, sizes.kernel, true);
  tensors.linear("conv.dw_sep_conv_1d.pw_conv", width, width, true);
  tensors.linear("conv.ext_pw_conv_1d", width, width, true);
  add_ffn(tensors, sizes, "feed_forward_out");
  tensors.norm("layer_norm_att", width, true);
  tensors.norm("layer_norm", width, true);
}

/// Convolutions that halve time and frequency: a whole one, then pairs by channel and by place.
void add_convolutions(TensorList& tensors, const Sizes& sizes, const std::string& base) {
  constexpr std::int64_t window = 3 * 3;
  tensors.linear(base + "embed.conv.0", sizes.width, window, true);
  std::int64_t index = 0;
  for (std::int64_t left = sizes.reduction / 2; left > 1; left /= 2) {
    tensors.linear(base + "embed.conv." + std::to_string(index + 2), sizes.width, window, true);
    tensors.linear(base + "embed.conv." + std::to_string(index + 3), sizes.width, sizes.width, true);
    index += 3;
  }
  tensors.linear(base + "embed.out", sizes.width, sizes.width * std::max<std::int64_t>(1, sizes.n_mels / sizes.reduction), true);
}

}  // namespace

void add_phi4_audio(KeyReader& config, Draft& draft, std::string_view root) {
  constexpr std::int64_t distances = 2 * 500;  // t5_bias_max_distance, both ways
  const Sizes sizes = read_sizes_of(config);
  if (config.error()) return;
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const std::string base = std::string(root) + "encoder.";
  const std::string layer = base + "encoders.{layer}.";
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.add({.name = base + "encoder_embedding.global_mean", .rows = sizes.n_mels});
  tensors.add({.name = base + "encoder_embedding.global_invstd", .rows = sizes.n_mels});
  add_convolutions(tensors, sizes, base);
  tensors.linear(base + "relative_attention_bias_layer.bias_values", distances, sizes.n_heads);
  for (std::int64_t index = 0; index < sizes.n_layers; ++index) {
    tensors.at_layer(index, layer);
    add_layer(tensors, sizes);
  }
  tensors.outside();
  for (const char* mode : {"speech", "vision"}) {
    const std::string projection = std::string(root) + "audio_projection." + mode;
    tensors.linear(projection + ".0", hidden, sizes.width, true);
    tensors.linear(projection + ".2", hidden, hidden, true);
  }
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

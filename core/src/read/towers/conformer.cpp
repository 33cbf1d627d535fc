// SPDX-License-Identifier: Apache-2.0
#include "read/towers/conformer.hpp"

#include "json_text.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMostChannels = 4096;

/// The two numbers of a key such as [128, 32].
void read_channels(KeyReader& audio, std::string_view key, Conformer& conformer) {
  conformer.first_channels = 128;
  conformer.second_channels = 32;
  if (!audio.has(key)) return;
  const Json& given = *audio.json().find(key);
  const bool is_pair = given.is_array() && given.size() == 2;
  const std::int64_t first = is_pair ? whole_number_of(given[0]).value_or(0) : 0;
  const std::int64_t second = is_pair ? whole_number_of(given[1]).value_or(0) : 0;
  if (first < 1 || second < 1 || first > kMostChannels || second > kMostChannels)
    return audio.fail(notice::wrong_type(audio.path(key), std::string(key), excerpt(given), "two whole numbers such as [128, 32]"));
  conformer.first_channels = first;
  conformer.second_channels = second;
}

void check_heads(KeyReader& audio, const Conformer& conformer) {
  if (!audio.error() && conformer.width % conformer.n_heads != 0)
    audio.fail(notice::not_divisible(audio.path("hidden_size"), "hidden_size", grouped(conformer.width),
                                     "a multiple of its attention heads, " + grouped(conformer.n_heads)));
}

void add_subsampling(TensorList& tensors, const Conformer& c, const std::string& root, std::string_view first, std::string_view second) {
  tensors.outside();
  const std::string base = root + "subsample_conv_projection.";
  tensors.linear(base + std::string(first) + ".conv", c.first_channels, 3 * 3);
  tensors.norm(base + std::string(first) + ".norm", c.first_channels);
  tensors.linear(base + std::string(second) + ".conv", c.second_channels, c.first_channels * 3 * 3);
  tensors.norm(base + std::string(second) + ".norm", c.second_channels);
  tensors.linear(base + "input_proj_linear", c.width, c.subsampled());
}

void add_matrix(TensorList& tensors, const Conformer& c, std::string_view name, std::int64_t rows, std::int64_t cols) {
  if (c.has_bounds)
    add_clipped_linear(tensors, name, rows, cols, true);
  else
    tensors.linear(name, rows, cols);
}

void add_feed_forward(TensorList& tensors, const Conformer& c, const std::string& name) {
  tensors.norm(name + ".pre_layer_norm", c.width);
  add_matrix(tensors, c, name + ".ffw_layer_1", 4 * c.width, c.width);
  add_matrix(tensors, c, name + ".ffw_layer_2", c.width, 4 * c.width);
  tensors.norm(name + ".post_layer_norm", c.width);
}

void add_convolution(TensorList& tensors, const Conformer& c) {
  tensors.norm("lconv1d.pre_layer_norm", c.width);
  add_matrix(tensors, c, "lconv1d.linear_start", 2 * c.width, c.width);
  tensors.linear("lconv1d.depthwise_conv1d", c.width, c.kernel);
  tensors.norm("lconv1d.conv_norm", c.width);
  add_matrix(tensors, c, "lconv1d.linear_end", c.width, c.width);
}

}  // namespace

void add_clipped_linear(TensorList& tensors, std::string_view name, std::int64_t rows, std::int64_t cols, bool has_bounds) {
  const std::string text(name);
  tensors.linear(text + ".linear", rows, cols);
  if (!has_bounds) return;
  for (const char* bound : {".input_min", ".input_max", ".output_min", ".output_max"}) tensors.scalar(text + bound);
}

Conformer read_gemma3n_audio(KeyReader& audio) {
  Conformer c;
  c.width = audio.positive_or("hidden_size", config_limit::hidden, 1536, "");
  c.n_layers = audio.positive_or("conf_num_hidden_layers", config_limit::layers, 12, "");
  c.n_heads = audio.positive_or("conf_num_attention_heads", config_limit::heads, 8, "");
  c.kernel = audio.positive_or("conf_conv_kernel_size", 1024, 5, "");
  c.frequencies = audio.positive_or("input_feat_size", 4096, 128, "");
  read_channels(audio, "sscp_conv_channel_size", c);
  check_heads(audio, c);
  return c;
}

Conformer read_gemma4_audio(KeyReader& audio) {
  Conformer c;
  c.width = audio.positive_or("hidden_size", config_limit::hidden, 1024, "");
  c.n_layers = audio.positive_or("num_hidden_layers", config_limit::layers, 12, "");
  c.n_heads = audio.positive_or("num_attention_heads", config_limit::heads, 8, "");
  c.kernel = audio.positive_or("conv_kernel_size", 1024, 5, "");
  c.output_size = audio.positive_or("output_proj_dims", config_limit::hidden, 1536, "");
  c.has_bounds = audio.flag_or("use_clipped_linears", true);
  read_channels(audio, "subsampling_conv_channels", c);
  check_heads(audio, c);
  return c;
}

void add_gemma3n_audio(TensorList& tensors, const Conformer& c, std::string_view root) {
  const std::string base(root);
  const std::string layer = base + "conformer.{layer}.";
  tensors.part(ModelPart::tower);
  add_subsampling(tensors, c, base, "conv_0", "conv_1");
  for (std::int64_t index = 0; index < c.n_layers; ++index) {
    tensors.at_layer(index, layer);
    add_feed_forward(tensors, c, "ffw_layer_start");
    tensors.norm("attention.pre_attn_norm", c.width);
    for (const char* name : {"attention.attn.q_proj", "attention.attn.k_proj", "attention.attn.v_proj",
                             "attention.attn.relative_position_embedding.pos_proj", "attention.post"})
      tensors.linear(name, c.width, c.width);
    tensors.add({.name = "attention.attn.per_dim_scale", .rows = c.width / c.n_heads});
    tensors.norm("attention.post_norm", c.width);
    add_convolution(tensors, c);
    add_feed_forward(tensors, c, "ffw_layer_end");
    tensors.norm("norm", c.width);
  }
  tensors.part(ModelPart::text);
}

void add_gemma4_audio(TensorList& tensors, const Conformer& c, std::string_view root) {
  const std::string base(root);
  const std::string layer = base + "layers.{layer}.";
  tensors.part(ModelPart::tower);
  add_subsampling(tensors, c, base, "layer0", "layer1");
  for (std::int64_t index = 0; index < c.n_layers; ++index) {
    tensors.at_layer(index, layer);
    add_feed_forward(tensors, c, "feed_forward1");
    add_feed_forward(tensors, c, "feed_forward2");
    for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.post"})
      add_matrix(tensors, c, name, c.width, c.width);
    tensors.linear("self_attn.relative_k_proj", c.width, c.width);
    tensors.add({.name = "self_attn.per_dim_scale", .rows = c.width / c.n_heads});
    add_convolution(tensors, c);
    for (const char* name : {"norm_pre_attn", "norm_post_attn", "norm_out"}) tensors.norm(name, c.width);
  }
  tensors.outside();
  if (c.output_size > 0) tensors.linear(base + "output_proj", c.output_size, c.width, true);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/towers/mobilenet_v5.hpp"

namespace weighbridge {

namespace {

/// Writes block after block; `channels_` run from one to the next. The number of a block within its stage is left out of the names: equal blocks are
/// rows of one name.
class Blocks {
 public:
  Blocks(TensorList& tensors, std::string_view root) : tensors_(tensors), root_(root) {}

  void stem(std::int64_t channels) {
    convolution("conv_stem.conv", channels, 3 * 3 * 3, true);
    norm("conv_stem.bn", channels);
    channels_ = channels;
  }

  /// A full convolution of 3 x 3, four times as wide inside.
  void edge_residual(std::string_view stage, std::int64_t channels) {
    const std::string name = std::string(stage) + "edge.";
    const std::int64_t inner = 4 * channels_;
    convolution(name + "conv_exp", inner, channels_ * 3 * 3);
    norm(name + "bn1", inner);
    convolution(name + "conv_pwl", channels, inner);
    norm(name + "bn2", channels);
    channels_ = channels;
  }

  struct Inverted {
    std::int64_t first_kernel = 0;  ///< of the depthwise convolution before the wide part; 0: none
    std::int64_t inner_kernel = 0;  ///< of the one within it
    std::int64_t channels = 0;
    std::int64_t expansion = 4;
    bool scaled = true;
  };

  void inverted_residual(std::string_view stage, const Inverted& block) {
    const std::string name(stage);
    const std::int64_t inner = block.expansion * channels_;
    if (block.first_kernel > 0) depthwise(name + "dw_start", channels_, block.first_kernel);
    convolution(name + "pw_exp.conv", inner, channels_);
    norm(name + "pw_exp.bn", inner);
    if (block.inner_kernel > 0) depthwise(name + "dw_mid", inner, block.inner_kernel);
    convolution(name + "pw_proj.conv", block.channels, inner);
    norm(name + "pw_proj.bn", block.channels);
    if (block.scaled) add(name + "layer_scale.gamma", block.channels);
    channels_ = block.channels;
  }

  /// Attention with one key and value head, whose input may be scaled down by a strided convolution.
  void attention(std::string_view stage, std::int64_t n_heads, std::int64_t head_dim, bool strided) {
    const std::string name = std::string(stage) + "attn.";
    norm(std::string(stage) + "norm", channels_);
    convolution(name + "query.proj", n_heads * head_dim, channels_);
    for (const char* part : {"key", "value"}) {
      const std::string base = name + part;
      if (strided) convolution(base + ".down_conv", channels_, 3 * 3);
      if (strided) norm(base + ".norm", channels_);
      convolution(base + ".proj", head_dim, channels_);
    }
    convolution(name + "output.proj", channels_, n_heads * head_dim);
    add(std::string(stage) + "layer_scale.gamma", channels_);
  }

  /// Puts the last two stages together.
  void fusion(std::int64_t input, std::int64_t output) {
    channels_ = input;
    inverted_residual("msfa.ffn.", {.channels = output, .expansion = 2, .scaled = false});
    norm("msfa.norm", output);
  }

 private:
  void add(const std::string& name, std::int64_t rows, std::int64_t cols = 1) { tensors_.add({.name = root_ + name, .rows = rows, .cols = cols}); }
  void norm(const std::string& name, std::int64_t size) { add(name + ".weight", size); }
  void convolution(const std::string& name, std::int64_t output, std::int64_t inputs, bool bias = false) {
    add(name + ".weight", output, inputs);
    if (bias) add(name + ".bias", output);
  }
  void depthwise(const std::string& name, std::int64_t channels, std::int64_t kernel) {
    convolution(name + ".conv", channels, kernel * kernel);
    norm(name + ".bn", channels);
  }

  TensorList& tensors_;
  std::string root_;
  std::int64_t channels_ = 0;
};

}  // namespace

void add_mobilenet_v5(TensorList& tensors, std::string_view root) {
  tensors.part(ModelPart::tower);
  tensors.outside();
  Blocks blocks(tensors, root);
  blocks.stem(64);
  for (int block = 0; block < 3; ++block) blocks.edge_residual("blocks.0.", 128);
  blocks.inverted_residual("blocks.1.", {.first_kernel = 3, .inner_kernel = 5, .channels = 256, .expansion = 6});
  for (const std::int64_t kernel : {5, 3, 5, 3}) blocks.inverted_residual("blocks.1.", {.first_kernel = kernel, .channels = 256});
  blocks.inverted_residual("blocks.2.", {.first_kernel = 5, .inner_kernel = 5, .channels = 640, .expansion = 6});
  for (int block = 0; block < 7; ++block) blocks.inverted_residual("blocks.2.", {.first_kernel = 5, .channels = 640});
  blocks.inverted_residual("blocks.2.", {.channels = 640, .expansion = 1});
  for (int block = 0; block < 14; ++block) {
    blocks.attention("blocks.2.", 12, 64, true);
    blocks.inverted_residual("blocks.2.", {.channels = 640, .expansion = 2});
  }
  blocks.inverted_residual("blocks.3.", {.first_kernel = 5, .inner_kernel = 5, .channels = 1280, .expansion = 6});
  for (int block = 0; block < 19; ++block) {
    blocks.attention("blocks.3.", 16, 96, false);
    blocks.inverted_residual("blocks.3.", {.channels = 1280, .expansion = 2});
  }
  blocks.fusion(640 + 1280, kMobilenetV5Width);
  tensors.part(ModelPart::text);
}

}  // namespace weighbridge

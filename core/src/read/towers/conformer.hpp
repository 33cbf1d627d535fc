// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"

namespace weighbridge {

/// The Conformer that hears for Gemma 3n and Gemma 4. Widths in elements.
struct Conformer {
  std::int64_t width = 0;
  std::int64_t n_layers = 0;
  std::int64_t n_heads = 0;
  std::int64_t kernel = 0;           ///< of the depthwise convolution, in frames
  std::int64_t first_channels = 0;   ///< of the first subsampling convolution
  std::int64_t second_channels = 0;  ///< of the second
  std::int64_t frequencies = 128;    ///< of the spectrogram
  std::int64_t output_size = 0;      ///< Gemma 4's last projection; 0: none
  bool has_bounds = false;           ///< Gemma 4 stores the bounds that its matrices' inputs and outputs are clipped to

  [[nodiscard]] std::int64_t subsampled() const { return frequencies / 4 * second_channels; }
};

/// Gemma 3n's `audio_config` (huggingface/transformers models/gemma3n/configuration_gemma3n.py).
[[nodiscard]] Conformer read_gemma3n_audio(KeyReader& audio);
/// Gemma 4's `audio_config` (huggingface/transformers models/gemma4/configuration_gemma4.py).
[[nodiscard]] Conformer read_gemma4_audio(KeyReader& audio);

/// huggingface/transformers models/gemma3n/modeling_gemma3n.py, Gemma3nAudioEncoder; names begin with `root`.
void add_gemma3n_audio(TensorList& tensors, const Conformer& conformer, std::string_view root);
/// huggingface/transformers models/gemma4/modeling_gemma4.py, Gemma4AudioModel.
void add_gemma4_audio(TensorList& tensors, const Conformer& conformer, std::string_view root);

/// `name`.linear.weight, and the four bounds of a linear layer that clips.
void add_clipped_linear(TensorList& tensors, std::string_view name, std::int64_t rows, std::int64_t cols, bool has_bounds);

}  // namespace weighbridge

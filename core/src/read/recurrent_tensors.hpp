// SPDX-License-Identifier: Apache-2.0
// Mixers with a state, as several families store them: Mamba, Mamba-2, the short convolution of LFM2.
#pragma once

#include "read/draft.hpp"

namespace weighbridge {

/// Mamba (arXiv:2312.00752; huggingface/transformers models/mamba). Sizes in elements.
struct MambaShape {
  std::int64_t inner_size = 0;
  std::int64_t state_size = 0;  ///< per channel
  std::int64_t dt_rank = 0;
  std::int64_t conv_kernel = 0;
  bool conv_bias = true;
  bool projection_bias = false;
  bool inner_norms = false;  ///< norms on dt, B and C (Jamba)
};
[[nodiscard]] RecurrentMixer mamba_mixer(const MambaShape& shape);
/// `prefix` is what the mixer is called in its layer, with a dot: "mixer." or "mamba.".
void add_mamba(TensorList& tensors, const MambaShape& shape, std::int64_t hidden, std::string_view prefix);

/// Mamba-2 (arXiv:2405.21060; huggingface/transformers models/mamba2).
struct Mamba2Shape {
  std::int64_t inner_size = 0;  ///< n_heads heads of equal width
  std::int64_t n_heads = 0;
  std::int64_t n_groups = 0;
  std::int64_t state_size = 0;
  std::int64_t conv_kernel = 0;
  bool conv_bias = true;
  bool in_bias = false;
  bool out_bias = false;
  bool norm = true;  ///< a gated norm before the last projection

  [[nodiscard]] std::int64_t conv_channels() const { return inner_size + 2 * n_groups * state_size; }
};
[[nodiscard]] RecurrentMixer mamba2_mixer(const Mamba2Shape& shape);
void add_mamba2(TensorList& tensors, const Mamba2Shape& shape, std::int64_t hidden, std::string_view prefix);

}  // namespace weighbridge

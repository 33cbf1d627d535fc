// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/engine.hpp"

namespace weighbridge {

/// What the expert kernel of a device asks of the matrices of routed experts.
struct ExpertPadding {
  std::int64_t hidden_multiple = 1;  ///< hidden_size of FP4 experts is padded up to a multiple of this
  std::int64_t ffn_multiple = 1;     ///< the same for a rank's share of moe_ffn_size
  bool packed = false;               ///< the experts are MXFP4
  bool extra_columns = false;        ///< 16-bit rows of whole 512 bytes get 256 more, against channel conflicts (ROCm)

  /// Whether a rank may hold another part than without.
  [[nodiscard]] bool pads() const { return packed || hidden_multiple > 1 || ffn_multiple > 1 || extra_columns; }
};

[[nodiscard]] ExpertPadding expert_padding(const Job& job);

/// Leaves of a routed experts' tensor (matrix, scale or bias) the part that one tensor-parallel rank holds, padded.
void cut_expert(Tensor& tensor, std::int64_t ranks, const ExpertPadding& padding);

}  // namespace weighbridge

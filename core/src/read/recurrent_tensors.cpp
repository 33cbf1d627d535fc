// SPDX-License-Identifier: Apache-2.0
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

std::string joined(std::string_view a, std::string_view b) { return std::string(a) + std::string(b); }

void add_convolution(TensorList& tensors, std::int64_t channels, std::int64_t kernel, bool bias, std::string_view prefix) {
  tensors.linear(joined(prefix, "conv1d"), channels, kernel, bias);
}

}  // namespace

RecurrentMixer mamba_mixer(const MambaShape& shape) {
  return {RecurrentKind::mamba, shape.inner_size, 0, shape.inner_size * shape.state_size, shape.inner_size, shape.conv_kernel};
}

void add_mamba(TensorList& tensors, const MambaShape& shape, std::int64_t hidden, std::string_view prefix) {
  tensors.linear(joined(prefix, "in_proj"), 2 * shape.inner_size, hidden, shape.projection_bias);
  add_convolution(tensors, shape.inner_size, shape.conv_kernel, shape.conv_bias, prefix);
  tensors.linear(joined(prefix, "x_proj"), shape.dt_rank + 2 * shape.state_size, shape.inner_size);
  tensors.linear(joined(prefix, "dt_proj"), shape.inner_size, shape.dt_rank, true);
  tensors.add({.name = joined(prefix, "A_log"), .rows = shape.inner_size, .cols = shape.state_size});
  tensors.add({.name = joined(prefix, "D"), .rows = shape.inner_size});
  tensors.linear(joined(prefix, "out_proj"), hidden, shape.inner_size, shape.projection_bias);
  if (!shape.inner_norms) return;
  tensors.norm(joined(prefix, "dt_layernorm"), shape.dt_rank);
  tensors.norm(joined(prefix, "b_layernorm"), shape.state_size);
  tensors.norm(joined(prefix, "c_layernorm"), shape.state_size);
}

RecurrentMixer mamba2_mixer(const Mamba2Shape& shape) {
  return {RecurrentKind::mamba2, shape.inner_size, shape.n_heads, shape.inner_size * shape.state_size, shape.conv_channels(), shape.conv_kernel};
}

void add_mamba2(TensorList& tensors, const Mamba2Shape& shape, std::int64_t hidden, std::string_view prefix) {
  tensors.linear(joined(prefix, "in_proj"), shape.inner_size + shape.conv_channels() + shape.n_heads, hidden, shape.in_bias);
  add_convolution(tensors, shape.conv_channels(), shape.conv_kernel, shape.conv_bias, prefix);
  for (const std::string_view vector : {"dt_bias", "A_log", "D"}) tensors.add({.name = joined(prefix, vector), .rows = shape.n_heads});
  if (shape.norm) tensors.norm(joined(prefix, "norm"), shape.inner_size);
  tensors.linear(joined(prefix, "out_proj"), hidden, shape.inner_size, shape.out_bias);
}

}  // namespace weighbridge

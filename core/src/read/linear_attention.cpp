// SPDX-License-Identifier: Apache-2.0
#include "read/linear_attention.hpp"

#include "read/decoder.hpp"

namespace weighbridge {

RecurrentMixer kimi_delta(std::int64_t n_heads, std::int64_t head_dim, std::int64_t conv_kernel) {
  const std::int64_t width = n_heads * head_dim;
  return {RecurrentKind::kimi_delta, width, n_heads, width * head_dim, 3 * width, conv_kernel};
}

RecurrentMixer lightning_attention(std::int64_t n_heads, std::int64_t head_dim) {
  const std::int64_t width = n_heads * head_dim;
  return {RecurrentKind::lightning, width, n_heads, width * head_dim, 0, 0};
}

RecurrentMixer read_kimi_delta(KeyReader& config) {
  const std::int64_t n_heads = config.positive("num_heads", config_limit::heads);
  const std::int64_t head_dim = config.positive("head_dim", config_limit::head_dim);
  return kimi_delta(n_heads, head_dim, config.positive_or("short_conv_kernel_size", config_limit::head_dim, 4, ""));
}

void add_kimi_delta(TensorList& tensors, const RecurrentMixer& m, std::int64_t hidden, bool full_rank_gate, std::string_view prefix) {
  const auto name = [&](std::string_view part) { return std::string(prefix) + std::string(part); };
  const std::int64_t head_dim = m.inner_size / m.n_heads;
  for (const char* projection : {"q_proj", "k_proj", "v_proj"})
    tensors.add({.name = name(projection) + ".weight", .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in});
  for (const char* conv : {"q_conv1d.weight", "k_conv1d.weight", "v_conv1d.weight"})
    tensors.add({.name = name(conv), .rows = m.inner_size, .cols = m.conv_kernel, .role = TensorRole::recurrent_state});
  tensors.add({.name = name("A_log"), .rows = m.n_heads, .role = TensorRole::recurrent_state, .type = dtype::f32});
  tensors.add({.name = name("dt_bias"), .rows = m.inner_size, .role = TensorRole::recurrent_state, .type = dtype::f32});
  tensors.linear(name("f_a_proj"), head_dim, hidden);
  tensors.linear(name("f_b_proj"), m.inner_size, head_dim);
  tensors.linear(name("b_proj"), m.n_heads, hidden);
  if (full_rank_gate) {
    tensors.add({.name = name("g_proj.weight"), .rows = m.inner_size, .cols = hidden, .role = TensorRole::recurrent_in});
  } else {
    tensors.linear(name("g_a_proj"), head_dim, hidden);
    tensors.linear(name("g_b_proj"), m.inner_size, head_dim);
  }
  tensors.norm(name("o_norm"), head_dim);
  tensors.add({.name = name("o_proj.weight"), .rows = hidden, .cols = m.inner_size, .role = TensorRole::recurrent_out});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// Mixers with a state instead of a cache that several families share.
#pragma once

#include "key_reader.hpp"
#include "read/tensor_list.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// Kimi Delta Attention (arXiv:2510.26692): a state of head_dim x head_dim values a head, and a convolution over queries, keys and values.
[[nodiscard]] RecurrentMixer kimi_delta(std::int64_t n_heads, std::int64_t head_dim, std::int64_t conv_kernel);
/// num_heads, head_dim and short_conv_kernel_size of `linear_attn_config`.
[[nodiscard]] RecurrentMixer read_kimi_delta(KeyReader& config);
/// `prefix`: "self_attn." or what the family calls it. The output gate is one matrix if `full_rank_gate`, else two of rank head_dim
/// (moonshotai/Kimi-Linear modeling_kimi.py, vllm-project/vllm models/kimi_linear.py).
void add_kimi_delta(TensorList& tensors, const RecurrentMixer& mixer, std::int64_t hidden, bool full_rank_gate,
                    std::string_view prefix = "self_attn.");

/// Lightning attention (arXiv:2501.08313): a state of head_dim x head_dim values a head, with a fixed decay.
[[nodiscard]] RecurrentMixer lightning_attention(std::int64_t n_heads, std::int64_t head_dim);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Phi-3 and Phi-4 (huggingface/transformers models/phi3): no biases, q, k and v in one matrix, gate and up in another; `sliding_window` holds for
/// every layer; `partial_rotary_factor` rotates a part of each head.
void read_phi3(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(1.0));
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, ffn});
  add_decoder(draft, {.fused = true});
}

}  // namespace weighbridge

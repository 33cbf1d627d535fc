// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Mixtral (huggingface/transformers models/mixtral): Mistral's attention, `num_local_experts` experts of `intermediate_size` in every layer.
void read_mixtral(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const MoeFfn moe = read_routed_experts(config, "num_local_experts", "intermediate_size");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, moe});
  add_decoder(draft, {}, mixtral_experts());
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Mistral (huggingface/transformers models/mistral): no biases; `sliding_window` holds for every layer, null means none.
void read_mistral(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  if (!config.json().contains("sliding_window"))
    config.warn(notice::assumed_default(config.path("sliding_window"), "sliding_window", "null", "counting the full cache is never too little"));
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, ffn});
  add_decoder(draft);
}

}  // namespace weighbridge

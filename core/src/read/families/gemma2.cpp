// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Gemma 2 (huggingface/transformers models/gemma2): four norms a layer, every layer with an even index slides, embeddings are tied
/// unless the config says otherwise.
void read_gemma2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  FullAttention attention = read_full_attention(config, model);
  if (!config.has("head_dim")) attention.head_dim_k = attention.head_dim_v = 256;
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 4096, "");
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t layer) { return layer % 2 == 0; }))
    model.layers.push_back({mixer, ffn});
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .post_norms = true});
}

}  // namespace weighbridge

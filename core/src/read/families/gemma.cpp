// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Gemma 1 (huggingface/transformers models/gemma): Llama's layers with heads of 256, embeddings tied.
void read_gemma(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 3072, .layers = 28, .heads = 16, .head_dim = 256, .ffn = 24576, .vocab = 256000, .context = 8192, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias});
}

}  // namespace weighbridge

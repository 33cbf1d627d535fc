// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// SmolLM3 (huggingface/transformers models/smollm3): Llama's tensors, embeddings tied; every fourth layer does not rotate. Layers slide only with
/// `use_sliding_window`.
void read_smollm3(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 2048, .layers = 36, .heads = 16, .kv_heads = 4, .ffn = 11008, .vocab = 128256, .context = 32768, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("attention_bias", false);
  const bool ffn_bias = config.flag_or("mlp_bias", false);
  const std::int64_t window = config.flag_or("use_sliding_window", false) ? config.count_or_zero("sliding_window", config_limit::context) : 0;
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return false; }))
    model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = ffn_bias});
}

}  // namespace weighbridge

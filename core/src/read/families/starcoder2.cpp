// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// StarCoder2 (huggingface/transformers models/starcoder2): LayerNorm, grouped heads, no gate, biases if `use_bias`; `sliding_window` holds for every
/// layer.
void read_starcoder2(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{
      .hidden = 3072, .layers = 30, .heads = 24, .kv_heads = 2, .ffn = 12288, .vocab = 49152, .context = 4096, .tied = true};
  constexpr ClassicNames names{.embedding = "model.embed_tokens",
                               .layer = "model.layers.{layer}.",
                               .norm = "input_layernorm",
                               .ffn_norm = "post_attention_layernorm",
                               .q = "self_attn.q_proj",
                               .k = "self_attn.k_proj",
                               .v = "self_attn.v_proj",
                               .attention_output = "self_attn.o_proj",
                               .up = "mlp.c_fc",
                               .down = "mlp.c_proj",
                               .last_norm = "model.norm",
                               .head = "lm_head"};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool bias = config.flag_or("use_bias", true);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  ffn.gated = false;
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_classic_decoder(draft, names, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = bias});
}

}  // namespace weighbridge

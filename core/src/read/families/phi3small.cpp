// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Phi-3-small (microsoft/Phi-3-small-8k-instruct modeling_phi3_small.py; vllm-project/vllm model_executor/models/phi3_small.py): LayerNorm, biases,
/// gate and up in one matrix, embeddings tied. Most layers read blocks of the context only, but cache all of it.
void read_phi3small(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 32, .heads = 32, .kv_heads = 8, .vocab = 100352, .context = 8192, .tied = true};
  constexpr ClassicNames names{.embedding = "model.embed_tokens",
                               .layer = "model.layers.{layer}.",
                               .norm = "input_layernorm",
                               .ffn_norm = "post_attention_layernorm",
                               .qkv = "self_attn.query_key_value",
                               .attention_output = "self_attn.dense",
                               .up = "mlp.up_proj",
                               .down = "mlp.down_proj",
                               .last_norm = "model.final_layernorm",
                               .head = "lm_head"};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const DenseFfn ffn{config.positive_or("ff_intermediate_size", config_limit::ffn, 14336, "")};
  model.rotary_dim = attention.head_dim_k;
  // Embeddings, head and all that is no feed-forward block are GPT-2's.
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, NoFfn{}});
  if (config.error()) return;
  add_classic_decoder(draft, names);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    draft.tensors.linear("mlp.up_proj", 2 * ffn.ffn_size, model.hidden_size, true);
    draft.tensors.linear("mlp.down_proj", model.hidden_size, ffn.ffn_size, true);
  }
  model.layers.change_all([&](LayerSpec& layer) { layer.ffn = ffn; });
}

}  // namespace weighbridge

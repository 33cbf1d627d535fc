// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

constexpr ClassicStyle kStyle{.head_bias = true};

}  // namespace

/// Phi-1, 1.5 and 2 (huggingface/transformers models/phi): one LayerNorm a layer, attention and feed-forward block side by side, biases everywhere.
void read_phi(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 2048, .layers = 24, .heads = 32, .ffn = 8192, .vocab = 51200, .context = 2048};
  constexpr ClassicNames names{.embedding = "model.embed_tokens",
                               .layer = "model.layers.{layer}.",
                               .norm = "input_layernorm",
                               .q = "self_attn.q_proj",
                               .k = "self_attn.k_proj",
                               .v = "self_attn.v_proj",
                               .attention_output = "self_attn.dense",
                               .up = "mlp.fc1",
                               .down = "mlp.fc2",
                               .last_norm = "model.final_layernorm",
                               .head = "lm_head"};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const bool qk_norm = config.flag_or("qk_layernorm", false);
  DenseFfn ffn = read_dense_ffn(config, defaults);
  ffn.gated = false;
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.5));
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_classic_decoder(draft, names, kStyle);
  for (std::int64_t layer = 0; qk_norm && layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    draft.tensors.norm("self_attn.q_layernorm", attention.head_dim_k, true);
    draft.tensors.norm("self_attn.k_layernorm", attention.head_dim_k, true);
  }
}

/// The same models as first published, with code of their own: GPT-2's keys, q, k and v in one matrix (microsoft/phi-2 modeling_phi.py of 2023).
void read_phi_msft(KeyReader& config, Draft& draft) {
  constexpr ClassicNames names{.embedding = "transformer.embd.wte",
                               .layer = "transformer.h.{layer}.",
                               .norm = "ln",
                               .qkv = "mixer.Wqkv",
                               .attention_output = "mixer.out_proj",
                               .up = "mlp.fc1",
                               .down = "mlp.fc2",
                               .last_norm = "lm_head.ln",
                               .head = "lm_head.linear"};
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model, {.heads = 32});
  DenseFfn ffn = read_dense_ffn(config, {.ffn = 4 * model.hidden_size});
  ffn.gated = false;
  model.rotary_dim = config.positive_or("rotary_dim", config_limit::head_dim, 32, "");
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_classic_decoder(draft, names, kStyle);
}

}  // namespace weighbridge

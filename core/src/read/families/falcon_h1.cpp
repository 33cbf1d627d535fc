// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

/// Falcon-H1 (huggingface/transformers models/falcon_h1): attention and Mamba-2 beside each other in every layer.
void read_falcon_h1(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, 8192, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("attention_bias", false);
  const bool ffn_bias = config.flag_or("mlp_bias", false);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  Mamba2Shape shape;
  const std::int64_t expand = config.positive_or("mamba_expand", 64, 2, "");
  shape.inner_size = config.positive_or("mamba_d_ssm", config_limit::ffn, expand * model.hidden_size, "");
  shape.n_heads = config.positive_or("mamba_n_heads", config_limit::heads, 128, "");
  shape.n_groups = config.positive_or("mamba_n_groups", config_limit::heads, 1, "");
  shape.state_size = config.positive_or("mamba_d_state", config_limit::head_dim, 256, "");
  shape.conv_kernel = config.positive_or("mamba_d_conv", 64, 4, "");
  shape.conv_bias = config.flag_or("mamba_conv_bias", true);
  shape.in_bias = config.flag_or("mamba_proj_bias", false);
  shape.out_bias = config.flag_or("projectors_bias", false);
  shape.norm = config.flag_or("mamba_rms_norm", false);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;

  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, ffn, mamba2_mixer(shape)});
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    draft.tensors.at_layer(layer);
    draft.tensors.norm("input_layernorm", model.hidden_size);
    add_mamba2(draft.tensors, shape, model.hidden_size, "mamba.");
    add_attention(draft.tensors, attention, model.hidden_size, {.qkv_bias = bias, .output_bias = bias});
    draft.tensors.norm("pre_ff_layernorm", model.hidden_size);
    add_dense_ffn(draft.tensors, ffn, model.hidden_size, ffn_bias, false, "feed_forward.");
  }
  add_head(draft, "model.", "lm_head", "final_layernorm");
}

}  // namespace weighbridge

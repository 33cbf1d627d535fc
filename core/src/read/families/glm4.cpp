// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/families/glm.hpp"

namespace weighbridge {

void read_glm4_text(KeyReader& config, Draft& draft, std::string_view root, bool extra_norms) {
  Model& model = draft.model;
  TensorList& tensors = draft.tensors;
  read_common(config, model);
  FullAttention attention = read_full_attention(config, model);
  const bool qkv_bias = config.flag_or("attention_bias", !extra_norms);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;
  model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(0.5));
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, ffn});
  const std::string prefix = std::string(root) + "layers.{layer}.";
  add_embeddings(draft, root);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer, prefix);
    tensors.norm("input_layernorm", model.hidden_size);
    add_attention(tensors, attention, model.hidden_size, {.qkv_bias = qkv_bias});
    tensors.norm("post_attention_layernorm", model.hidden_size);
    if (extra_norms) {
      tensors.norm("post_self_attn_layernorm", model.hidden_size);
      tensors.norm("post_mlp_layernorm", model.hidden_size);
    }
    add_dense_ffn(tensors, ffn, model.hidden_size, false, true);
  }
  add_head(draft, root);
}

/// GLM-4 as huggingface/transformers models/glm has it: a fused gate and up, biases on q, k and v.
void read_glm(KeyReader& config, Draft& draft) { read_glm4_text(config, draft, "model.", false); }

/// GLM-4-0414 (huggingface/transformers models/glm4): two more norms a layer.
void read_glm4(KeyReader& config, Draft& draft) { read_glm4_text(config, draft, "model.", true); }

}  // namespace weighbridge

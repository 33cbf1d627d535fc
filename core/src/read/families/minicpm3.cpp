// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// MiniCPM3 (openbmb/MiniCPM3-4B modeling_minicpm.py): multi-head latent attention, dense; tied unless the config says otherwise.
void read_minicpm3(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  LatentAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.q_lora_rank = config.positive_or("q_lora_rank", config_limit::hidden, 768, "");
  attention.kv_lora_rank = config.positive_or("kv_lora_rank", config_limit::head_dim, 256, "");
  attention.qk_nope_head_dim = config.positive_or("qk_nope_head_dim", config_limit::head_dim, 64, "");
  attention.qk_rope_head_dim = config.positive_or("qk_rope_head_dim", config_limit::head_dim, 32, "");
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;
  attention.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, model.hidden_size / attention.n_heads, "");
  model.rotary_dim = attention.qk_rope_head_dim;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{attention, ffn});
  if (!config.error()) add_decoder(draft);
}

}  // namespace weighbridge

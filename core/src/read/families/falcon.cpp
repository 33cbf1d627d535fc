// SPDX-License-Identifier: Apache-2.0
#include "read/classic_decoder.hpp"
#include "read/decoder.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// `multi_query` without the new architecture: one key and value head; the new architecture: `num_kv_heads`; else one for each query head.
FullAttention read_heads(KeyReader& config, const Model& model, bool is_new) {
  FullAttention heads = read_full_attention(config, model, {.heads = 71});
  const bool multi_query = config.flag_or("multi_query", true);
  if (is_new)
    heads.n_kv_heads = config.positive_or(first_key(config, {"num_kv_heads", "n_head_kv"}), config_limit::heads, heads.n_heads, "");
  else
    heads.n_kv_heads = multi_query ? 1 : heads.n_heads;
  if (!config.error()) check_head_groups(config, heads);
  return heads;
}

ClassicNames falcon_names(bool two_norms_in_parallel, bool parallel) {
  ClassicNames names{.embedding = "transformer.word_embeddings",
                     .layer = "transformer.h.{layer}.",
                     .norm = "input_layernorm",
                     .qkv = "self_attention.query_key_value",
                     .attention_output = "self_attention.dense",
                     .up = "mlp.dense_h_to_4h",
                     .down = "mlp.dense_4h_to_h",
                     .last_norm = "transformer.ln_f",
                     .head = "lm_head"};
  if (two_norms_in_parallel) {
    names.norm = "ln_attn";
    names.ffn_norm = "ln_mlp";
  } else if (!parallel) {
    names.ffn_norm = "post_attention_layernorm";
  }
  return names;
}

}  // namespace

/// Falcon 1 and 2 (huggingface/transformers models/falcon). 7B: one norm, one key and value head; 40B and 180B (`new_decoder_architecture`): grouped
/// heads and two norms. No tie_word_embeddings key: the class ties; the published checkpoints with rotary positions store the head all the same.
void read_falcon(KeyReader& config, Draft& draft) {
  constexpr ClassDefaults defaults{.hidden = 4544, .layers = 32, .vocab = 65024, .context = 2048, .tied = true};
  Model& model = draft.model;
  read_common(config, model, defaults);
  const bool is_new = config.flag_or("new_decoder_architecture", false);
  const bool parallel = config.flag_or("parallel_attn", true);
  const bool bias = config.flag_or("bias", false);
  const bool alibi = config.flag_or("alibi", false);
  const FullAttention attention = read_heads(config, model, is_new);
  const std::int64_t n_norms = config.positive_or("num_ln_in_parallel_attn", 2, 2, "");
  const DenseFfn ffn{config.positive_or("ffn_hidden_size", config_limit::ffn, 4 * model.hidden_size, ""), false};
  model.rotary_dim = alibi ? 0 : attention.head_dim_k;
  if (!alibi && !config.has("tie_word_embeddings")) draft.stores_tied_head = true;
  model.layers.assign(static_cast<std::size_t>(read_layer_count(config, defaults)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_classic_decoder(draft, falcon_names(is_new && n_norms == 2, parallel || is_new), {.qkv_bias = bias, .output_bias = bias, .ffn_bias = bias});
}

}  // namespace weighbridge

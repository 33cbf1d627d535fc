// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/towers/siglip.hpp"

namespace weighbridge {

namespace {

/// From the encoder's width to the language model's, after a norm.
void add_projector(TensorList& tensors, std::int64_t width, std::int64_t hidden) {
  tensors.outside();
  tensors.part(ModelPart::tower);
  tensors.add({.name = "multi_modal_projector.mm_input_projection_weight", .rows = width, .cols = hidden});
  tensors.norm("multi_modal_projector.mm_soft_emb_norm", width);
  tensors.part(ModelPart::text);
}

/// The same layer where tokens see those after them too.
Mixer as_encoder(const Mixer& mixer) {
  const auto* sliding = std::get_if<SlidingAttention>(&mixer);
  return EncoderAttention{*grouped_attention(mixer), sliding != nullptr ? sliding->window : 0};
}

void read_text(KeyReader& config, Draft& draft, std::string_view root) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive_or("vocab_size", config_limit::vocab, 262208, "");
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, 131072, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  FullAttention attention;
  attention.n_heads = config.positive_or("num_attention_heads", config_limit::heads, 8, "");
  attention.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, 4, "");
  attention.head_dim_k = attention.head_dim_v = config.positive_or("head_dim", config_limit::head_dim, 256, "");
  const bool bias = config.flag_or("attention_bias", false);
  check_head_groups(config, attention);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 4096, "");
  const std::int64_t pattern = config.positive_or("sliding_window_pattern", config_limit::layers, 6, "");
  const bool encodes = config.flag_or("use_bidirectional_attention", false);  // EmbeddingGemma
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  model.n_rotary_tables = 2;  // rope_local_base_freq for sliding layers, rope_theta for the others
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [&](std::int64_t layer) { return (layer + 1) % pattern != 0; }))
    model.layers.push_back({encodes ? as_encoder(mixer) : mixer, ffn});
  add_decoder(draft, {.root = root, .qkv_bias = bias, .output_bias = bias, .qk_norm = true, .post_norms = true});
}

}  // namespace

/// The language model of Gemma 3 (huggingface/transformers models/gemma3): Gemma 2's norms and norms on queries and keys; of
/// `sliding_window_pattern` layers the last sees everything. Defaults are those of Gemma3TextConfig, on which published configs rely.
void read_gemma3_text(KeyReader& config, Draft& draft) { read_text(config, draft, "model."); }

/// Gemma 3 with its image encoder: `text_config` and `vision_config`.
void read_gemma3(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> language = text_part(config);
  if (!language) return;
  read_text(*language, draft, "language_model.model.");
  config.adopt(*language);
  const std::optional<VisionTower> tower = read_siglip(config);
  if (!tower)
    return config.warn(notice::custom("not_counted", config.path("vision_config"),
                                      "The image encoder is not counted: expected a SigLIP `vision_config` with its sizes.", "vision_config", "",
                                      "a SigLIP vision_config"));
  draft.model.vision = tower;
  add_siglip(draft.tensors, *tower);
  add_projector(draft.tensors, tower->hidden_size, draft.model.hidden_size);
}

}  // namespace weighbridge

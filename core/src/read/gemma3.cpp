// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/families.hpp"

namespace weighbridge {

namespace {

/// A SigLIP encoder, if the config says all of it.
std::optional<VisionTower> read_tower(KeyReader& config) {
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object()) return std::nullopt;
  KeyReader vision = config.under("vision_config");
  for (const char* key : {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "patch_size", "image_size"})
    if (!vision.has(key)) return std::nullopt;
  if (vision.text_if_given("model_type").value_or("siglip_vision_model") != "siglip_vision_model") return std::nullopt;
  constexpr std::int64_t most_pixels = std::int64_t{1} << 16;
  VisionTower tower;
  tower.hidden_size = vision.positive("hidden_size", config_limit::hidden);
  tower.ffn_size = vision.positive("intermediate_size", config_limit::ffn);
  tower.n_layers = vision.positive("num_hidden_layers", config_limit::layers);
  tower.n_heads = vision.positive("num_attention_heads", config_limit::heads);
  tower.n_channels = vision.positive_or("num_channels", 64, 3, "");
  tower.patch_size = vision.positive("patch_size", most_pixels);
  tower.image_size = vision.positive("image_size", most_pixels);
  tower.tokens_per_image = config.positive_or("mm_tokens_per_image", config_limit::context, 256, "");
  config.adopt(vision);
  if (!vision.error() && tower.image_size < tower.patch_size)
    config.fail(notice::out_of_range(vision.path("image_size"), "image_size", grouped(tower.image_size),
                                     "at least patch_size, " + grouped(tower.patch_size)));
  return tower;
}

}  // namespace

/// The language model of Gemma 3 (huggingface/transformers models/gemma3): Gemma 2's norms and norms on queries and keys; of
/// `sliding_window_pattern` layers the last sees everything. Defaults are those of Gemma3TextConfig, on which published configs rely.
void read_gemma3_text(KeyReader& config, Model& model) {
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive_or("vocab_size", config_limit::vocab, 262208, "");
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, 131072, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  FullAttention attention;
  attention.n_heads = config.positive_or("num_attention_heads", config_limit::heads, 8, "");
  attention.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, 4, "");
  attention.head_dim_k = attention.head_dim_v = config.positive_or("head_dim", config_limit::head_dim, 256, "");
  attention.qk_norm = true;
  attention.qkv_bias = attention.output_bias = config.flag_or("attention_bias", false);
  check_head_groups(config, attention);
  const std::int64_t window = config.positive_or("sliding_window", config_limit::context, 4096, "");
  const std::int64_t pattern = config.positive_or("sliding_window_pattern", config_limit::layers, 6, "");
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn), false};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  model.rotary_dim = attention.head_dim_k;
  model.n_rotary_tables = 2;  // rope_local_base_freq for sliding layers, rope_theta for the others
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [&](std::int64_t layer) { return (layer + 1) % pattern != 0; }))
    model.layers.push_back({mixer, ffn, true});
}

/// Gemma 3 with its image encoder: `text_config` and `vision_config`.
void read_gemma3(KeyReader& config, Model& model) {
  if (!config.has("text_config"))
    return config.fail(notice::missing_key(config.path("text_config"), "text_config", "an object with the language model's keys"));
  const Json& text = *config.json().find("text_config");
  if (!text.is_object()) return config.fail(notice::wrong_type(config.path("text_config"), "text_config", excerpt(text), "an object"));
  KeyReader language = config.under("text_config");
  read_gemma3_text(language, model);
  config.adopt(language);
  model.vision = read_tower(config);
  if (!model.vision)
    config.warn(notice::custom("not_counted", config.path("vision_config"),
                               "The image encoder is not counted: expected a SigLIP `vision_config` with its sizes.", "vision_config", "",
                               "a SigLIP vision_config"));
}

}  // namespace weighbridge

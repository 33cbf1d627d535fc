// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/towers/pixtral.hpp"

namespace weighbridge {

namespace {

/// Attention and feed-forward block as in Llama; `sliding_window` holds for every layer, null means none.
void read_dense(KeyReader& config, Draft& draft, const ClassDefaults& defaults, const DecoderStyle& style) {
  Model& model = draft.model;
  read_common(config, model, defaults);
  const FullAttention attention = read_full_attention(config, model, defaults);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  const DenseFfn ffn = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  model.rotary_dim = attention.head_dim_k;
  for (const Mixer& mixer : mixers_with_window(config, attention, n_layers, window, [](std::int64_t) { return true; }))
    model.layers.push_back({mixer, ffn});
  if (config.error()) return;
  add_decoder(draft, style);
}

constexpr ClassDefaults kMinistral3{
    .hidden = 4096, .layers = 34, .heads = 32, .kv_heads = 8, .head_dim = 128, .ffn = 14336, .vocab = 131072, .context = 262144};

/// DeepSeek-V3's attention and experts (huggingface/transformers models/mistral4), routed without a correction bias.
void read_latent(KeyReader& config, Draft& draft, const DecoderStyle& style) {
  constexpr ClassDefaults defaults{.hidden = 4096, .layers = 36, .ffn = 12288, .vocab = 131072, .context = 1048576};
  Model& model = draft.model;
  read_common(config, model, defaults);
  LatentAttention attention;
  attention.n_heads = config.positive_or("num_attention_heads", config_limit::heads, 32, "");
  const bool direct = config.json().contains("q_lora_rank") && !config.has("q_lora_rank");  // null
  attention.q_lora_rank = direct ? 0 : config.positive_or("q_lora_rank", config_limit::hidden, 1024, "");
  attention.kv_lora_rank = config.positive_or("kv_lora_rank", config_limit::head_dim, 256, "");
  attention.qk_nope_head_dim = config.positive_or("qk_nope_head_dim", config_limit::head_dim, 64, "");
  attention.qk_rope_head_dim = config.positive_or("qk_rope_head_dim", config_limit::head_dim, 64, "");
  attention.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, 128, "");
  MoeFfn moe;
  moe.n_experts = config.positive_or("n_routed_experts", config_limit::experts, 128, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, 4, "");
  moe.moe_ffn_size = config.positive_or("moe_intermediate_size", config_limit::moe_ffn, 2048, "");
  moe.shared_ffn_size = config.positive_or("n_shared_experts", 64, 1, "") * moe.moe_ffn_size;
  read_expert_choice(config, moe, true, false);
  check_experts_used(config, moe, "n_routed_experts");
  const DenseFfn dense = read_dense_ffn(config, defaults);
  const std::int64_t n_layers = read_layer_count(config, defaults);
  const std::int64_t n_dense = config.count_or_zero("first_k_dense_replace", config_limit::layers);
  if (config.error()) return;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) model.layers.push_back({attention, layer < n_dense ? Ffn(dense) : Ffn(moe)});
  model.rotary_dim = attention.qk_rope_head_dim;
  add_decoder(draft, style);
}

/// Merges patches, and takes them to the language model's width.
void add_projector(TensorList& tensors, std::int64_t width, std::int64_t merge, std::int64_t n_seen, std::int64_t hidden, bool bias) {
  tensors.part(ModelPart::tower);
  tensors.outside();
  tensors.norm("multi_modal_projector.norm", width);
  tensors.linear("multi_modal_projector.patch_merger.merging_layer", width, width * merge * merge);
  tensors.linear("multi_modal_projector.linear_1", hidden, width * n_seen, bias);
  tensors.linear("multi_modal_projector.linear_2", hidden, hidden, bias);
  tensors.part(ModelPart::text);
}

void read_inner_text(KeyReader& text, Draft& draft, const DecoderStyle& style) {
  const std::string type = text.text_if_given("model_type").value_or("mistral");
  if (type == "mistral" || type == "llama" || type == draft.model.architecture) {
    read_dense(text, draft, {}, style);
  } else if (type == "ministral3") {
    read_dense(text, draft, kMinistral3, style);
  } else if (type == "mistral4" || type == "deepseek_v3") {
    draft.model.architecture = type;  // engines tell these from the others that come in this wrapper
    read_latent(text, draft, style);
  } else {
    text.fail(notice::unknown("unsupported", text.path("model_type"), "model_type", type, "one of mistral, ministral3, mistral4, deepseek_v3"));
  }
}

}  // namespace

/// Mistral (huggingface/transformers models/mistral): no biases.
void read_mistral(KeyReader& config, Draft& draft) {
  if (!config.json().contains("sliding_window"))
    config.warn(notice::assumed_default(config.path("sliding_window"), "sliding_window", "null", "counting the full cache is never too little"));
  read_dense(config, draft, {}, {});
}

/// The language model of Ministral 3 (huggingface/transformers models/ministral3).
void read_ministral3(KeyReader& config, Draft& draft) { read_dense(config, draft, kMinistral3, {}); }

/// Mistral Small 4 (huggingface/transformers models/mistral4).
void read_mistral4(KeyReader& config, Draft& draft) { read_latent(config, draft, {}); }

/// Mistral Small 3.1 and later with Pixtral's encoder (huggingface/transformers models/mistral3).
void read_mistral3(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = text_part(config);
  if (!text) return;
  read_inner_text(*text, draft, {.root = "language_model.model.", .head = "language_model.lm_head"});
  config.adopt(*text);
  if (!config.has("vision_config") || !config.json().find("vision_config")->is_object())
    return config.warn(notice::custom("not_counted", config.path("vision_config"),
                                      "The image encoder is not counted: expected a Pixtral `vision_config` with its sizes.", "vision_config", "",
                                      "a Pixtral vision_config"));
  const std::int64_t merge = config.positive_or("spatial_merge_size", 64, 2, "");
  const bool bias = config.flag_or("multimodal_projector_bias", false);
  const std::int64_t n_seen = count_feature_layers(config);
  KeyReader vision = config.under("vision_config");
  const VisionTower tower = read_pixtral(vision, merge);
  config.adopt(vision);
  if (config.error()) return;
  draft.model.vision = tower;
  add_pixtral(draft.tensors, tower, "vision_tower.");
  add_projector(draft.tensors, tower.hidden_size, merge, n_seen, draft.model.hidden_size, bias);
}

}  // namespace weighbridge

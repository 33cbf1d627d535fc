// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen3_hybrid.hpp"
#include "read/towers/qwen_vit.hpp"

namespace weighbridge {

namespace {

/// The feed-forward blocks; those without experts do not have `mlp_only_layers` either.
std::vector<Ffn> read_ffns(KeyReader& config, std::int64_t n_layers, bool has_experts) {
  if (has_experts) return std::vector<Ffn>(static_cast<std::size_t>(n_layers), read_qwen_experts(config, 256, 8, 512, 512));
  return std::vector<Ffn>(static_cast<std::size_t>(n_layers), DenseFfn{config.positive_or("intermediate_size", config_limit::ffn, 12288, "")});
}

void read_text(KeyReader& config, Draft& draft, const TextPlace& place) {
  Model& model = draft.model;
  const bool has_experts = model.architecture.starts_with("qwen3_5_moe");
  read_sizes(config, model, 248320, 32768);
  HybridStyle style;
  style.attention_bias = config.flag_or("attention_bias", false);
  style.output_gate = config.flag_or("attn_output_gate", true);
  // Qwen3.6 has the same model_type; its config.json no longer has this key, which means nothing here.
  style.delta.keeps_f32 = config.has("mlp_only_layers");
  const FullAttention heads = read_hybrid_attention(config, 16, has_experts ? 2 : 4);
  const RecurrentMixer delta = read_gated_delta_net(config);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::vector<Mixer> mixers = read_hybrid_mixers(config, delta, heads, n_layers);
  const std::vector<Ffn> ffns = read_ffns(config, n_layers, has_experts);
  const std::int64_t n_mtp = config.count_or_zero("mtp_num_hidden_layers", 64);
  const bool own_embeddings = config.flag_or("mtp_use_dedicated_embeddings", false);
  model.rotary_dim = read_quarter_rotary(config, heads.head_dim_k);
  if (config.error()) return;
  for (std::size_t layer = 0; layer < mixers.size(); ++layer) model.layers.push_back({mixers[layer], ffns[layer]});
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{heads, ffns.front()});
  add_hybrid_decoder(draft, place, style);
  add_hybrid_mtp(draft, style, own_embeddings);
}

}  // namespace

/// Qwen3.5 to 3.8, dense or with experts, with or without the image encoder (huggingface/transformers models/qwen3_5, models/qwen3_5_moe; MTP:
/// vllm-project/vllm vllm/model_executor/models/qwen3_5_mtp.py): Qwen3-Next with its projections split. 16-bit checkpoints stack a layer's experts in
/// two tensors, quantized ones do not; they are written here one by one.
void read_qwen3_5(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = object_under(config, "text_config");
  if (!text) return read_text(config, draft, {});
  read_text(*text, draft, {.root = "model.language_model.", .tied = config.flag_if_given("tie_word_embeddings")});
  config.adopt(*text);
  add_qwen_vit(config, draft, "model.visual.", {.generation = QwenVitGeneration::qwen3, .has_deepstack = false});
}

}  // namespace weighbridge

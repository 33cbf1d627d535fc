// SPDX-License-Identifier: Apache-2.0
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// DeepSeekMoE (deepseek-ai/deepseek-moe-16b-base modeling_deepseek.py): Llama's attention, experts from layer `first_k_dense_replace` on, no
/// correction bias on the router.
void read_deepseek(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const ExpertStack stack = read_expert_stack(config, {.router_bias = false, .normalizes_weights = false});
  const bool bias = config.flag_or("attention_bias", false);
  if (config.error()) return;
  fill_layers(
      model, stack, [&](std::int64_t) { return attention; }, attention);
  model.rotary_dim = attention.head_dim_k;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias});
}

/// dots.llm1 (huggingface/transformers models/dots1): Qwen 3's attention and DeepSeek-V3's experts; `layer_types` may let layers slide.
void read_dots1(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  const ExpertStack stack = read_expert_stack(config, {.scales_weights = true});
  const bool bias = config.flag_or("attention_bias", false);
  const std::int64_t window = config.count_or_zero("sliding_window", config_limit::context);
  if (config.error()) return;
  const std::vector<Mixer> mixers = mixers_with_window(config, attention, stack.n_layers, window, [](std::int64_t) { return false; });
  if (config.error()) return;
  fill_layers(
      model, stack, [&](std::int64_t layer) { return mixers[static_cast<std::size_t>(layer)]; }, attention);
  model.rotary_dim = attention.head_dim_k;
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .qk_norm = true});
}

}  // namespace weighbridge

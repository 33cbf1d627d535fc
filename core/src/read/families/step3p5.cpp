// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"
#include "read/towers/perception.hpp"

namespace weighbridge {

namespace {

constexpr ExpertNames kStepExperts{.router = "moe.gate",
                                   .router_bias = "moe.router_bias",
                                   .gate = "moe.experts.{expert}.gate_proj",
                                   .up = "moe.experts.{expert}.up_proj",
                                   .down = "moe.experts.{expert}.down_proj",
                                   .shared = "share_expert."};

/// The config of the published checkpoints has names of its own; copies of it use the usual ones.
std::string_view either(KeyReader& config, std::string_view own, std::string_view usual) { return config.has(own) ? own : usual; }

/// `moe_layers_enum`: the layers with experts, as a text of numbers between commas.
void apply_moe_layers(KeyReader& config, ExpertStack& stack) {
  const std::optional<std::string> text = config.text_if_given("moe_layers_enum");
  if (!text || config.error()) return;
  stack.has_experts.assign(stack.has_experts.size(), 0);
  std::size_t number = 0;
  bool any = false;
  for (const char c : *text + ",") {
    if (c >= '0' && c <= '9') {
      number = std::min<std::size_t>(number * 10 + static_cast<std::size_t>(c - '0'), stack.has_experts.size());
      any = true;
      continue;
    }
    if (any && number < stack.has_experts.size()) stack.has_experts[number] = 1;
    number = 0;
    any = false;
  }
}

FullAttention read_sliding_heads(KeyReader& config, const FullAttention& full) {
  FullAttention heads = full;
  heads.n_heads = config.positive_or("swa_num_attention_heads", config_limit::heads, full.n_heads, "");
  if (config.has("attention_other_setting") && config.json().find("attention_other_setting")->is_object()) {
    KeyReader other = config.under("attention_other_setting");
    heads.n_heads = other.positive_or("num_attention_heads", config_limit::heads, full.n_heads, "");
    heads.n_kv_heads = other.positive_or("num_attention_groups", config_limit::heads, full.n_kv_heads, "");
    config.adopt(other);
  }
  check_head_groups(config, heads);
  return heads;
}

/// `layer_types` may go on with those of the layers that predict further tokens.
LayerFlags read_slides(KeyReader& config, const ExpertStack& stack) {
  const auto listed = config.json().find("layer_types");
  const bool all = listed != config.json().end() && static_cast<std::int64_t>(listed->size()) == stack.n_layers + stack.n_mtp;
  return read_sliding_layers(config, stack.n_layers + (all ? stack.n_mtp : 0));
}

FullAttention read_full_heads(KeyReader& config) {
  FullAttention heads;
  heads.n_heads = config.positive("num_attention_heads", config_limit::heads);
  heads.n_kv_heads = config.positive(either(config, "num_attention_groups", "num_key_value_heads"), config_limit::heads);
  heads.head_dim_k = heads.head_dim_v = config.positive("head_dim", config_limit::head_dim);
  check_head_groups(config, heads);
  return heads;
}

void add_layer(Draft& draft, const LayerSpec& layer, bool gate) {
  add_decoder_layer(draft, layer, {.qk_norm = true}, kStepExperts);
  if (gate) draft.tensors.linear("self_attn.g_proj", grouped_attention(layer.mixer)->n_heads, draft.model.hidden_size);
}

/// A dense sliding layer and a head of its own, but no embedding.
void add_mtp(Draft& draft, bool gate) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  std::int64_t index = draft.model.n_layers();
  tensors.part(ModelPart::mtp);
  for (const LayerSpec& layer : draft.model.mtp_layers) {
    tensors.at_layer(index++);
    add_layer(draft, layer, gate);
    tensors.norm("enorm", hidden);
    tensors.norm("hnorm", hidden);
    tensors.linear("eh_proj", hidden, 2 * hidden);
    tensors.norm("shared_head.norm", hidden);
    tensors.linear("shared_head.output", draft.model.vocab_size, hidden);
  }
  tensors.part(ModelPart::text);
}

}  // namespace

/// Step-3.5 (vllm-project/vllm models/step3p5.py, step3p5_mtp.py): sliding layers have more query heads, every head a gate of its own; experts stand
/// beside one shared expert.
void read_step3p5(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention full = read_full_heads(config);
  const FullAttention sliding = read_sliding_heads(config, full);
  const std::int64_t window = config.positive("sliding_window", config_limit::context);
  ExpertStack stack = read_expert_stack(config, {.experts = either(config, "moe_num_experts", "num_experts"),
                                                 .used = either(config, "moe_top_k", "num_experts_per_tok"),
                                                 .shared = "n_shared_experts",
                                                 .n_dense = 3,
                                                 .normalizes_weights = config.flag_or("norm_expert_weight", true),
                                                 .scales_weights = true,
                                                 .scale = "moe_router_scaling_factor"});
  stack.moe.shared_ffn_size = config.positive(either(config, "share_expert_dim", "share_expert_dims"), config_limit::ffn);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  const bool gate = config.flag_or("use_head_wise_attn_gate", true);
  if (config.error()) return;
  stack.dense = dense;
  apply_moe_layers(config, stack);
  const LayerFlags slides = read_slides(config, stack);
  if (config.error()) return;
  const auto mixer = [&](std::int64_t layer) {
    const bool is_sliding = slides.empty() ? layer % 2 == 0 : slides[static_cast<std::size_t>(layer)] != 0;
    return is_sliding ? Mixer(SlidingAttention{sliding, window}) : Mixer(full);
  };
  fill_layers(model, stack, mixer, SlidingAttention{sliding, window});
  model.mtp_layers.change_all([&](LayerSpec& layer) { layer.ffn = dense; });
  model.rotary_dim = full.head_dim_k;
  model.n_rotary_tables = 2;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < model.n_layers(); ++layer) {
    draft.tensors.at_layer(layer);
    add_layer(draft, model.layers[static_cast<std::size_t>(layer)], gate);
  }
  add_head(draft);
  add_mtp(draft, gate);
}

/// Step-3.7 (huggingface/transformers models/step3p7): Step-3.5 with a perception encoder.
void read_step3p7(KeyReader& config, Draft& draft) {
  std::optional<KeyReader> text = object_under(config, "text_config");
  read_step3p5(text ? *text : config, draft);
  if (text) config.adopt(*text);
  add_perception_of(config, draft);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

void add_layer(Draft& draft, const LayerSpec& layer, const MambaShape& mamba) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.norm("input_layernorm", hidden);
  if (const FullAttention* heads = grouped_attention(layer.mixer))
    add_attention(tensors, *heads, hidden, {});
  else
    add_mamba(tensors, mamba, hidden, "mamba.");
  tensors.norm("pre_ff_layernorm", hidden);
  if (const auto* moe = std::get_if<MoeFfn>(&layer.ffn))
    add_experts(tensors, *moe, hidden,
                {.router = "feed_forward.router",
                 .gate = "feed_forward.experts.{expert}.gate_proj",
                 .up = "feed_forward.experts.{expert}.up_proj",
                 .down = "feed_forward.experts.{expert}.down_proj"});
  if (const auto* dense = std::get_if<DenseFfn>(&layer.ffn)) add_dense_ffn(tensors, *dense, hidden, false, false, "feed_forward.");
}

MambaShape read_mamba_shape(KeyReader& config, std::int64_t hidden) {
  MambaShape shape;
  shape.inner_size = config.positive_or("mamba_expand", 64, 2, "") * hidden;
  shape.state_size = config.positive_or("mamba_d_state", config_limit::head_dim, 16, "");
  shape.conv_kernel = config.positive_or("mamba_d_conv", 64, 4, "");
  const bool is_number = config.has("mamba_dt_rank") && !config.json().find("mamba_dt_rank")->is_string();
  shape.dt_rank = is_number ? config.positive("mamba_dt_rank", config_limit::hidden) : (hidden + 15) / 16;
  shape.conv_bias = config.flag_or("mamba_conv_bias", true);
  shape.projection_bias = config.flag_or("mamba_proj_bias", false);
  shape.inner_norms = true;
  return shape;
}

}  // namespace

/// Jamba (huggingface/transformers models/jamba): of `attn_layer_period` layers one has attention, the others Mamba; of `expert_layer_period` one has
/// experts.
void read_jamba(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive_or("max_position_embeddings", config_limit::context, 262144, "");
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const FullAttention attention = read_full_attention(config, model);
  const MambaShape mamba = read_mamba_shape(config, model.hidden_size);
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  MoeFfn moe;
  moe.n_experts = config.positive_or("num_experts", config_limit::experts, 16, "");
  moe.n_experts_used = config.positive_or("num_experts_per_tok", config_limit::experts, 2, "");
  moe.moe_ffn_size = dense.ffn_size;
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t attention_period = config.positive_or("attn_layer_period", config_limit::layers, 8, "");
  const std::int64_t attention_offset = config.whole_number_if_given("attn_layer_offset", 0, config_limit::layers).value_or(4);
  const std::int64_t expert_period = config.positive_or("expert_layer_period", config_limit::layers, 2, "");
  const std::int64_t expert_offset = config.whole_number_if_given("expert_layer_offset", 0, config_limit::layers).value_or(1);
  if (config.error()) return;

  const RecurrentMixer recurrent = mamba_mixer(mamba);
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool attends = layer % attention_period == attention_offset;
    const bool has_experts = moe.n_experts > 1 && layer % expert_period == expert_offset;
    model.layers.push_back({attends ? Mixer(attention) : Mixer(recurrent), has_experts ? Ffn(moe) : Ffn(dense)});
    draft.tensors.at_layer(layer);
    add_layer(draft, model.layers.back(), mamba);
  }
  add_head(draft, "model.", "lm_head", "final_layernorm");
}

}  // namespace weighbridge

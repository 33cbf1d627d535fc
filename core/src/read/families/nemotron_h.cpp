// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/expert_stack.hpp"
#include "read/families/families.hpp"
#include "read/recurrent_tensors.hpp"

namespace weighbridge {

namespace {

/// Every layer is one part of a usual one: a mixer or a feed-forward block. In the order of the names below.
enum class Part : char { mamba, attention, dense, experts };

struct Parts {
  Mamba2Shape mamba;
  FullAttention attention;
  bool attention_bias = false;
  DenseFfn dense;
  bool ffn_bias = false;
  MoeFfn moe;
  std::int64_t latent_size = 0;  ///< experts work in a space of this width (Nemotron 3 Super); 0: in hidden_size
};

/// `list_key` names each layer; before it there was `pattern_key` with one letter a layer.
std::vector<Part> read_parts(KeyReader& config, std::string_view list_key, std::string_view pattern_key) {
  std::vector<Part> parts;
  for (const char kind : read_layer_kinds(config, list_key, 0, {"mamba", "attention", "mlp", "moe"})) parts.push_back(static_cast<Part>(kind));
  if (!parts.empty() || config.error()) return parts;
  const std::string pattern = config.text_if_given(pattern_key).value_or("");
  for (const char letter : pattern) {
    constexpr std::string_view letters = "M*-E";
    const std::size_t kind = letters.find(letter);
    if (kind == std::string_view::npos || static_cast<std::int64_t>(parts.size()) == config_limit::layers) {
      config.fail(notice::unknown("unsupported", config.path(pattern_key), std::string(pattern_key), excerpt(pattern),
                                  "M (Mamba), * (attention), - (feed-forward) or E (experts) for each layer"));
      return parts;
    }
    parts.push_back(static_cast<Part>(kind));
  }
  return parts;
}

void read_mamba_part(KeyReader& config, Parts& parts) {
  Mamba2Shape& mamba = parts.mamba;
  mamba.n_heads = config.positive_or("mamba_num_heads", config_limit::heads, 128, "");
  mamba.inner_size = mamba.n_heads * config.positive_or("mamba_head_dim", config_limit::head_dim, 64, "");
  mamba.n_groups = config.positive_or("n_groups", config_limit::heads, 8, "");
  mamba.state_size = config.positive_or("ssm_state_size", config_limit::head_dim, 128, "");
  mamba.conv_kernel = config.positive_or("conv_kernel", 64, 4, "");
  mamba.conv_bias = config.flag_or("use_conv_bias", true);
  mamba.in_bias = mamba.out_bias = config.flag_or("use_bias", false);
}

void read_attention_part(KeyReader& config, Parts& parts) {
  FullAttention& attention = parts.attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, attention.n_heads, "same as attention heads");
  check_head_groups(config, attention);
  const std::string_view key = config.has("attention_head_dim") ? "attention_head_dim" : "head_dim";
  attention.head_dim_k = attention.head_dim_v = config.positive_or(key, config_limit::head_dim, 128, "");
  parts.attention_bias = config.flag_or("attention_bias", false);
}

void read_expert_part(KeyReader& config, Parts& parts) {
  parts.moe = read_routed_experts(config, "n_routed_experts", "moe_intermediate_size");
  parts.moe.shared_ffn_size = config.count_or_zero("moe_shared_expert_intermediate_size", config_limit::ffn);
  parts.moe.router_bias = true;
  read_expert_choice(config, parts.moe, true, true);
  parts.moe.gated = false;
  parts.latent_size = config.count_or_zero("moe_latent_size", config_limit::hidden);
}

LayerSpec spec_of(Part part, const Parts& parts) {
  switch (part) {
    case Part::mamba:
      return {mamba2_mixer(parts.mamba)};
    case Part::attention:
      return {parts.attention};
    case Part::dense:
      return {NoMixer{}, parts.dense};
    case Part::experts:
      break;
  }
  return {NoMixer{}, parts.moe};
}

void add_experts_of_nemotron(TensorList& tensors, const Parts& parts, std::int64_t hidden) {
  const MoeFfn& moe = parts.moe;
  const std::int64_t width = parts.latent_size > 0 ? parts.latent_size : hidden;
  tensors.linear("mixer.gate", moe.n_experts, hidden);
  tensors.add({.name = "mixer.gate.e_score_correction_bias", .rows = moe.n_experts, .type = dtype::f32});
  tensors.copies(moe.n_experts);
  tensors.linear("mixer.experts.{expert}.up_proj", moe.moe_ffn_size, width, parts.ffn_bias);
  tensors.linear("mixer.experts.{expert}.down_proj", width, moe.moe_ffn_size, parts.ffn_bias);
  tensors.copies(1);
  if (parts.latent_size > 0) {
    tensors.linear("mixer.fc1_latent_proj", width, hidden, parts.ffn_bias);
    tensors.linear("mixer.fc2_latent_proj", hidden, width, parts.ffn_bias);
  }
  if (moe.shared_ffn_size > 0) add_dense_ffn(tensors, {moe.shared_ffn_size, false}, hidden, parts.ffn_bias, false, "mixer.shared_experts.");
}

void add_part(TensorList& tensors, Part part, const Parts& parts, std::int64_t hidden) {
  const FullAttention& heads = parts.attention;
  tensors.norm("norm", hidden);
  switch (part) {
    case Part::mamba:
      return add_mamba2(tensors, parts.mamba, hidden, "mixer.");
    case Part::attention:
      tensors.linear("mixer.q_proj", heads.n_heads * heads.head_dim_k, hidden, parts.attention_bias);
      tensors.linear("mixer.k_proj", heads.n_kv_heads * heads.head_dim_k, hidden, parts.attention_bias);
      tensors.linear("mixer.v_proj", heads.n_kv_heads * heads.head_dim_v, hidden, parts.attention_bias);
      return tensors.linear("mixer.o_proj", hidden, heads.n_heads * heads.head_dim_v, parts.attention_bias);
    case Part::dense:
      return add_dense_ffn(tensors, parts.dense, hidden, parts.ffn_bias, false, "mixer.");
    case Part::experts:
      return add_experts_of_nemotron(tensors, parts, hidden);
  }
}

/// One prediction is a few layers of its own: the first joins token and hidden state, the last has one more norm.
void add_mtp(Draft& draft, const std::vector<Part>& kinds, const Parts& parts, std::int64_t n_predictions) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.part(ModelPart::mtp);
  std::int64_t index = 0;
  for (std::int64_t prediction = 0; prediction < n_predictions; ++prediction) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      draft.model.mtp_layers.push_back(spec_of(kinds[i], parts));
      tensors.at_layer(index++, "mtp.layers.{layer}.");
      if (i == 0) {
        tensors.norm("enorm", hidden);
        tensors.norm("hnorm", hidden);
        tensors.linear("eh_proj", hidden, 2 * hidden);
      }
      add_part(tensors, kinds[i], parts, hidden);
      if (i + 1 == kinds.size()) tensors.norm("final_layernorm", hidden);
    }
  }
  tensors.part(ModelPart::text);
}

bool holds(const std::vector<Part>& kinds, Part part) { return std::find(kinds.begin(), kinds.end(), part) != kinds.end(); }

}  // namespace

/// Nemotron-H, Nemotron Nano 2 and Nemotron 3 (huggingface/transformers models/nemotron_h): layers of Mamba-2, of attention, of a feed-forward block
/// without a gate, of experts, in the order that a pattern gives.
void read_nemotron_h(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const std::vector<Part> kinds = read_parts(config, "layers_block_type", "hybrid_override_pattern");
  if (!config.error() && kinds.empty())
    return config.fail(notice::missing_key(config.path("hybrid_override_pattern"), "hybrid_override_pattern", "the kind of every layer"));
  const std::vector<Part> mtp_kinds = read_parts(config, "mtp_layers_block_type", "mtp_hybrid_override_pattern");
  const std::int64_t n_predictions = config.count_or_zero("num_nextn_predict_layers", 64);
  Parts parts;
  parts.ffn_bias = config.flag_or("mlp_bias", false);
  if (holds(kinds, Part::mamba)) read_mamba_part(config, parts);
  if (holds(kinds, Part::attention)) read_attention_part(config, parts);
  if (holds(kinds, Part::dense)) parts.dense = {config.positive("intermediate_size", config_limit::ffn), false};
  if (holds(kinds, Part::experts)) read_expert_part(config, parts);
  if (config.error()) return;

  // Attention has no rotary embedding (vllm/model_executor/models/nemotron_h.py, NemotronHAttention); the states know the order.
  TensorList& tensors = draft.tensors;
  tensors.linear("backbone.embeddings", model.vocab_size, model.hidden_size);
  for (const Part kind : kinds) {
    tensors.at_layer(model.n_layers(), "backbone.layers.{layer}.");
    model.layers.push_back(spec_of(kind, parts));
    add_part(tensors, kind, parts, model.hidden_size);
  }
  add_head(draft, "backbone.", "lm_head", "norm_f");
  if (n_predictions > 0 && mtp_kinds.empty())
    config.warn(notice::custom("not_counted", config.path("num_nextn_predict_layers"),
                               "The multi-token-prediction layers are not counted: `mtp_hybrid_override_pattern` does not say of what kind they are.",
                               "num_nextn_predict_layers", "", "mtp_hybrid_override_pattern"));
  if (n_predictions > 0) add_mtp(draft, mtp_kinds, parts, n_predictions);
}

}  // namespace weighbridge

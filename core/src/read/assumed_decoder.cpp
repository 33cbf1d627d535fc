// SPDX-License-Identifier: Apache-2.0
#include "read/assumed_decoder.hpp"

#include <algorithm>
#include <array>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"

namespace weighbridge {

namespace {

/// What the keys of parts that a plain decoder does not have begin with or contain.
constexpr std::array<std::string_view, 16> kForeign{"mamba", "ssm_",   "linear_", "conv_",       "index_",    "compress", "hc_",   "num_nextn",
                                                    "mtp_",  "vision", "audio",   "layer_types", "kv_shared", "gating",   "altup", "block_configs"};

/// The keys that tell of more than was counted, for a sentence; empty if there is none.
std::string foreign_keys(const Json& config) {
  std::string keys;
  for (const auto& item : config.items()) {
    const Json& value = item.value();
    if (value.is_null() || value == 0 || value == false) continue;
    for (const std::string_view part : kForeign) {
      if (item.key().find(part) == std::string::npos) continue;
      keys += (keys.empty() ? "`" : ", `") + item.key() + "`";
      break;
    }
  }
  return keys;
}

MoeFfn read_experts(KeyReader& config, std::string_view experts_key) {
  MoeFfn moe = read_routed_experts(config, experts_key,
                                   first_key(config, {"moe_intermediate_size", "expert_intermediate_size", "intermediate_size"}));
  const std::int64_t n_shared = config.count_or_zero(first_key(config, {"n_shared_experts", "num_shared_experts"}), 64);
  moe.shared_ffn_size = n_shared * moe.moe_ffn_size;
  if (config.has("shared_expert_intermediate_size"))
    moe.shared_ffn_size = config.count_or_zero("shared_expert_intermediate_size", config_limit::moe_ffn);
  return moe;
}

Mixer read_mixer(KeyReader& config, Model& model) {
  if (!config.has("kv_lora_rank")) {
    const FullAttention attention = read_full_attention(config, model);
    model.rotary_dim = rotary_part(attention.head_dim_k, config.fraction("partial_rotary_factor", 1.0).value_or(1.0));
    return attention;
  }
  LatentAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.q_lora_rank = config.count_or_zero("q_lora_rank", config_limit::hidden);
  attention.kv_lora_rank = config.positive("kv_lora_rank", config_limit::head_dim);
  attention.qk_nope_head_dim = config.positive("qk_nope_head_dim", config_limit::head_dim);
  attention.qk_rope_head_dim = config.positive("qk_rope_head_dim", config_limit::head_dim);
  attention.head_dim_v = config.positive_or("v_head_dim", config_limit::head_dim, attention.qk_nope_head_dim, "same as qk_nope_head_dim");
  model.rotary_dim = attention.qk_rope_head_dim;
  return attention;
}

void warn(KeyReader& config, const std::string& type) {
  config.warn(
      notice::custom("assumed_architecture", config.path("model_type"),
                     "We do not know the architecture `" + type +
                         "`. It was counted as a plain decoder by the usual keys of its config: norms, gates and biases of its own are missing, "
                         "and layers that keep less than a full cache are counted with all of it.",
                     "model_type", type, "an architecture that we know"));
  const std::string keys = foreign_keys(config.json());
  if (keys.empty()) return;
  config.warn(notice::custom("not_counted", config.path("model_type"),
                             "These keys tell of parts that a plain decoder does not have; what they add is not counted: " + keys + ".", "model_type",
                             type, "an architecture that we know"));
}

}  // namespace

bool describes_decoder(const Json& config) {
  const auto has_any = [&](std::initializer_list<const char*> keys) {
    return std::any_of(keys.begin(), keys.end(), [&](const char* key) {
      const auto found = config.find(key);
      return found != config.end() && found->is_number();
    });
  };
  return has_any({"hidden_size", "n_embd", "d_model", "n_embed"}) && has_any({"num_hidden_layers", "n_layer", "n_layers", "num_layers"}) &&
         has_any({"num_attention_heads", "n_head", "n_heads", "num_heads"}) && has_any({"vocab_size"}) &&
         has_any({"intermediate_size", "n_inner", "ffn_dim", "moe_intermediate_size"});
}

const char* language_key(const Json& config) {
  for (const char* key : {"text_config", "llm_config", "language_config", "language_model", "thinker_config", "decoder_config"}) {
    const auto found = config.find(key);
    if (found != config.end() && found->is_object()) return key;
  }
  return nullptr;
}

void read_assumed_decoder(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const Mixer mixer = read_mixer(config, model);
  const std::string_view experts_key = first_key(config, {"num_experts", "num_local_experts", "n_routed_experts"});
  const bool has_experts = config.count_or_zero(experts_key, config_limit::experts) > 1;
  const MoeFfn moe = has_experts ? read_experts(config, experts_key) : MoeFfn{};
  const std::int64_t n_layers = read_layer_count(config);
  std::int64_t n_dense = config.count_or_zero(first_key(config, {"first_k_dense_replace", "num_dense_layers"}), config_limit::layers);
  if (!has_experts) n_dense = n_layers;
  const DenseFfn dense = n_dense > 0 ? read_dense_ffn(config) : DenseFfn{};
  const bool bias = config.flag_or("attention_bias", false);
  const DecoderStyle style{.qkv_bias = config.flag_or("qkv_bias", bias),
                           .output_bias = bias,
                           .qk_norm = config.flag_or("use_qk_norm", config.flag_or("qk_norm", false)),
                           .ffn_bias = config.flag_or("mlp_bias", false)};
  if (config.error()) return;
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{mixer, moe});
  model.layers.change(0, static_cast<std::size_t>(n_dense), [&](LayerSpec& layer) { layer.ffn = dense; });
  warn(config, config.text_if_given("model_type").value_or(""));
  add_decoder(draft, style);
}

}  // namespace weighbridge

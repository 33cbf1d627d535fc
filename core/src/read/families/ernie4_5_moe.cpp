// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// A number, or in the multi-modal configs a list of one for text and one for images: the text's stands first.
std::int64_t first_of(KeyReader& config, std::string_view key, std::int64_t fallback) {
  const auto found = config.json().find(key);
  if (found == config.json().end() || !found->is_array() || found->empty()) return config.whole_number_if_given(key, 0, 1 << 20).value_or(fallback);
  if (const std::optional<std::int64_t> number = whole_number_of(found->front()); number && *number >= 0 && *number < 1 << 20) return *number;
  config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(*found), "a whole number"));
  return fallback;
}

}  // namespace

/// ERNIE 4.5 MoE (huggingface/transformers models/ernie4_5_moe): experts from `moe_layer_start_index` on, one flag for all biases but the experts'. Its
/// first count of experts used is called `moe_k`.
void read_ernie4_5_moe(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", true);
  const FullAttention attention = read_full_attention(config, model);
  const bool bias = config.flag_or("use_bias", false);
  MoeFfn moe;
  moe.n_experts = first_of(config, "moe_num_experts", 64);
  moe.n_experts_used = config.positive_or("moe_k", config_limit::experts, 6, "");
  moe.moe_ffn_size = first_of(config, "moe_intermediate_size", 1536);
  moe.shared_ffn_size = config.whole_number_if_given("moe_num_shared_experts", 0, 64).value_or(2) * moe.moe_ffn_size;
  moe.router_bias = true;
  const DenseFfn dense{config.positive("intermediate_size", config_limit::ffn)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::int64_t first = first_of(config, "moe_layer_start_index", 1);
  const std::int64_t last = config.has("moe_layer_end_index") && *config.json().find("moe_layer_end_index") != -1
                                ? first_of(config, "moe_layer_end_index", n_layers - 1)
                                : n_layers - 1;
  const std::int64_t interval = config.positive_or("moe_layer_interval", config_limit::layers, 1, "");
  if (config.error()) return;
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    const bool has_experts = moe.n_experts > 0 && layer >= first && layer <= last && (layer + 1) % interval == 0;
    model.layers.push_back({attention, has_experts ? Ffn(moe) : Ffn(dense)});
  }
  model.rotary_dim = attention.head_dim_k;
  if (config.count_or_zero("num_nextn_predict_layers", 64) > 0)
    config.warn(
        notice::custom("not_counted", config.path("num_nextn_predict_layers"),
                       "The multi-token-prediction layer is not counted: its tensors are not documented. Engines load it for speculation only.",
                       "num_nextn_predict_layers", "", "a checkpoint without it"));
  add_decoder(draft, {.qkv_bias = bias, .output_bias = bias, .ffn_bias = bias}, {.router_bias = "mlp.moe_statics.e_score_correction_bias"});
}

}  // namespace weighbridge

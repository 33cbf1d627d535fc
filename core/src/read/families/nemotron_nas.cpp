// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

/// A part of a layer that the search kept, replaced by one square matrix, or left out.
enum class Fate { kept, linear, left_out };

Fate fate_of(KeyReader& part) {
  if (part.flag_or("no_op", false)) return Fate::left_out;
  return part.flag_or("replace_with_linear", false) ? Fate::linear : Fate::kept;
}

/// An empty object where a part is not described.
const Json& part_of(const Json& block, std::string_view key) {
  static const Json none = Json::object();
  const auto found = block.is_object() ? block.find(key) : block.end();
  return block.is_object() && found != block.end() && found->is_object() ? *found : none;
}

/// ffn_mult of a width that would be hidden_size x 2/3, rounded up to a multiple of 256 (DeciLM's _ffn_mult_to_intermediate_size).
std::int64_t ffn_size_of(KeyReader& ffn, std::int64_t hidden) {
  if (ffn.has("intermediate_size")) return ffn.positive("intermediate_size", config_limit::ffn);
  const std::optional<double> factor = ffn.fraction("ffn_mult", 64.0);
  if (!factor) {
    ffn.fail(notice::missing_key(ffn.path("ffn_mult"), "ffn_mult", "a number such as 5.25"));
    return 0;
  }
  const double rounded = std::round(*factor * 1e6) / 1e6;
  return (static_cast<std::int64_t>(2 * rounded * static_cast<double>(hidden) / 3) + 255) / 256 * 256;
}

Mixer read_mixer(KeyReader& attention, FullAttention heads) {
  const std::int64_t group = attention.positive("n_heads_in_group", config_limit::heads);
  if (attention.error()) return heads;
  heads.n_kv_heads = heads.n_heads / group;
  if (heads.n_kv_heads * group != heads.n_heads)
    attention.fail(notice::not_divisible(attention.path("n_heads_in_group"), "n_heads_in_group", grouped(group),
                                         "a divisor of num_attention_heads, " + grouped(heads.n_heads)));
  const std::int64_t window = attention.count_or_zero("window_length", config_limit::context);
  if (window > 0) return SlidingAttention{heads, window};
  return heads;
}

struct Biases {
  bool attention = false, ffn = false;
};

void add_block(KeyReader& attention, KeyReader& ffn, Draft& draft, const FullAttention& heads, const Biases& biases) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  const Fate attention_fate = fate_of(attention);
  const Fate ffn_fate = fate_of(ffn);
  LayerSpec layer{NoMixer{}};
  if (attention_fate != Fate::left_out) tensors.norm("input_layernorm", hidden);
  if (attention_fate == Fate::linear) tensors.linear("self_attn.linear_attn", hidden, hidden);
  if (attention_fate == Fate::kept) {
    layer.mixer = read_mixer(attention, heads);
    if (!attention.error())
      add_attention(tensors, *grouped_attention(layer.mixer), hidden, {.qkv_bias = biases.attention, .output_bias = biases.attention});
  }
  if (ffn_fate != Fate::left_out) tensors.norm("post_attention_layernorm", hidden);
  if (ffn_fate == Fate::linear) tensors.linear("mlp.linear_mlp", hidden, hidden);
  if (ffn_fate == Fate::kept) {
    const DenseFfn dense{ffn_size_of(ffn, hidden)};
    layer.ffn = dense;
    add_dense_ffn(tensors, dense, hidden, biases.ffn);
  }
  draft.model.layers.push_back(layer);
}

}  // namespace

/// Llama-Nemotron found by a search over Llama 3 (nvidia/Llama-3_3-Nemotron-Super-49B-v1 modeling_decilm.py): `block_configs` says of every layer how
/// many queries share a key, how wide the feed-forward block is, and what is left out or replaced by one matrix.
void read_nemotron_nas(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  FullAttention heads;
  heads.n_heads = config.positive("num_attention_heads", config_limit::heads);
  const Biases biases{config.flag_or("attention_bias", false), config.flag_or("mlp_bias", false)};
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;
  heads.head_dim_k = heads.head_dim_v = config.positive_or("head_dim", config_limit::head_dim, model.hidden_size / heads.n_heads, "");
  const auto blocks = config.json().find("block_configs");
  if (blocks == config.json().end() || !blocks->is_array() || static_cast<std::int64_t>(blocks->size()) != n_layers)
    return config.fail(notice::wrong_type(config.path("block_configs"), "block_configs", blocks == config.json().end() ? "nothing" : excerpt(*blocks),
                                          "one object for each of num_hidden_layers, " + grouped(n_layers)));
  model.rotary_dim = heads.head_dim_k;
  if (has_llama3_scaling(config)) model.rope_factors = model.rotary_dim / 2;
  add_embeddings(draft);
  Notices unused;
  for (const Json& block : *blocks) {
    const std::string where = config.path("block_configs") + "[" + std::to_string(model.n_layers()) + "]";
    KeyReader attention(part_of(block, "attention"), where + ".attention", unused);
    KeyReader ffn(part_of(block, "ffn"), where + ".ffn", unused);
    draft.tensors.at_layer(model.n_layers());
    add_block(attention, ffn, draft, heads, biases);
    config.adopt(attention);
    config.adopt(ffn);
    if (config.error()) return;
  }
  add_head(draft);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

namespace {

struct LowRanks {
  std::int64_t decay = 0, rate = 0, value = 0, gate = 0;
};

/// A pair of narrow matrices; the second may have a bias.
void add_low_rank(TensorList& tensors, std::string_view name, std::int64_t rank, std::int64_t hidden, bool bias) {
  const std::string text = "attn." + std::string(name) + "_lora.lora.";
  tensors.linear(text + "0", rank, hidden);
  tensors.linear(text + "2", hidden, rank, bias);
}

void add_time_mix(TensorList& tensors, const LowRanks& ranks, std::int64_t hidden, bool is_first) {
  for (const std::string_view name : {"attn.x_r", "attn.x_w", "attn.x_k", "attn.x_v", "attn.x_a", "attn.x_g", "attn.k_k", "attn.k_a", "attn.r_k"})
    tensors.add({.name = name, .rows = hidden});
  for (const std::string_view name : {"attn.r_proj", "attn.o_proj"}) tensors.linear(name, hidden, hidden);
  // Elsewhere these are names of attention.
  for (const std::string_view name : {"attn.k_proj.weight", "attn.v_proj.weight"})
    tensors.add({.name = name, .rows = hidden, .cols = hidden, .role = TensorRole::recurrent_in});
  add_low_rank(tensors, "w", ranks.decay, hidden, true);
  if (!is_first) add_low_rank(tensors, "v", ranks.value, hidden, true);  // the first layer's values are what later ones mix in
  add_low_rank(tensors, "a", ranks.rate, hidden, true);
  add_low_rank(tensors, "g", ranks.gate, hidden, false);
  tensors.norm("attn.g_norm", hidden, true);
}

/// A rank that the config leaves out follows from the width, a multiple of 32 (fla-org/flash-linear-attention fla/layers/rwkv7.py).
std::int64_t rank(KeyReader& config, std::string_view key, double factor, double exponent_root) {
  return config.positive_or(key, config_limit::hidden, std::max<std::int64_t>(32, static_cast<std::int64_t>(factor * exponent_root / 32 + 0.5) * 32),
                            "");
}

}  // namespace

/// RWKV-7 in the form of flash-linear-attention (fla-org/flash-linear-attention fla/models/rwkv7): a state of head_dim values per channel, the last
/// token kept for the shift before each of the two blocks.
void read_rwkv7(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = 1048576;  // a recurrent model runs any length; what llama.cpp's converter writes
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
  const std::int64_t hidden = model.hidden_size;
  const std::int64_t head_dim = config.positive_or("head_dim", config_limit::head_dim, 64, "");
  const double root = std::sqrt(static_cast<double>(hidden));
  const LowRanks ranks{rank(config, "decay_low_rank_dim", 2.5, root), rank(config, "a_low_rank_dim", 2.5, root),
                       rank(config, "v_low_rank_dim", 1.7, root), rank(config, "gate_low_rank_dim", 5.0, root)};
  const std::int64_t ffn = config.positive_or("intermediate_size", config_limit::ffn, 4 * hidden, "");
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  if (config.error()) return;

  TensorList& tensors = draft.tensors;
  const RecurrentMixer mixer{RecurrentKind::rwkv7, hidden, hidden / head_dim, hidden * head_dim, 2 * hidden, 2};
  model.layers.assign(static_cast<std::size_t>(n_layers), LayerSpec{mixer, DenseFfn{ffn, false}});
  tensors.linear("model.embeddings", model.vocab_size, hidden);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    tensors.at_layer(layer);
    if (layer == 0 && config.flag_or("norm_first", true)) tensors.norm("pre_norm", hidden, true);
    tensors.norm("attn_norm", hidden, true);
    add_time_mix(tensors, ranks, hidden, layer == 0);
    tensors.norm("ffn_norm", hidden, true);
    tensors.add({.name = "ffn.x_k", .rows = hidden});
    tensors.linear("ffn.key", ffn, hidden);
    tensors.linear("ffn.value", hidden, ffn);
  }
  add_head(draft, "model.", "lm_head", "norm", true);
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// Layers as the configs of DeepSeek's kind describe them: which have experts, how many, and the multi-token-prediction layers after them.
#pragma once

#include "read/decoder.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// The keys of one family, and what its model class takes for those that a config leaves out.
struct ExpertKeys {
  std::string_view experts = "n_routed_experts";
  std::string_view width = "moe_intermediate_size";
  std::string_view used = "num_experts_per_tok";
  std::string_view shared = "n_shared_experts";  ///< their number, each as wide as a routed one
  std::string_view layers = "num_hidden_layers";
  std::string_view dense_width = "intermediate_size";
  std::string_view n_mtp = "num_nextn_predict_layers";
  std::int64_t n_dense = 0;   ///< first_k_dense_replace
  std::int64_t n_shared = 0;  ///< the number of shared experts
  bool router_bias = true;
  bool normalizes_weights = true;  ///< norm_topk_prob
  bool scales_weights = false;     ///< `scale` is not one
  std::string_view scale = "routed_scaling_factor";
};

/// From which groups experts are chosen, and what becomes of their weights: n_group, topk_group, norm_topk_prob, and the factor `scale`. A config
/// that names no groups has none: converters write what it says, not what its class falls back to.
void read_expert_choice(KeyReader& config, MoeFfn& moe, bool normalizes_weights, bool scales_weights,
                        std::string_view scale = "routed_scaling_factor");

/// The feed-forward blocks of all layers.
struct ExpertStack {
  std::int64_t n_layers = 0;
  std::int64_t n_mtp = 0;
  MoeFfn moe;
  DenseFfn dense;
  LayerFlags has_experts;  ///< one a layer

  [[nodiscard]] Ffn ffn(std::int64_t layer) const { return has_experts[static_cast<std::size_t>(layer)] != 0 ? Ffn(moe) : Ffn(dense); }
};

/// Reads number of layers, experts, dense block; layers have experts as `mlp_layer_types` says, else `moe_layer_freq` (a list or a period) from
/// `first_k_dense_replace` on. A model whose number of experts is null has none.
[[nodiscard]] ExpertStack read_expert_stack(KeyReader& config, const ExpertKeys& keys = {});

/// A list with one entry a layer under `key`; null if the key is absent, an error if it is of another length.
[[nodiscard]] const Json* list_per_layer(KeyReader& config, std::string_view key, std::int64_t n_layers);

/// Gives every layer of the stack its feed-forward block and the mixer that `mixer(layer)` tells; MTP layers take `mtp_mixer` and experts.
template <class MixerOf>
void fill_layers(Model& model, const ExpertStack& stack, MixerOf mixer, const Mixer& mtp_mixer);

template <class MixerOf>
void fill_layers(Model& model, const ExpertStack& stack, MixerOf mixer, const Mixer& mtp_mixer) {
  for (std::int64_t layer = 0; layer < stack.n_layers; ++layer) model.layers.push_back({mixer(layer), stack.ffn(layer)});
  model.mtp_layers.assign(static_cast<std::size_t>(stack.n_mtp), LayerSpec{mtp_mixer, stack.moe});
}

}  // namespace weighbridge

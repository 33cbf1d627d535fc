// SPDX-License-Identifier: Apache-2.0
#include "read/families/gemma_layers.hpp"

#include "json_text.hpp"

namespace weighbridge {

void add_layer_inputs(Draft& draft, const LayerInputs& inputs, std::string_view root) {
  if (inputs.size == 0) return;
  const std::string base(root);
  const std::int64_t width = draft.model.n_layers() * inputs.size;
  draft.tensors.outside();
  draft.tensors.linear(base + "embed_tokens_per_layer", inputs.vocab, width);
  draft.tensors.linear(base + "per_layer_model_projection", width, draft.model.hidden_size);
  draft.tensors.norm(base + "per_layer_projection_norm", inputs.size);
}

void add_layer_input_gate(TensorList& tensors, const LayerInputs& inputs, std::int64_t hidden) {
  if (inputs.size == 0) return;
  tensors.linear("per_layer_input_gate", inputs.size, hidden);
  tensors.linear("per_layer_projection", hidden, inputs.size);
  tensors.norm("post_per_layer_input_norm", hidden);
}

void add_gemma_norms(TensorList& tensors, std::int64_t hidden) {
  for (const char* name : {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"})
    tensors.norm(name, hidden);
}

LayerFlags read_global_layers(KeyReader& config, std::int64_t n_layers, std::int64_t period) {
  LayerFlags flags = read_sliding_layers(config, n_layers);
  if (config.error()) return {};
  const bool named = !flags.empty();
  flags.resize(static_cast<std::size_t>(n_layers));
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    char& flag = flags[static_cast<std::size_t>(layer)];
    flag = named ? flag == 0 : (layer + 1) % period == 0;
  }
  return flags;
}

std::int64_t read_first_shared_layer(KeyReader& config, std::int64_t n_layers, std::int64_t fallback) {
  const std::int64_t n_shared = config.has("num_kv_shared_layers") ? config.count_or_zero("num_kv_shared_layers", config_limit::layers)
                                                                   : std::min(fallback, n_layers);
  if (config.error() || n_shared < n_layers) return n_layers - n_shared;
  config.fail(notice::out_of_range(config.path("num_kv_shared_layers"), "num_kv_shared_layers", grouped(n_shared),
                                   "fewer than num_hidden_layers, " + grouped(n_layers)));
  return n_layers;
}

}  // namespace weighbridge

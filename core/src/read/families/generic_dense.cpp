// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// A model known by its size, such as "a 7B": `parameters` gives the count, the other keys its shape. Ours, not a Hugging Face type.
void read_generic_dense(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  constexpr std::int64_t most_parameters = 100'000'000'000'000;  // 10^14: fifty times the largest open model
  read_common(config, model);
  model.parameters_by_name = config.positive("parameters", most_parameters);
  const FullAttention attention = read_full_attention(config, model);
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (config.error()) return;
  draft.tensors.add({.name = "parameters", .rows = model.parameters_by_name, .role = TensorRole::generic});
}

}  // namespace weighbridge

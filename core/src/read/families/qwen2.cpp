// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"

namespace weighbridge {

/// Qwen 1.5 to 2.5 (huggingface/transformers models/qwen2): biases on q, k and v, none on o.
void read_qwen2(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const FullAttention attention = read_full_attention(config, model);
  if (config.flag_or("use_sliding_window", false))
    config.warn(notice::custom("assumed_default", config.path("use_sliding_window"),
                               "`use_sliding_window` is true; every layer was counted with its full cache, which is never too little.",
                               "use_sliding_window", "true", "full attention in every layer"));
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.qkv_bias = true});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"
#include "read/families.hpp"

namespace weighbridge {

/// Qwen 1.5 to 2.5 (huggingface/transformers models/qwen2): biases on q, k and v, none on o.
void read_qwen2(KeyReader& config, Model& model) {
  read_common(config, model);
  FullAttention attention = read_full_attention(config, model);
  attention.qkv_bias = true;
  if (config.flag_or("use_sliding_window", false))
    config.warn(notice::custom("assumed_default", config.path("use_sliding_window"),
                               "`use_sliding_window` is true; every layer was counted with its full cache, which is never too little.",
                               "use_sliding_window", "true", "full attention in every layer"));
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn), false};
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen_layers.hpp"

namespace weighbridge {

void read_qwen2_text(KeyReader& config, Draft& draft, const TextPlace& place) {
  Model& model = draft.model;
  read_common(config, model);
  model.tied_embeddings = place.tied.value_or(model.tied_embeddings);
  const FullAttention attention = read_full_attention(config, model);
  if (config.flag_or("use_sliding_window", false))
    config.warn(notice::custom("assumed_default", config.path("use_sliding_window"),
                               "`use_sliding_window` is true; every layer was counted with its full cache, which is never too little.",
                               "use_sliding_window", "true", "full attention in every layer"));
  const DenseFfn ffn{config.positive("intermediate_size", config_limit::ffn)};
  model.rotary_dim = attention.head_dim_k;
  model.layers.assign(static_cast<std::size_t>(config.positive("num_hidden_layers", config_limit::layers)), LayerSpec{attention, ffn});
  if (config.error()) return;
  add_decoder(draft, {.root = place.root, .head = place.head, .qkv_bias = true});
}

/// Qwen 1.5 to 2.5 (huggingface/transformers models/qwen2): biases on q, k and v, none on o.
void read_qwen2(KeyReader& config, Draft& draft) { read_qwen2_text(config, draft, {}); }

}  // namespace weighbridge

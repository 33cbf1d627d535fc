// SPDX-License-Identifier: Apache-2.0
#include "read/families/families.hpp"
#include "read/families/qwen3_hybrid.hpp"

namespace weighbridge {

/// Qwen3-Next (huggingface/transformers models/qwen3_next): three layers of gated delta net, then one of gated attention; experts with a shared one
/// in every layer. Its config.json says nothing of the MTP layer that the checkpoint holds; vLLM takes one (vllm-project/vllm
/// vllm/model_executor/models/qwen3_next_mtp.py).
void read_qwen3_next(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_sizes(config, model, 151936, 32768);
  const HybridStyle style{.attention_bias = config.flag_or("attention_bias", false), .delta = {.fused = true}};
  const FullAttention heads = read_hybrid_attention(config, 16, 2);
  const RecurrentMixer delta = read_gated_delta_net(config);
  const MoeFfn moe = read_qwen_experts(config, 512, 10, 512, 512);
  const std::int64_t n_layers = config.positive("num_hidden_layers", config_limit::layers);
  const std::vector<Mixer> mixers = read_hybrid_mixers(config, delta, heads, n_layers);
  const std::vector<Ffn> ffns = read_sparse_ffns(config, moe, n_layers, 5632);
  const std::int64_t n_mtp = config.whole_number_if_given("num_nextn_predict_layers", 0, 64).value_or(1);
  model.rotary_dim = read_quarter_rotary(config, heads.head_dim_k);
  if (config.error()) return;
  for (std::size_t layer = 0; layer < mixers.size(); ++layer) model.layers.push_back({mixers[layer], ffns[layer]});
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{heads, moe});
  add_hybrid_decoder(draft, {}, style);
  add_hybrid_mtp(draft, style, false);
}

}  // namespace weighbridge

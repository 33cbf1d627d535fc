// SPDX-License-Identifier: Apache-2.0
#include "read/decoder_tensors.hpp"
#include "read/families/families.hpp"
#include "read/latent_attention.hpp"

namespace weighbridge {

namespace {

constexpr ExpertNames kExperts{.shared = "mlps."};

/// The router also chooses among experts that do nothing.
void add_zero_experts(TensorList& tensors, const MoeFfn& moe, std::int64_t n_zero, std::int64_t hidden) {
  tensors.linear("mlp.router.classifier", moe.n_experts + n_zero, hidden);
  tensors.add({.name = "mlp.router.e_score_correction_bias", .rows = moe.n_experts + n_zero, .type = dtype::f32});
  tensors.copies(moe.n_experts);
  tensors.linear(kExperts.gate, moe.moe_ffn_size, hidden);
  tensors.linear(kExperts.up, moe.moe_ffn_size, hidden);
  tensors.linear(kExperts.down, hidden, moe.moe_ffn_size);
  tensors.copies(1);
}

/// One attention and one dense block: half of a published layer.
void add_half(Draft& draft, const LatentAttention& attention, const DenseFfn& dense, bool bias) {
  TensorList& tensors = draft.tensors;
  tensors.norm("input_layernorm", draft.model.hidden_size);
  add_latent_attention(tensors, attention, draft.model.hidden_size, bias);
  tensors.norm("post_attention_layernorm", draft.model.hidden_size);
  add_dense_ffn(tensors, dense, draft.model.hidden_size, false, false, "mlps.");
}

/// One half without experts, and an embedding of its own (vllm-project/vllm models/longcat_flash_mtp.py).
void add_mtp(Draft& draft, const LatentAttention& attention, const DenseFfn& dense, bool bias) {
  TensorList& tensors = draft.tensors;
  const std::int64_t hidden = draft.model.hidden_size;
  tensors.part(ModelPart::mtp);
  tensors.outside();
  tensors.linear("model.mtp.embed_tokens", draft.model.vocab_size, hidden);
  for (std::int64_t layer = 0; layer < static_cast<std::int64_t>(draft.model.mtp_layers.size()); ++layer) {
    tensors.at_layer(layer, "model.mtp.layers.{layer}.");
    add_half(draft, attention, dense, bias);
    tensors.norm("enorm.m", hidden);
    tensors.norm("hnorm.m", hidden);
    tensors.linear("eh_proj", hidden, 2 * hidden);
  }
  tensors.outside();
  tensors.norm("model.mtp.norm", hidden);
  tensors.part(ModelPart::text);
}

}  // namespace

/// LongCat-Flash (huggingface/transformers models/longcat_flash): a published layer holds two attentions, each followed by a dense block, and one
/// block of experts beside the first. Here it is two layers: the cache and the compute of an attention each.
void read_longcat_flash(KeyReader& config, Draft& draft) {
  Model& model = draft.model;
  read_common(config, model);
  const LatentAttention attention = read_latent_attention(
      config, {.q_lora_rank = 1536, .kv_lora_rank = 512, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .head_dim_v = 128, .indexer = {}});
  const std::int64_t n_layers = config.positive("num_layers", config_limit::layers / 2);
  const DenseFfn dense{config.positive("ffn_hidden_size", config_limit::ffn)};
  MoeFfn moe;
  moe.n_experts = config.positive("n_routed_experts", config_limit::experts);
  moe.n_experts_used = config.positive("moe_topk", config_limit::experts);
  moe.moe_ffn_size = config.positive("expert_ffn_hidden_size", config_limit::moe_ffn);
  moe.shared_ffn_size = dense.ffn_size;
  moe.router_bias = true;
  const std::int64_t n_zero = config.count_or_zero("zero_expert_num", config_limit::experts);
  const std::int64_t n_mtp = config.count_or_zero("num_nextn_predict_layers", 64);
  const bool bias = config.flag_or("attention_bias", false);
  if (config.error()) return;
  model.rotary_dim = attention.qk_rope_head_dim;
  add_embeddings(draft);
  for (std::int64_t layer = 0; layer < n_layers; ++layer) {
    for (const bool first : {true, false}) {
      model.layers.push_back({attention, first ? Ffn(moe) : Ffn(dense)});
      draft.tensors.at_layer(model.n_layers() - 1);
      add_half(draft, attention, dense, bias);
      if (first) add_zero_experts(draft.tensors, moe, n_zero, model.hidden_size);
    }
  }
  add_head(draft);
  model.mtp_layers.assign(static_cast<std::size_t>(n_mtp), LayerSpec{attention, dense});
  if (n_mtp > 0) add_mtp(draft, attention, dense, bias);
}

}  // namespace weighbridge

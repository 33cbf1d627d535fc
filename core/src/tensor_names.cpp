// SPDX-License-Identifier: Apache-2.0
// The names of tensors, one row each: what it does, and what it is called in a GGUF file. A family whose checkpoints use a name of their own adds
// a row here. Sources: the state dicts of huggingface/transformers src/transformers/models/*/modeling_*.py, and for the third column
// ggml-org/llama.cpp gguf-py/gguf/tensor_mapping.py.
#include "tensor_names.hpp"

#include <array>

namespace weighbridge {

namespace {

using enum TensorRole;

constexpr std::array kNames{
    // outside the layers
    TensorName{"embed_tokens", embedding, "token_embd"},
    TensorName{"norm", norm, "output_norm"},
    TensorName{"lm_head", output_head, "output"},
    TensorName{"embedding.word_embeddings", embedding, "token_embd"},
    TensorName{"word_embeddings", embedding, "token_embd"},
    TensorName{"encoder.final_layernorm", norm, "output_norm"},
    TensorName{"output_layer", output_head, "output"},
    TensorName{"rotary_pos_emb.inv_freq", norm},
    // norms of a layer
    TensorName{"input_layernorm", norm, "attn_norm"},
    TensorName{"post_attention_layernorm", norm, "ffn_norm"},
    TensorName{"pre_feedforward_layernorm", norm, "ffn_norm"},
    TensorName{"post_feedforward_layernorm", norm, "post_ffw_norm"},
    TensorName{"post_self_attn_layernorm", norm, "post_attention_norm"},
    TensorName{"post_mlp_layernorm", norm, "post_ffw_norm"},
    // attention
    TensorName{"self_attn.q_proj", attention_q, "attn_q"},
    TensorName{"self_attn.k_proj", attention_k, "attn_k"},
    TensorName{"self_attn.v_proj", attention_v, "attn_v"},
    TensorName{"self_attn.qkv_proj", attention_v, "attn_qkv"},
    TensorName{"self_attn.o_proj", attention_output, "attn_output"},
    TensorName{"self_attn.q_norm", norm, "attn_q_norm"},
    TensorName{"self_attn.k_norm", norm, "attn_k_norm"},
    TensorName{"self_attn.sinks", attention_sinks, "attn_sinks"},
    TensorName{"self_attn.g_proj", attention_q, "attn_gate"},
    TensorName{"self_attention.query_key_value", attention_v, "attn_qkv"},
    TensorName{"self_attention.dense", attention_output, "attn_output"},
    TensorName{"attention.query_key_value", attention_v, "attn_qkv"},
    TensorName{"attention.dense", attention_output, "attn_output"},
    TensorName{"attention.query_layernorm", norm, "attn_q_norm"},
    TensorName{"attention.key_layernorm", norm, "attn_k_norm"},
    TensorName{"attention.q_proj", attention_q},
    TensorName{"attention.q_a_proj", latent_q_down},
    TensorName{"attention.q_a_layernorm", norm},
    TensorName{"attention.q_b_proj", latent_q_up},
    TensorName{"attention.kv_a_proj_with_mqa", latent_kv_down},
    TensorName{"attention.kv_a_layernorm", norm},
    TensorName{"attention.kv_b_proj", latent_kv_up},
    TensorName{"attention.g_proj", attention_q},
    // latent attention; kv_b_proj is split in two by a rule of its own
    TensorName{"self_attn.q_a_proj", latent_q_down, "attn_q_a"},
    TensorName{"self_attn.q_a_layernorm", norm, "attn_q_a_norm"},
    TensorName{"self_attn.q_b_proj", latent_q_up, "attn_q_b"},
    TensorName{"self_attn.kv_a_proj_with_mqa", latent_kv_down, "attn_kv_a_mqa"},
    TensorName{"self_attn.kv_a_layernorm", norm, "attn_kv_a_norm"},
    TensorName{"self_attn.kv_b_proj", latent_kv_up},
    TensorName{"self_attn.rotary_emb.inv_freq", norm},
    // the indexer of a sparse attention
    TensorName{"self_attn.indexer.wq_b", indexer, "indexer.attn_q_b"},
    TensorName{"self_attn.indexer.wk", indexer, "indexer.attn_k"},
    TensorName{"self_attn.indexer.k_norm", norm, "indexer.k_norm"},
    TensorName{"self_attn.indexer.weights_proj", indexer, "indexer.proj"},
    TensorName{"self_attn.index_q_proj", indexer},
    TensorName{"self_attn.index_k_proj", indexer},
    TensorName{"self_attn.index_q_norm", norm},
    TensorName{"self_attn.index_k_norm", norm},
    // DeepSeek-V4
    TensorName{"embed", embedding, "token_embd"},
    TensorName{"head", output_head, "output"},
    TensorName{"attn_norm", norm, "attn_norm"},
    TensorName{"ffn_norm", norm, "ffn_norm"},
    TensorName{"attn.wq_a", latent_q_down},
    TensorName{"attn.q_norm", norm},
    TensorName{"attn.wq_b", latent_q_up},
    TensorName{"attn.wkv", latent_kv_down},
    TensorName{"attn.kv_norm", norm},
    TensorName{"attn.wo_a", attention_output},
    TensorName{"attn.wo_b", attention_output},
    TensorName{"attn.attn_sink", attention_sinks},
    TensorName{"attn.indexer.wq_b", indexer},
    TensorName{"attn.indexer.weights_proj", indexer},
    TensorName{"self_attn.indexer.index_kpool_compress_gate", indexer},
    TensorName{"self_attn.indexer.index_kpool_compress_ape", indexer},
    TensorName{"ffn.gate", router},
    TensorName{"ffn.gate.tid2eid", router},
    TensorName{"ffn.experts.{expert}.w1", expert_gate_up},
    TensorName{"ffn.experts.{expert}.w3", expert_gate_up},
    TensorName{"ffn.experts.{expert}.w2", expert_down},
    TensorName{"ffn.shared_experts.w1", shared_gate_up},
    TensorName{"ffn.shared_experts.w3", shared_gate_up},
    TensorName{"ffn.shared_experts.w2", shared_down},
    TensorName{"e_proj", mtp_projection},
    TensorName{"h_proj", mtp_projection},
    // feed-forward
    TensorName{"mlp.gate_proj", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.gate_up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.down_proj", ffn_down, "ffn_down"},
    TensorName{"mlp.dense_h_to_4h", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.dense_4h_to_h", ffn_down, "ffn_down"},
    // experts
    TensorName{"mlp.gate", router, "ffn_gate_inp"},
    TensorName{"mlp.gate.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.gate.expert_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.router", router, "ffn_gate_inp"},
    TensorName{"block_sparse_moe.gate", router, "ffn_gate_inp"},
    TensorName{"mlp.experts.{expert}.gate_proj", expert_gate_up, "ffn_gate_exps"},
    TensorName{"mlp.experts.{expert}.up_proj", expert_gate_up, "ffn_up_exps"},
    TensorName{"mlp.experts.{expert}.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"block_sparse_moe.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"block_sparse_moe.gate.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"block_sparse_moe.shared_experts.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"block_sparse_moe.shared_experts.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"block_sparse_moe.shared_experts.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"mlp.router.classifier", router},
    TensorName{"mlp.router.e_score_correction_bias", router},
    TensorName{"mlps.gate_proj", shared_gate_up},
    TensorName{"mlps.up_proj", shared_gate_up},
    TensorName{"mlps.down_proj", shared_down},
    TensorName{"moe.gate", router, "ffn_gate_inp"},
    TensorName{"moe.router_bias", router, "exp_probs_b.bias"},
    TensorName{"moe.experts.{expert}.gate_proj", expert_gate_up, "ffn_gate_exps"},
    TensorName{"moe.experts.{expert}.up_proj", expert_gate_up, "ffn_up_exps"},
    TensorName{"moe.experts.{expert}.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"share_expert.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"share_expert.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"share_expert.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"block_sparse_moe.experts.{expert}.w1", expert_gate_up, "ffn_gate_exps"},
    TensorName{"block_sparse_moe.experts.{expert}.w3", expert_gate_up, "ffn_up_exps"},
    TensorName{"block_sparse_moe.experts.{expert}.w2", expert_down, "ffn_down_exps"},
    TensorName{"mlp.experts.gate_up_proj", expert_gate_up, "ffn_gate_up_exps"},
    TensorName{"mlp.experts.gate_up_proj_bias", expert_gate_up, "ffn_gate_up_exps.bias"},
    TensorName{"mlp.experts.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"mlp.experts.down_proj_bias", expert_down, "ffn_down_exps.bias"},
    TensorName{"mlp.shared_experts.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"mlp.shared_experts.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"mlp.shared_experts.down_proj", shared_down, "ffn_down_shexp"},
    // multi-token prediction
    TensorName{"enorm", norm, "nextn.enorm"},
    TensorName{"hnorm", norm, "nextn.hnorm"},
    TensorName{"eh_proj", mtp_projection, "nextn.eh_proj"},
    TensorName{"shared_head.norm", norm, "nextn.shared_head_norm"},
    TensorName{"shared_head.head", output_head, "nextn.shared_head_head"},
    TensorName{"shared_head.output", output_head, "nextn.shared_head_head"},
    TensorName{"input_proj", mtp_projection},
    TensorName{"final_layernorm", norm},
    TensorName{"token_layernorm", norm},
    TensorName{"hidden_layernorm", norm},
};

bool strip(std::string_view& text, std::string_view ending) {
  if (!text.ends_with(ending)) return false;
  text.remove_suffix(ending.size());
  return true;
}

/// What the names of a language model's tensors may begin with, one after the other.
constexpr std::array<std::string_view, 6> kRoots{"model.", "language_model.", "text_model.", "transformer.", "backbone.", "llm."};

}  // namespace

std::string_view without_roots(std::string_view name) {
  for (std::size_t i = 0; i < kRoots.size();) {
    const bool leads = name.starts_with(kRoots[i]);
    if (leads) name.remove_prefix(kRoots[i].size());
    i = leads ? 0 : i + 1;
  }
  return name;
}

const TensorName* find_tensor_name(std::string_view name) {
  if (!strip(name, ".weight")) strip(name, ".bias");
  name = without_roots(name);
  for (const TensorName& known : kNames)
    if (known.name == name) return &known;
  return nullptr;
}

std::string_view within_layer(std::string_view name) {
  constexpr std::string_view mark = "{layer}.";
  const std::size_t at = name.find(mark);
  return at == std::string_view::npos ? name : name.substr(at + mark.size());
}

}  // namespace weighbridge

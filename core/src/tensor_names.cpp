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
    TensorName{"wte", embedding, "token_embd"},
    TensorName{"ln_f", norm, "output_norm"},
    TensorName{"embeddings", embedding, "token_embd"},
    TensorName{"tok_embeddings", embedding, "token_embd"},
    TensorName{"norm_f", norm, "output_norm"},
    TensorName{"final_layernorm", norm, "output_norm"},
    TensorName{"embedding_norm", norm, "token_embd_norm"},
    TensorName{"output", output_head, "output"},
    // norms of a layer
    TensorName{"input_layernorm", norm, "attn_norm"},
    TensorName{"post_attention_layernorm", norm, "ffn_norm"},
    TensorName{"pre_feedforward_layernorm", norm, "ffn_norm"},
    TensorName{"post_feedforward_layernorm", norm, "post_ffw_norm"},
    TensorName{"pre_ff_layernorm", norm, "ffn_norm"},
    TensorName{"pre_mlp_layernorm", norm, "ffn_norm"},
    TensorName{"post_mlp_layernorm", norm, "post_ffw_norm"},
    TensorName{"attention_norm", norm, "attn_norm"},
    TensorName{"operator_norm", norm, "attn_norm"},
    TensorName{"ffn_norm", norm, "ffn_norm"},
    TensorName{"ln_1", norm, "attn_norm"},
    TensorName{"ln_2", norm, "ffn_norm"},
    TensorName{"norm_attn_norm.norm_1", norm, "attn_norm"},
    TensorName{"norm_attn_norm.norm_2", norm, "attn_output_norm"},
    TensorName{"pre_norm", norm, "token_embd_norm"},
    TensorName{"attn_norm", norm, "attn_norm"},
    // attention
    TensorName{"self_attn.q_proj", attention_q, "attn_q"},
    TensorName{"self_attn.k_proj", attention_k, "attn_k"},
    TensorName{"self_attn.v_proj", attention_v, "attn_v"},
    TensorName{"self_attn.qkv_proj", attention_v, "attn_qkv"},
    TensorName{"self_attn.o_proj", attention_output, "attn_output"},
    TensorName{"self_attn.q_norm", norm, "attn_q_norm"},
    TensorName{"self_attn.k_norm", norm, "attn_k_norm"},
    TensorName{"self_attn.sinks", attention_sinks, "attn_sinks"},
    // Qwen 1
    TensorName{"attn.c_attn", attention_v, "attn_qkv"},
    TensorName{"attn.c_proj", attention_output, "attn_output"},
    TensorName{"mlp.w1", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.w2", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.c_proj", ffn_down, "ffn_down"},
    // gated delta net; in_proj_qkvz is split in two by a rule of its own
    TensorName{"linear_attn.in_proj_qkvz", recurrent_in},
    TensorName{"linear_attn.in_proj_ba", recurrent_in, "ssm_ba"},
    TensorName{"linear_attn.in_proj_qkv", recurrent_in, "attn_qkv"},
    TensorName{"linear_attn.in_proj_z", recurrent_in, "attn_gate"},
    TensorName{"linear_attn.in_proj_b", recurrent_in, "ssm_beta"},
    TensorName{"linear_attn.in_proj_a", recurrent_in, "ssm_alpha"},
    TensorName{"linear_attn.conv1d", recurrent_state, "ssm_conv1d"},
    TensorName{"linear_attn.dt_bias", recurrent_state, "ssm_dt.bias"},
    TensorName{"linear_attn.A_log", recurrent_state, "ssm_a"},
    TensorName{"linear_attn.norm", norm, "ssm_norm"},
    TensorName{"linear_attn.out_proj", recurrent_out, "ssm_out"},
    TensorName{"self_attn.query_layernorm", norm, "attn_q_norm"},
    TensorName{"self_attn.key_layernorm", norm, "attn_k_norm"},
    TensorName{"self_attn.q_layernorm", norm, "attn_q_norm"},
    TensorName{"self_attn.k_layernorm", norm, "attn_k_norm"},
    TensorName{"self_attn.out_proj", attention_output, "attn_output"},
    TensorName{"self_attn.gate_proj", attention_q, "attn_gate"},
    TensorName{"self_attn.g_proj", attention_q, "attn_gate"},
    TensorName{"self_attn.attn_gate", attention_q, "attn_gate"},
    TensorName{"self_attn.W_pack", attention_v},
    TensorName{"self_attn.v_router", router},
    TensorName{"self_attn.v_experts.{expert}", expert_gate_up},
    TensorName{"attention.wqkv", attention_v},
    TensorName{"attention.wo", attention_output, "attn_output"},
    TensorName{"attn.attention.q_proj", attention_q, "attn_q"},
    TensorName{"attn.attention.k_proj", attention_k, "attn_k"},
    TensorName{"attn.attention.v_proj", attention_v, "attn_v"},
    TensorName{"attn.attention.out_proj", attention_output, "attn_output"},
    TensorName{"norm_attn_norm.attn.Wqkv", attention_v, "attn_qkv"},
    TensorName{"norm_attn_norm.attn.out_proj", attention_output, "attn_output"},
    TensorName{"mixer.q_proj", attention_q, "attn_q"},
    TensorName{"mixer.k_proj", attention_k, "attn_k"},
    TensorName{"mixer.v_proj", attention_v, "attn_v"},
    TensorName{"mixer.o_proj", attention_output, "attn_output"},
    // latent attention; kv_b_proj is split in two by a rule of its own
    TensorName{"self_attn.q_a_proj", latent_q_down, "attn_q_a"},
    TensorName{"self_attn.q_a_layernorm", norm, "attn_q_a_norm"},
    TensorName{"self_attn.q_b_proj", latent_q_up, "attn_q_b"},
    TensorName{"self_attn.kv_a_proj_with_mqa", latent_kv_down, "attn_kv_a_mqa"},
    TensorName{"self_attn.kv_a_layernorm", norm, "attn_kv_a_norm"},
    TensorName{"self_attn.kv_b_proj", latent_kv_up},
    // recurrent mixers
    TensorName{"mixer.in_proj", recurrent_in, "ssm_in"},
    TensorName{"mixer.x_proj", recurrent_in, "ssm_x"},
    TensorName{"mixer.dt_proj", recurrent_in, "ssm_dt"},
    TensorName{"mixer.conv1d", recurrent_state, "ssm_conv1d"},
    TensorName{"mixer.A_log", recurrent_state, "ssm_a"},
    TensorName{"mixer.D", recurrent_state, "ssm_d"},
    TensorName{"mixer.dt_bias", recurrent_state, "ssm_dt.bias"},
    TensorName{"mixer.norm", norm, "ssm_norm"},
    TensorName{"mixer.out_proj", recurrent_out, "ssm_out"},
    TensorName{"mamba.in_proj", recurrent_in, "ssm_in"},
    TensorName{"mamba.x_proj", recurrent_in, "ssm_x"},
    TensorName{"mamba.dt_proj", recurrent_in, "ssm_dt"},
    TensorName{"mamba.conv1d", recurrent_state, "ssm_conv1d"},
    TensorName{"mamba.A_log", recurrent_state, "ssm_a"},
    TensorName{"mamba.D", recurrent_state, "ssm_d"},
    TensorName{"mamba.dt_bias", recurrent_state, "ssm_dt.bias"},
    TensorName{"mamba.norm", norm, "ssm_norm"},
    TensorName{"mamba.out_proj", recurrent_out, "ssm_out"},
    TensorName{"mamba.dt_layernorm", norm, "ssm_dt_norm"},
    TensorName{"mamba.b_layernorm", norm, "ssm_b_norm"},
    TensorName{"mamba.c_layernorm", norm, "ssm_c_norm"},
    TensorName{"conv.in_proj", recurrent_in, "shortconv.in_proj"},
    TensorName{"conv.conv", recurrent_state, "shortconv.conv"},
    TensorName{"conv.out_proj", recurrent_out, "shortconv.out_proj"},
    TensorName{"attn.r_proj", recurrent_in, "time_mix_receptance"},
    TensorName{"attn.k_proj", recurrent_in, "time_mix_key"},
    TensorName{"attn.v_proj", recurrent_in, "time_mix_value"},
    TensorName{"attn.o_proj", recurrent_out, "time_mix_output"},
    TensorName{"attn.x_r", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.x_w", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.x_k", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.x_v", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.x_a", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.x_g", recurrent_state, "time_mix_lerp_fused"},
    TensorName{"attn.k_k", recurrent_state, "time_mix_k_k"},
    TensorName{"attn.k_a", recurrent_state, "time_mix_k_a"},
    TensorName{"attn.r_k", recurrent_state, "time_mix_r_k"},
    TensorName{"attn.g_norm", norm, "time_mix_ln"},
    TensorName{"attn.w_lora.lora.0", recurrent_state, "time_mix_w1"},
    TensorName{"attn.w_lora.lora.2", recurrent_state, "time_mix_w2"},
    TensorName{"attn.v_lora.lora.0", recurrent_state, "time_mix_v1"},
    TensorName{"attn.v_lora.lora.2", recurrent_state, "time_mix_v2"},
    TensorName{"attn.a_lora.lora.0", recurrent_state, "time_mix_a1"},
    TensorName{"attn.a_lora.lora.2", recurrent_state, "time_mix_a2"},
    TensorName{"attn.g_lora.lora.0", recurrent_state, "time_mix_g1"},
    TensorName{"attn.g_lora.lora.2", recurrent_state, "time_mix_g2"},
    TensorName{"ffn.x_k", recurrent_state, "channel_mix_lerp_k"},
    TensorName{"ffn.key", recurrent_in, "channel_mix_key"},
    TensorName{"ffn.value", recurrent_out, "channel_mix_value"},
    // feed-forward
    TensorName{"mlp.gate_proj", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.gate_up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.down_proj", ffn_down, "ffn_down"},
    TensorName{"feed_forward.gate_proj", ffn_gate_up, "ffn_gate"},
    TensorName{"feed_forward.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"feed_forward.down_proj", ffn_down, "ffn_down"},
    TensorName{"feed_forward.w1", ffn_gate_up, "ffn_gate"},
    TensorName{"feed_forward.w3", ffn_gate_up, "ffn_up"},
    TensorName{"feed_forward.w2", ffn_down, "ffn_down"},
    TensorName{"mlp.c_fc_0", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.c_fc_1", ffn_gate_up, "ffn_up"},
    TensorName{"mixer.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mixer.down_proj", ffn_down, "ffn_down"},
    // experts
    TensorName{"mlp.gate", router, "ffn_gate_inp"},
    TensorName{"mlp.gate.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.router", router, "ffn_gate_inp"},
    TensorName{"block_sparse_moe.gate", router, "ffn_gate_inp"},
    TensorName{"mlp.experts.{expert}.gate_proj", expert_gate_up, "ffn_gate_exps"},
    TensorName{"mlp.experts.{expert}.up_proj", expert_gate_up, "ffn_up_exps"},
    TensorName{"mlp.experts.{expert}.down_proj", expert_down, "ffn_down_exps"},
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
    TensorName{"mlp.shared_expert.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"mlp.shared_expert.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"mlp.shared_expert.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"mlp.shared_expert_gate", router, "ffn_gate_inp_shexp"},
    // Qwen4-Exp; llama.cpp does not convert it
    TensorName{"self_attn.indexer.index_qk_proj", indexer},
    TensorName{"self_attn.indexer.q_layernorm", norm},
    TensorName{"self_attn.indexer.k_layernorm", norm},
    TensorName{"attn_hyper_connection.hc_norm", norm},
    TensorName{"mlp_hyper_connection.hc_norm", norm},
    TensorName{"hyper_connection_mixer.hc_norm", norm},
    TensorName{"ple.ple_embedding.ngram_embedding", layer_embedding},
    TensorName{"ple.norm_key", norm},
    TensorName{"ple.norm_query", norm},
    TensorName{"ple.norm_conv", norm},
    TensorName{"ple.conv1d", recurrent_state},
    TensorName{"mixer.gate", router, "ffn_gate_inp"},
    TensorName{"mixer.gate.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mixer.experts.{expert}.up_proj", expert_gate_up, "ffn_up_exps"},
    TensorName{"mixer.experts.{expert}.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"mixer.shared_experts.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"mixer.shared_experts.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"mixer.fc1_latent_proj", projection, "ffn_latent_down"},
    TensorName{"mixer.fc2_latent_proj", projection, "ffn_latent_up"},
    TensorName{"feed_forward.router", router, "ffn_gate_inp"},
    TensorName{"feed_forward.gate", router, "ffn_gate_inp"},
    TensorName{"feed_forward.expert_bias", router, "exp_probs_b.bias"},
    TensorName{"feed_forward.experts.{expert}.gate_proj", expert_gate_up, "ffn_gate_exps"},
    TensorName{"feed_forward.experts.{expert}.up_proj", expert_gate_up, "ffn_up_exps"},
    TensorName{"feed_forward.experts.{expert}.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"feed_forward.experts.{expert}.w1", expert_gate_up, "ffn_gate_exps"},
    TensorName{"feed_forward.experts.{expert}.w3", expert_gate_up, "ffn_up_exps"},
    TensorName{"feed_forward.experts.{expert}.w2", expert_down, "ffn_down_exps"},
    TensorName{"block_sparse_moe.router.layer", router, "ffn_gate_inp"},
    TensorName{"block_sparse_moe.input_linear", expert_gate_up},
    TensorName{"block_sparse_moe.output_linear", expert_down, "ffn_down_exps"},
    TensorName{"shared_mlp.input_linear", shared_gate_up},
    TensorName{"shared_mlp.output_linear", shared_down, "ffn_down_shexp"},
    TensorName{"mlp.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.expert_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.experts.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.moe_statics.e_score_correction_bias", router, "exp_probs_b.bias"},
    TensorName{"mlp.router.gate", router, "ffn_gate_inp"},
    TensorName{"mlp.gate.wg", router, "ffn_gate_inp"},
    TensorName{"mlp.shared_mlp.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"mlp.shared_mlp.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"mlp.shared_mlp.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"ffn.router.layer", router, "ffn_gate_inp"},
    TensorName{"ffn.experts.mlp.w1", expert_gate_up, "ffn_gate_exps"},
    TensorName{"ffn.experts.mlp.v1", expert_gate_up, "ffn_up_exps"},
    TensorName{"ffn.experts.mlp.w2", expert_down, "ffn_down_exps"},
    // multi-token prediction
    TensorName{"mtp.embed_tokens", embedding, "nextn.embed_tokens"},
    TensorName{"mtp.fc", mtp_projection, "nextn.eh_proj"},
    TensorName{"mtp.fc_embedding", mtp_projection},
    TensorName{"mtp.fc_hidden", mtp_projection},
    TensorName{"mtp.pre_fc_norm_embedding", norm, "nextn.enorm"},
    TensorName{"mtp.pre_fc_norm_hidden", norm, "nextn.hnorm"},
    TensorName{"mtp.norm", norm, "nextn.shared_head_norm"},
    TensorName{"mtp.hyper_connection_mixer.hc_norm", norm},
    TensorName{"enorm", norm, "nextn.enorm"},
    TensorName{"hnorm", norm, "nextn.hnorm"},
    TensorName{"eh_proj", mtp_projection, "nextn.eh_proj"},
    TensorName{"shared_head.norm", norm, "nextn.shared_head_norm"},
    TensorName{"shared_head.head", output_head, "nextn.shared_head_head"},
};

bool strip(std::string_view& text, std::string_view ending) {
  if (!text.ends_with(ending)) return false;
  text.remove_suffix(ending.size());
  return true;
}

/// What the names of a language model's tensors may begin with, one after the other.
constexpr std::array<std::string_view, 7> kRoots{"model.", "language_model.", "text_model.", "transformer.", "backbone.", "llm.", "thinker."};

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

const TensorName* find_gguf_tensor_name(std::string_view name) {
  for (const TensorName& known : kNames)
    if (known.gguf == name) return &known;
  return nullptr;
}

std::string_view within_layer(std::string_view name) {
  constexpr std::string_view mark = "{layer}.";
  const std::size_t at = name.find(mark);
  return at == std::string_view::npos ? name : name.substr(at + mark.size());
}

}  // namespace weighbridge

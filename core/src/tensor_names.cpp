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
    TensorName{"wpe", position_embedding, "position_embd"},
    TensorName{"embd.wte", embedding, "token_embd"},
    TensorName{"word_embeddings", embedding, "token_embd"},
    TensorName{"word_embeddings_layernorm", norm, "token_embd_norm"},
    TensorName{"gpt_neox.embed_in", embedding, "token_embd"},
    TensorName{"decoder.embed_tokens", embedding, "token_embd"},
    TensorName{"decoder.embed_positions", position_embedding, "position_embd"},
    TensorName{"decoder.final_layer_norm", norm, "output_norm"},
    TensorName{"final_layernorm", norm, "output_norm"},
    TensorName{"gpt_neox.final_layer_norm", norm, "output_norm"},
    TensorName{"ln_f", norm, "output_norm"},
    TensorName{"norm_f", norm, "output_norm"},
    TensorName{"lm_head.ln", norm, "output_norm"},
    TensorName{"lm_head.linear", output_head, "output"},
    TensorName{"embed_out", output_head, "output"},
    // Gemma 3n and 4: inputs of every layer's own
    TensorName{"embed_tokens_per_layer", layer_embedding, "per_layer_token_embd"},
    TensorName{"per_layer_model_projection", projection, "per_layer_model_proj"},
    TensorName{"per_layer_projection_norm", norm, "per_layer_proj_norm"},
    TensorName{"altup_projections", projection, "altup_proj"},
    TensorName{"altup_unembed_projections", projection, "altup_unembd_proj"},
    TensorName{"altup.correct_output_scale", norm, "altup_correct_scale"},
    TensorName{"altup.correction_coefs", projection, "altup_correct_coef"},
    TensorName{"altup.prediction_coefs", projection, "altup_predict_coef"},
    TensorName{"altup.modality_router", projection, "altup_router"},
    TensorName{"altup.router_norm", norm, "altup_router_norm"},
    TensorName{"laurel.linear_left", projection, "laurel_l"},
    TensorName{"laurel.linear_right", projection, "laurel_r"},
    TensorName{"laurel.post_laurel_norm", norm, "laurel_post_norm"},
    TensorName{"per_layer_input_gate", projection, "inp_gate"},
    TensorName{"per_layer_projection", projection, "proj"},
    TensorName{"post_per_layer_input_norm", norm, "post_norm"},
    TensorName{"layer_scalar", norm, "layer_output_scale"},
    // norms of a layer
    TensorName{"input_layernorm", norm, "attn_norm"},
    TensorName{"post_attention_layernorm", norm, "ffn_norm"},
    TensorName{"pre_feedforward_layernorm", norm, "ffn_norm"},
    TensorName{"post_feedforward_layernorm", norm, "post_ffw_norm"},
    TensorName{"ln", norm, "attn_norm"},
    TensorName{"ln_1", norm, "attn_norm"},
    TensorName{"ln_2", norm, "ffn_norm"},
    TensorName{"ln_attn", norm, "attn_norm_2"},
    TensorName{"ln_mlp", norm, "attn_norm"},
    TensorName{"norm_1", norm, "attn_norm"},
    TensorName{"norm_2", norm, "ffn_norm"},
    TensorName{"self_attn_layer_norm", norm, "attn_norm"},
    TensorName{"final_layer_norm", norm, "ffn_norm"},
    TensorName{"post_feedforward_layernorm_1", norm, "post_ffw_norm_1"},
    TensorName{"post_feedforward_layernorm_2", norm, "post_ffw_norm_2"},
    TensorName{"pre_feedforward_layernorm_2", norm, "pre_ffw_norm_2"},
    // attention
    TensorName{"self_attn.q_proj", attention_q, "attn_q"},
    TensorName{"self_attn.k_proj", attention_k, "attn_k"},
    TensorName{"self_attn.v_proj", attention_v, "attn_v"},
    TensorName{"self_attn.qkv_proj", attention_v, "attn_qkv"},
    TensorName{"self_attn.o_proj", attention_output, "attn_output"},
    TensorName{"self_attn.q_norm", norm, "attn_q_norm"},
    TensorName{"self_attn.k_norm", norm, "attn_k_norm"},
    TensorName{"self_attn.sinks", attention_sinks, "attn_sinks"},
    TensorName{"self_attn.dense", attention_output, "attn_output"},
    TensorName{"self_attn.out_proj", attention_output, "attn_output"},
    TensorName{"self_attn.q_layernorm", norm, "attn_q_norm"},
    TensorName{"self_attn.k_layernorm", norm, "attn_k_norm"},
    TensorName{"self_attn.q_layernorm.norms", norm, "attn_q_norm"},
    TensorName{"self_attn.k_layernorm.norms", norm, "attn_k_norm"},
    TensorName{"self_attn.query_key_value", attention_v, "attn_qkv"},
    TensorName{"self_attention.query_key_value", attention_v, "attn_qkv"},
    TensorName{"self_attention.dense", attention_output, "attn_output"},
    TensorName{"attention.query_key_value", attention_v, "attn_qkv"},
    TensorName{"attention.dense", attention_output, "attn_output"},
    TensorName{"mixer.Wqkv", attention_v, "attn_qkv"},
    TensorName{"mixer.out_proj", attention_output, "attn_output"},
    TensorName{"attn.c_attn", attention_v, "attn_qkv"},
    TensorName{"attn.c_proj", attention_output, "attn_output"},
    TensorName{"attn.Wqkv", attention_v, "attn_qkv"},
    TensorName{"attn.out_proj", attention_output, "attn_output"},
    TensorName{"cross_attn.q_proj", attention_q, "cross_attn_q_proj"},
    TensorName{"cross_attn.k_proj", attention_k, "cross_attn_k_proj"},
    TensorName{"cross_attn.v_proj", attention_v, "cross_attn_v_proj"},
    TensorName{"cross_attn.o_proj", attention_output, "cross_attn_o_proj"},
    TensorName{"cross_attn.q_norm", norm, "cross_attn_q_norm"},
    TensorName{"cross_attn.k_norm", norm, "cross_attn_k_norm"},
    TensorName{"cross_attn_attn_gate", norm, "cross_attn_attn_gate"},
    TensorName{"cross_attn_mlp_gate", norm, "cross_attn_mlp_gate"},
    // latent attention; kv_b_proj is split in two by a rule of its own
    TensorName{"self_attn.q_a_proj", latent_q_down, "attn_q_a"},
    TensorName{"self_attn.q_a_layernorm", norm, "attn_q_a_norm"},
    TensorName{"self_attn.q_b_proj", latent_q_up, "attn_q_b"},
    TensorName{"self_attn.kv_a_proj_with_mqa", latent_kv_down, "attn_kv_a_mqa"},
    TensorName{"self_attn.kv_a_layernorm", norm, "attn_kv_a_norm"},
    TensorName{"self_attn.kv_b_proj", latent_kv_up},
    // feed-forward
    TensorName{"mlp.gate_proj", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.gate_up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.down_proj", ffn_down, "ffn_down"},
    TensorName{"mlp.fc1", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.fc2", ffn_down, "ffn_down"},
    TensorName{"mlp.c_fc", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.c_proj", ffn_down, "ffn_down"},
    TensorName{"mlp.dense_h_to_4h", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.dense_4h_to_h", ffn_down, "ffn_down"},
    TensorName{"ffn.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"ffn.down_proj", ffn_down, "ffn_down"},
    TensorName{"fc1", ffn_gate_up, "ffn_up"},
    TensorName{"fc2", ffn_down, "ffn_down"},
    TensorName{"feed_forward.gate_proj", ffn_gate_up, "ffn_gate"},
    TensorName{"feed_forward.up_proj", ffn_gate_up, "ffn_up"},
    TensorName{"feed_forward.down_proj", ffn_down, "ffn_down"},
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
    TensorName{"router.proj", router, "ffn_gate_inp"},
    TensorName{"router.scale", norm, "ffn_gate_inp.scale"},
    TensorName{"router.per_expert_scale", norm, "ffn_down_exps.scale"},
    TensorName{"experts.gate_up_proj", expert_gate_up, "ffn_gate_up_exps"},
    TensorName{"experts.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"feed_forward.router", router, "ffn_gate_inp"},
    TensorName{"feed_forward.experts.gate_up_proj", expert_gate_up, "ffn_gate_up_exps"},
    TensorName{"feed_forward.experts.down_proj", expert_down, "ffn_down_exps"},
    TensorName{"feed_forward.shared_expert.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"feed_forward.shared_expert.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"feed_forward.shared_expert.down_proj", shared_down, "ffn_down_shexp"},
    TensorName{"mlp.shared_experts.gate_proj", shared_gate_up, "ffn_gate_shexp"},
    TensorName{"mlp.shared_experts.up_proj", shared_gate_up, "ffn_up_shexp"},
    TensorName{"mlp.shared_experts.down_proj", shared_down, "ffn_down_shexp"},
    // encoders
    TensorName{"embeddings.word_embeddings", embedding, "token_embd"},
    TensorName{"embeddings.tok_embeddings", embedding, "token_embd"},
    TensorName{"embeddings.position_embeddings", position_embedding, "position_embd"},
    TensorName{"embeddings.token_type_embeddings", position_embedding, "token_types"},
    TensorName{"embeddings.LayerNorm", norm, "token_embd_norm"},
    TensorName{"embeddings.norm", norm, "token_embd_norm"},
    TensorName{"emb_ln", norm, "token_embd_norm"},
    TensorName{"attention.self.query", attention_q, "attn_q"},
    TensorName{"attention.self.key", attention_k, "attn_k"},
    TensorName{"attention.self.value", attention_v, "attn_v"},
    TensorName{"attention.output.dense", attention_output, "attn_output"},
    TensorName{"attention.output.LayerNorm", norm, "attn_output_norm"},
    TensorName{"intermediate.dense", ffn_gate_up, "ffn_up"},
    TensorName{"output.dense", ffn_down, "ffn_down"},
    TensorName{"output.LayerNorm", norm, "layer_output_norm"},
    TensorName{"mlp.gated_layers", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.wo", ffn_down, "ffn_down"},
    TensorName{"mlp.layernorm", norm, "layer_output_norm"},
    TensorName{"attn_norm", norm, "attn_norm"},
    TensorName{"mlp_norm", norm, "ffn_norm"},
    TensorName{"attn.Wo", attention_output, "attn_output"},
    TensorName{"mlp.Wi", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.Wo", ffn_down, "ffn_down"},
    TensorName{"final_norm", norm, "output_norm"},
    TensorName{"norm1", norm, "attn_output_norm"},
    TensorName{"norm2", norm, "layer_output_norm"},
    TensorName{"mlp.fc11", ffn_gate_up, "ffn_up"},
    TensorName{"mlp.fc12", ffn_gate_up, "ffn_gate"},
    TensorName{"mlp.router.layer", router, "ffn_gate_inp"},
    TensorName{"mlp.experts.mlp.w1", expert_gate_up, "ffn_up_exps"},
    TensorName{"mlp.experts.mlp.w2", expert_down, "ffn_down_exps"},
    TensorName{"mlp.experts.bias", norm, "-"},
    TensorName{"pooler.dense", projection, "-"},
    TensorName{"classifier", projection, "cls.output"},
    TensorName{"classifier.dense", projection, "cls"},
    TensorName{"classifier.out_proj", projection, "cls.output"},
    TensorName{"head.dense", projection, "cls"},
    TensorName{"head.norm", norm, "cls.norm"},
    TensorName{"decoder", norm, "-"},
    // multi-token prediction
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
constexpr std::array<std::string_view, 6> kRoots{"model.", "language_model.", "text_model.", "transformer.", "backbone.", "llm."};

std::string_view without_roots(std::string_view name) {
  for (std::size_t i = 0; i < kRoots.size();) {
    const bool leads = name.starts_with(kRoots[i]);
    if (leads) name.remove_prefix(kRoots[i].size());
    i = leads ? 0 : i + 1;
  }
  return name;
}

}  // namespace

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

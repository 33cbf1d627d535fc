// SPDX-License-Identifier: Apache-2.0
// Where the name of a tensor in a GGUF file depends on more than its own (ggml-org/llama.cpp convert_hf_to_gguf.py, modify_tensors of each model).
#include "gguf/names.hpp"

#include "json_text.hpp"
#include "tensor_names.hpp"

namespace weighbridge {

namespace {

/// Where a norm follows attention under this name; elsewhere the norm of that name comes before the feed-forward block.
bool has_norm_after_attention(const Model& model) {
  return is_any_of(model.architecture, {"afmoe",
                                        "exaone4",
                                        "gemma2",
                                        "gemma3",
                                        "gemma3_text",
                                        "gemma3n",
                                        "gemma3n_text",
                                        "gemma4",
                                        "gemma4_text",
                                        "gemma4_unified",
                                        "gemma4_unified_text",
                                        "gpt_oss",
                                        "glm4_moe",
                                        "glm4v_moe",
                                        "muse_glimmer",
                                        "olmo2",
                                        "olmo3",
                                        "qwen3_next",
                                        "qwen3_5",
                                        "qwen3_5_text",
                                        "qwen3_5_moe",
                                        "qwen3_5_moe_text",
                                        "seed_oss",
                                        "solar_open"});
}

/// Of a matrix of queries, keys and values that the converter takes apart.
std::string_view part_of_attention(TensorRole role) {
  if (role == TensorRole::attention_q) return "attn_q";
  return role == TensorRole::attention_k ? "attn_k" : "attn_v";
}

}  // namespace

std::string_view gguf_name_of(const Model& model, const Tensor& tensor) {
  const TensorName* known = find_tensor_name(within_layer(tensor.name));
  if (known == nullptr) return {};
  const std::string_view name = known->name;
  if (is_any_of(name, {"attention.wqkv", "self_attn.W_pack"})) return part_of_attention(tensor.role);
  if (tensor.role == TensorRole::recurrent_in && name == "attn.k_proj") return "time_mix_key";
  if (tensor.role == TensorRole::recurrent_in && name == "attn.v_proj") return "time_mix_value";
  if (name == "self_attn.kv_b_proj" && model.architecture == "minicpm3") return "attn_kv_b";
  if (name == "shared_mlp.input_linear" && first_moe(model) == nullptr) return "ffn_gate+ffn_up";
  if (name == "shared_mlp.output_linear" && first_moe(model) == nullptr) return "ffn_down";
  if (name == "mixer.out_proj" && tensor.role == TensorRole::attention_output) return "attn_output";
  if (known->gguf == "ssm_dt" && tensor.cols == 1) return "ssm_dt.bias";  // as the vector of Mamba-2, which has no matrix, is called
  if (name == "ffn.gate" && tensor.cols == 1) return "exp_probs_b.bias";
  if (name == "norm" && tensor.layers.first >= 0) return "attn_norm";
  if (name == "final_layernorm" && model.architecture.starts_with("mimo")) return "layer_output_norm";  // of a layer that predicts further tokens
  if (name == "post_attention_layernorm" && has_norm_after_attention(model)) return "post_attention_norm";
  return known->gguf;
}

}  // namespace weighbridge

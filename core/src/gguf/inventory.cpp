// SPDX-License-Identifier: Apache-2.0
// The tensors of a GGUF file, derived from the hyper-parameters of the layers: names and shapes as llama.cpp's converter writes them
// (convert_hf_to_gguf.py, gguf-py/gguf/constants.py) and its loader expects them (src/models/*.cpp).
#include "gguf/mix.hpp"
#include "gguf/recipe.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

namespace {

/// Adds one layer's tensors after the other, in the order of their names.
class GgufBuilder {
 public:
  explicit GgufBuilder(const Model& model) : model_(model) {}

  std::vector<Tensor> build() && {
    tensors_.reserve(static_cast<std::size_t>(3 + 20 * model_.n_layers()));
    if (!model_.tied_embeddings) matrix("output.weight", TensorRole::output_head, model_.vocab_size, model_.hidden_size);
    vector("output_norm.weight", TensorRole::norm, model_.hidden_size);
    if (model_.rope_factors > 0) vector("rope_freqs.weight", TensorRole::norm, model_.rope_factors);
    matrix("token_embd.weight", TensorRole::embedding, model_.vocab_size, model_.hidden_size);
    for (std::int64_t layer = 0; layer < model_.n_layers(); ++layer) {
      layers_ = {layer, 1};
      const LayerSpec& spec = model_.layers[static_cast<std::size_t>(layer)];
      std::visit([this](const auto& mixer) { add_mixer(mixer); }, spec.mixer);
      vector("blk.{layer}.attn_norm.weight", TensorRole::norm, model_.hidden_size);
      std::visit([this](const auto& ffn) { add_ffn(ffn); }, spec.ffn);
      add_ffn_norms(spec);
    }
    return std::move(tensors_);
  }

 private:
  /// The norm before the feed-forward block has another name where the converter maps HF's post_attention_layernorm to it.
  void add_ffn_norms(const LayerSpec& spec) {
    const bool named_after_attention = model_.architecture == "gpt_oss" || model_.architecture == "glm4_moe";
    vector(named_after_attention ? "blk.{layer}.post_attention_norm.weight" : "blk.{layer}.ffn_norm.weight", TensorRole::norm, model_.hidden_size);
    if (!spec.post_norms) return;
    vector("blk.{layer}.post_attention_norm.weight", TensorRole::norm, model_.hidden_size);
    vector("blk.{layer}.post_ffw_norm.weight", TensorRole::norm, model_.hidden_size);
  }

  void add_mixer(const SlidingAttention& a) { add_mixer(a.heads); }

  void add_mixer(const FullAttention& a) {
    const std::int64_t hidden = model_.hidden_size;
    if (model_.naming == CheckpointNaming::phi3) {
      matrix("blk.{layer}.attn_output.weight", TensorRole::attention_output, hidden, a.n_heads * a.head_dim_v);
      matrix("blk.{layer}.attn_qkv.weight", TensorRole::attention_v, a.n_heads * a.head_dim_k + a.n_kv_heads * (a.head_dim_k + a.head_dim_v), hidden);
      return;
    }
    linear("blk.{layer}.attn_k.weight", "blk.{layer}.attn_k.bias", TensorRole::attention_k, a.n_kv_heads * a.head_dim_k, hidden, a.qkv_bias);
    linear("blk.{layer}.attn_output.weight", "blk.{layer}.attn_output.bias", TensorRole::attention_output, hidden, a.n_heads * a.head_dim_v,
           a.output_bias);
    linear("blk.{layer}.attn_q.weight", "blk.{layer}.attn_q.bias", TensorRole::attention_q, a.n_heads * a.head_dim_k, hidden, a.qkv_bias);
    linear("blk.{layer}.attn_v.weight", "blk.{layer}.attn_v.bias", TensorRole::attention_v, a.n_kv_heads * a.head_dim_v, hidden, a.qkv_bias);
    if (a.sinks) vector("blk.{layer}.attn_sinks.weight", TensorRole::attention_sinks, a.n_heads);
    if (!a.qk_norm) return;
    vector("blk.{layer}.attn_k_norm.weight", TensorRole::norm, a.head_dim_k);
    vector("blk.{layer}.attn_q_norm.weight", TensorRole::norm, a.head_dim_k);
  }

  /// kv_b_proj is written as its two halves, one small matrix per head, the key half transposed.
  void add_mixer(const LatentAttention& a) {
    const std::int64_t hidden = model_.hidden_size;
    const std::int64_t query_rows = a.n_heads * (a.qk_nope_head_dim + a.qk_rope_head_dim);
    stack("blk.{layer}.attn_k_b.weight", TensorRole::latent_kv_up, a.n_heads, a.kv_lora_rank, a.qk_nope_head_dim);
    matrix("blk.{layer}.attn_kv_a_mqa.weight", TensorRole::latent_kv_down, a.kv_lora_rank + a.qk_rope_head_dim, hidden);
    vector("blk.{layer}.attn_kv_a_norm.weight", TensorRole::norm, a.kv_lora_rank);
    matrix("blk.{layer}.attn_output.weight", TensorRole::attention_output, hidden, a.n_heads * a.head_dim_v);
    if (a.q_lora_rank > 0) {
      matrix("blk.{layer}.attn_q_a.weight", TensorRole::latent_q_down, a.q_lora_rank, hidden);
      vector("blk.{layer}.attn_q_a_norm.weight", TensorRole::norm, a.q_lora_rank);
      matrix("blk.{layer}.attn_q_b.weight", TensorRole::latent_q_up, query_rows, a.q_lora_rank);
    } else {
      matrix("blk.{layer}.attn_q.weight", TensorRole::attention_q, query_rows, hidden);
    }
    stack("blk.{layer}.attn_v_b.weight", TensorRole::latent_kv_up, a.n_heads, a.head_dim_v, a.kv_lora_rank);
  }

  void add_ffn(const DenseFfn& f) {
    const std::int64_t hidden = model_.hidden_size;
    if (model_.naming == CheckpointNaming::phi3) {
      matrix("blk.{layer}.ffn_down.weight", TensorRole::ffn_down, hidden, f.ffn_size);
      matrix("blk.{layer}.ffn_up.weight", TensorRole::ffn_gate_up, 2 * f.ffn_size, hidden);
      return;
    }
    linear("blk.{layer}.ffn_down.weight", "blk.{layer}.ffn_down.bias", TensorRole::ffn_down, hidden, f.ffn_size, f.bias);
    linear("blk.{layer}.ffn_gate.weight", "blk.{layer}.ffn_gate.bias", TensorRole::ffn_gate_up, f.ffn_size, hidden, f.bias);
    linear("blk.{layer}.ffn_up.weight", "blk.{layer}.ffn_up.bias", TensorRole::ffn_gate_up, f.ffn_size, hidden, f.bias);
  }

  void add_ffn(const MoeFfn& f) {
    const std::int64_t hidden = model_.hidden_size;
    const std::int64_t shared = f.n_shared_experts * f.moe_ffn_size;
    if (f.router_bias) vector("blk.{layer}.exp_probs_b.bias", TensorRole::router, f.n_experts);
    stack("blk.{layer}.ffn_down_exps.weight", TensorRole::expert_down, f.n_experts, hidden, f.moe_ffn_size);
    if (shared > 0) matrix("blk.{layer}.ffn_down_shexp.weight", TensorRole::shared_down, hidden, shared);
    stack("blk.{layer}.ffn_gate_exps.weight", TensorRole::expert_gate_up, f.n_experts, f.moe_ffn_size, hidden);
    matrix("blk.{layer}.ffn_gate_inp.weight", TensorRole::router, f.n_experts, hidden);
    if (shared > 0) matrix("blk.{layer}.ffn_gate_shexp.weight", TensorRole::shared_gate_up, shared, hidden);
    stack("blk.{layer}.ffn_up_exps.weight", TensorRole::expert_gate_up, f.n_experts, f.moe_ffn_size, hidden);
    if (shared > 0) matrix("blk.{layer}.ffn_up_shexp.weight", TensorRole::shared_gate_up, shared, hidden);
    if (f.bias) add_expert_biases(f);
  }

  void add_expert_biases(const MoeFfn& f) {
    stack("blk.{layer}.ffn_down_exps.bias", TensorRole::router, f.n_experts, model_.hidden_size, 1);
    stack("blk.{layer}.ffn_gate_exps.bias", TensorRole::router, f.n_experts, f.moe_ffn_size, 1);
    vector("blk.{layer}.ffn_gate_inp.bias", TensorRole::router, f.n_experts);
    stack("blk.{layer}.ffn_up_exps.bias", TensorRole::router, f.n_experts, f.moe_ffn_size, 1);
  }

  void linear(std::string_view weight, std::string_view bias, TensorRole role, std::int64_t rows, std::int64_t cols, bool has_bias) {
    matrix(weight, role, rows, cols);
    if (has_bias) vector(bias, role, rows);
  }
  void vector(std::string_view name, TensorRole role, std::int64_t size) { stack(name, role, 1, size, 1); }
  void matrix(std::string_view name, TensorRole role, std::int64_t rows, std::int64_t cols) { stack(name, role, 1, rows, cols); }
  void stack(std::string_view name, TensorRole role, std::int64_t matrices, std::int64_t rows, std::int64_t cols) {
    tensors_.push_back({name, role, ModelPart::text, layers_, matrices, rows, cols, dtype::f32, false});
  }

  const Model& model_;
  LayerRange layers_;
  std::vector<Tensor> tensors_;
};

}  // namespace

const std::vector<std::string_view>& gguf_formats() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const gguf::Recipe& recipe : gguf::recipes()) all.push_back(recipe.format);
    return all;
  }();
  return names;
}

std::optional<std::string_view> find_gguf_format(std::string_view format) {
  const std::string wanted = lower_case(format);
  for (const std::string_view name : gguf_formats())
    if (lower_case(name) == wanted) return name;
  return std::nullopt;
}

std::vector<Tensor> gguf_tensors(const Model& model, std::string_view format) {
  std::vector<Tensor> tensors = GgufBuilder(model).build();
  if (const gguf::Recipe* recipe = gguf::find_recipe(format)) gguf::assign_types(model, *recipe, tensors);
  return tensors;
}

}  // namespace weighbridge

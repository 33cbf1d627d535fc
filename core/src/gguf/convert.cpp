// SPDX-License-Identifier: Apache-2.0
// The tensors of a GGUF file, from those of a checkpoint: what llama.cpp's converter renames, splits and stacks (ggml-org/llama.cpp
// convert_hf_to_gguf.py, gguf-py/gguf/tensor_mapping.py). The names themselves stand in tensor_names.cpp.
#include <algorithm>

#include "gguf/mix.hpp"
#include "gguf/recipe.hpp"
#include "json_text.hpp"
#include "quantize.hpp"
#include "tensor_names.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

namespace {

class GgufConverter {
 public:
  explicit GgufConverter(const Model& model) : model_(model) {}

  std::vector<Tensor> convert() && {
    for (std::size_t begin = 0; begin < model_.plain.size();) {
      Tensor whole = model_.plain[begin];
      std::size_t end = begin + 1;
      // Parts of a fused matrix are rows of one name.
      for (; end < model_.plain.size() && !is_split(whole) && is_part_of(model_.plain[end], whole); ++end) whole.rows += model_.plain[end].rows;
      if (whole.part == ModelPart::text && !whole.is_copy) add_for_each_layer(whole, end - begin > 1);
      begin = end;
    }
    if (model_.rope_factors > 0) {
      Tensor factors;
      factors.role = TensorRole::norm;
      factors.rows = model_.rope_factors;
      put("rope_freqs", factors);
    }
    sort();
    return std::move(tensors_);
  }

 private:
  static bool is_part_of(const Tensor& part, const Tensor& whole) {
    return part.name == whole.name && part.layers == whole.layers && part.cols == whole.cols && part.per_layer == whole.per_layer;
  }

  /// Matrices of queries, keys and values that the converter takes apart.
  static bool is_split(const Tensor& tensor) {
    return tensor.name.find("attention.wqkv") != std::string_view::npos || tensor.name.find("self_attn.W_pack") != std::string_view::npos;
  }

  void add_for_each_layer(const Tensor& tensor, bool fused) {
    const std::string_view name = within_layer(tensor.name);
    const TensorName* known = find_tensor_name(name);
    Tensor one = tensor;
    one.layers = {};
    if (fused && known != nullptr) one.role = known->role;
    if (one.cols == 1 && is_expert(one.role)) one.role = TensorRole::router;
    for (std::int64_t index = 0; index < tensor.layers.count; ++index) {
      if (tensor.layers.first >= 0) one.layers = {tensor.layers.at(index), 1, 1};
      add(one, name, known);
    }
  }

  void add(const Tensor& tensor, std::string_view name, const TensorName* known) {
    if (known == nullptr) return put(name, tensor);
    if (is_split(tensor)) return put(part_of_attention(tensor.role), tensor);
    if (known->name == "self_attn.kv_b_proj") return model_.architecture == "minicpm3" ? put("attn_kv_b", tensor) : add_latent_halves(tensor);
    if (known->name == "linear_attn.in_proj_qkvz") return add_delta_parts(tensor);
    if (is_any_of(known->name, {"mlp.experts.gate_up_proj", "mlp.experts.gate_up_proj_bias", "block_sparse_moe.input_linear"}))
      return add_halves(tensor, "ffn_gate_exps", "ffn_up_exps");
    if (known->name.starts_with("shared_mlp.")) return add_shared(tensor, known->name == "shared_mlp.input_linear");
    if (known->gguf == "ssm_dt" && tensor.cols == 1) return add_time_step_bias(tensor);
    // The first layer has no value to mix in, but a GGUF file has the tensors for it: those of the rate.
    if (known->name.starts_with("attn.a_lora.") && tensor.layers.first == 0) put(known->name.ends_with('0') ? "time_mix_v1" : "time_mix_v2", tensor);
    if (known->name == "norm" && tensor.layers.first >= 0) return put("attn_norm", tensor);
    if (known->name == "post_attention_layernorm" && has_norm_after_attention()) return put("post_attention_norm", tensor);
    if (known->name == "self_attn.indexer.wk") return add_indexer_key(tensor, known->gguf);
    put(known->gguf.empty() ? name : known->gguf, tensor);
  }

  /// The block that every token takes is the only one of a model without experts (Granite 4).
  void add_shared(Tensor tensor, bool up) {
    const bool alone = first_moe(model_) == nullptr;
    if (alone) tensor.role = up ? TensorRole::ffn_gate_up : TensorRole::ffn_down;
    if (!up) return put(alone ? "ffn_down" : "ffn_down_shexp", tensor);
    add_halves(tensor, alone ? "ffn_gate" : "ffn_gate_shexp", alone ? "ffn_up" : "ffn_up_shexp");
  }

  /// The same name as the vector of Mamba-2, which has no matrix.
  void add_time_step_bias(Tensor tensor) {
    tensor.role = TensorRole::recurrent_state;
    put("ssm_dt.bias", tensor);
  }

  /// llama-quant.cpp goes by "attn_k.weight" in the name, which "indexer.attn_k.weight" ends in.
  void add_indexer_key(Tensor tensor, std::string_view name) {
    tensor.role = TensorRole::attention_k;
    put(name, tensor);
  }

  /// Where a norm follows attention under this name; elsewhere the norm of that name comes before the feed-forward block.
  [[nodiscard]] bool has_norm_after_attention() const {
    return is_any_of(model_.architecture, {"afmoe", "exaone4", "gemma2", "gemma3", "gemma3_text", "gpt_oss", "glm4_moe", "qwen3_next", "qwen3_5",
                                           "qwen3_5_text", "qwen3_5_moe", "qwen3_5_moe_text", "solar_open"});
  }

  /// Qwen3-Next's q, k, v, z are sorted by kind and the gate z is split off.
  void add_delta_parts(Tensor tensor) {
    const auto& mixer = std::get<RecurrentMixer>(model_.layers[static_cast<std::size_t>(tensor.layers.first)].mixer);
    tensor.rows = mixer.conv_channels;
    put("attn_qkv", tensor);
    tensor.rows = mixer.inner_size;
    put("attn_gate", tensor);
  }

  /// kv_b_proj is written as its two halves, one small matrix per head, the key half transposed.
  void add_latent_halves(const Tensor& tensor) {
    const auto& a = std::get<LatentAttention>(model_.layers[static_cast<std::size_t>(tensor.layers.first)].mixer);
    Tensor half = tensor;
    half.per_layer = a.n_heads;
    half.rows = a.kv_lora_rank;
    half.cols = a.qk_nope_head_dim;
    put("attn_k_b", half);
    half.rows = a.head_dim_v;
    half.cols = a.kv_lora_rank;
    put("attn_v_b", half);
  }

  static std::string_view part_of_attention(TensorRole role) {
    if (role == TensorRole::attention_q) return "attn_q";
    return role == TensorRole::attention_k ? "attn_k" : "attn_v";
  }

  /// Gate and up of one expert, or of the block that every token takes: two tensors here.
  void add_halves(Tensor tensor, std::string_view gate, std::string_view up) {
    tensor.rows /= 2;
    put(gate, tensor);
    put(up, tensor);
  }

  void put(std::string_view name, Tensor tensor) {
    tensor.name = name;
    if (name == "attn_qkv") tensor.role = TensorRole::attention_v;  // the quantizer goes by the name
    tensor.type = dtype::f32;
    tensor.recipe = 0;
    tensors_.push_back(tensor);
  }

  /// The quantizer goes by layer, then by name; "attn_q.bias" comes before "attn_q.weight".
  void sort() {
    std::stable_sort(tensors_.begin(), tensors_.end(), [](const Tensor& a, const Tensor& b) {
      if (a.layers.first != b.layers.first) return a.layers.first < b.layers.first;
      if (a.name != b.name) return a.name < b.name;
      return a.cols < b.cols;
    });
  }

  const Model& model_;
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
  std::vector<Tensor> tensors = model.from_gguf ? model.plain : GgufConverter(model).convert();
  if (const gguf::Recipe* recipe = gguf::find_recipe(format)) gguf::assign_types(model, *recipe, tensors);
  return tensors;
}

}  // namespace weighbridge

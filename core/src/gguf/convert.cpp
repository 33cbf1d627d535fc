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
      for (; end < model_.plain.size() && is_part_of(model_.plain[end], whole); ++end) whole.rows += model_.plain[end].rows;
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

  void add(Tensor tensor, std::string_view name, const TensorName* known) {
    if (known == nullptr) return put(name, tensor);
    if (known->gguf == "-") return;
    // RoBERTa's first positions serve no token.
    if (known->gguf == "position_embd" && is_any_of(model_.architecture, {"roberta", "xlm-roberta"})) tensor.rows = model_.max_context_tokens;
    if (known->name == "self_attn.kv_b_proj") return add_latent_halves(tensor);
    if (is_any_of(known->name, {"mlp.experts.gate_up_proj", "mlp.experts.gate_up_proj_bias", "feed_forward.experts.gate_up_proj"}))
      return add_expert_halves(tensor);
    if (known->name == "post_attention_layernorm" && has_norm_after_attention()) return put("post_attention_norm", tensor);
    put(known->gguf.empty() ? name : known->gguf, tensor);
  }

  /// Where a norm follows attention under this name; elsewhere the norm of that name comes before the feed-forward block.
  [[nodiscard]] bool has_norm_after_attention() const {
    return is_any_of(model_.architecture, {"gemma2", "gemma3", "gemma3_text", "gpt_oss", "glm4_moe", "olmo2", "olmo3", "gemma3n", "gemma3n_text",
                                           "gemma4", "gemma4_text", "gemma4_unified", "gemma4_unified_text"});
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

  void add_expert_halves(Tensor tensor) {
    tensor.rows /= 2;
    put("ffn_gate_exps", tensor);
    put("ffn_up_exps", tensor);
  }

  void put(std::string_view name, Tensor tensor) {
    tensor.name = name;
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

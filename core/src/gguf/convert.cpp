// SPDX-License-Identifier: Apache-2.0
// The tensors of a GGUF file, from those of a checkpoint: what llama.cpp's converter renames, splits and stacks (ggml-org/llama.cpp
// convert_hf_to_gguf.py, gguf-py/gguf/tensor_mapping.py). The names themselves stand in tensor_names.cpp.
#include <algorithm>

#include "gguf/architecture.hpp"
#include "gguf/mix.hpp"
#include "gguf/recipe.hpp"
#include "json_text.hpp"
#include "quantize.hpp"
#include "tensor_layer.hpp"
#include "tensor_names.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

namespace {

/// The prediction layers as layers behind the model's own; what lies outside of them goes with the first.
Model with_prediction_layers(const Model& model) {
  Model whole = model;
  whole.layers.append(model.mtp_layers);
  whole.mtp_layers.clear();
  for (Tensor& tensor : whole.plain) {
    if (tensor.part != ModelPart::mtp) continue;
    tensor.part = ModelPart::text;
    // Some checkpoints count these layers from zero.
    if (tensor.layers.first < model.n_layers()) tensor.layers.first = std::max<std::int64_t>(tensor.layers.first, 0) + model.n_layers();
    // Copies of the embedding and the head are matrices like any other (src/llama-quant.cpp, tensor_get_category).
    if (tensor.role == TensorRole::embedding) tensor.gguf = "nextn.embed_tokens";
    if (tensor.role == TensorRole::output_head) tensor.gguf = "nextn.shared_head_head";
    if (tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head) tensor.role = TensorRole::projection;
  }
  return whole;
}

class GgufConverter {
 public:
  explicit GgufConverter(const Model& model) : model_(model) {}

  std::vector<Tensor> convert() && {
    for (std::size_t begin = 0; begin < model_.plain.size();) {
      Tensor whole = model_.plain[begin];
      std::size_t end = begin + 1;
      // Parts of a fused matrix are rows of one name.
      for (; end < model_.plain.size() && is_part_of(model_.plain[end], whole); ++end) whole.rows += model_.plain[end].rows;
      if (whole.part == ModelPart::text && !whole.is_copy) add(whole);
      begin = end;
    }
    if (model_.rope_factors > 0) {
      Tensor factors;
      factors.role = TensorRole::norm;
      factors.rows = model_.rope_factors;
      put("rope_freqs", factors);
    }
    return one_row_per_layer();
  }

 private:
  static bool is_part_of(const Tensor& part, const Tensor& whole) {
    return part.name == whole.name && part.gguf == whole.gguf && part.layers == whole.layers && part.cols == whole.cols &&
           part.per_layer == whole.per_layer;
  }

  void add(Tensor tensor) {
    const std::string_view name = tensor.gguf.empty() ? within_layer(tensor.name) : tensor.gguf;
    const std::size_t plus = name.find('+');
    if (name == "-") return;
    // RoBERTa's first positions serve no token.
    if (name == "position_embd" && is_any_of(model_.architecture, {"roberta", "xlm-roberta"})) tensor.rows = model_.max_context_tokens;
    // Gemma 3n's own embedding of every layer knows no image or audio tokens; the converter fills the rows up.
    if (tensor.role == TensorRole::layer_embedding) tensor.rows = std::max(tensor.rows, model_.vocab_size);
    if (tensor.cols == 1 && is_expert(tensor.role)) tensor.role = TensorRole::router;
    if (plus == std::string_view::npos)
      put(name, tensor);
    else
      add_two(tensor, name.substr(0, plus), name.substr(plus + 1));
    if (name == "attn_q" && model_.architecture == "muse_glimmer") add_head_norms(tensor);
    // The first layer has no value to mix in, but a GGUF file has the tensors for it: those of the rate.
    if (tensor.layers.first != 0 || !name.starts_with("time_mix_a")) return;
    tensor.layers.count = 1;
    if (name == "time_mix_a1") put("time_mix_v1", tensor);
    if (name == "time_mix_a2") put("time_mix_v2", tensor);
  }

  /// Muse Glimmer scales its queries by a constant, which the converter writes as norms of queries and keys (conversion/muse_glimmer.py).
  void add_head_norms(Tensor tensor) {
    const FullAttention* heads = grouped_attention(layer_of(model_, tensor).mixer);
    tensor.role = TensorRole::norm;
    tensor.rows = heads->head_dim_k;
    tensor.cols = 1;
    put("attn_q_norm", tensor);
    put("attn_k_norm", tensor);
  }

  void add_two(const Tensor& tensor, std::string_view first, std::string_view second) {
    if (tensor.role == TensorRole::latent_kv_up) return add_latent_halves(tensor, first, second);
    if (tensor.role == TensorRole::recurrent_in) return add_delta_parts(tensor, first, second);
    Tensor half = tensor;  // gate and up of one expert, or of the block that every token takes
    half.rows /= 2;
    put(first, half);
    put(second, half);
  }

  /// Qwen3-Next's q, k, v, z are sorted by kind and the gate z is split off.
  void add_delta_parts(Tensor tensor, std::string_view qkv, std::string_view gate) {
    const auto& mixer = std::get<RecurrentMixer>(layer_of(model_, tensor).mixer);
    tensor.rows = mixer.conv_channels;
    put(qkv, tensor);
    tensor.rows = mixer.inner_size;
    put(gate, tensor);
  }

  /// kv_b_proj is written as its two halves, one small matrix per head, the key half transposed.
  void add_latent_halves(const Tensor& tensor, std::string_view key, std::string_view value) {
    const auto& a = std::get<LatentAttention>(layer_of(model_, tensor).mixer);
    Tensor half = tensor;
    half.per_layer = a.n_heads;
    half.rows = a.kv_lora_rank;
    half.cols = a.qk_nope_head_dim;
    put(key, half);
    half.rows = a.head_dim_v;
    half.cols = a.kv_lora_rank;
    put(value, half);
  }

  void put(std::string_view name, Tensor tensor) {
    tensor.name = name;
    tensor.gguf = {};
    // The block that every token takes is the only one of a model without experts (Granite 4).
    if (name == "ffn_gate" || name == "ffn_up") tensor.role = TensorRole::ffn_gate_up;
    if (name == "ffn_down") tensor.role = TensorRole::ffn_down;
    if (name == "time_mix_key" || name == "time_mix_value") tensor.role = TensorRole::recurrent_in;
    if (name == "ssm_dt.bias") tensor.role = TensorRole::recurrent_state;
    // llama-quant.cpp goes by the name, in which "attn_k.weight" and "attn_qkv.weight" may be anywhere.
    if (name == "attn_qkv" || name == "attn_v") tensor.role = TensorRole::attention_v;
    if (name == "attn_output_a" || name == "attn_output_b") tensor.role = TensorRole::projection;
    if (name == "indexer.attn_k") tensor.role = TensorRole::attention_k;
    tensor.type = dtype::f32;
    tensor.recipe = 0;
    tensor.shards = 1;
    tensor.is_uncounted = false;  // that is of the checkpoint's published count
    const auto comes_before = [](const Tensor& a, const Tensor& b) { return a.name != b.name ? a.name < b.name : a.cols < b.cols; };
    by_name_.insert(std::upper_bound(by_name_.begin(), by_name_.end(), tensor, comes_before), tensor);
  }

  /// The quantizer goes by layer, then by name; "attn_q.bias" comes before "attn_q.weight".
  [[nodiscard]] std::vector<Tensor> one_row_per_layer() const {
    std::vector<Tensor> tensors;
    std::int64_t rows = 0;
    for (const Tensor& tensor : by_name_) rows += tensor.layers.count;
    tensors.reserve(static_cast<std::size_t>(rows));
    for (std::int64_t layer = -1; layer < model_.n_layers(); ++layer) {
      for (const Tensor& tensor : by_name_) {
        if (!tensor.layers.holds(layer)) continue;
        tensors.push_back(tensor);
        tensors.back().layers = {layer, 1, 1};
      }
    }
    return tensors;
  }

  const Model& model_;
  std::vector<Tensor> by_name_;  ///< each with all its layers
};

}  // namespace

std::vector<Tensor> gguf_tensors(const Model& model, std::string_view format) {
  if (gguf::keeps_predictions(model)) return gguf_tensors_with_predictions(model, format);
  std::vector<Tensor> tensors = model.from_gguf ? model.plain : GgufConverter(model).convert();
  change_gguf_format(model, format, tensors);
  return tensors;
}

void change_gguf_format(const Model& model, std::string_view format, std::vector<Tensor>& tensors) {
  if (const gguf::Recipe* recipe = gguf::find_recipe(format)) gguf::assign_types(model, *recipe, tensors);
}

std::vector<Tensor> gguf_tensors_with_predictions(const Model& model, std::string_view format) {
  if (model.from_gguf) return gguf_tensors(model, format);
  std::vector<Tensor> tensors = gguf_tensors(with_prediction_layers(model), format);
  for (Tensor& tensor : tensors)
    if (tensor.layers.first >= model.n_layers()) tensor.part = ModelPart::mtp;
  return tensors;
}

}  // namespace weighbridge

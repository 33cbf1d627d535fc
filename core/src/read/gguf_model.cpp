// SPDX-License-Identifier: Apache-2.0
#include "read/gguf_model.hpp"

#include <algorithm>
#include <utility>

#include "gguf/architecture.hpp"
#include "read/gguf_keys.hpp"
#include "read/gguf_layers.hpp"
#include "read/header_reader.hpp"
#include "read/stored_rows.hpp"
#include "tensor_names.hpp"

namespace weighbridge {

namespace {

bool ends_with_norm(std::string_view name) { return name.ends_with("norm") || name.starts_with("rope_"); }

/// The role of a tensor that the table of names has no row for.
TensorRole role_by_kind(std::string_view name) {
  if (ends_with_norm(name)) return TensorRole::norm;
  if (name == "attn_k_b" || name == "attn_v_b" || name == "attn_kv_b") return TensorRole::latent_kv_up;
  if (name == "attn_qkv") return TensorRole::attention_v;
  if (name == "ssm_in" || name == "ssm_x" || name == "ssm_dt" || name == "shortconv.in_proj") return TensorRole::recurrent_in;
  if (name == "ssm_out" || name == "shortconv.out_proj") return TensorRole::recurrent_out;
  if (name.starts_with("ssm_") || name.starts_with("shortconv") || name.starts_with("time_mix")) return TensorRole::recurrent_state;
  if (name.starts_with("per_layer_token_embd")) return TensorRole::layer_embedding;
  if (name.starts_with("position_embd") || name.starts_with("token_types")) return TensorRole::position_embedding;
  if (name.ends_with("_exps")) return name.starts_with("ffn_down") ? TensorRole::expert_down : TensorRole::expert_gate_up;
  if (name.ends_with("_shexp")) return name.starts_with("ffn_down") ? TensorRole::shared_down : TensorRole::shared_gate_up;
  return TensorRole::projection;
}

/// Puts the shape of a stored tensor into rows: the last dimension is a row's length, all before the last two are equal matrices.
void set_shape(const std::vector<std::int64_t>& shape, bool is_bias, Tensor& tensor) {
  const std::size_t n = shape.size();
  const std::size_t matrix = is_bias || n < 2 ? 1 : 2;  // dimensions of one of the equal tensors
  tensor.cols = matrix == 2 ? shape[n - 1] : 1;
  tensor.rows = n == 0 ? 1 : shape[n - matrix];
  for (std::size_t i = 0; i + matrix < n; ++i) tensor.per_layer *= shape[i];
}

}  // namespace

GgufTensorName gguf_tensor_name(std::string_view name) {
  GgufTensorName found{-1, name, false};
  if (name.starts_with("blk.")) {
    const std::size_t dot = name.find('.', 4);
    constexpr std::size_t most_digits = 4;
    if (dot != std::string_view::npos && dot > 4 && dot - 4 <= most_digits) {
      std::int64_t layer = 0;
      for (const char c : name.substr(4, dot - 4)) layer = c >= '0' && c <= '9' && layer >= 0 ? layer * 10 + (c - '0') : -1;
      if (layer >= 0) found = {layer, name.substr(dot + 1), false};
    }
  }
  if (found.name.ends_with(".weight")) found.name.remove_suffix(7);
  if (found.name.ends_with(".bias")) found.is_bias = true;
  // One name has the ending for good: our table writes it as the file does.
  if (found.is_bias && find_gguf_tensor_name(found.name) == nullptr) found.name.remove_suffix(5);
  if (found.name == "exp_probs_b") found = {found.layer, "exp_probs_b.bias", true};  // Hunyuan 3 leaves the ending out
  return found;
}

namespace {

/// One row a tensor, as gguf_tensors() has them.
Tensor row_of(const StoredTensor& stored, const GgufTensorName& name, std::int64_t n_layers) {
  const TensorName* known = find_gguf_tensor_name(name.name);
  Tensor tensor;
  tensor.role = known != nullptr ? known->role : role_by_kind(name.name);
  tensor.part = name.layer >= n_layers ? ModelPart::mtp : ModelPart::text;
  if (name.layer >= 0) tensor.layers = {name.layer, 1, 1};
  set_shape(stored.shape, name.is_bias || name.name == "ssm_norm", tensor);
  if (name.name == "ssm_norm") tensor.rows *= std::exchange(tensor.per_layer, 1);  // a row for each group of heads, one vector to us
  const bool is_copy = tensor.role == TensorRole::embedding || tensor.role == TensorRole::output_head;
  if (is_copy && tensor.part == ModelPart::mtp) tensor.role = TensorRole::projection;
  const bool is_expert = tensor.role == TensorRole::expert_gate_up || tensor.role == TensorRole::expert_down;
  if (is_expert && tensor.cols == 1) tensor.role = TensorRole::router;  // biases of experts, as gguf_tensors() has them
  tensor.type = stored.type;
  return tensor;
}

/// A hostile file may name a layer that is not there, or give one a tensor that its kind cannot have.
void correct(const Model& model, Tensor& tensor) {
  const auto n_layers = static_cast<std::int64_t>(model.layers.size());
  const std::int64_t layer = tensor.layers.first;
  if (layer >= n_layers + static_cast<std::int64_t>(model.mtp_layers.size())) {
    tensor.layers = {};
    tensor.part = ModelPart::text;
    tensor.role = TensorRole::projection;
  } else if (layer >= 0) {
    const LayerSpec& spec = layer < n_layers ? model.layers[static_cast<std::size_t>(layer)]
                                             : model.mtp_layers[static_cast<std::size_t>(layer - n_layers)];
    // llama-quant.cpp goes by the end of this name.
    if (tensor.name == "indexer.attn_k") {
      tensor.role = TensorRole::attention_k;
      return;
    }
    if (recurrent_part(spec) != nullptr && grouped_attention(spec.mixer) == nullptr) {
      // A linear attention's matrices have the names of attention's; the quantizer takes attn_qkv for those of values.
      if (tensor.name == "attn_qkv") return;
      if (tensor.name == "attn_q" || tensor.name == "attn_k" || tensor.name == "attn_v") tensor.role = TensorRole::recurrent_in;
    } else if (tensor.name == "attn_gate") {
      tensor.role = TensorRole::attention_q;
    }
    if (!fits(tensor.role, spec)) tensor.role = TensorRole::projection;
  }
}

void add_tensors(const std::vector<GgufHeader>& parts, Model& model) {
  // A file repeats its few names in every layer.
  std::vector<std::string_view> used;
  for (const GgufHeader& part : parts)
    for (const StoredTensor& stored : part.tensors) used.push_back(gguf_tensor_name(stored.name).name);
  std::sort(used.begin(), used.end());
  used.erase(std::unique(used.begin(), used.end()), used.end());
  const auto names = std::make_shared<const std::vector<std::string>>(used.begin(), used.end());
  for (const GgufHeader& part : parts) {
    for (const StoredTensor& stored : part.tensors) {
      const GgufTensorName name = gguf_tensor_name(stored.name);
      Tensor tensor = row_of(stored, name, model.n_layers());
      tensor.name = *std::lower_bound(names->begin(), names->end(), name.name);
      correct(model, tensor);
      model.plain.push_back(tensor);
    }
  }
  model.names.texts = names;
  model.tensors = model.plain;
}

void fill_header(const GgufHeader& header, const GgufInventory& tensors, Model& model) {
  const GgufKeys keys(header);
  model.from_gguf = true;
  model.architecture = std::string(gguf::model_type_of(header.text("general.architecture")));
  model.hidden_size = keys.number("embedding_length");
  model.max_context_tokens = keys.number("context_length");
  const StoredTensor* embedding = tensors.find(-1, "token_embd");
  model.vocab_size = embedding != nullptr && embedding->shape.size() == 2 ? embedding->shape[0] : keys.number("vocab_size");
  model.tied_embeddings = tensors.find(-1, "output") == nullptr;
  const StoredTensor* factors = tensors.find(-1, "rope_freqs");
  model.rope_factors = factors != nullptr ? factors->elements() : 0;
  model.base = embedding != nullptr && embedding->type.block_size == 1 ? embedding->type : dtype::bf16;
}

/// What an engine needs beside the layers, where the file does not say: enough for the cache, which is what was asked for.
void fill_given(const GgufHeader& header, const GgufInventory& tensors, const GivenLayers& given, Model& model) {
  constexpr std::int64_t unknown_context = 131072;  // what most models of today were trained for
  constexpr std::int64_t unknown_vocab = 262144;    // of Gemma, the largest of those that many use
  const GgufKeys keys(header);
  const StoredTensor* embedding = tensors.find(-1, "token_embd");
  const bool is_matrix = embedding != nullptr && embedding->shape.size() == 2;
  model.architecture = std::string(header.text("general.architecture"));
  if (model.hidden_size < 1) model.hidden_size = is_matrix ? embedding->shape[1] : given.n_kv_heads * given.head_dim;
  if (model.max_context_tokens < 1) model.max_context_tokens = unknown_context;
  if (model.vocab_size < 1) model.vocab_size = unknown_vocab;
  FullAttention heads;
  heads.n_kv_heads = given.n_kv_heads;
  heads.head_dim_k = heads.head_dim_v = given.head_dim;
  heads.n_heads = std::max(keys.number("attention.head_count", model.hidden_size / given.head_dim), given.n_kv_heads);
  const DenseFfn ffn{std::max<std::int64_t>(1, keys.number("feed_forward_length", 4 * model.hidden_size))};
  model.rotary_dim = given.head_dim;
  model.mtp_layers.clear();
  model.layers.assign(static_cast<std::size_t>(given.n_layers), LayerSpec{heads, ffn});
}

/// What is known of a file whose layers are not.
Notice unknown_layers(const std::vector<GgufHeader>& parts, const std::optional<GivenLayers>& given) {
  Bytes bytes;
  for (const GgufHeader& part : parts)
    for (const StoredTensor& tensor : part.tensors) bytes += tensor.bytes;
  const std::string name(parts.front().text("general.architecture"));
  const std::string size = size_text(bytes.count());
  const std::string known = in_quotes(name) + " is new to us. Weights: " + size + ", exact, from the tensor list. Cache: ";
  if (!given)
    return notice::custom("unknown_architecture", "files." + parts.front().file,
                          known + "not known; enter layers, KV heads and head size, or choose a similar model.", "architecture", name, size);
  return notice::custom("given_layers", "files." + parts.front().file,
                        known + grouped(given->n_layers) + " layers that keep " + grouped(given->n_kv_heads) + " heads of " +
                            grouped(given->head_dim) + " for every token, as you entered.",
                        "architecture", name, size);
}

}  // namespace

std::optional<Model> model_of_gguf(const std::vector<GgufHeader>& parts, Notices& warnings, const std::optional<GivenLayers>& given) {
  const GgufHeader& header = parts.front();
  const GgufInventory tensors(parts);
  Model model;
  fill_header(header, tensors, model);
  const bool has_sizes = !model.architecture.empty() && model.hidden_size > 0 && model.vocab_size > 0 && model.max_context_tokens > 0;
  if (!has_sizes || !read_gguf_layers(header, tensors, model)) {
    warnings.push_back(unknown_layers(parts, given));
    if (!given) return std::nullopt;
    fill_given(header, tensors, *given, model);
  }
  add_tensors(parts, model);
  return model;
}

}  // namespace weighbridge

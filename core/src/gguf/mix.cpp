// SPDX-License-Identifier: Apache-2.0
#include "gguf/mix.hpp"

#include <algorithm>

namespace weighbridge::gguf {

namespace {

/// What the rules ask of a model as a whole.
struct Facts {
  std::int64_t n_layers = 0;
  std::int64_t n_experts = 0;
  std::int64_t heads_per_key = 1;
  std::int64_t n_values = 0;  ///< tensors that count as attn_v
  bool is_70b = false;
  bool tied = false;
};

/// llama.cpp calls a model "70B" by its shape: 80 layers of the Llama kind with grouped heads, or 80 layers of Qwen 2 (src/models/*.cpp, load_arch_hparams).
bool is_70b(const Model& model, std::int64_t heads_per_key) {
  if (model.n_layers() != 80 || first_moe(model) != nullptr) return false;
  const bool llama_like = model.architecture == "llama" || model.architecture == "mistral";
  return model.architecture == "qwen2" || (llama_like && heads_per_key > 1);
}

Facts facts_of(const Model& model, const std::vector<Tensor>& tensors) {
  Facts facts;
  facts.n_layers = std::max(model.n_layers(), tensors.empty() ? 0 : tensors.back().layers.first + 1);  // those that predict further tokens count
  if (const MoeFfn* moe = first_moe(model)) facts.n_experts = moe->n_experts;
  if (const FullAttention* attention = first_grouped_attention(model.layers)) facts.heads_per_key = attention->n_heads / attention->n_kv_heads;
  // The engine asks the first layer only (llama_hparams::n_gqa(0)): one without keys has no heads per key. Qwen's files give the heads to all.
  const auto* first = std::get_if<RecurrentMixer>(&model.layers.front().mixer);
  if (first != nullptr && first->kind != RecurrentKind::gated_delta_net) facts.heads_per_key = 0;
  facts.n_values = std::count_if(tensors.begin(), tensors.end(), [](const Tensor& t) { return t.role == TensorRole::attention_v && t.cols > 1; });
  facts.is_70b = is_70b(model, facts.heads_per_key);
  facts.tied = model.tied_embeddings;
  return facts;
}

/// Where a tensor stands among its kind.
struct Position {
  std::int64_t index = 0;  ///< the layer, or the running count in models without experts
  std::int64_t of = 0;
  std::int64_t counted = 0;  ///< the running count in any model
};

bool takes_more_bits(std::int64_t index, std::int64_t of) { return index < of / 8 || index >= 7 * of / 8 || (index - of / 8) % 3 == 2; }

bool applies(When when, const Facts& facts, const Position& at) {
  switch (when) {
    case When::never:
      return false;
    case When::always:
      return true;
    case When::more_bits:
      return takes_more_bits(at.index, at.of);
    case When::first_sixteenth:
      return at.index < at.of / 16;
    case When::first_eighth:
      return at.index < at.of / 8;
    case When::first_eighth_counted:
      return at.counted < at.of / 8;
    case When::middle:
      return at.index >= at.of / 8 && at.index < 7 * at.of / 8;
    case When::first_two:
      return at.index < 2;
    case When::first_four:
      return at.index < 4;
    case When::grouped_by_four:
      return facts.heads_per_key >= 4;
    case When::grouped_or_four_experts:
      return facts.heads_per_key >= 4 || facts.n_experts >= 4;
    case When::eight_experts:
      return facts.n_experts == 8;
    case When::eight_experts_more_bits:
      return facts.n_experts == 8 && takes_more_bits(at.index, at.of);
  }
  return false;
}

DType bumped(DType base, const Bumps& bumps, const Facts& facts, const Position& at) {
  for (const Bump& bump : bumps)
    if (applies(bump.when, facts, at)) return bump.type;
  return base;
}

/// A row that is no multiple of the type's block gets a type of smaller blocks; 16 bit if that does not divide it either.
DType fitting(DType type, std::int64_t cols) {
  if (cols % type.block_size == 0) return type;
  DType smaller = dtype::iq4_nl;
  if (type == dtype::q2_k || type == dtype::q3_k || type == dtype::tq1_0 || type == dtype::tq2_0) smaller = dtype::q4_0;
  if (type == dtype::q4_k) smaller = dtype::q5_0;
  if (type == dtype::q5_k) smaller = dtype::q5_1;
  if (type == dtype::q6_k) smaller = dtype::q8_0;
  return cols % smaller.block_size == 0 ? smaller : dtype::f16;
}

DType output_type(const Recipe& recipe, std::int64_t cols) { return cols % recipe.base.block_size != 0 ? dtype::q8_0 : recipe.output; }

/// Walks the tensors in order and keeps the running counts.
class Mixer {
 public:
  Mixer(const Recipe& recipe, const Facts& facts) : recipe_(recipe), facts_(facts) {}

  DType type_of(const Tensor& tensor) {
    const DType type = wanted(tensor);
    return is_ggml_quantized(recipe_.base) ? fitting(type, tensor.cols) : recipe_.base;
  }

 private:
  DType wanted(const Tensor& tensor) {
    const bool embeds = tensor.role == TensorRole::embedding || tensor.role == TensorRole::layer_embedding;
    if (tensor.role == TensorRole::output_head || (embeds && facts_.tied)) return output_type(recipe_, tensor.cols);
    if (embeds) return recipe_.embedding;
    if (tensor.per_layer > 1 && !(recipe_.stack == recipe_.base)) return recipe_.stack;
    switch (tensor.role) {
      case TensorRole::attention_v:
        return value_type();
      case TensorRole::attention_k:
        return bumped(recipe_.base, recipe_.key, facts_, {});
      case TensorRole::attention_q:
        return bumped(recipe_.base, recipe_.query, facts_, {});
      case TensorRole::attention_output:
        return facts_.n_experts == 8 ? recipe_.attention_output_eight : recipe_.attention_output;
      case TensorRole::ffn_down:
      case TensorRole::expert_down:
      case TensorRole::shared_down:
        return bumped(recipe_.base, recipe_.down, facts_, at(tensor, n_down_++));
      case TensorRole::ffn_gate_up:
      case TensorRole::expert_gate_up:
      case TensorRole::shared_gate_up:
        return bumped(recipe_.base, recipe_.gate_up, facts_, at(tensor, tensor.name.starts_with("ffn_gate") ? n_gate_++ : n_up_++));
      default:
        return recipe_.base;
    }
  }

  DType value_type() {
    const Position position{n_values_, facts_.n_values, n_values_};
    ++n_values_;
    const DType type = bumped(recipe_.base, recipe_.value, facts_, position);
    if (!recipe_.raises_values) return type;
    if (facts_.n_experts == 8) return dtype::q8_0;
    return facts_.is_70b && (type == dtype::q3_k || type == dtype::q4_k) ? dtype::q5_k : type;
  }

  [[nodiscard]] Position at(const Tensor& tensor, std::int64_t counted) const {
    return {facts_.n_experts > 1 ? tensor.layers.first : counted, facts_.n_layers, counted};
  }

  const Recipe& recipe_;
  const Facts& facts_;
  std::int64_t n_values_ = 0;
  std::int64_t n_down_ = 0;
  std::int64_t n_gate_ = 0;
  std::int64_t n_up_ = 0;
};

/// Vectors, the router, learned positions and token types, convolutions and what makes the state stay as the converter wrote them: f32.
bool is_kept(const Tensor& tensor) {
  return tensor.cols == 1 || tensor.role == TensorRole::router || tensor.role == TensorRole::norm || tensor.role == TensorRole::position_embedding ||
         tensor.role == TensorRole::recurrent_state;
}

/// Gemma 3n's side paths keep the converter's 16 bit (llama-quant.cpp: "altup", "laurel", "per_layer_model_proj"); their smallest are f32.
std::optional<DType> side_path_type(const Tensor& tensor, const Recipe& recipe) {
  if (!tensor.name.starts_with("altup") && !tensor.name.starts_with("laurel") && tensor.name != "per_layer_model_proj") return std::nullopt;
  if (tensor.name == "altup_correct_coef" || tensor.name == "altup_predict_coef") return dtype::f32;
  return is_ggml_quantized(recipe.base) ? dtype::bf16 : recipe.base;
}

}  // namespace

void assign_types(const Model& model, const Recipe& recipe, std::vector<Tensor>& tensors) {
  const Facts facts = facts_of(model, tensors);
  Mixer mixer(recipe, facts);
  for (Tensor& tensor : tensors) tensor.type = is_kept(tensor) ? dtype::f32 : side_path_type(tensor, recipe).value_or(mixer.type_of(tensor));
}

}  // namespace weighbridge::gguf

// SPDX-License-Identifier: Apache-2.0
#include "model_file.hpp"

#include <algorithm>
#include <array>

#include "gguf/architecture.hpp"
#include "json_text.hpp"
#include "model_keys.hpp"
#include "weighbridge/ggml_type.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge::testing {

namespace {

/// Embedding models.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kEncoders{
    {{"bert", "bert"}, {"xlm-roberta", "bert"}, {"modernbert", "modern-bert"}, {"nomic_bert", "nomic-bert"}}};

std::uint32_t id_of(DType type) {
  for (std::uint32_t id = 0; id < 64; ++id)
    if (const auto known = ggml_type_by_id(id); known && *known == type) return id;
  return 0xFFFF;
}

/// A vector is one, unless it is a norm or stands alone.
bool is_bias(const Tensor& tensor) {
  return tensor.cols == 1 && tensor.name.find("norm") == std::string_view::npos && !tensor.name.ends_with(".bias") &&
         !is_any_of(tensor.name, {"attn_sinks", "rope_freqs", "layer_output_scale", "altup_correct_scale"});
}

/// Names as in the file. Of two vectors of one name, the second is the bias of a norm.
std::string name_of(const Tensor& tensor, bool repeated, std::string_view architecture) {
  const std::string layer = tensor.layers.first >= 0 ? "blk." + std::to_string(tensor.layers.first) + "." : "";
  const std::string name = layer + std::string(tensor.name);
  if (architecture == "hy_v3" && tensor.name == "exp_probs_b.bias") return layer + "exp_probs_b";
  if (architecture == "falcon-h1" && tensor.name == "ffn_norm") return name;
  if (tensor.name.ends_with(".bias") || tensor.name.ends_with(".scale") || is_any_of(tensor.name, {"ssm_a", "ssm_d"})) return name;
  return name + (is_bias(tensor) || repeated ? ".bias" : ".weight");
}

/// Groups of Mamba-2's heads, which share a norm; 0 for any other model.
std::uint64_t mamba2_groups(const Model& model) {
  for (const LayerSpec& layer : model.layers) {
    const RecurrentMixer* mixer = recurrent_part(layer);
    if (mixer == nullptr || mixer->kind != RecurrentKind::mamba2) continue;
    return static_cast<std::uint64_t>((mixer->conv_channels - mixer->inner_size) * mixer->inner_size / (2 * mixer->state_values));
  }
  return 0;
}

std::vector<std::uint64_t> dimensions_of(const Tensor& tensor, std::uint64_t groups, std::string_view architecture) {
  const auto rows = static_cast<std::uint64_t>(tensor.rows);
  const bool is_kimi = architecture == "kimi-linear";
  if ((groups > 0 || is_kimi) && is_any_of(tensor.name, {"ssm_a", "ssm_d"})) return {1, rows};  // one scalar a head, as a column
  if (is_kimi && tensor.name.starts_with("ssm_conv1d")) return {static_cast<std::uint64_t>(tensor.cols), 1, rows};
  if (groups > 0 && tensor.name == "ssm_norm") return {rows / groups, groups};
  std::vector<std::uint64_t> dimensions{rows};
  if (tensor.cols > 1) dimensions.insert(dimensions.begin(), static_cast<std::uint64_t>(tensor.cols));
  if (tensor.per_layer > 1) dimensions.push_back(static_cast<std::uint64_t>(tensor.per_layer));
  return dimensions;
}

void write_tensors(const Model& model, const std::vector<Tensor>& tensors, GgufWriter& writer) {
  const std::string architecture = file_architecture(model);
  const std::uint64_t groups = mamba2_groups(model);
  Tensor last;
  for (const Tensor& tensor : tensors) {
    const bool repeated = tensor.cols == 1 && tensor.name == last.name && tensor.layers == last.layers && last.cols == 1;
    last = tensor;
    writer.tensor(name_of(tensor, repeated, architecture), dimensions_of(tensor, groups, architecture), id_of(tensor.type), tensor.bytes().count());
  }
}

}  // namespace

std::string file_architecture(const Model& model) {
  const std::string_view known = gguf::architecture_of(model);
  if (known == "gemma3" && std::holds_alternative<EncoderAttention>(model.layers.front().mixer)) return "gemma-embedding";
  if (!known.empty()) return std::string(known);
  for (const auto& [model_type, architecture] : kEncoders)
    if (model_type == model.architecture) return first_moe(model) != nullptr ? std::string(architecture) + "-moe" : std::string(architecture);
  return model.architecture;
}

GgufWriter gguf_of(const Model& model, std::string_view format) {
  if (gguf::keeps_predictions(model)) return gguf_with_mtp(model, format);
  GgufWriter writer;
  write_keys(model, file_architecture(model), writer);
  write_tensors(model, gguf_tensors(model, format), writer);
  return writer;
}

GgufWriter gguf_with_mtp(const Model& model, std::string_view format) {
  Model whole = model;
  whole.layers.append(model.mtp_layers);
  const std::string architecture = file_architecture(model);
  GgufWriter writer;
  write_keys(whole, architecture, writer);
  writer.number(architecture + ".nextn_predict_layers", static_cast<std::uint32_t>(model.mtp_layers.size()));
  write_tensors(model, gguf_tensors_with_predictions(model, format), writer);
  return writer;
}

}  // namespace weighbridge::testing

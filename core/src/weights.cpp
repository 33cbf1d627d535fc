// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/weights.hpp"

#include "json_text.hpp"
#include "quantize.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

const std::vector<WeightsFormat>& weights_formats() {
  using Q = WeightQuantization;
  static const std::vector<WeightsFormat> formats{
      {"bf16", {Q::none, dtype::bf16, 0, 0}},
      {"fp16", {Q::none, dtype::f16, 0, 0}},
      {"fp32", {Q::none, dtype::f32, 0, 0}},
      {"fp8", {Q::fp8_per_channel, dtype::bf16, 0, 0}},
      {"int8", {Q::int8_per_channel, dtype::bf16, 0, 0}},
      {"int4", {Q::int4_group, dtype::bf16, 0, 128}},  // groups of 128: the usual choice of GPTQ, AWQ and compressed-tensors
  };
  return formats;
}

std::optional<std::string_view> find_weights_format(std::string_view format) {
  const std::string wanted = lower_case(format);
  if (wanted == "checkpoint") return "checkpoint";
  for (const WeightsFormat& known : weights_formats())
    if (known.name == wanted) return known.name;
  return find_gguf_format(wanted);
}

std::optional<WeightsLayout> layout_of(std::string_view format) {
  for (const WeightsFormat& known : weights_formats())
    if (known.name == format) return known.layout;
  return std::nullopt;
}

std::string_view checkpoint_format(const Model& model) {
  const WeightQuantization main = model.recipes.empty() ? WeightQuantization::none : model.recipes.front().quantization;
  switch (main) {
    case WeightQuantization::fp8_block:
    case WeightQuantization::fp8_per_channel:
      return "fp8";
    case WeightQuantization::int8_per_channel:
      return "int8";
    case WeightQuantization::int4_group:
      return "int4";
    case WeightQuantization::mxfp4_experts:
      return "mxfp4";
    case WeightQuantization::none:
      break;
  }
  for (const WeightsFormat& known : weights_formats())
    if (known.layout.quantization == WeightQuantization::none && known.layout.base == model.base) return known.name;
  return "bf16";
}

bool is_as_published(const Model& model, std::string_view format) {
  if (format == "checkpoint") return true;
  const std::optional<WeightsLayout> layout = layout_of(format);
  return layout && model.recipes.empty() && !model.from_gguf && layout->quantization == WeightQuantization::none && layout->base == model.base;
}

std::vector<Tensor> tensors_in(const Model& model, std::string_view format) {
  if (is_as_published(model, format)) return model.tensors;
  if (format.starts_with("gguf:")) return gguf_tensors(model, format);
  const std::optional<WeightsLayout> layout = layout_of(format);
  return layout ? tensors_in_layout(model, *layout) : model.tensors;
}

}  // namespace weighbridge

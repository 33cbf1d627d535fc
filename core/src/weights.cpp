// SPDX-License-Identifier: Apache-2.0
#include "weighbridge/weights.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "json_text.hpp"
#include "quantize.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge {

namespace {

using Q = WeightQuantization;

constexpr WeightsLayout make(Q quantization, DType base, std::int64_t block_cols = 0, std::int64_t bits = 0) {
  WeightsLayout layout;
  layout.quantization = quantization;
  layout.base = base;
  layout.block_cols = block_cols;
  layout.bits = bits;
  return layout;
}

/// Groups of 128: the usual choice of GPTQ, AWQ and compressed-tensors.
constexpr WeightsLayout groups_of_128(Q quantization, DType base) {
  WeightsLayout layout = make(quantization, base, 128, 4);
  layout.scales = base;
  return layout;
}

constexpr WeightsLayout fp8_block() {
  WeightsLayout layout = make(Q::fp8_block, dtype::bf16, 128);
  layout.block_rows = 128;
  return layout;
}

constexpr WeightsLayout nf4() {
  WeightsLayout layout = make(Q::bnb_4bit, dtype::bf16);
  layout.nested_scales = true;
  return layout;
}

constexpr WeightsLayout mxfp4() {
  WeightsLayout layout = make(Q::mxfp4, dtype::bf16, 32);
  layout.experts_only = true;
  return layout;
}

constexpr WeightsLayout nvfp4() {
  WeightsLayout layout = make(Q::nvfp4, dtype::bf16, 16);
  layout.input_scale = true;
  return layout;
}

constexpr WeightsLayout mlx(std::int64_t bits) {
  WeightsLayout layout = make(Q::mlx_affine, dtype::bf16, 64, bits);  // mlx_lm.convert's default group
  layout.scales = dtype::bf16;
  layout.whole_model = true;
  return layout;
}

/// mlc-ai/mlc-llm python/mlc_llm/quantization/quantization.py
constexpr WeightsLayout mlc(std::int64_t bits, DType base) {
  WeightsLayout layout = make(Q::mlc, base, bits == 3 ? 40 : 32, bits);
  layout.scales = base;
  return layout;
}

/// turboderp-org/exllamav3 convert.py `--bits`: every matrix at so many; turboderp-org/exllamav2 convert.py `--bits`: so many on average, with the
/// scales (conversion/qparams.py total_bits).
constexpr WeightsLayout exl(Q quantization, std::int64_t bits_x1000) {
  WeightsLayout layout = make(quantization, dtype::f16);
  layout.bits_x1000 = bits_x1000;
  return layout;
}

/// The recipe that most of the checkpoint's elements take; none if it has none.
WeightsLayout main_layout(const Model& model) {
  std::vector<std::int64_t> elements(model.recipes.size(), 0);
  for (const Tensor& tensor : model.plain)
    if (tensor.recipe > 0) elements[static_cast<std::size_t>(tensor.recipe - 1)] += tensor.elements();
  const auto largest = std::max_element(elements.begin(), elements.end());
  if (largest == elements.end() || *largest == 0) return {};
  return model.recipes[static_cast<std::size_t>(largest - elements.begin())];
}

/// The file type whose mix comes closest to the types of a GGUF file: where it would give another, bytes count as strange.
std::string_view gguf_format_of(const Model& model) {
  std::string_view closest;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  for (const std::string_view format : gguf_formats()) {
    const std::vector<Tensor> made = gguf_tensors(model, format);
    std::uint64_t strange = 0;
    for (std::size_t i = 0; i < std::min(made.size(), model.tensors.size()); ++i)
      if (!(made[i].type == model.tensors[i].type)) strange += model.tensors[i].bytes().count();
    if (strange >= least) continue;
    least = strange;
    closest = format;
  }
  return closest;
}

std::string_view by_bits(std::int64_t bits, const std::array<std::string_view, 7>& names) { return names[static_cast<std::size_t>(bits - 2)]; }

}  // namespace

std::span<const WeightsFormat> weights_formats() {
  static constexpr auto formats = std::to_array<WeightsFormat>({
      {"bf16", make(Q::none, dtype::bf16)},
      {"fp16", make(Q::none, dtype::f16)},
      {"fp32", make(Q::none, dtype::f32)},
      {"fp8", make(Q::fp8_per_channel, dtype::bf16)},
      {"fp8-block", fp8_block()},
      {"int8", make(Q::int8_per_channel, dtype::bf16)},
      {"int4", groups_of_128(Q::packed_int, dtype::bf16)},
      {"awq-int4", groups_of_128(Q::awq, dtype::f16)},
      {"gptq-int4", groups_of_128(Q::gptq, dtype::f16)},
      {"nf4", nf4()},
      {"bnb-int8", make(Q::bnb_int8, dtype::f16)},
      {"mxfp4", mxfp4()},
      {"nvfp4", nvfp4()},
      {"mlx-4bit", mlx(4)},
      {"mlx-5bit", mlx(5)},
      {"mlx-6bit", mlx(6)},
      {"mlx-8bit", mlx(8)},
      {"exl2-2.4bpw", exl(Q::exl2, 2400)},
      {"exl2-3bpw", exl(Q::exl2, 3000)},
      {"exl2-4bpw", exl(Q::exl2, 4000)},
      {"exl2-5bpw", exl(Q::exl2, 5000)},
      {"exl2-6bpw", exl(Q::exl2, 6000)},
      {"exl2-8bpw", exl(Q::exl2, 8000)},
      {"exl3-2bpw", exl(Q::exl3, 2000)},
      {"exl3-3bpw", exl(Q::exl3, 3000)},
      {"exl3-4bpw", exl(Q::exl3, 4000)},
      {"exl3-5bpw", exl(Q::exl3, 5000)},
      {"exl3-6bpw", exl(Q::exl3, 6000)},
      {"exl3-8bpw", exl(Q::exl3, 8000)},
      {"q3f16_1", mlc(3, dtype::f16)},
      {"q4f16_1", mlc(4, dtype::f16)},
      {"q4f32_1", mlc(4, dtype::f32)},
  });
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

bool is_plain_format(std::string_view format) { return format == "bf16" || format == "fp16" || format == "fp32"; }
bool has_plain_weights(const Model& model) { return is_plain_format(checkpoint_format(model)); }

std::string_view checkpoint_format(const Model& model) {
  if (model.from_gguf) return gguf_format_of(model);
  const WeightsLayout main = main_layout(model);
  switch (main.quantization) {
    case Q::fp8_block:
    case Q::fp8_per_channel:
    case Q::fp8_per_tensor:
      return "fp8";
    case Q::int8_per_channel:
      return "int8";
    case Q::packed_int:
      return by_bits(main.bits, {"int2", "int3", "int4", "", "", "", "int8"});
    case Q::gptq:
      return by_bits(main.bits, {"gptq-int2", "gptq-int3", "gptq-int4", "", "", "", "gptq-int8"});
    case Q::awq:
      return by_bits(main.bits, {"awq-int2", "awq-int3", "awq-int4", "", "", "", "awq-int8"});
    case Q::bnb_4bit:
      return "nf4";
    case Q::bnb_int8:
      return "bnb-int8";
    case Q::mxfp4:
      return "mxfp4";
    case Q::mxfp8:
      return "mxfp8";
    case Q::nvfp4:
      return "nvfp4";
    case Q::mlx_affine:
      return by_bits(main.bits, {"mlx-2bit", "mlx-3bit", "mlx-4bit", "mlx-5bit", "mlx-6bit", "mlx-7bit", "mlx-8bit"});
    case Q::exl2:
      return "exl2";
    case Q::exl3:
      return "exl3";
    case Q::mlc:
      return by_bits(main.bits, {"", "q3f16_1", "q4f16_1", "", "", "", ""});
    case Q::none:
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

Bytes loaded_bytes(const std::vector<Tensor>& tensors) {
  Bytes bytes;
  for (const Tensor& tensor : tensors)
    if (tensor.part == ModelPart::text && !tensor.is_copy) bytes += tensor.bytes();
  return bytes;
}

std::vector<Tensor> tensors_in(const Model& model, std::string_view format) {
  if (is_as_published(model, format)) return model.tensors;
  if (format.starts_with("gguf:")) return gguf_tensors(model, format);
  const std::optional<WeightsLayout> layout = layout_of(format);
  return layout ? tensors_in_layout(model, *layout) : model.tensors;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "json_text.hpp"
#include "quantize.hpp"
#include "read/decoder.hpp"

namespace weighbridge {

namespace {

constexpr std::int64_t kMxfp4Block = 32;  // OCP microscaling formats 1.0: 32 elements share a scale

WeightsLayout read_layout(KeyReader& config, const Json& quantization, DType base) {
  WeightsLayout layout;
  layout.base = base;
  const std::string where = config.path("quantization_config");
  const Json method = quantization.value("quant_method", Json());
  if (method == "mxfp4") {
    layout.quantization = WeightQuantization::mxfp4_experts;
    layout.block_cols = kMxfp4Block;
    return layout;
  }
  if (method != "fp8") {
    config.fail(notice::unknown("unsupported", where + ".quant_method", "quantization method", excerpt(method),
                                "\"fp8\" with weight_block_size, \"mxfp4\", or no quantization_config"));
    return layout;
  }
  const Json block = quantization.value("weight_block_size", Json());
  if (!block.is_array() || block.size() != 2) {
    config.fail(notice::wrong_type(where + ".weight_block_size", "weight_block_size", excerpt(block), "two whole numbers such as [128, 128]"));
    return layout;
  }
  layout.quantization = WeightQuantization::fp8_block;
  layout.block_rows = whole_number_of(block[0]).value_or(0);
  layout.block_cols = whole_number_of(block[1]).value_or(0);
  if (layout.block_rows < 1 || layout.block_cols < 1 || layout.block_rows > config_limit::hidden || layout.block_cols > config_limit::hidden)
    config.fail(notice::out_of_range(where + ".weight_block_size", "weight_block_size", excerpt(block),
                                     "two whole numbers from 1 to " + grouped(config_limit::hidden)));
  return layout;
}

}  // namespace

void read_quantization(KeyReader& config, Model& model) {
  if (!config.has("quantization_config")) return;
  const Json& quantization = *config.json().find("quantization_config");
  if (!quantization.is_object())
    return config.fail(notice::wrong_type(config.path("quantization_config"), "quantization_config", excerpt(quantization), "an object"));
  const WeightsLayout layout = read_layout(config, quantization, model.base);
  model.recipes = {layout};
  for (Tensor& tensor : model.plain) {
    const bool takes_it = tensor.cols > 1 && is_quantizable(tensor.role);
    if (takes_it && (layout.quantization != WeightQuantization::mxfp4_experts || is_expert(tensor.role))) tensor.recipe = 1;
  }
}

}  // namespace weighbridge

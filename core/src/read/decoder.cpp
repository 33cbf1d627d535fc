// SPDX-License-Identifier: Apache-2.0
#include "read/decoder.hpp"

#include "json_text.hpp"

namespace weighbridge {

namespace {

/// The type of the unquantized tensors, from `dtype` or `torch_dtype`; bf16 with a warning if neither is there.
DType read_base_type(KeyReader& config) {
  for (const std::string_view key : {"dtype", "torch_dtype"}) {
    const std::optional<std::string> name = config.text_if_given(key);
    if (!name) continue;
    if (const std::optional<DType> type = dtype_of_torch_name(*name)) return *type;
    config.fail(notice::wrong_type(config.path(key), std::string(key), excerpt(*name), "\"bfloat16\", \"float16\" or \"float32\""));
    return dtype::bf16;
  }
  config.warn(notice::assumed_default(config.path("torch_dtype"), "torch_dtype", "bfloat16", "most checkpoints are"));
  return dtype::bf16;
}

}  // namespace

void read_common(KeyReader& config, Model& model) {
  model.hidden_size = config.positive("hidden_size", config_limit::hidden);
  model.vocab_size = config.positive("vocab_size", config_limit::vocab);
  model.max_context_tokens = config.positive("max_position_embeddings", config_limit::context);
  model.tied_embeddings = config.flag_or("tie_word_embeddings", false);
}

FullAttention read_full_attention(KeyReader& config, const Model& model) {
  FullAttention attention;
  attention.n_heads = config.positive("num_attention_heads", config_limit::heads);
  attention.n_kv_heads = config.positive_or("num_key_value_heads", config_limit::heads, attention.n_heads, "same as num_attention_heads");
  if (config.error()) return attention;
  if (attention.n_heads % attention.n_kv_heads != 0) {
    config.fail(notice::not_divisible(config.path("num_attention_heads"), "num_attention_heads", grouped(attention.n_heads),
                                      "a multiple of num_key_value_heads, " + grouped(attention.n_kv_heads)));
    return attention;
  }
  if (config.has("head_dim")) {
    attention.head_dim_k = config.positive("head_dim", config_limit::head_dim);
  } else if (model.hidden_size % attention.n_heads == 0) {
    attention.head_dim_k = model.hidden_size / attention.n_heads;
  } else {
    config.fail(notice::not_divisible(config.path("hidden_size"), "hidden_size", grouped(model.hidden_size),
                                      "a multiple of num_attention_heads, " + grouped(attention.n_heads) + ", or a head_dim"));
  }
  attention.head_dim_v = attention.head_dim_k;
  return attention;
}

WeightsLayout read_weights_layout(KeyReader& config) {
  WeightsLayout layout;
  layout.base = read_base_type(config);
  if (!config.has("quantization_config")) return layout;
  const Json& quantization = *config.json().find("quantization_config");
  const std::string where = config.path("quantization_config");
  if (!quantization.is_object()) {
    config.fail(notice::wrong_type(where, "quantization_config", excerpt(quantization), "an object"));
    return layout;
  }
  const Json method = quantization.value("quant_method", Json());
  if (method != "fp8") {
    config.fail(notice::unknown("unsupported", where + ".quant_method", "quantization method", excerpt(method),
                                "\"fp8\" with weight_block_size, or no quantization_config"));
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

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "gguf/architecture.hpp"

#include <algorithm>
#include <array>

namespace weighbridge::gguf {

namespace {

struct Row {
  std::string_view model_type;
  std::string_view architecture;
  std::string_view with_experts{};  ///< if it differs
  bool is_read = true;              ///< we read its layers from a file's keys
  Predictions predictions = Predictions::left_out;
};

/// The first row of an architecture is the one that a file of it is read as.
constexpr std::array kRows{
    Row{"llama", "llama"},
    Row{"mistral", "llama"},
    Row{"mixtral", "llama"},
    Row{"llama4_text", "llama4"},
    Row{"llama4", "llama4"},
    Row{"afmoe", "afmoe"},
    Row{"baichuan", "baichuan"},
    Row{"bailing_moe", "bailingmoe"},
    Row{"bailing_moe_v2", "bailingmoe2"},
    Row{"bitnet", "bitnet", {}, false},
    Row{"chatglm", "chatglm"},
    Row{"cohere", "command-r"},
    Row{"cohere2", "cohere2"},
    Row{"dbrx", "dbrx"},
    Row{"deepseek", "deepseek"},
    Row{"deepseek_v3", "deepseek2"},
    Row{"deepseek_v2", "deepseek2"},
    Row{"kimi_k2", "deepseek2"},
    Row{"kimi_k25", "deepseek2"},
    Row{"glm4_moe_lite", "deepseek2", {}, true, Predictions::unknown},
    Row{"deepseek_v32", "deepseek32", {}, true, Predictions::unknown},
    Row{"deepseek_v4", "deepseek4", {}, false},
    Row{"dots1", "dots1"},
    Row{"ernie4_5", "ernie4_5"},
    Row{"ernie4_5_moe", "ernie4_5-moe"},
    Row{"exaone", "exaone"},
    Row{"exaone4", "exaone4"},
    Row{"exaone_moe", "exaone-moe"},
    Row{"falcon", "falcon"},
    Row{"falcon_h1", "falcon-h1"},
    Row{"gemma", "gemma"},
    Row{"gemma2", "gemma2"},
    Row{"gemma3_text", "gemma3"},
    Row{"gemma3", "gemma3"},
    Row{"gemma3n_text", "gemma3n"},
    Row{"gemma4_text", "gemma4"},
    Row{"gemma4", "gemma4"},
    Row{"gemma4_unified", "gemma4"},
    Row{"gemma4_unified_text", "gemma4"},
    Row{"gemma3n", "gemma3n"},
    Row{"glm4", "glm4"},
    Row{"glm4_moe", "glm4moe", {}, true, Predictions::unknown},
    Row{"glm4v_moe", "glm4moe", {}, true, Predictions::unknown},
    Row{"solar_open", "glm4moe"},
    Row{"glm_moe_dsa", "glm-dsa", {}, true, Predictions::unknown},
    Row{"gpt_oss", "gpt-oss"},
    Row{"granite", "granite"},
    Row{"granitemoe", "granitemoe"},
    Row{"granitemoehybrid", "granitehybrid"},
    Row{"hunyuan_v1_dense", "hunyuan-dense"},
    Row{"hunyuan_v1_moe", "hunyuan-moe"},
    Row{"hy_v3", "hy_v3", {}, true, Predictions::kept},
    Row{"internlm2", "internlm2"},
    Row{"jais2", "jais2", {}, false},
    Row{"jamba", "jamba"},
    Row{"kimi_linear", "kimi-linear"},
    Row{"laguna", "laguna", {}, false},
    Row{"lfm2", "lfm2"},
    Row{"lfm2_moe", "lfm2moe"},
    Row{"mamba", "mamba"},
    Row{"falcon_mamba", "mamba"},
    Row{"mamba2", "mamba2"},
    Row{"mellum", "mellum"},
    Row{"mimo_v2_flash", "mimo2", {}, true, Predictions::kept},
    Row{"mimo_v2", "mimo2", {}, true, Predictions::kept},
    Row{"minicpm3", "minicpm3"},
    Row{"mistral3", "mistral3"},
    Row{"ministral3", "mistral3"},
    Row{"mistral4", "mistral4"},
    Row{"minimax_m2", "minimax-m2"},
    Row{"muse_glimmer", "muse-glimmer"},
    Row{"nemotron-nas", "deci"},
    Row{"nemotron_h", "nemotron_h", "nemotron_h_moe"},
    Row{"olmo", "olmo"},
    Row{"olmoe", "olmoe"},
    Row{"olmo2", "olmo2"},
    Row{"olmo3", "olmo2"},
    Row{"phi", "phi2"},
    Row{"phi3", "phi3"},
    Row{"phimoe", "phimoe"},
    Row{"plm", "plm"},
    Row{"qwen", "qwen"},
    Row{"qwen2", "qwen2"},
    Row{"qwen2_moe", "qwen2moe"},
    Row{"qwen2_5_vl", "qwen2vl"},
    Row{"qwen2_vl", "qwen2vl"},
    Row{"qwen3", "qwen3"},
    Row{"qwen3_moe", "qwen3moe"},
    Row{"qwen3_vl", "qwen3vl"},
    Row{"qwen3_vl_moe", "qwen3vlmoe"},
    Row{"qwen3_omni_moe", "qwen3vlmoe"},
    Row{"qwen3_next", "qwen3next", {}, true, Predictions::unknown},
    Row{"qwen3_5", "qwen35", {}, true, Predictions::unknown},
    Row{"qwen3_5_text", "qwen35", {}, true, Predictions::unknown},
    Row{"qwen3_5_moe", "qwen35moe", {}, true, Predictions::unknown},
    Row{"qwen3_5_moe_text", "qwen35moe", {}, true, Predictions::unknown},
    Row{"rwkv7", "rwkv7"},
    Row{"seed_oss", "seed_oss"},
    Row{"smollm3", "smollm3"},
    Row{"stablelm", "stablelm"},
    Row{"starcoder2", "starcoder2"},
    Row{"step3p5", "step35", {}, true, Predictions::kept},
    Row{"step3p7", "step35", {}, true, Predictions::kept},
};

/// Encoders: written, but read back under no name, since a file does not say which of the checkpoints it was.
constexpr std::array kEncoders{
    Row{"bert", "bert"},
    Row{"roberta", "bert"},
    Row{"xlm-roberta", "bert"},
    Row{"modernbert", "modern-bert"},
    Row{"nomic_bert", "nomic-bert", "nomic-bert-moe"},
    Row{"gemma3_text", "gemma-embedding"},
};

bool is_encoder(const Model& model) { return !model.layers.empty() && std::holds_alternative<EncoderAttention>(model.layers[0].mixer); }

const Row* find_row(const Row* begin, const Row* end, const Model& model) {
  const Row* row = std::find_if(begin, end, [&](const Row& r) { return r.model_type == model.architecture; });
  return row == end ? nullptr : row;
}

std::string_view find(const Row* begin, const Row* end, const Model& model) {
  const Row* row = find_row(begin, end, model);
  if (row == nullptr) return {};
  return !row->with_experts.empty() && first_moe(model) != nullptr ? row->with_experts : row->architecture;
}

/// Architectures of families that we do not read from a config.json; their cache holds plain keys and values.
constexpr std::array<std::string_view, 23> kPlain{"apertus", "arcee",     "arctic",         "bitnet", "bloom",   "codeshell", "cogvlm",   "gpt2",
                                                  "gptneox", "grok",      "grovemoe",       "jais",   "minicpm", "mpt",       "nemotron", "openelm",
                                                  "orion",   "paddleocr", "pangu-embedded", "plamo",  "refact",  "starcoder", "xverse"};

}  // namespace

std::string_view architecture_of(const Model& model) {
  if (is_encoder(model)) return find(kEncoders.begin(), kEncoders.end(), model);
  return find(kRows.begin(), kRows.end(), model);
}

Predictions predictions_of(const Model& model) {
  if (model.from_gguf || model.mtp_layers.empty()) return Predictions::left_out;
  const Row* row = find_row(kRows.begin(), kRows.end(), model);
  return row != nullptr ? row->predictions : Predictions::left_out;
}

std::string_view model_type_of(std::string_view architecture) {
  for (const Row& row : kRows)
    if (row.is_read && (row.architecture == architecture || row.with_experts == architecture)) return row.model_type;
  for (const std::string_view plain : kPlain)
    if (plain == architecture) return plain;
  return {};
}

}  // namespace weighbridge::gguf

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "weighbridge/model.hpp"

namespace weighbridge {

/// One reader per family: it fills the hyper-parameters and layers of `model`; problems stay in `config`.
/// The tensors are derived afterwards, by read_config().
using FamilyReader = void (*)(KeyReader& config, Model& model);

void read_llama(KeyReader& config, Model& model);
void read_qwen2(KeyReader& config, Model& model);
void read_qwen3(KeyReader& config, Model& model);
void read_deepseek_v3(KeyReader& config, Model& model);
void read_qwen3_moe(KeyReader& config, Model& model);
void read_mistral(KeyReader& config, Model& model);
void read_mixtral(KeyReader& config, Model& model);
void read_phi3(KeyReader& config, Model& model);
void read_gemma2(KeyReader& config, Model& model);
void read_gemma3_text(KeyReader& config, Model& model);
void read_gemma3(KeyReader& config, Model& model);
void read_gpt_oss(KeyReader& config, Model& model);
void read_glm4_moe(KeyReader& config, Model& model);
void read_generic_dense(KeyReader& config, Model& model);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// One reader per family: it fills hyper-parameters, layers and tensors of the draft; problems stay in `config`.
using FamilyReader = void (*)(KeyReader& config, Draft& draft);

void read_llama(KeyReader& config, Draft& draft);
void read_qwen2(KeyReader& config, Draft& draft);
void read_qwen3(KeyReader& config, Draft& draft);
void read_deepseek_v3(KeyReader& config, Draft& draft);
void read_qwen3_moe(KeyReader& config, Draft& draft);
void read_mistral(KeyReader& config, Draft& draft);
void read_mixtral(KeyReader& config, Draft& draft);
void read_phi3(KeyReader& config, Draft& draft);
void read_gemma2(KeyReader& config, Draft& draft);
void read_gemma3_text(KeyReader& config, Draft& draft);
void read_gemma3(KeyReader& config, Draft& draft);
void read_gpt_oss(KeyReader& config, Draft& draft);
void read_glm4_moe(KeyReader& config, Draft& draft);
void read_bert(KeyReader& config, Draft& draft);
void read_bloom(KeyReader& config, Draft& draft);
void read_cohere(KeyReader& config, Draft& draft);
void read_cohere2(KeyReader& config, Draft& draft);
void read_falcon(KeyReader& config, Draft& draft);
void read_gemma(KeyReader& config, Draft& draft);
void read_gemma3n(KeyReader& config, Draft& draft);
void read_gemma3n_text(KeyReader& config, Draft& draft);
void read_gemma4(KeyReader& config, Draft& draft);
void read_gemma4_text(KeyReader& config, Draft& draft);
void read_gemma4_unified(KeyReader& config, Draft& draft);
void read_gpt2(KeyReader& config, Draft& draft);
void read_gpt_bigcode(KeyReader& config, Draft& draft);
void read_gpt_neox(KeyReader& config, Draft& draft);
void read_llama4(KeyReader& config, Draft& draft);
void read_llama4_text(KeyReader& config, Draft& draft);
void read_ministral3(KeyReader& config, Draft& draft);
void read_mistral3(KeyReader& config, Draft& draft);
void read_mistral4(KeyReader& config, Draft& draft);
void read_mllama(KeyReader& config, Draft& draft);
void read_mllama_text(KeyReader& config, Draft& draft);
void read_modernbert(KeyReader& config, Draft& draft);
void read_mpt(KeyReader& config, Draft& draft);
void read_nomic_bert(KeyReader& config, Draft& draft);
void read_olmo(KeyReader& config, Draft& draft);
void read_olmo2(KeyReader& config, Draft& draft);
void read_olmo3(KeyReader& config, Draft& draft);
void read_olmoe(KeyReader& config, Draft& draft);
void read_opt(KeyReader& config, Draft& draft);
void read_phi(KeyReader& config, Draft& draft);
void read_phi3small(KeyReader& config, Draft& draft);
void read_phi_msft(KeyReader& config, Draft& draft);
void read_phimoe(KeyReader& config, Draft& draft);
void read_roberta(KeyReader& config, Draft& draft);
void read_smollm3(KeyReader& config, Draft& draft);
void read_stablelm(KeyReader& config, Draft& draft);
void read_starcoder2(KeyReader& config, Draft& draft);
void read_generic_dense(KeyReader& config, Draft& draft);

}  // namespace weighbridge

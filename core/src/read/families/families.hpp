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
void read_deepseek_v2(KeyReader& config, Draft& draft);
void read_deepseek_v3(KeyReader& config, Draft& draft);
void read_deepseek_v32(KeyReader& config, Draft& draft);
void read_qwen3_moe(KeyReader& config, Draft& draft);
void read_mistral(KeyReader& config, Draft& draft);
void read_mixtral(KeyReader& config, Draft& draft);
void read_phi3(KeyReader& config, Draft& draft);
void read_gemma2(KeyReader& config, Draft& draft);
void read_gemma3_text(KeyReader& config, Draft& draft);
void read_gemma3(KeyReader& config, Draft& draft);
void read_gpt_oss(KeyReader& config, Draft& draft);
void read_glm4_moe(KeyReader& config, Draft& draft);
void read_glm4_moe_lite(KeyReader& config, Draft& draft);
void read_glm_moe_dsa(KeyReader& config, Draft& draft);
void read_chatglm(KeyReader& config, Draft& draft);
void read_deepseek(KeyReader& config, Draft& draft);
void read_dots1(KeyReader& config, Draft& draft);
void read_glm(KeyReader& config, Draft& draft);
void read_glm4(KeyReader& config, Draft& draft);
void read_mimo(KeyReader& config, Draft& draft);
void read_mimo_v2(KeyReader& config, Draft& draft);
void read_minimax_m2(KeyReader& config, Draft& draft);
void read_step3p5(KeyReader& config, Draft& draft);
void read_step3p7(KeyReader& config, Draft& draft);
void read_deepseek_v4(KeyReader& config, Draft& draft);
void read_kimi_k25(KeyReader& config, Draft& draft);
void read_kimi_k3(KeyReader& config, Draft& draft);
void read_kimi_linear(KeyReader& config, Draft& draft);
void read_kimi_vl(KeyReader& config, Draft& draft);
void read_longcat_flash(KeyReader& config, Draft& draft);
void read_minimax_m1(KeyReader& config, Draft& draft);
void read_minimax_m3(KeyReader& config, Draft& draft);
void read_minimax_m3_vl(KeyReader& config, Draft& draft);
void read_bailing_hybrid(KeyReader& config, Draft& draft);
void read_bailing_moe(KeyReader& config, Draft& draft);
void read_bailing_moe_v2(KeyReader& config, Draft& draft);
void read_glm4v(KeyReader& config, Draft& draft);
void read_glm4v_moe(KeyReader& config, Draft& draft);
void read_glm5_next(KeyReader& config, Draft& draft);
void read_glm5_next_text(KeyReader& config, Draft& draft);
void read_generic_dense(KeyReader& config, Draft& draft);

}  // namespace weighbridge

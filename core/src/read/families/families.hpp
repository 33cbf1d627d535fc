// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// One reader per family: it fills hyper-parameters, layers and tensors of the draft; problems stay in `config`.
using FamilyReader = void (*)(KeyReader& config, Draft& draft);

void read_afmoe(KeyReader& config, Draft& draft);
void read_arcee(KeyReader& config, Draft& draft);
void read_baichuan(KeyReader& config, Draft& draft);
void read_bailing_hybrid(KeyReader& config, Draft& draft);
void read_bailing_moe(KeyReader& config, Draft& draft);
void read_bailing_moe_v2(KeyReader& config, Draft& draft);
void read_bamba(KeyReader& config, Draft& draft);
void read_chatglm(KeyReader& config, Draft& draft);
void read_dbrx(KeyReader& config, Draft& draft);
void read_deepseek(KeyReader& config, Draft& draft);
void read_deepseek_v2(KeyReader& config, Draft& draft);
void read_deepseek_v3(KeyReader& config, Draft& draft);
void read_deepseek_v32(KeyReader& config, Draft& draft);
void read_deepseek_v4(KeyReader& config, Draft& draft);
void read_dots1(KeyReader& config, Draft& draft);
void read_ernie4_5(KeyReader& config, Draft& draft);
void read_ernie4_5_moe(KeyReader& config, Draft& draft);
void read_exaone(KeyReader& config, Draft& draft);
void read_exaone4(KeyReader& config, Draft& draft);
void read_exaone_moe(KeyReader& config, Draft& draft);
void read_falcon_h1(KeyReader& config, Draft& draft);
void read_gemma2(KeyReader& config, Draft& draft);
void read_gemma3(KeyReader& config, Draft& draft);
void read_gemma3_text(KeyReader& config, Draft& draft);
void read_generic_dense(KeyReader& config, Draft& draft);
void read_glm(KeyReader& config, Draft& draft);
void read_glm4(KeyReader& config, Draft& draft);
void read_glm4_moe(KeyReader& config, Draft& draft);
void read_glm4_moe_lite(KeyReader& config, Draft& draft);
void read_glm4v(KeyReader& config, Draft& draft);
void read_glm4v_moe(KeyReader& config, Draft& draft);
void read_glm5_next(KeyReader& config, Draft& draft);
void read_glm5_next_text(KeyReader& config, Draft& draft);
void read_glm_moe_dsa(KeyReader& config, Draft& draft);
void read_gpt_oss(KeyReader& config, Draft& draft);
void read_granite(KeyReader& config, Draft& draft);
void read_granitemoe(KeyReader& config, Draft& draft);
void read_granitemoehybrid(KeyReader& config, Draft& draft);
void read_granitemoeshared(KeyReader& config, Draft& draft);
void read_hunyuan_v1_dense(KeyReader& config, Draft& draft);
void read_hunyuan_v1_moe(KeyReader& config, Draft& draft);
void read_hy_v3(KeyReader& config, Draft& draft);
void read_hy_v4(KeyReader& config, Draft& draft);
void read_internlm2(KeyReader& config, Draft& draft);
void read_internlm3(KeyReader& config, Draft& draft);
void read_jamba(KeyReader& config, Draft& draft);
void read_k2_horizon(KeyReader& config, Draft& draft);
void read_kimi_k25(KeyReader& config, Draft& draft);
void read_kimi_k3(KeyReader& config, Draft& draft);
void read_kimi_linear(KeyReader& config, Draft& draft);
void read_kimi_vl(KeyReader& config, Draft& draft);
void read_laguna(KeyReader& config, Draft& draft);
void read_lfm2(KeyReader& config, Draft& draft);
void read_lfm2_moe(KeyReader& config, Draft& draft);
void read_llama(KeyReader& config, Draft& draft);
void read_longcat_flash(KeyReader& config, Draft& draft);
void read_mamba(KeyReader& config, Draft& draft);
void read_mamba2(KeyReader& config, Draft& draft);
void read_mellum(KeyReader& config, Draft& draft);
void read_mimo(KeyReader& config, Draft& draft);
void read_mimo_v2(KeyReader& config, Draft& draft);
void read_minicpm(KeyReader& config, Draft& draft);
void read_minicpm3(KeyReader& config, Draft& draft);
void read_minimax_m1(KeyReader& config, Draft& draft);
void read_minimax_m2(KeyReader& config, Draft& draft);
void read_minimax_m3(KeyReader& config, Draft& draft);
void read_minimax_m3_vl(KeyReader& config, Draft& draft);
void read_mistral(KeyReader& config, Draft& draft);
void read_mixtral(KeyReader& config, Draft& draft);
void read_muse_glimmer(KeyReader& config, Draft& draft);
void read_muse_glimmer_text(KeyReader& config, Draft& draft);
void read_nemotron(KeyReader& config, Draft& draft);
void read_nemotron_h(KeyReader& config, Draft& draft);
void read_nemotron_nas(KeyReader& config, Draft& draft);
void read_orion(KeyReader& config, Draft& draft);
void read_phi3(KeyReader& config, Draft& draft);
void read_qwen(KeyReader& config, Draft& draft);
void read_qwen2(KeyReader& config, Draft& draft);
void read_qwen2_moe(KeyReader& config, Draft& draft);
void read_qwen2_vl(KeyReader& config, Draft& draft);
void read_qwen3(KeyReader& config, Draft& draft);
void read_qwen3_5(KeyReader& config, Draft& draft);
void read_qwen3_moe(KeyReader& config, Draft& draft);
void read_qwen3_next(KeyReader& config, Draft& draft);
void read_qwen3_omni_moe(KeyReader& config, Draft& draft);
void read_qwen3_vl(KeyReader& config, Draft& draft);
void read_qwen3_vl_moe(KeyReader& config, Draft& draft);
void read_qwen4_exp(KeyReader& config, Draft& draft);
void read_rwkv7(KeyReader& config, Draft& draft);
void read_seed_oss(KeyReader& config, Draft& draft);
void read_solar_open(KeyReader& config, Draft& draft);
void read_step3p5(KeyReader& config, Draft& draft);
void read_step3p7(KeyReader& config, Draft& draft);
void read_xverse(KeyReader& config, Draft& draft);

}  // namespace weighbridge

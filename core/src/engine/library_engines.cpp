// SPDX-License-Identifier: Apache-2.0
// transformers, MLX, ExLlama and MLC as a form shows them. Their rules may be elsewhere (local_rules.hpp).
#include "engine/engine.hpp"
#include "engine/local_rules.hpp"

namespace weighbridge {

const Engine& transformers_engine() {
  static const Engine engine{"transformers",
                             "transformers",
                             {"4.38", "4.46", "4.51", "4.56", "5.0"},
                             {{"attn_implementation", OptionType::text, "sdpa"},
                              {"max_new_tokens", OptionType::integer, "none"},
                              {"device_map", OptionType::text, "auto"},
                              {"max_memory", OptionType::integer, "by free memory"},
                              {"cache_implementation", OptionType::text, "dynamic"},
                              {"prefill_chunk_size", OptionType::integer, "the whole prompt"},
                              {"logits_to_keep", OptionType::integer, "1"}},
                             {"bf16", "fp16", "fp32", "nf4", "bnb-int8", "gptq-int4", "awq-int4", "fp8-block"},
                             {"bf16", "f16"},
                             nullptr,
                             {"fp8", "int8", "int4", "gptq-int2", "gptq-int3", "gptq-int8", "mxfp4"},
                             nullptr,
                             false,
                             nullptr,
                             {"checkpoint", 1},
                             "",
                             true,
                             true};
  return engine;
}

const Engine& mlx_engine() {
  static const Engine engine{"mlx",
                             "MLX",
                             {"0.32"},
                             {{"max_tokens", OptionType::integer, "none"},
                              {"prefill_step_size", OptionType::integer, "2048"},
                              {"max_kv_size", OptionType::integer, "none"},
                              {"kv_group_size", OptionType::integer, "64"},
                              {"prompt_cache_size", OptionType::integer, "0"}},
                             {"bf16", "fp16", "mlx-4bit", "mlx-5bit", "mlx-6bit", "mlx-8bit"},
                             {"bf16", "f16", "q8", "q6", "q4", "q3", "q2"},
                             nullptr,
                             {"mlx-2bit", "mlx-3bit", "mlx-5bit", "mlx-6bit"},
                             nullptr,
                             false,
                             nullptr,
                             {"mlx-4bit", 1}};
  return engine;
}

const Engine& exllamav2_engine() {
  static const Engine engine{"exllamav2",
                             "ExLlamaV2",
                             {exllamav2::kVersion},
                             {{"cache_size", OptionType::integer, "context_tokens x sequences"},
                              {"max_input_len", OptionType::integer, "2048"},
                              {"reserve_vram", OptionType::integer, "192 MiB, then 64 MiB"},
                              {"last_id_only", OptionType::flag, "false"},
                              {"tensor_parallel", OptionType::flag, "false"}},
                             {"exl2-2.4bpw", "exl2-3bpw", "exl2-4bpw", "exl2-5bpw", "exl2-6bpw", "exl2-8bpw", "gptq-int4", "bf16", "fp16"},
                             {"f16", "q8", "q6", "q4"},
                             nullptr,
                             {"exl2"},
                             nullptr,
                             false,
                             nullptr,
                             {"exl2-4bpw", 1},
                             "",
                             true,
                             false,
                             Machines::one,
                             1,
                             true};
  return engine;
}

const Engine& exllamav3_engine() {
  static const Engine engine{"exllamav3",
                             "ExLlamaV3",
                             {exllamav3::kVersion},
                             {{"cache_size", OptionType::integer, "context_tokens x sequences"},
                              {"k_bits", OptionType::integer, "16"},
                              {"v_bits", OptionType::integer, "16"},
                              {"max_chunk_size", OptionType::integer, "2048"},
                              {"reserve_per_device", OptionType::number, "0.5"},
                              {"swa_full", OptionType::flag, "false"}},
                             {"exl3-2bpw", "exl3-3bpw", "exl3-4bpw", "exl3-5bpw", "exl3-6bpw", "exl3-8bpw", "bf16", "fp16"},
                             {"f16", "q8", "q6", "q5", "q4", "q3", "q2"},
                             nullptr,
                             {"exl3"},
                             nullptr,
                             false,
                             nullptr,
                             {"exl3-4bpw", 1},
                             "",
                             true,
                             false,
                             Machines::one,
                             1,
                             true};
  return engine;
}

const Engine& mlc_engine() {
  static const Engine engine{"mlc-llm",
                             "MLC LLM",
                             {mlc::kVersion},
                             {{"gpu_memory_utilization", OptionType::number, "0.85"},
                              {"mode", OptionType::text, "by workload"},
                              {"max_num_sequence", OptionType::integer, "workload.sequences"},
                              {"context_window_size", OptionType::integer, "workload.context_tokens"},
                              {"max_total_seq_length", OptionType::integer, "context_tokens x sequences"},
                              {"prefill_chunk_size", OptionType::integer, "2048 or 8192, by model"}},
                             {"q3f16_1", "q4f16_1", "q4f32_1", "fp16", "bf16", "fp32"},
                             {"f16"},
                             nullptr,
                             {"awq-int4"},
                             nullptr,
                             false,
                             nullptr,
                             {"q4f16_1", 4}};
  return engine;
}

const Engine& web_llm_engine() {
  static const Engine engine{"web-llm",
                             "WebLLM",
                             {web_llm::kVersion},
                             {{"context_window_size", OptionType::integer, "workload.context_tokens"},
                              {"prefill_chunk_size", OptionType::integer, "1024"}},
                             {"q3f16_1", "q4f16_1", "q4f32_1", "fp16", "fp32"},
                             {"f16"},
                             nullptr,
                             {},
                             nullptr,
                             false,
                             nullptr,
                             {"q4f16_1", 1},
                             ""};
  return engine;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// Serving engines other than vLLM, as a form shows them. Their rules may be elsewhere (serving_rules.hpp).
#include "engine/engine.hpp"
#include "engine/serving_rules.hpp"

namespace weighbridge {

const Engine& sglang_engine() {
  static const Engine engine{"sglang",
                             "SGLang",
                             {sglang::kVersions.begin(), sglang::kVersions.end()},
                             {{"mem_fraction_static", OptionType::number, "by GPU memory"},
                              {"context_length", OptionType::integer, "workload.context_tokens"},
                              {"max_running_requests", OptionType::integer, "workload.sequences"},
                              {"chunked_prefill_size", OptionType::integer, "2048 to 16384, by GPU memory"},
                              {"max_total_tokens", OptionType::integer, "as many as fit"},
                              {"kv_cache_dtype", OptionType::text, "auto"},
                              {"page_size", OptionType::integer, "1; 64 on Blackwell"},
                              {"enable_dp_attention", OptionType::flag, "false"},
                              {"dp_size", OptionType::integer, "1"},
                              {"ep_size", OptionType::integer, "1"},
                              {"moe_runner_backend", OptionType::text, "auto"},
                              {"speculative_algorithm", OptionType::text, "none"},
                              {"speculative_num_draft_tokens", OptionType::integer, "by algorithm"},
                              {"swa_full_tokens_ratio", OptionType::number, "0.8"},
                              {"mamba_full_memory_ratio", OptionType::number, "0.9"},
                              {"cuda_graph_max_bs", OptionType::integer, "8 to 512, by GPU memory"},
                              {"disable_cuda_graph", OptionType::flag, "false"},
                              {"disable_radix_cache", OptionType::flag, "false"},
                              {"enable_symm_mem", OptionType::flag, "false"}},
                             {"bf16", "fp16", "fp8", "fp8-block", "int8", "int4", "awq-int4", "gptq-int4", "nf4", "nvfp4"},
                             {"bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1"},
                             nullptr,
                             {"mxfp4", "gptq-int8"},
                             nullptr,
                             false,
                             nullptr,
                             {},
                             "mem_fraction_static",
                             false,
                             false,
                             Machines::several};
  return engine;
}

const Engine& tensorrt_llm_engine() {
  static const Engine engine{"tensorrt-llm",
                             "TensorRT-LLM",
                             {tensorrt_llm::kVersions.begin(), tensorrt_llm::kVersions.end()},
                             {{"free_gpu_memory_fraction", OptionType::number, "0.9"},
                              {"max_seq_len", OptionType::integer, "workload.context_tokens"},
                              {"max_batch_size", OptionType::integer, "workload.sequences"},
                              {"max_num_tokens", OptionType::integer, "8192"},
                              {"tokens_per_block", OptionType::integer, "32"},
                              {"enable_attention_dp", OptionType::flag, "false"},
                              {"moe_expert_parallel_size", OptionType::integer, "1"},
                              {"moe_backend", OptionType::text, "AUTO"},
                              {"num_nextn_predict_layers", OptionType::integer, "0"}},
                             {"bf16", "fp16", "fp8", "fp8-block", "int8", "int4", "awq-int4", "gptq-int4", "nvfp4"},
                             {"bf16", "fp8", "nvfp4"},
                             nullptr,
                             {"mxfp4"},
                             nullptr,
                             false,
                             nullptr,
                             {},
                             "free_gpu_memory_fraction",
                             false,
                             false,
                             Machines::several};
  return engine;
}

const Engine& lmdeploy_engine() {
  static const Engine engine{"lmdeploy",
                             "LMDeploy",
                             {lmdeploy::kVersion},
                             {{"cache_max_entry_count", OptionType::number, "0.8"},
                              {"session_len", OptionType::integer, "workload.context_tokens"},
                              {"max_batch_size", OptionType::integer, "workload.sequences"},
                              {"max_prefill_token_num", OptionType::integer, "8192"},
                              {"cache_block_seq_len", OptionType::integer, "64"},
                              {"quant_policy", OptionType::integer, "0"},
                              {"backend", OptionType::text, "auto"},
                              {"eager_mode", OptionType::flag, "false"},
                              {"enable_prefix_caching", OptionType::flag, "false"}},
                             {"bf16", "fp16", "fp8-block", "int4", "awq-int4", "gptq-int4"},
                             {"int8", "int4", "fp8", "fp8_e5m2"},
                             nullptr,
                             {"fp8", "mxfp4"},
                             nullptr,
                             false,
                             nullptr,
                             {},
                             "cache_max_entry_count",
                             false,
                             false,
                             Machines::several};
  return engine;
}

const Engine& tgi_engine() {
  static const Engine engine{"tgi",
                             "TGI",
                             {tgi::kVersion},
                             {{"cuda_memory_fraction", OptionType::number, "1"},
                              {"max_total_tokens", OptionType::integer, "workload.context_tokens"},
                              {"max_batch_prefill_tokens", OptionType::integer, "by GPU and model"},
                              {"attention", OptionType::text, "auto"},
                              {"cuda_graphs", OptionType::integer, "32"}},
                             {"bf16", "fp16", "fp8", "int4", "awq-int4", "gptq-int4", "nf4", "bnb-int8"},
                             {"bf16", "fp8_e4m3fn", "fp8_e5m2"},
                             nullptr,
                             {"exl2"},
                             nullptr,
                             false,
                             nullptr,
                             {},
                             "cuda_memory_fraction",
                             false};
  return engine;
}

}  // namespace weighbridge

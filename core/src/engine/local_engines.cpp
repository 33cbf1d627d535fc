// SPDX-License-Identifier: Apache-2.0
// llama.cpp and what runs it, as a form shows them. Their rules are many times larger and may be elsewhere (local_rules.hpp).
#include "engine/engine.hpp"
#include "engine/local_rules.hpp"
#include "weighbridge/gguf.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// They load GGUF files only, and mostly for one person.
constexpr UsualChoice kHome{"gguf:Q4_K_M", 1};

/// convert_hf_to_gguf.py keeps 16- and 32-bit weights as they are; it has no file type for others. A GGUF file is loaded as it is.
std::string_view loads_as_gguf(const Model& model) {
  if (model.from_gguf) return "checkpoint";
  const std::string_view format = checkpoint_format(model);
  if (format == "bf16") return "gguf:BF16";
  if (format == "fp16") return "gguf:F16";
  return format == "fp32" ? "gguf:F32" : format;
}

}  // namespace

const Engine& llama_cpp_engine() {
  static const Engine engine{"llama.cpp",
                             "llama.cpp",
                             {llama_cpp::kVersion},
                             {{"n_ctx", OptionType::integer, "context_tokens x sequences"},
                              {"n_seq_max", OptionType::integer, "workload.sequences"},
                              {"n_batch", OptionType::integer, "2048"},
                              {"n_ubatch", OptionType::integer, "512"},
                              {"n_gpu_layers", OptionType::integer, "all"},
                              {"flash_attn", OptionType::text, "auto"},
                              {"type_k", OptionType::text, "f16"},
                              {"type_v", OptionType::text, "f16"},
                              {"kv_unified", OptionType::flag, "false"},
                              {"swa_full", OptionType::flag, "false"},
                              {"offload_kqv", OptionType::flag, "true"},
                              {"op_offload", OptionType::flag, "true"},
                              {"n_outputs", OptionType::integer, "n_ubatch"},
                              {"split_mode", OptionType::text, "layer"},
                              {"tensor_split", OptionType::text, "by free memory"},
                              {"main_gpu", OptionType::integer, "0"},
                              {"override_tensor", OptionType::text, "none"},
                              {"fit", OptionType::flag, "false"},
                              {"fit_target", OptionType::integer, "1024"},
                              {"cache_ram", OptionType::integer, "8192"},
                              {"ctx_checkpoints", OptionType::integer, "32"},
                              {"mmproj", OptionType::flag, "false"},
                              {"mmproj_offload", OptionType::flag, "true"},
                              {"mtp", OptionType::flag, "false"},
                              {"n_rs_seq", OptionType::integer, "3 with mtp"},
                              {"draft_model", OptionType::text, "none"},
                              {"draft_weights", OptionType::text, "as the model"},
                              {"n_gpu_layers_draft", OptionType::integer, "all"},
                              {"type_k_draft", OptionType::text, "f16"},
                              {"type_v_draft", OptionType::text, "f16"},
                              {"embeddings", OptionType::flag, "false"},
                              {"pooling_type", OptionType::text, "mean for encoders"},
                              {"mmap", OptionType::flag, "true"},
                              {"lora_bytes", OptionType::integer, "0"}},
                             gguf_formats(),
                             {"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl"},
                             nullptr,
                             {},
                             loads_as_gguf,
                             true,
                             nullptr,
                             kHome,
                             "",
                             true,
                             false,
                             Machines::one,
                             kContextPadding};
  return engine;
}

const Engine& ollama_engine() {
  static const Engine engine{"ollama",
                             "Ollama",
                             {ollama::kVersions.begin(), ollama::kVersions.end()},
                             {{"num_ctx", OptionType::integer, "by GPU memory"},
                              {"num_parallel", OptionType::integer, "1"},
                              {"num_batch", OptionType::integer, "512, 1024 or 2048"},
                              {"num_gpu", OptionType::integer, "as many as fit"},
                              {"flash_attention", OptionType::flag, "auto"},
                              {"kv_cache_type", OptionType::text, "f16"},
                              {"sched_spread", OptionType::flag, "false"},
                              {"gpu_overhead", OptionType::integer, "0"},
                              {"main_gpu", OptionType::integer, "any"},
                              {"mtp", OptionType::flag, "false"}},
                             llama_cpp_engine().weights_formats,
                             {"f16", "q8_0", "q4_0"},
                             nullptr,
                             {},
                             llama_cpp_engine().loads_checkpoint_as,
                             true,
                             nullptr,
                             kHome};
  return engine;
}

const Engine& lm_studio_engine() {
  static const Engine engine{"lm-studio",
                             "LM Studio",
                             {lm_studio::kVersions.begin(), lm_studio::kVersions.end()},
                             {{"context_length", OptionType::integer, "4096"},
                              {"parallel", OptionType::integer, "4"},
                              {"eval_batch_size", OptionType::integer, "512"},
                              {"flash_attention", OptionType::flag, "true"},
                              {"offload_kv_cache_to_gpu", OptionType::flag, "true"},
                              {"try_mmap", OptionType::flag, "true"}},
                             llama_cpp_engine().weights_formats,
                             llama_cpp_engine().kv_types,
                             nullptr,
                             {},
                             llama_cpp_engine().loads_checkpoint_as,
                             true,
                             nullptr,
                             kHome};
  return engine;
}

}  // namespace weighbridge

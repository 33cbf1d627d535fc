// SPDX-License-Identifier: Apache-2.0
// The settings of an answer as flags of llama-server: ggml-org/llama.cpp v0.5.0 common/arg.cpp. What equals the server's default is left out.
#include <string>

#include "engine/llama_cpp/llama_cpp.hpp"
#include "json_text.hpp"
#include "options/command_line.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge::llama_cpp {

namespace {

/// "Qwen3-8B-Q4_K_M.gguf" for Qwen/Qwen3-8B in gguf:Q4_K_M; a placeholder if the model has no name.
std::string file_of(const Model& model, std::string_view format, std::string_view fallback) {
  const std::string& name = model.id.empty() ? model.name : model.id;
  const std::string base = name.substr(name.rfind('/') + 1);
  if (!is_plain_word(base)) return std::string(fallback);
  return base + (format.starts_with("gguf:") ? "-" + std::string(format.substr(5)) : "") + ".gguf";
}

std::string share_text(double share) {
  const auto whole = static_cast<std::int64_t>(share);
  if (static_cast<double>(whole) == share) return std::to_string(whole);
  std::string text = std::to_string(share);
  text.erase(text.find_last_not_of('0') + 1);
  return text;
}

void add_placement(const Job& job, const Settings& s, CommandLine& line) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  if (job.scenario.hardware.empty()) return;
  line.add("-ngl", s.gpu_layers);
  if (o.split_mode == SplitMode::none) line.add("-sm", "none");
  if (o.split_mode == SplitMode::none) line.add("-mg", o.main_gpu);
  std::string shares;
  for (const double share : o.tensor_split) shares += (shares.empty() ? "" : ",") + share_text(share);
  if (!shares.empty()) line.add("-ts", shares);
  if (job.scenario.cpu_moe_layers > 0) line.add("--n-cpu-moe", job.scenario.cpu_moe_layers);
  std::string rules;
  for (const TensorOverride& rule : o.override_tensor) rules += (rules.empty() ? "" : ",") + rule.pattern + "=" + rule.buffer;
  if (!rules.empty()) line.add_quoted("-ot", rules);
  line.add_if(!s.offload_kqv, "--no-kv-offload");
  line.add_if(!s.op_offload, "--no-op-offload");
}

void add_context(const Job& job, const Settings& s, CommandLine& line) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  line.add("-c", s.n_ctx);
  line.add("-np", s.n_seq_max);
  line.add_if(s.n_seq_max > 1 && s.n_streams == 1, "--kv-unified");
  line.add("-b", o.n_batch);
  line.add("-ub", o.n_ubatch);
  if (o.flash_attn) line.add("-fa", *o.flash_attn ? "on" : "off");
  if (!(s.type_k == dtype::f16)) line.add("-ctk", std::string(s.type_k.name));
  if (!(s.type_v == dtype::f16)) line.add("-ctv", std::string(s.type_v.name));
  line.add_if(s.swa_full, "--swa-full");
}

void add_extras(const Job& job, CommandLine& line) {
  const LlamaCppOptions& o = job.scenario.options.llama_cpp;
  if (o.mmproj.value_or(false)) line.add("--mmproj", "mmproj.gguf");
  line.add_if(o.mmproj.value_or(false) && !o.mmproj_offload.value_or(true), "--no-mmproj-offload");
  line.add_if(drafts(job), "--spec-type draft-mtp");
  if (drafts(job)) line.add("--spec-draft-n-max", o.n_rs_seq);
  if (job.scenario.draft != nullptr) {
    line.add("-md", file_of(*job.scenario.draft, o.draft_weights.value_or(job.scenario.weights_format), "draft.gguf"));
    line.add("-ngld", o.n_gpu_layers_draft);
  }
  if (drafts(job) || job.scenario.draft != nullptr) {
    if (o.type_k_draft) line.add("-ctkd", *o.type_k_draft);
    if (o.type_v_draft) line.add("-ctvd", *o.type_v_draft);
  }
  if (o.lora_bytes.value_or(0) > 0) line.add("--lora", "adapter.gguf");
  line.add_if(o.embeddings.value_or(false), "--embeddings");
  line.add_if(!o.mmap.value_or(true), "--no-mmap");
  line.add("--cache-ram", o.cache_ram);
  line.add("--ctx-checkpoints", o.ctx_checkpoints);
}

}  // namespace

std::string command_line(const Job& job, const Settings& s) {
  const std::string_view format = loaded_format(job.model, job.scenario);
  CommandLine line("llama-server -m " + file_of(job.model, format, "model.gguf"));
  add_context(job, s, line);
  add_placement(job, s, line);
  add_extras(job, line);
  return line.text();
}

}  // namespace weighbridge::llama_cpp

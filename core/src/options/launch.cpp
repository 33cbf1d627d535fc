// SPDX-License-Identifier: Apache-2.0
// The method `launch`: an engine with the settings of a request, as a line for a shell; over several machines `command` is what the first of them
// runs, and `others` what each further one does, in order, where the first does not start them. A setting's name is that of its flag: vLLM makes flags of
// the fields of its configs (vllm-project/vllm vllm/engine/arg_utils.py), SGLang of those of ServerArgs (sgl-project/sglang@001067f
// python/sglang/srt/server_args.py); TensorRT-LLM takes some as flags (NVIDIA/TensorRT-LLM tensorrt_llm/commands/serve.py) and all in a file;
// InternLM/lmdeploy lmdeploy/cli/serve.py; huggingface/text-generation-inference launcher/src/main.rs; mlc-ai/mlc-llm
// python/mlc_llm/cli/serve.py; ml-explore/mlx-lm mlx_lm/{server,generate}.py.
#include <algorithm>

#include "engine/engine.hpp"
#include "engine/lmdeploy/lmdeploy.hpp"
#include "engine/mlc/mlc.hpp"
#include "engine/one_pool.hpp"
#include "engine/vllm/vllm.hpp"
#include "method.hpp"
#include "options.hpp"
#include "options/command_line.hpp"
#include "request.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// What a server is started with: its settings as they were asked for, and the length and number of requests that were counted.
Json settings_of(const Scenario& scenario) {
  EngineOptions options = scenario.options;
  options.max_model_len = options.max_model_len.value_or(scenario.context_tokens);
  const std::int64_t engines = scenario.engine == "vllm" ? scenario.parallel.data : 1;  // vLLM's number is that of one engine
  options.max_num_seqs = options.max_num_seqs.value_or(ceil_div(scenario.sequences, engines));
  options.kv_cache_dtype.reset();  // each line says the cache type that was counted
  return describe_options(options, scenario.engine);
}

/// "max_model_len" as "--max-model-len".
std::string dashed(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

/// `--name value`, `--name` for true. For false `--no-name` where `has_no`; else nothing, as that is the default.
void add_setting(CommandLine& line, const std::string& flag, const Json& value, bool has_no) {
  if (value.is_string()) return line.add(flag, value.get<std::string>());
  if (!value.is_boolean()) return line.add(flag + " " + value.dump());
  if (value.get<bool>())
    line.add(flag);
  else if (has_no)
    line.add("--no-" + flag.substr(2));
}

/// What the engine loads: the repository, or where a copy in the asked format has to come from first.
std::string source_of(const Model& model, bool is_copy, const std::string& format) {
  const std::string& id = model.id;
  if (!is_plain_word(id, "/")) return "MODEL";
  return is_copy ? "path/to/" + id.substr(id.rfind('/') + 1) + "-" + format : id;
}

/// Engines that hold the whole checkpoint on the GPUs before they quantize it, which is more than was counted.
bool quantizes_after_loading(const Scenario& scenario) {
  return scenario.engine == "sglang" || !vllm::rules_for(scenario.engine_version).quantizes_while_loading;
}

/// The flag with which an engine makes `format` of a 16-bit checkpoint as it loads; empty: it takes a copy that somebody made.
std::string conversion(const Model& model, const Scenario& scenario) {
  const std::string& format = scenario.weights_format;
  const std::string& engine = scenario.engine;
  if (engine == "tensorrt-llm" || engine == "mlx" || engine == "mlc-llm" || !has_plain_weights(model)) return "";
  if (format == "bf16") return "--dtype bfloat16";
  if (format == "fp16") return "--dtype float16";
  if (format == "fp32") return "--dtype float32";
  if (engine == "tgi") {  // launcher/src/main.rs Quantization
    if (format == "fp8") return "--quantize fp8";
    if (format == "nf4") return "--quantize bitsandbytes-nf4";
    return format == "bnb-int8" ? "--quantize bitsandbytes" : "";
  }
  if (format == "nf4") return "--quantization bitsandbytes";
  return format == "fp8" && !quantizes_after_loading(scenario) ? "--quantization fp8" : "";
}

/// The start of a line: environment and program, then what is loaded.
CommandLine start(std::string_view program, const Model& model, const Scenario& scenario) {
  const bool is_published = scenario.weights_format == "checkpoint" || is_as_published(model, scenario.weights_format);
  const std::string made = is_published ? "" : conversion(model, scenario);
  CommandLine line(std::string(program) + " " + source_of(model, !is_published && made.empty(), scenario.weights_format));
  line.add_if(!made.empty(), made);
  return line;
}

void add_if_several(CommandLine& line, std::string_view flag, std::int64_t count) {
  if (count > 1) line.add(flag, count);
}

/// What each machine runs, the one that others look for first. One command where it starts the others itself.
using Commands = std::vector<std::string>;

constexpr std::string_view kHead = "HEAD_IP";  ///< stands for the address of the first machine

/// The same line on every machine with what tells it its place: `place` takes the number of the machine.
template <class Place>
Commands on_each(const CommandLine& line, std::int64_t nodes, Place place) {
  Commands commands;
  for (std::int64_t node = 0; node < nodes; ++node) {
    CommandLine own = line;
    if (nodes > 1) place(own, node);
    commands.push_back(own.text());
  }
  return commands;
}

/// The form that SGLang and LMDeploy share (launch_server.py `--dist-init-addr`; lmdeploy/turbomind/turbomind.py).
Commands joined_at(const CommandLine& line, std::int64_t nodes, std::string_view port) {
  return on_each(line, nodes, [&](CommandLine& own, std::int64_t node) {
    own.add("--nnodes", nodes);
    own.add("--node-rank", node);
    own.add("--dist-init-addr " + std::string(kHead) + ":" + std::string(port));
  });
}

/// Whole engines on every machine (docs/serving/data_parallel_deployment.md), else one engine over machines, by processes or by Ray
/// (docs/serving/parallelism_scaling.md; the ports are those of these pages).
Commands spread_vllm(CommandLine line, const Scenario& scenario) {
  const std::int64_t data = scenario.parallel.data;
  const std::int64_t nodes = scenario.parallel.nodes;
  const std::string head(kHead);
  if (nodes == 1) return {line.text()};
  if (data > 1 && data % nodes == 0) {
    const std::int64_t local = data / nodes;
    line.add("--data-parallel-size-local", local);
    line.add("--data-parallel-address " + head + " --data-parallel-rpc-port 13345");
    return on_each(line, nodes, [&](CommandLine& own, std::int64_t node) {
      if (node == 0) return;
      own.add("--headless");
      own.add("--data-parallel-start-rank", node * local);
    });
  }
  if (vllm::rules_for(scenario.engine_version).spans_by_processes)
    return on_each(line, nodes, [&](CommandLine& own, std::int64_t node) {
      own.add("--nnodes", nodes);
      own.add("--node-rank", node);
      own.add("--master-addr " + head);
      own.add_if(node > 0, "--headless");
    });
  line.add("--distributed-executor-backend ray");
  Commands commands(static_cast<std::size_t>(nodes), "ray start --block --address=" + head + ":6379");
  commands.front() = "ray start --head --port=6379\n" + line.text();
  return commands;
}

/// `--kv-cache-dtype`: 16 bits are said only to a checkpoint that asks for less. Empty: as the engine has it.
std::string cache_type(const Model& model, const Scenario& scenario) {
  const std::string& type = scenario.kv_type;
  if (type.starts_with("fp")) return type;
  const bool is_wide = type == "bf16" || type == "f16";
  return is_wide && model.stated_cache != StatedCache::none ? (type == "bf16" ? "bfloat16" : "float16") : "";
}

Commands launch_vllm(const Model& model, const Scenario& scenario) {
  Json settings = settings_of(scenario);
  const auto take = [&](const char* name) {
    Json value = settings.value(name, Json());
    settings.erase(name);
    return value;
  };
  const Json sampler = take("flashinfer_sampler");
  const Json method = take("speculative_method");
  const Json drafted = take("num_speculative_tokens");
  const Json draft = take("draft_model");
  if (scenario.options.vllm.offline_inference.value_or(false)) return {""};  // a class, not a server
  std::string program = "vllm serve";
  if (sampler.is_boolean()) program = std::string("VLLM_USE_FLASHINFER_SAMPLER=") + (sampler.get<bool>() ? "1 " : "0 ") + program;
  CommandLine line = start(program, model, scenario);
  add_if_several(line, "--tensor-parallel-size", scenario.parallel.tensor);
  add_if_several(line, "--pipeline-parallel-size", scenario.parallel.pipeline);
  add_if_several(line, "--data-parallel-size", scenario.parallel.data);
  line.add_if(scenario.parallel.expert, "--enable-expert-parallel");
  for (const auto& [name, value] : settings.items()) add_setting(line, dashed(name), value, true);
  if (const std::string type = cache_type(model, scenario); !type.empty()) line.add("--kv-cache-dtype", type);
  const bool drafts = method.is_string() || draft.is_string() || (drafted.is_number() && !model.mtp_layers.empty());
  if (drafts) {
    const Json usual(draft.is_string() ? "draft_model" : "mtp");
    Json config{{"method", method.is_string() ? method : usual}, {"num_speculative_tokens", drafted.is_number() ? drafted : Json(1)}};
    if (draft.is_string()) config["model"] = scenario.draft ? Json(scenario.draft->id) : draft;
    line.add_quoted("--speculative-config", config.dump());
  }
  return spread_vllm(std::move(line), scenario);
}

Commands launch_sglang(const Model& model, const Scenario& scenario) {
  Json settings = settings_of(scenario);
  const Json drafted = settings.value("speculative_num_draft_tokens", Json());
  CommandLine line = start("python3 -m sglang.launch_server --model-path", model, scenario);
  add_if_several(line, "--tp-size", scenario.parallel.tensor);
  add_if_several(line, "--pp-size", scenario.parallel.pipeline);
  if (!settings.contains("dp_size")) add_if_several(line, "--dp-size", scenario.parallel.data);
  if (!settings.contains("ep_size") && scenario.parallel.expert) line.add("--ep-size", scenario.parallel.tensor);
  for (const auto& [name, value] : settings.items()) add_setting(line, dashed(name), value, false);
  // A chain of drafts: one step fewer than tokens that are verified.
  if (drafted.is_number()) {
    line.add("--speculative-num-steps", std::max<std::int64_t>(1, drafted.get<std::int64_t>() - 1));
    line.add("--speculative-eagle-topk", 1);
  }
  if (const std::string type = cache_type(model, scenario); !type.empty()) line.add("--kv-cache-dtype", type);
  return joined_at(line, scenario.parallel.nodes, "20000");
}

/// One process a GPU of all machines, which MPI starts (NVIDIA/TensorRT-LLM tensorrt_llm/llmapi/trtllm-llmapi-launch).
std::string under_mpi(const Scenario& scenario) {
  const std::int64_t nodes = scenario.parallel.nodes;
  if (nodes == 1) return "";
  const std::string slots = ":" + std::to_string(scenario.device_count() / nodes);
  std::string hosts = std::string(kHead) + slots;
  for (std::int64_t node = 1; node < nodes; ++node) hosts += ",NODE" + std::to_string(node) + "_IP" + slots;
  return "mpirun -n " + std::to_string(scenario.device_count()) + " -H " + hosts + " trtllm-llmapi-launch ";
}

Commands launch_tensorrt_llm(const Model& model, const Scenario& scenario) {
  const Json settings = settings_of(scenario);
  CommandLine line = start(under_mpi(scenario) + "trtllm-serve", model, scenario);
  add_if_several(line, "--tp_size", scenario.parallel.tensor);
  add_if_several(line, "--pp_size", scenario.parallel.pipeline);
  if (!settings.contains("moe_expert_parallel_size") && scenario.parallel.expert) line.add("--ep_size", scenario.parallel.tensor);
  std::string cache;
  std::string rest;
  for (const auto& [name, value] : settings.items()) {
    if (name == "moe_expert_parallel_size")
      line.add("--ep_size", value.dump());
    else if (name == "free_gpu_memory_fraction")
      line.add("--kv_cache_free_gpu_memory_fraction", value.dump());
    else if (name == "tokens_per_block")
      cache += "  tokens_per_block: " + value.dump() + "\n";
    else if (name == "enable_attention_dp")
      rest += "enable_attention_dp: " + value.dump() + "\n";
    else if (name == "moe_backend")
      rest += "moe_config:\n  backend: " + value.get<std::string>() + "\n";
    else if (name == "num_nextn_predict_layers")
      rest += "speculative_config:\n  decoding_type: MTP\n  num_nextn_predict_layers: " + value.dump() + "\n";
    else
      add_setting(line, "--" + name, value, false);
  }
  if (scenario.kv_type.starts_with("fp8") || scenario.kv_type == "nvfp4")
    cache += "  dtype: " + std::string(scenario.kv_type == "nvfp4" ? "nvfp4" : "fp8") + "\n";
  const std::string text = (cache.empty() ? "" : "kv_cache_config:\n" + cache) + rest;
  if (text.empty()) return {line.text()};
  line.add("--extra_llm_api_options", "options.yaml");
  return {"cat > options.yaml <<'END'\n" + text + "END\n" + line.text()};
}

Commands launch_lmdeploy(const Model& model, const Scenario& scenario) {
  const Json settings = settings_of(scenario);
  CommandLine line = start("lmdeploy serve api_server", model, scenario);
  add_if_several(line, "--tp", scenario.parallel.tensor);
  if (scenario.parallel.expert) line.add("--ep", scenario.parallel.tensor);
  for (const auto& [name, value] : settings.items())
    if (name != "backend" || value != "auto") add_setting(line, dashed(name), value, false);
  if (const std::int64_t policy = lmdeploy::quant_policy(scenario); policy > 0 && !settings.contains("quant_policy"))
    line.add("--quant-policy", std::to_string(policy));
  return joined_at(line, scenario.parallel.nodes, "29500");
}

Commands launch_tgi(const Model& model, const Scenario& scenario) {
  const ServingOptions& own = scenario.options.serving;
  const std::string environment = own.attention && is_plain_word(*own.attention) ? "ATTENTION=" + *own.attention + " " : "";
  const Json settings = settings_of(scenario);
  CommandLine line = start(environment + "text-generation-launcher --model-id", model, scenario);
  add_if_several(line, "--num-shard", scenario.parallel.tensor);
  for (const auto& [name, value] : settings.items()) {
    if (name == "attention") continue;
    if (name != "cuda_graphs") {
      add_setting(line, dashed(name), value, false);
      continue;
    }
    std::string sizes = "0";
    for (std::int64_t size = 1; size <= value.get<std::int64_t>(); size *= 2) sizes = (size == 1 ? "" : sizes + ",") + std::to_string(size);
    line.add("--cuda-graphs", sizes);
  }
  if (scenario.kv_type.starts_with("fp8")) line.add("--kv-cache-dtype", scenario.kv_type);
  return {line.text()};
}

Commands launch_mlc(const Model& model, const Scenario& scenario) {
  Json settings = settings_of(scenario);
  const EngineOptions& o = scenario.options;
  const bool has_mode = o.serving.mode && *o.serving.mode != "auto";
  // A mode, which is "local" where none is named, sets what is not given; none of them was counted.
  if (!has_mode && !o.serving.max_total_tokens) settings["max_total_seq_length"] = pooled_tokens(scenario, scenario.sequences, mlc::kPage);
  if (has_mode && !o.max_num_seqs) settings.erase("max_num_sequence");
  CommandLine line = start("mlc_llm serve", model, scenario);
  std::string overrides;
  const auto add = [&](std::string_view name, const std::string& value) {
    overrides += (overrides.empty() ? "" : ";") + std::string(name) + "=" + value;
  };
  if (scenario.parallel.tensor > 1) add("tensor_parallel_shards", std::to_string(scenario.parallel.tensor));
  for (const auto& [name, value] : settings.items())
    if (name != "mode") add(name, value.dump());
  if (has_mode && is_plain_word(*o.serving.mode)) line.add("--mode", *o.serving.mode);
  if (!overrides.empty()) line.add_quoted("--overrides", overrides);
  return {line.text()};
}

/// mlx_lm's server; what only its `generate` takes, with that (ml-explore/mlx-lm mlx_lm/server.py, mlx_lm/generate.py).
Commands launch_mlx(const Model& model, const Scenario& scenario) {
  const LibraryOptions& o = scenario.options.library;
  const bool is_quantized = scenario.kv_type.starts_with("q");
  const bool generates = is_quantized || o.max_kv_size;
  CommandLine line = start(generates ? "mlx_lm.generate --model" : "mlx_lm.server --model", model, scenario);
  line.add("--max-tokens", o.new_tokens);
  if (generates) {
    line.add("--max-kv-size", o.max_kv_size);
    if (is_quantized) line.add("--kv-bits " + scenario.kv_type.substr(1) + " --kv-group-size " + std::to_string(o.kv_group_size.value_or(64)));
    line.add_if(is_quantized, "--quantized-kv-start 0");
    line.add("--prompt -");
    return {line.text()};
  }
  line.add("--decode-concurrency", scenario.sequences);
  line.add("--prompt-concurrency", scenario.sequences);
  line.add("--prefill-step-size", o.prefill_tokens);
  line.add("--prompt-cache-size", o.prompt_caches.value_or(0));
  return {line.text()};
}

/// For each engine that is a server of its own; llama.cpp's line comes with its plan.
constexpr std::pair<std::string_view, Commands (*)(const Model&, const Scenario&)> kLaunches[] = {
    {"vllm", launch_vllm},   {"sglang", launch_sglang}, {"tensorrt-llm", launch_tensorrt_llm}, {"lmdeploy", launch_lmdeploy}, {"tgi", launch_tgi},
    {"mlc-llm", launch_mlc}, {"mlx", launch_mlx}};

}  // namespace

Result<JsonOut> call_launch(const Json& params, Context& context) {
  const Result<Request> request = read_request(params, context.catalogue, context.warnings);
  if (!request) return fail(request.error());
  const Result<Estimate> answer = estimate(request->model(), request->scenario);
  if (!answer) return fail(answer.error());
  Commands commands{answer->engine.command};
  if (answer->verdict.kind != VerdictClass::impossible)
    for (const auto& [engine, launch] : kLaunches)
      if (engine == answer->engine.name) commands = launch(request->model(), request->scenario);
  JsonOut result{{"command", commands.front().empty() ? JsonOut() : JsonOut(commands.front())}};
  if (commands.size() == 1) return result;
  JsonOut others = JsonOut::array();
  for (std::size_t node = 1; node < commands.size(); ++node) others.push_back(JsonOut(commands[node]));
  result.add("others", std::move(others));
  return result;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
// weighbridge_planner BACKENDS: asks the real llama.cpp what memory a context would take, without weights and without a GPU. One JSON object a line
// in, one out. {"file", "gpus", "options": {engine's own names}} answers {"devices", "host"} as [weights, cache, graph buffers] in bytes, or
// {"refused"}; with "fit": {"memory_bytes": [free on each GPU], "margin_bytes", "n_ctx_min"} also {"chosen"}, what the engine's automatic fit set. With
// "draft": {"file", "options"} a second model that drafts is planned behind the first, at its context, and the answer has its plan as "draft".
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "fit.h"
#include "ggml-backend.h"
#include "llama-ext.h"
#include "llama.h"

namespace {

using Json = nlohmann::ordered_json;

/// The engine's last complaint: it refuses with a line in its log and a null pointer.
std::string g_complaint;

void keep_complaint(ggml_log_level level, const char* text, void*) {
  if (std::getenv("PLANNER_LOG") != nullptr) std::fputs(text, stderr);
  if (level != GGML_LOG_LEVEL_ERROR) return;
  const std::string line = text;
  // The last lines mostly say no more than that something failed.
  const bool is_outcome = line.find("failed to load model") != std::string::npos ||
                          line.find("failed to initialize the context") != std::string::npos;
  if (!is_outcome || g_complaint.empty()) g_complaint = line;
}

ggml_type type_named(const std::string& name) {
  for (int i = 0; i < GGML_TYPE_COUNT; ++i) {
    const char* known = ggml_type_name(static_cast<ggml_type>(i));
    if (known != nullptr && name == known) return static_cast<ggml_type>(i);
  }
  return GGML_TYPE_F16;
}

std::vector<ggml_backend_dev_t> gpu_devices(std::size_t count) {
  std::vector<ggml_backend_dev_t> devices;
  for (std::size_t i = 0; i < ggml_backend_dev_count() && devices.size() < count; ++i)
    if (ggml_backend_dev_type(ggml_backend_dev_get(i)) == GGML_BACKEND_DEVICE_TYPE_GPU) devices.push_back(ggml_backend_dev_get(i));
  return devices;
}

/// The engine's parameters, and what they point to.
struct ModelSettings {
  llama_model_params params = llama_model_default_params();
  std::vector<ggml_backend_dev_t> devices;
  std::vector<float> tensor_split = std::vector<float>(llama_max_devices(), 0.0F);
  std::deque<std::string> patterns;
  std::vector<llama_model_tensor_buft_override> overrides;

  explicit ModelSettings(const Json& request) {
    const Json options = request.value("options", Json::object());
    devices = gpu_devices(request.value("gpus", std::size_t{0}));
    devices.push_back(nullptr);
    params.devices = devices.data();
    params.no_alloc = !request.value("real", false);  // real: loads the model and takes what it takes
    params.load_mode = LLAMA_LOAD_MODE_NONE;
    params.use_extra_bufts = request.value("use_extra_bufts", false);  // repacking depends on the processor
    params.n_gpu_layers = options.value("n_gpu_layers", -1);
    params.load_mtp = options.value("mtp", false);
    const std::string split = options.value("split_mode", "layer");
    params.split_mode = split == "none"     ? LLAMA_SPLIT_MODE_NONE
                        : split == "row"    ? LLAMA_SPLIT_MODE_ROW
                        : split == "tensor" ? LLAMA_SPLIT_MODE_TENSOR
                                            : LLAMA_SPLIT_MODE_LAYER;
    set_split(options);
    set_overrides(options);
  }
  ModelSettings(const ModelSettings&) = delete;
  ModelSettings& operator=(const ModelSettings&) = delete;

 private:
  void set_split(const Json& options) {
    if (!options.contains("tensor_split")) return;
    for (std::size_t i = 0; i < options["tensor_split"].size(); ++i) tensor_split[i] = options["tensor_split"][i].get<float>();
    params.tensor_split = tensor_split.data();
  }

  /// common/arg.cpp, --n-cpu-moe and --override-tensor PATTERN=CPU.
  void set_overrides(const Json& options) {
    for (int layer = 0; layer < options.value("n_cpu_moe", 0); ++layer)
      patterns.push_back("blk\\." + std::to_string(layer) + "\\.ffn_(up|down|gate|gate_up)_(ch|)exps");
    if (options.contains("override_tensor"))
      for (const Json& pattern : options["override_tensor"]) patterns.push_back(pattern.get<std::string>());
    if (patterns.empty()) return;
    for (const std::string& pattern : patterns) overrides.push_back({pattern.c_str(), ggml_backend_cpu_buffer_type()});
    overrides.push_back({nullptr, nullptr});
    params.tensor_buft_overrides = overrides.data();
  }
};

llama_context_params context_settings(const Json& options) {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = options.value("n_ctx", 0U);
  params.n_batch = options.value("n_batch", params.n_batch);
  params.n_ubatch = options.value("n_ubatch", params.n_ubatch);
  params.n_seq_max = options.value("n_seq_max", 1U);
  params.n_outputs_max = options.value("n_outputs", 0U);
  params.n_rs_seq = options.value("n_rs_seq", 0U);
  params.kv_unified = options.value("kv_unified", false);
  params.swa_full = options.value("swa_full", false);
  params.offload_kqv = options.value("offload_kqv", true);
  params.op_offload = options.value("op_offload", true);
  params.embeddings = options.value("embeddings", false);
  params.type_k = type_named(options.value("type_k", "f16"));
  params.type_v = type_named(options.value("type_v", "f16"));
  const std::string flash = options.value("flash_attn", "auto");
  params.flash_attn_type = flash == "on"    ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                           : flash == "off" ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                                            : LLAMA_FLASH_ATTN_TYPE_AUTO;
  if (options.value("mtp_context", false)) params.ctx_type = LLAMA_CONTEXT_TYPE_MTP;
  return params;
}

Json refusal(const std::exception* thrown) {
  std::string text = thrown != nullptr ? thrown->what() : g_complaint;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return Json{{"refused", text.empty() ? "no reason given" : text}};
}

/// Sums by device; what a host buffer of any backend holds counts for the host.
Json breakdown(const llama_context* context, const ModelSettings& settings) {
  const std::size_t n_devices = settings.devices.size() - 1;
  std::vector<std::array<std::size_t, 3>> sums(n_devices + 1);  // the host last
  Json buffers = Json::object();
  for (const auto& [type, bytes] : llama_get_memory_breakdown(context)) {
    const auto found = std::find(settings.devices.begin(), settings.devices.end() - 1, ggml_backend_buft_get_device(type));
    const auto place = static_cast<std::size_t>(found - settings.devices.begin());
    buffers[ggml_backend_buft_name(type)] = {bytes.model, bytes.context, bytes.compute};
    if (place == n_devices && !ggml_backend_buft_is_host(type)) throw std::runtime_error(buffers.dump() + " lies on no single device");
    auto& sum = sums[ggml_backend_buft_is_host(type) ? n_devices : place];
    sum[0] += bytes.model;
    sum[1] += bytes.context;
    sum[2] += bytes.compute;
  }
  Json answer{{"devices", Json::array()}, {"host", sums.back()}, {"buffers", buffers}};
  for (std::size_t i = 0; i < n_devices; ++i) answer["devices"].push_back(sums[i]);
  return answer;
}

/// One model at a time stays loaded: reading its header again takes longer than a plan.
class Planner {
 public:
  ~Planner() { llama_model_free(model_); }
  Planner() = default;
  Planner(const Planner&) = delete;
  Planner& operator=(const Planner&) = delete;

  Json plan(const Json& request) {
    g_complaint.clear();
    ModelSettings settings(request);
    try {
      if (request.contains("fit")) return fit(request, settings);
      load(request, settings);
      if (model_ == nullptr) return refusal(nullptr);
      Json answer = plan_context(model_, context_settings(request.value("options", Json::object())), settings);
      add_draft(request, answer);
      return answer;
    } catch (const std::exception& error) {
      return refusal(&error);
    }
  }

 private:
  static constexpr std::array kModelOptions{"n_gpu_layers", "mtp", "split_mode", "tensor_split", "n_cpu_moe", "override_tensor"};

  void load(const Json& request, const ModelSettings& settings) {
    Json key{request["file"], request.value("gpus", 0), request.value("use_extra_bufts", false)};
    for (const char* name : kModelOptions) key.push_back(request.value("options", Json::object()).value(name, Json()));
    if (model_ != nullptr && key == loaded_) return;
    llama_model_free(model_);
    model_ = nullptr;
    model_ = llama_model_load_from_file(request["file"].get<std::string>().c_str(), settings.params);
    loaded_ = key;
  }

  static Json plan_context(llama_model* model, const llama_context_params& params, const ModelSettings& settings) {
    llama_context* context = llama_init_from_model(model, params);
    if (context == nullptr) return refusal(nullptr);
    Json answer = breakdown(context, settings);
    answer["n_ctx"] = llama_n_ctx(context);
    llama_free(context);
    return answer;
  }

  /// The second model's own request: its file and options, on the same devices.
  static Json draft_of(const Json& request) {
    Json draft = request["draft"];
    draft["gpus"] = request.value("gpus", 0);
    return draft;
  }

  /// common/speculative.cpp, common_speculative_init_result: the draft's context is as long as the model's.
  static void add_draft(const Json& request, Json& answer) {
    if (!request.contains("draft") || !answer.contains("n_ctx")) return;
    const Json draft = draft_of(request);
    const ModelSettings settings(draft);
    llama_context_params params = context_settings(draft["options"]);
    params.n_ctx = answer["n_ctx"].get<std::uint32_t>();
    llama_model* model = llama_model_load_from_file(draft["file"].get<std::string>().c_str(), settings.params);
    answer["draft"] = model == nullptr ? refusal(nullptr) : plan_context(model, params, settings);
    llama_model_free(model);
  }

  /// common/fit.cpp: what --fit would set, and the plan that follows.
  Json fit(const Json& request, ModelSettings& settings) {
    const Json& wanted = request["fit"];
    set_memory(wanted["memory_bytes"]);
    settings.params.n_gpu_layers = llama_model_default_params().n_gpu_layers;
    settings.overrides.assign(llama_max_tensor_buft_overrides(), {nullptr, nullptr});
    std::vector<std::size_t> margins(llama_max_devices(), wanted.value("margin_bytes", std::size_t{1} << 30));
    llama_context_params context = context_settings(request.value("options", Json::object()));
    const std::string file = request["file"].get<std::string>();
    const Json draft = request.contains("draft") ? draft_of(request) : Json::object();
    ModelSettings draft_settings(draft);
    llama_context_params draft_context = context_settings(draft.value("options", Json::object()));
    const std::string draft_file = draft.value("file", "");
    const common_fit_extra_model extra{draft_file.c_str(), &draft_settings.params, &draft_context, false};
    const auto status = common_fit_params(file.c_str(), &settings.params, &context, settings.tensor_split.data(), settings.overrides.data(),
                                          margins.data(), wanted.value("n_ctx_min", 4096U), draft_file.empty() ? nullptr : &extra,
                                          GGML_LOG_LEVEL_ERROR);
    Json chosen{{"status", status == COMMON_PARAMS_FIT_STATUS_SUCCESS   ? "fits"
                           : status == COMMON_PARAMS_FIT_STATUS_FAILURE ? "does not fit"
                                                                        : "error"},
                {"n_ctx", context.n_ctx},
                {"n_gpu_layers", settings.params.n_gpu_layers}};
    if (settings.params.tensor_split != nullptr)
      for (std::size_t i = 0; i + 1 < settings.devices.size(); ++i) chosen["tensor_split"].push_back(settings.params.tensor_split[i]);
    if (settings.params.tensor_buft_overrides != nullptr)
      for (const auto* row = settings.params.tensor_buft_overrides; row->pattern != nullptr; ++row)
        chosen["overrides"].push_back({row->pattern, ggml_backend_buft_name(row->buft)});
    llama_model_free(model_);
    model_ = llama_model_load_from_file(file.c_str(), settings.params);
    loaded_ = nullptr;
    Json answer = model_ == nullptr ? refusal(nullptr) : plan_context(model_, context, settings);
    Json behind = request;
    // common/common.cpp writes the split into the parameters that the draft's are made of.
    if (behind.contains("draft") && chosen.contains("tensor_split")) behind["draft"]["options"]["tensor_split"] = chosen["tensor_split"];
    add_draft(behind, answer);
    answer["chosen"] = chosen;
    set_memory(Json::array());
    return answer;
  }

  /// What the empty driver says is free; more than any model needs where nothing is given.
  static void set_memory(const Json& free_bytes) {
    using Setter = void (*)(int, std::size_t);
    void* driver = dlopen("libcudart.so.13", RTLD_NOLOAD | RTLD_NOW);
    const auto set = driver == nullptr ? nullptr : reinterpret_cast<Setter>(dlsym(driver, "empty_driver_set_free"));
    if (set == nullptr) return;
    for (int i = 0; i < 16; ++i)
      set(i, static_cast<std::size_t>(i) < free_bytes.size() ? free_bytes[static_cast<std::size_t>(i)].get<std::size_t>() : 0);
  }

  llama_model* model_ = nullptr;
  Json loaded_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: weighbridge_planner FOLDER_OF_BACKENDS\n");
    return 2;
  }
  llama_log_set(keep_complaint, nullptr);
  ggml_backend_load_all_from_path(argv[1]);
  Planner planner;
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line, nullptr, false);
    const Json answer = request.is_object() && request.contains("file") ? planner.plan(request) : Json{{"error", "no request"}};
    std::printf("%s\n", answer.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    std::fflush(stdout);
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Ollama starts llama-server for a GGUF file (llm/llama_server.go): what it chooses before, and llama.cpp's plan with these settings. Releases
// before 0.30 ran models in other ways (ollama_run.cpp).
#include "engine/ollama/ollama.hpp"

#include <algorithm>

#include "engine/formula.hpp"
#include "engine/llama_cpp/llama_cpp.hpp"
#include "engine/local_rules.hpp"
#include "gguf/architecture.hpp"
#include "json_text.hpp"
#include "weighbridge/gguf.hpp"

namespace weighbridge::ollama {

namespace {

/// ollama/ollama server/routes.go, Serve: a little below 48 and 24 GiB, "to account for small differences in the exact value".
constexpr Bytes kLargeTier = 47 * kGiB;
constexpr Bytes kMediumTier = 23 * kGiB;
constexpr std::int64_t kLargeContext = 262144;
constexpr std::int64_t kMediumContext = 32768;
constexpr std::int64_t kSmallContext = 4096;

/// server/sched.go: shares of free memory in percent.
constexpr std::uint64_t kPlacedShare = 80;
constexpr std::uint64_t kLargeBatchShare = 60;
constexpr std::uint64_t kMediumBatchShare = 75;
constexpr std::int64_t kLargeBatch = 2048;
constexpr std::int64_t kMediumBatch = 1024;
constexpr std::int64_t kSmallBatch = 512;
constexpr std::int64_t kConstrainedBatch = 256;
constexpr Bytes kLargeSurcharge = 2 * kGiB;
constexpr Bytes kMediumSurcharge = 768 * kMiB;
constexpr std::int64_t kDraftTokens = 4;    // api/types.go, DraftNumPredict
constexpr Bytes kProjectorHeadroom = kGiB;  // llm/llama_server.go, mmprojOffloadHeadroom

Bytes share_of(Bytes bytes, std::uint64_t percent) { return bytes * percent / 100; }

/// All memory of all GPUs, used or not, less what OLLAMA_GPU_OVERHEAD takes off each.
Bytes total_vram(const Scenario& scenario) {
  Bytes sum;
  for (const DeviceGroup& group : scenario.hardware)
    sum += (group.device.runtime_bytes - Bytes(static_cast<std::uint64_t>(scenario.options.llama_cpp.gpu_overhead.value_or(0)))) *
           static_cast<std::uint64_t>(group.count);
  return sum;
}

std::int64_t tier_of(Bytes vram) {
  if (vram >= kLargeTier) return kLargeContext;
  return vram >= kMediumTier ? kMediumContext : kSmallContext;
}

/// llm/llama_server.go, PredictServerVRAM: the file, and keys and values as if every layer had the fewest heads of any.
Bytes predicted_vram(const Job& job, std::int64_t tokens) {
  std::int64_t kv_heads = 0;
  std::int64_t heads = 0;
  for (const LayerSpec& layer : job.model.layers.kinds()) {
    const FullAttention* attention = grouped_attention(layer.mixer);
    const std::int64_t own = attention != nullptr ? attention->n_kv_heads : 1;
    kv_heads = kv_heads == 0 ? own : std::min(kv_heads, own);
  }
  heads = attention_heads(job.model);
  Bytes file;
  for (const Tensor& tensor : job.tensors)
    if (tensor.part == ModelPart::text || tensor.part == ModelPart::mtp) file += tensor.bytes();
  if (heads == 0) return file;
  return file + value_of({{"keys_and_values", 2},
                          {"layers", llama_cpp::layers_of_file(job)},
                          {"kv_heads", std::max<std::int64_t>(kv_heads, 1)},
                          {"head_dim", job.model.hidden_size / heads},
                          {"tokens", tokens},
                          {"bytes_per_value", 2}});
}

/// The one device that holds all of it with a fifth to spare, the one with most memory first; nothing: all of them.
std::optional<std::int64_t> single_device(const Scenario& scenario, Bytes predicted) {
  std::optional<std::int64_t> best;
  Bytes most;
  std::int64_t index = 0;
  for (const DeviceGroup& group : scenario.hardware) {
    if (predicted <= share_of(group.capacity(), kPlacedShare) && group.capacity() > most) {
      best = index;
      most = group.capacity();
    }
    index += group.count;
  }
  return best;
}

Bytes free_memory(const Scenario& scenario) {
  Bytes sum;
  for (const std::size_t group : llama_cpp::device_groups(scenario)) sum += scenario.hardware[group].capacity();
  return sum;
}

/// server/sched.go, automaticGenerationBatch
std::int64_t automatic_batch(const Scenario& scenario, bool flash_attention, std::int64_t tokens, Bytes predicted) {
  const auto is_small_cuda = [](const DeviceGroup& g) { return g.device.backend == "cuda" && g.capacity() <= 8 * kGiB; };
  const auto is_cuda = [](const DeviceGroup& g) { return g.device.backend == "cuda"; };
  const std::vector<DeviceGroup>& groups = scenario.hardware;
  if (!flash_attention && std::any_of(groups.begin(), groups.end(), is_cuda))
    return tokens > kSmallContext && std::any_of(groups.begin(), groups.end(), is_small_cuda) ? kConstrainedBatch : kSmallBatch;
  const Bytes free = free_memory(scenario);
  const auto holds = [&](std::uint64_t percent, Bytes surcharge) {
    if (free == Bytes()) return true;
    return predicted <= share_of(free, percent) && predicted + surcharge <= share_of(free, kPlacedShare);
  };
  if (tokens > kMediumContext && holds(kLargeBatchShare, kLargeSurcharge)) return kLargeBatch;
  return tokens > kSmallContext && holds(kMediumBatchShare, kMediumSurcharge) ? kMediumBatch : kSmallBatch;
}

/// llm/llama_server.go, shouldDisableMMProjOffload: the image encoder stays on the host if the layers are not all asked for or a GPU is small.
bool encodes_on_gpu(const Job& job, const Rules& rules) {
  constexpr int by_size_of_encoder = 30'011;
  constexpr Bytes limited = 10 * kGiB;
  const std::int64_t layers = job.scenario.options.llama_cpp.n_gpu_layers.value_or(-1);
  if (layers >= 0 && layers <= llama_cpp::layers_of_file(job)) return false;
  const bool by_size = release_of(job.scenario.engine_version, rules) >= by_size_of_encoder;
  const Bytes required = llama_cpp::projector_bytes(job) + kProjectorHeadroom;
  return std::none_of(job.scenario.hardware.begin(), job.scenario.hardware.end(),
                      [&](const DeviceGroup& g) { return by_size ? g.capacity() < required : g.capacity() <= limited; });
}

/// What is left to choose, as releases since 0.30 choose it.
void settle(const Job& job, const Rules& rules, Scenario& scenario) {
  LlamaCppOptions& o = scenario.options.llama_cpp;
  scenario.engine_version.clear();
  scenario.sequences = runs_one_at_a_time(job.model) ? 1 : scenario.sequences;
  const std::int64_t tokens = std::min(scenario.context_tokens, job.model.max_context_tokens) * scenario.sequences;
  o.n_seq_max = scenario.sequences;
  o.n_ctx = tokens;
  const Bytes predicted = predicted_vram(job, tokens);
  const bool wants_devices = o.n_gpu_layers.value_or(-1) != 0;
  if (wants_devices && scenario.device_count() > 1 && !o.main_gpu && !o.sched_spread.value_or(false)) o.main_gpu = single_device(scenario, predicted);
  if (o.main_gpu) o.split_mode = SplitMode::none;
  if (!o.flash_attn)
    o.flash_attn = std::all_of(scenario.hardware.begin(), scenario.hardware.end(),
                               [](const DeviceGroup& g) { return has_flash_attention(g.device); });
  if (!o.n_batch) o.n_batch = o.n_ubatch = automatic_batch(scenario, *o.flash_attn, tokens, predicted);
  o.mmproj = o.mmproj.value_or(llama_cpp::projector_bytes(job) > Bytes());
  if (*o.mmproj) o.mmproj_offload = encodes_on_gpu(job, rules);
  if (*o.mmproj && *o.mmproj_offload && rules.clears_projector)
    o.fit_target_mib = static_cast<std::int64_t>((llama_cpp::projector_bytes(job) + kProjectorHeadroom + kMiB - Bytes(1)) / kMiB);
  o.fit = o.fit.value_or(true);
  o.mtp = o.mtp.value_or(false);  // server/routes.go: only if the Modelfile or the request says how many tokens to draft
  // tools/server/server-context.cpp, server_output_limits: one token of every sequence, and its drafts.
  o.n_outputs = scenario.sequences * (*o.mtp ? 1 + kDraftTokens : 1);
  // The llama.cpp of 0.30 kept no states to go back to (ollama/ollama#17482: 411 MiB of cache and state), the newest one does (need_n_rs_seq).
  if (*o.mtp) o.n_rs_seq = rules.carries.empty() ? kDraftTokens : 0;
}

std::string in_gib(Bytes bytes) {
  const std::uint64_t tenths = bytes.count() / ((std::uint64_t{1} << 30) / 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " GiB";
}

/// Which default context goes with this machine, and why.
Notice tier_notice(const Scenario& scenario, const Model& model) {
  const Bytes vram = total_vram(scenario);
  const std::int64_t tier = tier_of(vram);
  const std::int64_t tokens = std::min(tier, model.max_context_tokens);
  std::string message = "Ollama finds " + in_gib(vram) + " of GPU memory, so its default context is " + grouped(tier) +
                        " tokens (262,144 from 47 GiB, 32,768 from 23 GiB, else 4,096)";
  if (tokens < tier) message += ", here " + grouped(tokens) + ", as long as the model's";
  return notice::custom("ollama_context_tier", "params.workload.context_tokens", message + ".", "num_ctx", in_gib(vram), grouped(tokens));
}

/// What is left on the processor, in words; nothing if all of it is on GPUs, or a person chose how much (`num_gpu`).
std::optional<std::string> left_behind(const Job& job, const Plan& plan) {
  if (plan.devices.empty() || job.scenario.options.llama_cpp.n_gpu_layers.value_or(-1) >= 0) return std::nullopt;
  const std::int64_t on = plan.report.gpu_layers.value_or(0);
  const std::int64_t all = plan.report.all_gpu_layers.value_or(0);
  if (on >= all && !plan.report.tensors_on_host) return std::nullopt;
  return on >= all ? "parts of its layers" : grouped(all - on) + " of " + grouped(all) + " layers";
}

/// Why some of the model runs on the processor: a sentence with what all of it would need.
std::optional<Notice> partial_notice(const Job& settled, const Plan& plan) {
  const std::optional<std::string> layers = left_behind(settled, plan);
  if (!layers) return std::nullopt;
  Scenario whole = settled.scenario;
  whole.options.llama_cpp.fit = false;
  whole.options.llama_cpp.n_gpu_layers.reset();
  Bytes need, free;
  for (const DevicePlan& device : llama_cpp::plan({settled.model, settled.tensors, whole, false, settled.memo}).devices) {
    need += device.total();
    free += device.capacity;
  }
  const Bytes margin = static_cast<std::uint64_t>(settled.scenario.options.llama_cpp.fit_target_mib.value_or(1024)) * kMiB;
  return notice::custom("ollama_partial", "params.hardware",
                        "Ollama leaves " + *layers + " to the processor, which is slow: all of the model would need " + in_gib(need) + ", and of " +
                            in_gib(free) + " that are free it keeps " + in_gib(margin) +
                            " of each GPU clear. A shorter context, OLLAMA_KV_CACHE_TYPE=q8_0 or a smaller quantization brings them back.",
                        *layers, in_gib(need), in_gib(free));
}

/// The same where Ollama itself decided, from what it believed the model to take.
std::optional<Notice> booked_notice(const Job& job, const Run& run) {
  const std::optional<std::string> layers = left_behind(job, run.plan);
  if (!layers) return std::nullopt;
  Bytes free;
  std::size_t n_devices = 0;
  for (const DeviceGroup& group : job.scenario.hardware) {
    free += group.capacity() * static_cast<std::uint64_t>(group.count);
    n_devices += static_cast<std::size_t>(group.count);
  }
  const bool measures = run.way.itself && run.way.placing() == Placing::laid_out;
  Bytes need = run.books.total(n_devices);
  std::string of_which = in_gib(run.books.graph()) + " of each GPU for a graph by its own formula";
  if (measures) {
    need = run.books.output;
    for (const Bytes layer : run.books.layers) need += layer;
    of_which = "the graph not counted";
  }
  return notice::custom("ollama_books", "params.hardware",
                        "Ollama " + std::string(run.way.rules.version) + " leaves " + *layers +
                            " to the processor, which is slow: by its own count all of the model would need " + in_gib(need) + ", " + of_which +
                            ", and of " + in_gib(free) + " that are free it keeps " + in_gib(run.books.minimum) +
                            " of each GPU clear. A shorter context, a smaller quantization or a newer Ollama brings them back.",
                        *layers, in_gib(need), in_gib(free));
}

void add_common_warnings(const Job& job, const Rules& rules, std::int64_t sequences, Notices& warnings) {
  const std::string& version = job.scenario.engine_version;
  if (!is_read(version)) warnings.push_back(unread_version("Ollama", version, rules.version));
  if (!job.scenario.hardware.empty() && rules.context == 0) warnings.push_back(tier_notice(job.scenario, job.model));
  if (job.scenario.sequences > 1 && sequences == 1)
    warnings.push_back(notice::custom("ollama_one_at_a_time", "params.workload.sequences",
                                      "Ollama runs one request of this architecture at a time, whatever OLLAMA_NUM_PARALLEL says.", "sequences",
                                      grouped(job.scenario.sequences), "1"));
}

/// That its graphs are not those that were replayed.
Notice other_graphs(const Rules& rules, bool itself) {
  const std::string release = "Ollama " + std::string(rules.version);
  const std::string engine = itself ? "an engine of its own" : "llama.cpp " + std::string(rules.carries);
  return notice::custom("ollama_other_graphs", "params.engine.version",
                        release + " runs this model with " + engine + ". Graph buffers were counted as llama.cpp " +
                            std::string(llama_cpp::kVersion) +
                            " has them, with a band for the difference; whether this release knows the model was not checked.",
                        "engine.version", engine, std::string(llama_cpp::kVersion));
}

void add_warnings(const Job& job, const Job& settled, const Rules& rules, Plan& plan) {
  add_common_warnings(job, rules, settled.scenario.sequences, plan.warnings);
  if (!rules.carries.empty()) plan.warnings.push_back(other_graphs(rules, false));
  if (std::optional<Notice> partial = partial_notice(settled, plan)) plan.warnings.push_back(std::move(*partial));
}

void add_warnings(const Job& job, Run& run) {
  add_common_warnings(job, run.way.rules, run.way.sequences, run.plan.warnings);
  run.plan.warnings.push_back(other_graphs(run.way.rules, run.way.itself));
  if (run.way.sequences > job.scenario.sequences)
    run.plan.warnings.push_back(notice::custom("ollama_parallel", "params.engine.options.num_parallel",
                                               "Ollama " + std::string(run.way.rules.version) + " makes room for " + grouped(run.way.sequences) +
                                                   " sequences where they fit on the GPUs, unless OLLAMA_NUM_PARALLEL says otherwise.",
                                               "num_parallel", grouped(job.scenario.sequences), grouped(run.way.sequences)));
  if (run.ignores_cache_type)
    run.plan.warnings.push_back(notice::custom("ollama_cache_type", "params.kv_cache",
                                               "Ollama " + std::string(run.way.rules.version) +
                                                   " quantizes the cache only with flash attention, which "
                                                   "is off here, and only for models that it can do so for: an f16 cache was counted.",
                                               "kv_cache_type", job.scenario.kv_type, "f16"));
  if (std::optional<Notice> booked = booked_notice(job, run)) run.plan.warnings.push_back(std::move(*booked));
}

/// server/sched.go, ml.ByLibrary: a model runs on the GPUs of one backend.
bool mixes_backends(const Scenario& scenario) {
  return std::any_of(scenario.hardware.begin(), scenario.hardware.end(),
                     [&](const DeviceGroup& g) { return g.device.backend != scenario.hardware.front().device.backend; });
}

/// Why Ollama does not run it at all.
std::optional<Notice> refusal(const Job& job) {
  const bool is_shown = job.explain || (job.memo != nullptr && job.memo->is_shown);
  if (!is_shown && job.scenario.sequences > 1 && runs_one_at_a_time(job.model))  // a solver's question: it queues them
    return notice::out_of_range("params.workload.sequences", "sequences", "", "1");
  if (mixes_backends(job.scenario))
    return notice::custom("unsupported", "params.hardware", "Ollama runs a model on the GPUs of one backend: expected all of one backend.",
                          "hardware", "several backends", "GPUs of one backend");
  return std::nullopt;
}

Plan plan_with_server(const Job& job, const Rules& rules) {
  Scenario scenario = job.scenario;
  settle(job, rules, scenario);
  const Job settled{job.model, job.tensors, scenario, job.explain, job.memo};
  Plan plan = llama_cpp::plan(settled);
  if (!rules.carries.empty()) llama_cpp::widen_graphs(plan, llama_cpp::kOtherGraphs);
  if (job.explain && !plan.impossible) add_warnings(job, settled, rules, plan);
  return plan;
}

Plan plan_without_server(const Job& job, const Rules& rules) {
  Run run = run_before_llama_server(job, rules);
  if (job.explain && !run.plan.impossible) add_warnings(job, run);
  return std::move(run.plan);
}

/// The llama.cpp of 0.6.3 does not have ggml-org/llama.cpp#12801: a file for it has the matrix that unfolds MLA's latents whole, and the cache holds
/// every head's keys and values (llama/llama.cpp/src/llama-model.cpp, LLM_ARCH_DEEPSEEK2).
bool unfolds_all(const Job& job, const Rules& rules) {
  return rules.carries == "d7cfe1f" && !job.model.from_gguf && first_latent_attention(job.model.layers) != nullptr;
}

Plan plan_unfolded(const Job& job, const Rules& rules) {
  Model model = job.model;
  for (Tensor& tensor : model.plain)
    if (tensor.gguf == "attn_k_b+attn_v_b") tensor.gguf = "attn_kv_b";
  const std::vector<Tensor> tensors = gguf_tensors(model, loaded_format(model, job.scenario));
  Memo memo;  // what is remembered of the job is of another file
  memo.bounds = job.memo == nullptr || job.memo->bounds;
  memo.is_shown = job.memo != nullptr && job.memo->is_shown;
  return plan_without_server({model, tensors, job.scenario, job.explain, &memo}, rules);
}

}  // namespace

bool runs_one_at_a_time(const Model& model) {
  return is_any_of(gguf::architecture_of(model), {"mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe",
                                                  "nemotron_h", "nemotron_h_moe", "nemotron_h_omni"});
}

bool has_flash_attention(const Device& device) {
  const int capability = device.compute_capability;
  return device.backend != "cuda" || capability == 0 || (capability >= 60 && capability != 72);
}

std::int64_t context_of(const Model& model, const Scenario& scenario, std::int64_t asked) {
  constexpr int since = 11'000;
  constexpr int spares_small = 11'004;
  constexpr int has_images = 12'007;
  constexpr int until = 15'005;
  constexpr std::int64_t least = 8192;
  constexpr Bytes low_vram = 20 * kGiB;
  const int release = release_number(scenario.engine_version).value_or(until);
  const std::string_view architecture = gguf::architecture_of(model);
  const bool is_meant = architecture == "gpt-oss" || (release >= has_images && is_any_of(architecture, {"qwen3vl", "qwen3vlmoe"}));
  const bool raises = is_meant && release >= since && release < until && (release < spares_small || total_vram(scenario) >= low_vram);
  return std::min(raises ? std::max(asked, least) : asked, model.max_context_tokens);
}

UsualWorkload usual_workload(const Model& model, const Scenario& scenario) {
  const std::int64_t context = rules_for(scenario.engine_version).context;
  return {context_of(model, scenario, context > 0 ? context : tier_of(total_vram(scenario))), 1};
}

Plan plan(const Job& job) {
  const Rules& rules = rules_for(job.scenario.engine_version);
  Plan plan;
  if (std::optional<Notice> reason = refusal(job))
    plan.impossible = std::move(*reason);
  else if (rules.llama_cpp == Placing::llama_server)
    plan = plan_with_server(job, rules);
  else
    plan = unfolds_all(job, rules) ? plan_unfolded(job, rules) : plan_without_server(job, rules);
  plan.report.name = "ollama";
  plan.report.version = rules.version;
  if (!job.scenario.hardware.empty()) plan.report.default_context_tokens = usual_workload(job.model, job.scenario).context_tokens;
  return plan;
}

}  // namespace weighbridge::ollama

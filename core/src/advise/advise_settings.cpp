// SPDX-License-Identifier: Apache-2.0
// What advice proposes of settings that have a few values, and what is known of their price.
#include <algorithm>
#include <array>

#include "advise/advise_trials.hpp"
#include "engine/engine.hpp"
#include "response.hpp"
#include "setting_names.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

// Perplexity of Llama-3-8B beside that of its 16-bit weights.
constexpr std::string_view kQuantize = "llama.cpp, tools/quantize/quantize.cpp";
constexpr std::string_view kQuantizeUrl =
    "https://github.com/ggml-org/llama.cpp/blob/03161a4eb9a2ec66ef97789f347c5a28279f06ea/tools/quantize/quantize.cpp";
constexpr QualityNote kQ8_0{"gguf_perplexity", "0.0026", kQuantize, kQuantizeUrl};
constexpr QualityNote kQ6K{"gguf_perplexity", "0.0217", kQuantize, kQuantizeUrl};
constexpr QualityNote kQ5KM{"gguf_perplexity", "0.0569", kQuantize, kQuantizeUrl};
constexpr QualityNote kQ4KM{"gguf_perplexity", "0.1754", kQuantize, kQuantizeUrl};
constexpr QualityNote kQ3KM{"gguf_perplexity", "0.6569", kQuantize, kQuantizeUrl};
constexpr QualityNote kQ2K{"gguf_perplexity", "3.5199", kQuantize, kQuantizeUrl};
// Over 500,000 evaluations of the Llama 3.1 models: W8A8-FP, W8A8-INT and W4A16-INT.
constexpr std::string_view kKurtic = "arXiv:2411.02355";
constexpr std::string_view kKurticUrl = "https://arxiv.org/abs/2411.02355";
constexpr QualityNote kFp8{"fp8_lossless", "", kKurtic, kKurticUrl};
constexpr QualityNote kInt8{"int8_points", "", kKurtic, kKurticUrl};
constexpr QualityNote kInt4{"int4_rivals_8bit", "", kKurtic, kKurticUrl};
// The cache: 6.2322 with f16 keys and values, 6.2344 with q8_0, weights in f16.
constexpr QualityNote kCacheQ8{"cache_perplexity", "0.0022", "llama.cpp #7412", "https://github.com/ggml-org/llama.cpp/pull/7412"};
constexpr QualityNote kCacheFp8{"cache_fp8", "", "vLLM, FP8 E4M3 KV Cache", "https://docs.vllm.ai/en/v0.6.6/quantization/fp8_e4m3_kvcache.html"};

/// Of several with one price, the first that runs is named.
constexpr FormatPrice kWeights[] = {
    {"gguf:Q8_0", Price::weights_8bit, &kQ8_0},   {"fp8", Price::weights_8bit, &kFp8},           {"int8", Price::weights_8bit, &kInt8},
    {"bnb-int8", Price::weights_8bit, nullptr},   {"mlx-8bit", Price::weights_8bit, nullptr},    {"exl2-8bpw", Price::weights_8bit, nullptr},
    {"exl3-8bpw", Price::weights_8bit, nullptr},  {"gguf:Q6_K", Price::weights_6bit, &kQ6K},     {"mlx-6bit", Price::weights_6bit, nullptr},
    {"exl2-6bpw", Price::weights_6bit, nullptr},  {"exl3-6bpw", Price::weights_6bit, nullptr},   {"gguf:Q5_K_M", Price::weights_5bit, &kQ5KM},
    {"mlx-5bit", Price::weights_5bit, nullptr},   {"exl2-5bpw", Price::weights_5bit, nullptr},   {"exl3-5bpw", Price::weights_5bit, nullptr},
    {"gguf:Q4_K_M", Price::weights_4bit, &kQ4KM}, {"int4", Price::weights_4bit, &kInt4},         {"awq-int4", Price::weights_4bit, nullptr},
    {"nf4", Price::weights_4bit, nullptr},        {"mlx-4bit", Price::weights_4bit, nullptr},    {"exl2-4bpw", Price::weights_4bit, nullptr},
    {"exl3-4bpw", Price::weights_4bit, nullptr},  {"q4f16_1", Price::weights_4bit, nullptr},     {"gguf:Q3_K_M", Price::weights_3bit, &kQ3KM},
    {"exl2-3bpw", Price::weights_3bit, nullptr},  {"exl3-3bpw", Price::weights_3bit, nullptr},   {"q3f16_1", Price::weights_3bit, nullptr},
    {"gguf:Q2_K", Price::weights_2bit, &kQ2K},    {"exl2-2.4bpw", Price::weights_2bit, nullptr}, {"exl3-2bpw", Price::weights_2bit, nullptr}};

constexpr FormatPrice kCaches[] = {
    {"fp8", Price::cache_8bit, &kCacheFp8}, {"fp8_e4m3", Price::cache_8bit, &kCacheFp8}, {"fp8_e4m3fn", Price::cache_8bit, &kCacheFp8},
    {"q8_0", Price::cache_8bit, &kCacheQ8}, {"q8", Price::cache_8bit, nullptr},          {"int8", Price::cache_8bit, nullptr},
    {"int4", Price::cache_4bit, nullptr},   {"q4_0", Price::cache_4bit, nullptr},        {"q4", Price::cache_4bit, nullptr}};

/// What an engine calls the tokens of a prompt that one step takes.
struct StepOption {
  std::string_view engine;
  std::string_view name;
  std::array<std::int64_t, 2> tokens;
};
constexpr StepOption kSteps[] = {{"vllm", "max_num_batched_tokens", {2048, 512}},
                                 {"sglang", "chunked_prefill_size", {2048, 512}},
                                 {"tensorrt-llm", "max_num_tokens", {2048, 512}},
                                 {"llama.cpp", "n_ubatch", {256, 128}},
                                 {"ollama", "num_batch", {256, 128}},
                                 {"lm-studio", "eval_batch_size", {256, 128}},
                                 {"transformers", "prefill_chunk_size", {2048, 512}},
                                 {"mlx", "prefill_step_size", {512, 128}}};

/// Options that make an engine draft; without them it does not.
constexpr std::string_view kDrafting[] = {"draft_model",
                                          "draft_weights",
                                          "n_gpu_layers_draft",
                                          "type_k_draft",
                                          "type_v_draft",
                                          "mtp",
                                          "speculative_method",
                                          "num_speculative_tokens",
                                          "speculative_algorithm",
                                          "speculative_num_draft_tokens",
                                          "num_nextn_predict_layers"};
bool lists(const std::vector<std::string_view>& names, std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); }

/// Whether `type` is one of the engine's, and not another name: vLLM's fp8 is its fp8_e4m3.
bool has_cache_type(const Engine& engine, std::string_view type) {
  return lists(engine.kv_types, type) && !(type == "fp8_e4m3" && lists(engine.kv_types, "fp8"));
}

Json option_patch(std::string_view name, Json value) { return {{"engine", {{"options", {{std::string(name), std::move(value)}}}}}}; }

/// A patch that takes out those of `names` that are given; null if none is.
template <class Names>
Json without_options(const Trials& trials, const Names& names) {
  Json patch;
  for (const std::string_view name : names)
    if (!trials.option(name).is_null()) patch = together(patch.is_null() ? Json::object() : patch, option_patch(name, nullptr));
  return patch;
}

void raise_limit(const Situation& now, std::vector<Change>& changes) {
  Json rows = now.trials.params()["hardware"];
  bool is_raised = false;
  for (std::size_t i = 0; i < now.scenario().hardware.size(); ++i) {
    const DeviceGroup& group = now.scenario().hardware[i];
    if (group.raised_limit || group.device.raised_limit_bytes <= group.device.runtime_bytes) continue;
    rows[i]["raised_limit"] = is_raised = true;
  }
  if (is_raised) changes.push_back({Strategy::raised_limit, Price::less_for_others, 0, false, true, {{"hardware", std::move(rows)}}});
}

void stop_drafting(const Situation& now, std::vector<Change>& changes) {
  Json patch = without_options(now.trials, kDrafting);
  if (!patch.is_null()) changes.push_back({Strategy::drafting, Price::no_drafts, 0, true, false, std::move(patch)});
}

void take_smaller_steps(const Situation& now, std::vector<Change>& changes) {
  for (const StepOption& option : kSteps) {
    if (option.engine != now.scenario().engine) continue;
    const Json given = now.trials.option(option.name);
    for (const std::int64_t tokens : option.tokens) {
      // Where it fits already, the smallest step stands for all.
      if (now.goal == AdviceGoal::room && tokens != option.tokens.back()) continue;
      if (tokens < now.scenario().sequences || (given.is_number() && given.get<double>() <= static_cast<double>(tokens))) continue;
      changes.push_back({Strategy::step, Price::slower_prompts, 1.0 / static_cast<double>(tokens), given, tokens, option_patch(option.name, tokens)});
    }
  }
}

void split_otherwise(const Situation& now, std::vector<Change>& changes) {
  const Scenario& s = now.scenario();
  const Parallel& p = s.parallel;
  const std::int64_t count = s.device_count();
  const auto layout = [&](std::int64_t tensor, std::int64_t pipeline) { return describe_parallel<Json>({tensor, pipeline, 1, false, p.nodes}); };
  const Json from = describe_parallel<Json>(p);
  if (s.engine != "vllm" && s.engine != "sglang" && s.engine != "tensorrt-llm") return;
  if (p.data > 1) changes.push_back({Strategy::split, Price::more_traffic, 1, from, layout(count, 1), {{"parallel", layout(count, 1)}}});
  // Where tensor parallel ranks hold copies of the cache, they can share its tokens out (vllm/config/parallel.py decode_context_parallel_size).
  const FullAttention* heads = first_grouped_attention(now.trials.model().layers);
  const bool is_latent = first_latent_attention(now.trials.model().layers) != nullptr;
  const std::int64_t copies = is_latent ? p.tensor : heads != nullptr && p.tensor % heads->n_kv_heads == 0 ? p.tensor / heads->n_kv_heads : 1;
  constexpr std::string_view shared = "decode_context_parallel_size";
  if (s.engine == "vllm" && copies > 1 && now.trials.option(shared).is_null())
    changes.push_back({Strategy::split, Price::more_traffic, 2, Json{{shared, 1}}, Json{{shared, copies}}, option_patch(shared, copies)});
  if (count % 2 == 0 && p.pipeline == 1)
    changes.push_back({Strategy::split, Price::more_traffic, 3, from, layout(count / 2, 2), {{"parallel", layout(count / 2, 2)}}});
}

void leave_out_graphs(const Situation& now, std::vector<Change>& changes) {
  const std::string_view option = now.scenario().engine == "vllm" ? "enforce_eager" : "disable_cuda_graph";
  if (!(now.scenario().engine == "vllm" || now.scenario().engine == "sglang") || now.scenario().options.enforce_eager.value_or(false)) return;
  changes.push_back({Strategy::graphs, Price::slower_tokens, 0, false, true, option_patch(option, true)});
}

void leave_out_images(const Situation& now, std::vector<Change>& changes) {
  if (now.scenario().engine == "vllm" && now.trials.model().vision && !now.scenario().options.vllm.language_model_only.value_or(false))
    changes.push_back({Strategy::images, Price::no_images, 0, true, false, option_patch("language_model_only", true)});
  if (now.scenario().options.llama_cpp.mmproj.value_or(false))
    changes.push_back({Strategy::images, Price::no_images, 0, true, false, option_patch("mmproj", nullptr)});
}

void narrow_cache(const Situation& now, const Engine& engine, std::vector<Change>& changes) {
  for (const FormatPrice& type : kCaches) {
    if (!has_cache_type(engine, type.format) || now.scenario().kv_type == type.format) continue;
    changes.push_back({Strategy::cache, type.price, 0, now.scenario().kv_type, type.format, cache_patch(now.trials, type.format), type.note});
  }
}

void narrow_weights(const Situation& now, const Engine& engine, std::vector<Change>& changes) {
  const Model& model = now.trials.model();
  if (model.from_gguf) return;
  const std::string_view from = loaded_format(model, now.scenario());
  const auto propose = [&](const FormatPrice& weights) {
    if (!lists(engine.weights_formats, weights.format) || now.scenario().weights_format == weights.format) return;
    changes.push_back({Strategy::weights, weights.price, 0, from, weights.format, {{"weights", {{"format", weights.format}}}}, weights.note});
  };
  // Experts that are published in this format keep their values in a GGUF of it.
  if (checkpoint_format(model) == "mxfp4") propose({"gguf:MXFP4_MOE", Price::as_published, nullptr});
  for (const FormatPrice& weights : kWeights) propose(weights);
}

}  // namespace

const FormatPrice* price_of_weights(std::string_view format) {
  const auto* found = std::find_if(std::begin(kWeights), std::end(kWeights), [&](const FormatPrice& weights) { return weights.format == format; });
  return found == std::end(kWeights) ? nullptr : found;
}

std::vector<std::string_view> cache_types_by_loss(const Engine& engine) {
  std::vector<std::string_view> types{"auto"};
  for (const FormatPrice& type : kCaches)
    if (has_cache_type(engine, type.format)) types.push_back(type.format);
  return types;
}

std::vector<Change> setting_changes(const Situation& now) {
  std::vector<Change> changes;
  const Engine* engine = find_engine(now.scenario().engine);
  if (engine == nullptr) return changes;
  raise_limit(now, changes);
  stop_drafting(now, changes);
  take_smaller_steps(now, changes);
  split_otherwise(now, changes);
  leave_out_graphs(now, changes);
  leave_out_images(now, changes);
  narrow_cache(now, *engine, changes);
  narrow_weights(now, *engine, changes);
  return changes;
}

}  // namespace weighbridge

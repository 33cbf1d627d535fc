// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "engine/engine.hpp"
#include "engine/local_rules.hpp"
#include "engine/serving_rules.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

namespace {

/// The rows of `rules` in the engines that they are of.
void take(std::vector<Engine>& all, std::span<const EngineRules> rules) {
  for (const EngineRules& own : rules)
    for (Engine& engine : all)
      if (engine.name == own.engine) {
        engine.plan = own.plan;
        engine.usual_workload = own.usual_workload;
      }
}

std::vector<Engine> all_engines() {
  std::vector<Engine> all{vllm_engine(),      sglang_engine(),    tensorrt_llm_engine(), lmdeploy_engine(),     tgi_engine(),
                          llama_cpp_engine(), ollama_engine(),    lm_studio_engine(),    transformers_engine(), mlx_engine(),
                          exllamav2_engine(), exllamav3_engine(), mlc_engine(),          web_llm_engine(),      article_engine()};
  take(all, local_rules().engines);
  take(all, serving_rules().engines);
  return all;
}

}  // namespace

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all = all_engines();
  return all;
}

std::string_view published_format(const Job& job) {
  if (job.memo == nullptr) return checkpoint_format(job.model);
  if (job.memo->published.empty()) job.memo->published = checkpoint_format(job.model);
  return job.memo->published;
}

std::string_view stored_format(const Job& job) {
  const std::string_view format = job.scenario.weights_format;
  return format == "checkpoint" ? published_format(job) : format;
}

bool caches_fp8(const Job& job, bool heeds_modelopt, bool heeds_compressed_tensors) {
  const Scenario& s = job.scenario;
  if (s.kv_type != "auto" || s.weights_format != "checkpoint") return s.kv_type.starts_with("fp8");
  const StatedCache stated = job.model.stated_cache;
  return (heeds_modelopt && stated == StatedCache::fp8_by_modelopt) || (heeds_compressed_tensors && stated == StatedCache::fp8_by_compressed_tensors);
}

std::string_view cache_note(const Job& job, bool is_fp8, bool is_latent, std::int64_t ranks) {
  if (is_fp8 && job.scenario.kv_type == "auto" && caches_fp8(job, true, true)) return "cache_as_stated";
  if (is_latent) return "latent_cache_copied";
  return ranks > 1 ? "kv_heads_split" : "";
}

std::string gib_text(Bytes bytes) {
  const std::uint64_t hundredths = bytes.count() / (kGiB.count() / 100);
  const std::string digits = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + (digits.size() < 2 ? ".0" : ".") + digits;
}

Notice rules_elsewhere(std::string_view what) {
  return notice::custom("engine_elsewhere", "params.engine.module", "The rules of " + std::string(what) + " are in another module.", "engine.name",
                        std::string(what), "");
}

Notice unread_version(std::string_view engine, const std::string& asked, std::string_view used) {
  return notice::custom("unknown_version", "params.engine.version",
                        "We have not read " + std::string(engine) + " " + asked + "; it was counted by the rules of " + std::string(used) + ".",
                        "engine.version", asked, std::string(used));
}

Plan plan_of_one_version(const Job& job, const Engine& engine) {
  Plan plan;
  plan.report.name = engine.name;
  plan.report.version = engine.versions.back();
  const std::string& asked = job.scenario.engine_version;
  if (job.explain && !asked.empty() && asked != plan.report.version)
    plan.warnings.push_back(unread_version(engine.title, asked, plan.report.version));
  return plan;
}

bool Engine::has_option(std::string_view option) const {
  return std::any_of(options.begin(), options.end(), [&](const OptionInfo& known) { return known.name == option; });
}

bool Engine::loads(std::string_view format) const {
  const auto has = [&](const std::vector<std::string_view>& names) { return std::find(names.begin(), names.end(), format) != names.end(); };
  return has(weights_formats) || has(checkpoint_formats);
}

const Engine* find_engine(std::string_view name) {
  for (const Engine& engine : engines())
    if (engine.name == name) return &engine;
  return nullptr;
}

std::string engine_names() {
  std::string names;
  for (const Engine& engine : engines()) names += (names.empty() ? "" : ", ") + std::string(engine.name);
  return names;
}

}  // namespace weighbridge

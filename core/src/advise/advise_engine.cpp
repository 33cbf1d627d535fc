// SPDX-License-Identifier: Apache-2.0
// What advice proposes where another engine would do with less.
#include "advise/advise_trials.hpp"
#include "engine/engine.hpp"
#include "weighbridge/best_weights.hpp"

namespace weighbridge {

namespace {

constexpr std::string_view kLeanest = "llama.cpp";  // it sets nothing aside beyond what it was asked for, and runs on every backend
constexpr std::string_view kSmallest = "gguf:Q4_K_M";

/// Without what was said to the engine before.
Json engine_patch(const Trials& trials) {
  Json patch{{"engine", {{"name", kLeanest}}}};
  const Json& params = trials.params();
  for (const char* key : {"parallel", "offload"})
    if (params.contains(key)) patch[key] = nullptr;
  if (params.contains("kv_cache")) patch["kv_cache"] = {{"k", "auto"}, {"v", "auto"}};
  const Json engine = params.value("engine", Json::object());
  if (engine.contains("version")) patch["engine"]["version"] = nullptr;
  if (const auto options = engine.find("options"); options != engine.end() && options->is_object())
    for (const auto& [name, value] : options->items()) patch["engine"]["options"][name] = nullptr;
  return patch;
}

Json weights_patch(std::string_view format) { return {{"weights", {{"format", format}}}}; }

}  // namespace

std::vector<Change> engine_changes(const Situation& now) {
  const Engine* engine = find_engine(now.scenario().engine);
  if (engine == nullptr || engine->name == "article" || engine->is_llama_cpp()) return {};
  if (now.scenario().parallel.nodes > 1) return {};  // it reaches the devices of its own machine
  Json patch = engine_patch(now.trials);
  const std::string_view format = now.scenario().weights_format;
  Result<Setup> moved = now.trials.read(together(patch, weights_patch("checkpoint")));
  if (!moved) return {};
  const bool is_on_host = moved->scenario.hardware.empty();
  if (!is_on_host) moved->scenario.host.reset();  // what would lie there is slower by far
  const Result<BestWeights> best = solve_best_weights(now.trials.model(), moved->scenario, kSmallest);
  if (!best || best->answer.verdict.kind != VerdictClass::fits) return {};
  std::vector<Change> changes{
      {Strategy::engine, is_on_host ? Price::engine_on_host : Price::other_engine, 0, engine->name, kLeanest, std::move(patch)}};
  if (best->format == format) return changes;
  const FormatPrice* price = price_of_weights(best->format);
  changes.push_back({Strategy::weights, price != nullptr ? price->price : Price::as_published, 0, loaded_format(now.trials.model(), now.scenario()),
                     best->format, weights_patch(best->format), price != nullptr ? price->note : nullptr});
  return changes;
}

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"
#include "weighbridge/weights.hpp"

namespace weighbridge {

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all{vllm_engine(),      sglang_engine(),       tensorrt_llm_engine(), llama_cpp_engine(), ollama_engine(),
                                       lm_studio_engine(), transformers_engine(), mlx_engine(),          article_engine()};
  return all;
}

std::string_view stored_format(const Job& job) {
  const std::string_view format = job.scenario.weights_format;
  return format == "checkpoint" ? checkpoint_format(job.model) : format;
}

Notice unread_version(std::string_view engine, const std::string& asked, std::string_view used) {
  return notice::custom("unknown_version", "params.engine.version",
                        "We have not read " + std::string(engine) + " " + asked + "; it was counted by the rules of " + std::string(used) + ".",
                        "engine.version", asked, std::string(used));
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

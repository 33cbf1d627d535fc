// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.hpp"

namespace weighbridge {

const std::vector<Engine>& engines() {
  static const std::vector<Engine> all{vllm_engine(), llama_cpp_engine(), article_engine()};
  return all;
}

const Engine* find_engine(std::string_view name) {
  for (const Engine& engine : engines())
    if (engine.name == name) return &engine;
  return nullptr;
}

}  // namespace weighbridge

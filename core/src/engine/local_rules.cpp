// SPDX-License-Identifier: Apache-2.0
#include "engine/local_rules.hpp"

#include "library_options.hpp"
#include "llama_options.hpp"
#include "running.hpp"

namespace weighbridge {

LocalRules local_rules() {
  return {llama_cpp::plan,
          ollama::plan,
          lm_studio::plan,
          ollama::usual_workload,
          lm_studio::usual_workload,
          transformers::plan,
          transformers::usual_workload,
          mlx::plan,
          mlx::usual_workload,
          exllamav3::plan,
          exllamav3::usual_workload,
          mlc::plan,
          mlc::usual_workload,
          web_llm::plan,
          web_llm::usual_workload,
          llama_cpp::read_draft,
          place_running,
          read_library_options,
          describe_library_options,
          read_llama_options,
          describe_llama_options};
}

}  // namespace weighbridge

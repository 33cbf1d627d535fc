// SPDX-License-Identifier: Apache-2.0
#include "engine/local_rules.hpp"

#include "llama_options.hpp"

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
          llama_cpp::read_draft,
          read_llama_options,
          describe_llama_options};
}

}  // namespace weighbridge

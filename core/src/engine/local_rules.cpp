// SPDX-License-Identifier: Apache-2.0
#include "engine/local_rules.hpp"

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
          mlx::usual_workload};
}

}  // namespace weighbridge

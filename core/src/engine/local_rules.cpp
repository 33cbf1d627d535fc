// SPDX-License-Identifier: Apache-2.0
#include "engine/local_rules.hpp"

#include "fit_trial.hpp"
#include "options/library_options.hpp"
#include "options/llama_options.hpp"
#include "solve/running.hpp"

namespace weighbridge {

namespace {

constexpr EngineRules kEngines[] = {
    {"llama.cpp", llama_cpp::plan},
    {"ollama", ollama::plan, ollama::usual_workload},
    {"lm-studio", lm_studio::plan, lm_studio::usual_workload},
    {"transformers", transformers::plan, transformers::usual_workload},
    {"mlx", mlx::plan, mlx::usual_workload},
    {"exllamav2", exllamav2::plan, exllamav2::usual_workload},
    {"exllamav3", exllamav3::plan, exllamav3::usual_workload},
    {"mlc-llm", mlc::plan, mlc::usual_workload},
    {"web-llm", web_llm::plan, web_llm::usual_workload},
};

}  // namespace

bool has_local_rules() { return true; }

LocalRules local_rules() {
  return {kEngines,           read_draft,      place_running,         read_library_options, describe_library_options,
          read_llama_options, largest_in_turn, describe_llama_options};
}

}  // namespace weighbridge

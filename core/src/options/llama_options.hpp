// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "weighbridge/scenario.hpp"

namespace weighbridge {

/// Runs llama.cpp, with names of its own for what it sets.
[[nodiscard]] inline bool is_preset(std::string_view engine) { return engine == "ollama" || engine == "lm-studio"; }

/// The options of llama.cpp and of what runs it. LocalRules has both: a module without these rules needs no words for their settings.
void read_llama_options(KeyReader& reader, Scenario& scenario);
void describe_llama_options(const LlamaCppOptions& options, std::string_view engine, Json& json);

}  // namespace weighbridge

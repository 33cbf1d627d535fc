// SPDX-License-Identifier: Apache-2.0
// The language model inside of a config that describes several models.
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

struct LanguagePlace {
  std::string_view root = "language_model.";  ///< what the checkpoint has before the names that the language model has alone
  std::string_view type = "llama";            ///< its model_type where the config does not say
};

/// Reads what is under text_config (llm_config, language_config) as its own family does; the model's architecture is then the language model's.
/// Keys that are left out are the defaults of the family's class, as transformers does it in nested configs.
void read_language_model(KeyReader& config, Draft& draft, const LanguagePlace& place = {});

}  // namespace weighbridge

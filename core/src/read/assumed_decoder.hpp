// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "key_reader.hpp"
#include "read/draft.hpp"

namespace weighbridge {

/// What stands for a trained length that neither the config nor its class tells, and why.
constexpr std::int64_t kUnknownContext = 131072;
constexpr std::string_view kNoContext = "the config does not say how long a sequence may be";

/// Whether a config of a model_type that nobody has told us of has the keys of a plain decoder.
[[nodiscard]] bool describes_decoder(const Json& config);

/// The language model's object in a multi-modal config, under one of the names in use; null if there is none.
[[nodiscard]] const char* language_key(const Json& config);

/// Counts it as a plain decoder, grouped or latent attention, dense or with experts, and says so: a warning `assumed_architecture`, and one
/// `not_counted` that names the keys which tell of parts that were left out. What is in doubt is counted on the large side.
void read_assumed_decoder(KeyReader& config, Draft& draft);

}  // namespace weighbridge

// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "weighbridge/estimate.hpp"

namespace weighbridge {

/// A rule of thumb for the memory that a model needs.
enum class Thumb {
  two_bytes,           ///< two bytes a parameter, whatever the format
  format_bits,         ///< as many bits a parameter as the format has in its name; 16 are the rule above
  format_bits_and_20,  ///< the same and a fifth more (EleutherAI, "Transformer Math 101", Total Inference Memory)
  active_bits,         ///< only the parameters that one token uses, for a model with experts
  article,             ///< the article that engine/article/article.cpp follows: weights, one activation a token, a cache without layers
};

/// What a rule says of a case.
struct Receipt {
  Thumb rule = Thumb::two_bytes;
  Bytes bytes;
  double factor = 0;  ///< of the total that is counted: below 1 it says too little
};

/// The rules beside what is counted for the same case, on all devices and the host together.
struct Receipts {
  Bytes total;
  std::vector<Receipt> receipts;  ///< of the rules that have a word for the case, in the order of Thumb
};

/// Fails as estimate() does. Where the engine cannot run the case there is no total, and no receipt. `prepared` must be in the loaded_format() of
/// `scenario`.
[[nodiscard]] Result<Receipts> compare_with_rules(Prepared& prepared, const Scenario& scenario);

/// The first number in the name of a weights format, which is how people read it: 4 of `gguf:Q4_K_M`, 16 of `bf16`; 0 if there is none.
[[nodiscard]] std::int64_t bits_by_name(std::string_view format);

}  // namespace weighbridge

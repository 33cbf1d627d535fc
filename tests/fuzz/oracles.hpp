// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weighbridge::fuzz {

/// Reads `input` as a file of `reader` (gguf, safetensors, index, config) and says what is wrong with the answer; empty if all is well:
/// - the same bytes in other pieces, and in one, give the same answer;
/// - what was understood reads the same when it is written again;
/// - what was refused was refused with a code and a sentence;
/// - an index or config is JSON exactly when nlohmann/json says so.
[[nodiscard]] std::string complaint(std::string_view reader, std::string_view input);

/// Well-formed inputs to start from.
[[nodiscard]] std::vector<std::string> seeds(std::string_view reader);

}  // namespace weighbridge::fuzz
